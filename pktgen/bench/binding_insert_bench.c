/*
 * How fast control fills the dataplane: bindings through mirror_set, the command ring, a consumer
 * on a thread of its own, and back as finished tickets; the dataplane and control sides are the
 * real ones (insert_consumer.h says which consumer is linked). Home addresses come in random order.
 * Reports the rate over all and the rate of the last tenth against the first, then what a
 * resynchronisation of everything takes (a dataplane that restarted).
 *
 *   binding_insert_bench [BINDINGS]     default 1000000
 */
#include "control/mirror/mirror.h"
#include "lib/base/clock.h"
#include "pktgen/bench/insert_consumer.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN            256u /* bindings set between two calls of mirror_poll, as a busy loop turn would */
#define TARGET_RATE     200000.0 /* bindings a second, issue 2 */
#define TARGET_RATIO    0.8      /* last tenth to first */
#define TARGET_RESYNC_S 2.0      /* for 100,000 bindings */

struct consumer_thread {
	struct insert_consumer *consumer;
	struct region *region;
	_Atomic bool stop;
};

struct progress {
	uint64_t done, refused;
	uint64_t marks; /* next mark, in tenths */
	uint64_t total;
	monotonic at[11]; /* when each tenth was done */
};

static void *consume(void *context)
{
	struct consumer_thread *t = context;

	while (!atomic_load_explicit(&t->stop, memory_order_relaxed)) {
		if (insert_consumer_poll(t->consumer))
			continue;
		struct pollfd wait = {.fd = t->region->command_doorbell, .events = POLLIN};
		(void)poll(&wait, 1, 1);
		doorbell_clear(t->region->command_doorbell);
	}
	return NULL;
}

static void on_done(void *context, uint64_t ticket, int error)
{
	struct progress *p = context;

	p->refused += error != 0;
	if (ticket == 1)
		return; /* the agent's */
	p->done++;
	while (p->marks <= 10 && p->done >= p->total * p->marks / 10)
		p->at[p->marks++] = clock_read().monotonic_ns;
}

/* Control's end, in the same process: what attach_connect makes of the region. */
static int attach_here(struct region *r, struct attachment *a)
{
	*a = (struct attachment){
		.socket = -1,
		.command_doorbell = r->command_doorbell,
		.event_doorbell = r->event_doorbell,
		.header = r->header,
		.limits = r->limits,
	};
	int error = ring_attach_producer(&a->command, r->command.shared,
		ring_size(r->limits.command_slots, sizeof(struct command)), r->limits.command_slots,
		sizeof(struct command));
	return error ? error
		     : ring_attach_consumer(&a->event, r->event.shared,
			       ring_size(r->limits.event_slots, sizeof(struct event)),
			       r->limits.event_slots, sizeof(struct event));
}

static void wait_for_dataplane(const struct region *region)
{
	struct pollfd wait = {.fd = region->event_doorbell, .events = POLLIN};

	(void)poll(&wait, 1, 1);
	doorbell_clear(region->event_doorbell);
}

static void set_agent(struct mirror *mirror)
{
	struct command c = {.type = COMMAND_AGENT_SET};

	c.agent.address = ip_address_from_v4(__builtin_bswap32(0xc0000201));
	c.agent.tunnel_ttl = 64;
	mirror_set(mirror, &c);
}

/* A permutation of 0..2^24-1: odd multiplier modulo a power of two. */
static struct command binding(uint32_t id)
{
	struct command c = {.type = COMMAND_BINDING_SET};

	c.binding.binding_id = id;
	c.binding.home_address =
		ip_address_from_v4(__builtin_bswap32(0x0a000000 | (id * 0x9e3779b1u & 0xffffff)));
	c.binding.care_of_address = c.binding.care_of_field =
		ip_address_from_v4(__builtin_bswap32(0xc6120000 + (id & 0x1ffff)));
	c.binding.agent_address = ip_address_from_v4(__builtin_bswap32(0xc0000201));
	c.binding.expires_ns = CLOCK_NEVER;
	c.binding.home_port = PORT_NONE;
	c.binding.care_of_port = __builtin_bswap16((uint16_t)(1024 + id % 60000));
	c.binding.agent_port = __builtin_bswap16(434);
	c.binding.flags = BINDING_UDP | BINDING_REVERSE;
	c.binding.encapsulation = ENCAPSULATION_IPIP;
	return c;
}

static double insert_all(struct mirror *mirror, struct progress *p, const struct region *region)
{
	monotonic start = clock_read().monotonic_ns;

	p->at[0] = start;
	p->marks = 1;
	for (uint32_t id = 0; p->done < p->total;) {
		for (uint32_t i = 0; i < TURN && id < p->total; i++, id++) {
			struct command c = binding(id);
			if (!mirror_set(mirror, &c))
				return -1;
		}
		if (!mirror_poll(mirror) &&
			(id == p->total || mirror_stats(mirror).waiting > 16384))
			wait_for_dataplane(region);
	}
	return (double)(clock_read().monotonic_ns - start) / 1e9;
}

static double resynchronise(struct mirror *mirror, const struct region *region)
{
	monotonic start = clock_read().monotonic_ns;

	while (!mirror_synced(mirror))
		if (!mirror_poll(mirror))
			wait_for_dataplane(region);
	return (double)(clock_read().monotonic_ns - start) / 1e9;
}

static void figure(const char *name, double value, const char *unit, const char *more)
{
	printf("{\"bench\": \"insert\", \"figure\": \"%s, %s\", \"value\": %.3f, \"unit\": "
	       "\"%s\"%s}\n",
		name, insert_consumer_name, value, unit, more);
}

static void report(const struct progress *p, double seconds, double resync_s)
{
	double first = (double)(p->at[1] - p->at[0]), last = (double)(p->at[10] - p->at[9]);
	double rate = (double)p->total / seconds, ratio = first / last;
	double resync_100k = resync_s * 100000 / (double)p->total;
	char more[96];

	printf("%s: %llu bindings in %.2f s, %.0f/s; tenths:", insert_consumer_name,
		(unsigned long long)p->total, seconds, rate);
	for (unsigned i = 1; i <= 10; i++)
		printf(" %.0f", (double)p->total / 10 / ((double)(p->at[i] - p->at[i - 1]) / 1e9));
	printf(" /s\n");
	snprintf(more, sizeof(more), ", \"target\": %.0f, \"pass\": %s", TARGET_RATE,
		rate >= TARGET_RATE ? "true" : "false");
	figure("bindings inserted", rate, "bindings/s", more);
	snprintf(more, sizeof(more), ", \"target\": %.1f, \"pass\": %s", TARGET_RATIO,
		ratio >= TARGET_RATIO ? "true" : "false");
	figure("last tenth to first", ratio, "ratio", more);
	snprintf(more, sizeof(more), ", \"target\": %.1f, \"pass\": %s", TARGET_RESYNC_S,
		resync_100k <= TARGET_RESYNC_S ? "true" : "false");
	figure("resynchronisation, per 100,000 bindings", resync_100k, "s", more);
}

static int run(struct region *region, struct mirror *mirror, struct progress *progress)
{
	struct consumer_thread consumer = {.region = region};
	struct attachment attachment;
	pthread_t thread;
	double resync_s;

	consumer.consumer = insert_consumer_new(region);
	if (!consumer.consumer || attach_here(region, &attachment) ||
		pthread_create(&thread, NULL, consume, &consumer)) {
		fprintf(stderr, "binding_insert_bench: no memory for %llu bindings\n",
			(unsigned long long)progress->total);
		return 1;
	}
	set_agent(mirror);
	mirror_attach(mirror, &attachment);
	(void)resynchronise(mirror, region);
	double seconds = insert_all(mirror, progress, region);
	atomic_store(&consumer.stop, true);
	pthread_join(thread, NULL);
	uint64_t held = insert_consumer_bindings(consumer.consumer);
	insert_consumer_free(consumer.consumer);

	/* A dataplane that restarted: empty tables, a new session. */
	mirror_detach(mirror);
	ring_reset(region->command.shared);
	ring_reset(region->event.shared);
	region->command.own = region->command.peer = region->event.own = region->event.peer = 0;
	atomic_store(&region->header->applied_sequence, 0);
	consumer.consumer = insert_consumer_new(region);
	atomic_store(&consumer.stop, false);
	if (!consumer.consumer || attach_here(region, &attachment) ||
		pthread_create(&thread, NULL, consume, &consumer))
		return 1;
	mirror_attach(mirror, &attachment);
	resync_s = resynchronise(mirror, region);
	atomic_store(&consumer.stop, true);
	pthread_join(thread, NULL);
	if (held != progress->total || insert_consumer_bindings(consumer.consumer) != held ||
		progress->refused) {
		fprintf(stderr,
			"binding_insert_bench: %llu of %llu bindings arrived, %llu refused\n",
			(unsigned long long)held, (unsigned long long)progress->total,
			(unsigned long long)progress->refused);
		return 1;
	}
	insert_consumer_free(consumer.consumer);
	report(progress, seconds, resync_s);
	return 0;
}

int main(int argc, char **argv)
{
	struct progress progress = {.total = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000};
	const struct region_limits limits = {
		.workers = 1,
		.ports = 1,
		.bindings = (uint32_t)progress.total,
		.routes = 1024,
		.neighbors = 1024,
		.prefixes = 1024,
		.command_slots = 16384,
		.event_slots = 4096,
		.inject_slots = 64,
		.punt_slots = 64,
	};
	const struct mirror_limits mirror_limits = {
		.bindings = (uint32_t)progress.total, .others = 1024};
	const struct mirror_callbacks callbacks = {.context = &progress, .on_done = on_done};
	struct mirror *mirror = mirror_new(&mirror_limits, &callbacks);
	struct region region;

	if (progress.total < 100 || !mirror || region_create(&region, &limits, false)) {
		fprintf(stderr, "binding_insert_bench: cannot start with %llu bindings\n",
			(unsigned long long)progress.total);
		return 1;
	}
	int status = run(&region, mirror, &progress);
	mirror_free(mirror);
	region_destroy(&region);
	return status;
}
