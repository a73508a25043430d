#include "control/dataplane_link.h"

#include "config/config.h"
#include "lib/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 200
#define RETRY_FIRST_NS     (CLOCK_NS_PER_S / 20)
#define RETRY_LAST_NS      CLOCK_NS_PER_S
#define PUNTS_PER_TURN     256
#define STRANGERS_PER_TURN 32
#define STRANGERS_MAX      2048 /* 4 MiB */
#define WAITING_MAX        8192 /* 16 MiB, touched as used */
#define INJECT_RETRY_NS    (CLOCK_NS_PER_S / 1000)

struct queue { /* FIFO of fixed-size records */
	uint8_t *records;
	uint32_t size, capacity, first, count;
};

struct dataplane_link {
	struct loop *loop;
	char path[CONFIG_PATH_SIZE];
	struct mirror *mirror;
	struct dataplane_link_callbacks callbacks;
	bool attached;
	uint64_t last_epoch;
	uint64_t beats;
	uint64_t retry_ns;
	int last_error; /* logged once per kind */
	uint32_t next_worker;
	struct attachment attachment;
	struct loop_source socket, doorbell;
	struct loop_timer retry;
	struct queue strangers, waiting;
	struct dataplane_link_statistics statistics;
};

static int queue_init(struct queue *queue, uint32_t size, uint32_t capacity)
{
	*queue = (struct queue){
		.records = calloc(capacity, size), .size = size, .capacity = capacity};
	return queue->records ? 0 : -ENOMEM;
}

/* Copies the first `octets` of the record: most are far shorter than their slot. */
static bool queue_put(struct queue *queue, const void *record, size_t octets)
{
	if (queue->count == queue->capacity)
		return false;
	uint32_t at = (queue->first + queue->count++) % queue->capacity;
	memcpy(queue->records + (size_t)at * queue->size, record, octets);
	return true;
}

static const void *queue_peek(const struct queue *queue)
{
	return queue->count ? queue->records + (size_t)queue->first * queue->size : NULL;
}

static void queue_drop(struct queue *queue)
{
	queue->first = (queue->first + 1) % queue->capacity;
	queue->count--;
}

static void detach(struct dataplane_link *link)
{
	loop_source_remove(link->loop, &link->socket);
	loop_source_remove(link->loop, &link->doorbell);
	mirror_detach(link->mirror);
	attach_disconnect(&link->attachment);
	link->attached = false;
	if (link->callbacks.former)
		link->callbacks.former(link->callbacks.context, &link->attachment);
	attach_close(&link->attachment);
	// Replies to the past: their nodes ask again.
	link->statistics.inject_dropped += link->waiting.count;
	link->waiting.count = 0;
}

static void on_socket(void *context, uint32_t events, const struct clock_now *now)
{
	struct dataplane_link *link = context;
	if (!(events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP | EPOLLIN)))
		return;
	detach(link);
	log_warning("dataplane_gone", "socket=%s", link->path);
	link->callbacks.detached(link->callbacks.context);
	link->retry_ns = RETRY_FIRST_NS;
	loop_timer_set(link->loop, &link->retry, now->monotonic_ns);
}

static void on_doorbell(void *context, uint32_t events, const struct clock_now *now)
{
	struct dataplane_link *link = context;
	doorbell_clear(link->attachment.event_doorbell); // the receive stage looks
}

static int watch(struct dataplane_link *link)
{
	int error = loop_source_add(link->loop, &link->socket, link->attachment.socket,
		EPOLLIN | EPOLLRDHUP, on_socket, link);
	if (!error)
		error = loop_source_add(link->loop, &link->doorbell,
			link->attachment.event_doorbell, EPOLLIN, on_doorbell, link);
	if (error)
		loop_source_remove(link->loop, &link->socket);
	return error;
}

static void connect_now(void *context, const struct clock_now *now)
{
	struct dataplane_link *link = context;
	int error = attach_connect(&link->attachment, link->path, CONNECT_TIMEOUT_MS);
	if (!error) {
		error = watch(link);
		if (error)
			attach_close(&link->attachment);
	}
	if (error) {
		if (error != link->last_error)
			log_warning("dataplane_unreachable", "socket=%s error=\"%s\"", link->path,
				strerror(-error));
		link->last_error = error;
		loop_timer_set(link->loop, &link->retry, now->monotonic_ns + link->retry_ns);
		link->retry_ns *= 2;
		if (link->retry_ns > RETRY_LAST_NS)
			link->retry_ns = RETRY_LAST_NS;
		return;
	}
	bool restarted = link->attachment.epoch != link->last_epoch;
	link->last_error = 0;
	link->last_epoch = link->attachment.epoch;
	link->retry_ns = RETRY_FIRST_NS;
	link->attached = true;
	link->statistics.attaches++;
	mirror_attach(link->mirror, &link->attachment);
	log_notice("dataplane_attached", "epoch=%016llx session=%llu workers=%u ports=%u",
		(unsigned long long)link->attachment.epoch,
		(unsigned long long)link->attachment.session, link->attachment.limits.workers,
		link->attachment.limits.ports);
	link->callbacks.attached(link->callbacks.context, restarted);
}

int dataplane_link_new(struct loop *loop, const char *path, struct mirror *mirror,
	const struct dataplane_link_callbacks *callbacks, struct dataplane_link **out)
{
	struct dataplane_link *link = calloc(1, sizeof(*link));
	if (!link)
		return -ENOMEM;
	link->loop = loop;
	snprintf(link->path, sizeof(link->path), "%s", path);
	link->mirror = mirror;
	link->callbacks = *callbacks;
	link->retry_ns = RETRY_FIRST_NS;
	link->retry = (struct loop_timer){.handler = connect_now, .context = link};
	int error = queue_init(&link->strangers, sizeof(struct punt_record), STRANGERS_MAX);
	if (!error)
		error = queue_init(&link->waiting, sizeof(struct inject_record), WAITING_MAX);
	if (!error)
		error = loop_timer_set(loop, &link->retry, 0);
	if (error) {
		dataplane_link_free(link);
		return error;
	}
	*out = link;
	return 0;
}

void dataplane_link_free(struct dataplane_link *link)
{
	if (!link)
		return;
	if (link->attached)
		detach(link);
	loop_timer_cancel(link->loop, &link->retry);
	free(link->strangers.records);
	free(link->waiting.records);
	free(link);
}

bool dataplane_link_send(struct dataplane_link *link, const struct inject_record *record)
{
	if (!link->attached || record->length > sizeof(record->data))
		return false;
	if (!queue_put(&link->waiting, record,
		    offsetof(struct inject_record, data) + record->length)) {
		link->statistics.inject_dropped++;
		return false;
	}
	return true;
}

bool dataplane_link_port_mac(const struct dataplane_link *link, uint16_t port, uint8_t mac[6])
{
	static const uint8_t unset[6];
	if (!link->attached || port >= link->attachment.limits.ports)
		return false;
	memcpy(mac, link->attachment.port_counters[port].mac, 6);
	return memcmp(mac, unset, 6) != 0;
}

const struct attachment *dataplane_link_attachment(const struct dataplane_link *link)
{
	return link->attached ? &link->attachment : NULL;
}

static void hand_on(
	struct dataplane_link *link, const struct punt_record *record, const struct clock_now *now)
{
	link->callbacks.punt(link->callbacks.context, record, now);
}

/* One record of one worker; false when its ring is empty. */
static bool take_punt(struct dataplane_link *link, unsigned worker, const struct clock_now *now)
{
	struct punt_record record; // a copy: the peer may still write to the slot
	if (!ring_get(&link->attachment.punt[worker], &record))
		return false;
	link->statistics.punts++;
	if (record.length > PACKET_RECORD_DATA_SIZE) {
		link->statistics.punts_dropped++;
		return true;
	}
	if (link->callbacks.preferred(link->callbacks.context, &record)) {
		hand_on(link, &record, now);
		return true;
	}
	if (queue_put(
		    &link->strangers, &record, offsetof(struct punt_record, data) + record.length))
		link->statistics.punts_deferred++;
	else
		link->statistics.punts_dropped++;
	return true;
}

/* Takes one of each worker in turn until the budget or all rings are used up. True when something
 * may be left. */
static bool take_punts(struct dataplane_link *link, const struct clock_now *now)
{
	uint32_t workers = link->attachment.limits.workers, idle = 0;
	for (unsigned taken = 0; taken < PUNTS_PER_TURN && idle < workers;) {
		uint32_t worker = link->next_worker++ % workers;
		if (take_punt(link, worker, now)) {
			idle = 0;
			taken++;
		} else {
			idle++;
		}
	}
	return idle < workers;
}

monotonic dataplane_link_receive(struct dataplane_link *link, const struct clock_now *now)
{
	bool more = false;
	if (link->attached) {
		atomic_store_explicit(&link->attachment.header->control_heartbeat, ++link->beats,
			memory_order_relaxed);
		more = take_punts(link, now);
	}
	for (unsigned i = 0; i < STRANGERS_PER_TURN; i++) {
		const struct punt_record *record = queue_peek(&link->strangers);
		if (!record)
			break;
		hand_on(link, record, now);
		queue_drop(&link->strangers);
	}
	if (more || link->strangers.count)
		return 0;
	return now->monotonic_ns + CLOCK_NS_PER_S; // the heartbeat
}

monotonic dataplane_link_flush(struct dataplane_link *link, const struct clock_now *now)
{
	if (!link->attached)
		return CLOCK_NEVER;
	uint32_t put = 0;
	for (const struct inject_record *record; (record = queue_peek(&link->waiting)); put++) {
		struct inject_record *slot = ring_reserve(&link->attachment.inject, put);
		if (!slot)
			break;
		memcpy(slot, record, offsetof(struct inject_record, data) + record->length);
		queue_drop(&link->waiting);
	}
	if (put) {
		ring_commit(&link->attachment.inject, put);
		doorbell_ring(link->attachment.command_doorbell);
		link->statistics.injected += put;
	}
	// The dataplane does not tell when it has emptied a slot: look again.
	return link->waiting.count ? now->monotonic_ns + INJECT_RETRY_NS : CLOCK_NEVER;
}

struct dataplane_link_statistics dataplane_link_statistics_get(const struct dataplane_link *link)
{
	struct dataplane_link_statistics statistics = link->statistics;
	statistics.deferred_now = link->strangers.count;
	statistics.waiting_now = link->waiting.count;
	return statistics;
}
