// control/dataplane_link against a region of our own, served by a thread that only accepts.
#include "control/dataplane_link.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define S CLOCK_NS_PER_S

struct world {
	char directory[32], path[64];
	struct region region;
	int listen_fd;
	_Atomic int client; /* -1 none */
	_Atomic bool stop;
	pthread_t thread;
	struct loop *loop;
	struct mirror *mirror;
	struct dataplane_link *link;
	unsigned attached, restarted, detached;
	unsigned strangers, known;
	unsigned known_before_strangers; /* strangers served when the last known one was */
};

static const struct region_limits limits = {.workers = 2,
	.ports = 2,
	.bindings = 64,
	.routes = 64,
	.neighbors = 64,
	.prefixes = 64,
	.command_slots = 64,
	.event_slots = 64,
	.inject_slots = 64,
	.punt_slots = 4096};

static void *accept_loop(void *context)
{
	struct world *w = context;
	while (!w->stop) {
		if (w->client < 0) {
			int fd = attach_accept(w->listen_fd, &w->region, geteuid(), false);
			if (fd >= 0)
				w->client = fd;
		}
		usleep(2000);
	}
	return NULL;
}

static void dataplane_start(struct world *w)
{
	assert_int_equal(region_create(&w->region, &limits, false), 0);
	assert_int_equal(attach_listen(w->path, &w->listen_fd), 0);
	memcpy(w->region.port_counters[1].mac, "\x02\x00\x00\x00\x00\x02", 6);
	w->client = -1;
	w->stop = false;
	assert_int_equal(pthread_create(&w->thread, NULL, accept_loop, w), 0);
}

static void dataplane_stop(struct world *w)
{
	w->stop = true;
	pthread_join(w->thread, NULL);
	if (w->client >= 0)
		close(w->client);
	close(w->listen_fd);
	region_destroy(&w->region);
}

static void on_attached(void *context, bool restarted)
{
	struct world *w = context;
	w->attached++;
	w->restarted += restarted;
}

static void on_detached(void *context)
{
	struct world *w = context;
	w->detached++;
}

static void on_punt(void *context, const struct punt_record *record, const struct clock_now *now)
{
	struct world *w = context;
	if (record->vrf == 1) {
		w->known++;
		w->known_before_strangers = w->strangers;
	} else {
		w->strangers++;
	}
}

static bool preferred(void *context, const struct punt_record *record)
{
	return record->vrf == 1;
}

static void on_done(void *context, uint64_t ticket, int error)
{
}

static monotonic stage_receive(void *context, const struct clock_now *now)
{
	struct world *w = context;
	return dataplane_link_receive(w->link, now);
}

static monotonic stage_flush(void *context, const struct clock_now *now)
{
	struct world *w = context;
	mirror_poll(w->mirror);
	return dataplane_link_flush(w->link, now);
}

static struct world *world_new(void)
{
	static struct world world;
	struct world *w = &world;
	memset(w, 0, sizeof(*w));
	memcpy(w->directory, "/tmp/hp-control-XXXXXX", sizeof("/tmp/hp-control-XXXXXX"));
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof(w->path), "%.31s/dataplane.sock", w->directory);
	struct mirror_limits mirror = {.bindings = 64, .others = 64};
	struct mirror_callbacks callbacks = {.context = w, .on_done = on_done};
	struct dataplane_link_callbacks link = {.context = w,
		.attached = on_attached,
		.detached = on_detached,
		.punt = on_punt,
		.preferred = preferred};
	w->loop = loop_new();
	w->mirror = mirror_new(&mirror, &callbacks);
	assert_int_equal(dataplane_link_new(w->loop, w->path, w->mirror, &link, &w->link), 0);
	loop_stage_add(w->loop, stage_receive, w);
	loop_stage_add(w->loop, stage_flush, w);
	return w;
}

static void world_free(struct world *w)
{
	dataplane_link_free(w->link);
	mirror_free(w->mirror);
	loop_free(w->loop);
	unlink(w->path);
	rmdir(w->directory);
}

static void turn_until(struct world *w, const unsigned *value, unsigned wanted)
{
	monotonic deadline = clock_read().monotonic_ns + 60 * S;
	while (*value < wanted) {
		assert_int_equal(loop_turn(w->loop, S / 100), 0);
		assert_true(clock_read().monotonic_ns < deadline);
	}
}

static void comes_back_to_a_dataplane_that_dies(void **state)
{
	struct world *w = world_new();
	uint8_t mac[6];
	struct inject_record record = {.kind = INJECT_FRAME, .length = 14};
	for (int i = 0; i < 5; i++) // nobody there: keeps trying
		loop_turn(w->loop, S / 100);
	assert_int_equal(w->attached, 0);
	assert_false(dataplane_link_send(w->link, &record));
	assert_null(dataplane_link_attachment(w->link));
	dataplane_start(w);
	turn_until(w, &w->attached, 1);
	assert_int_equal(w->restarted, 1);
	assert_true(dataplane_link_port_mac(w->link, 1, mac));
	assert_memory_equal(mac, "\x02\x00\x00\x00\x00\x02", 6);
	assert_false(dataplane_link_port_mac(w->link, 0, mac)); // not told yet
	assert_false(dataplane_link_port_mac(w->link, 2, mac));
	loop_turn(w->loop, 0);
	assert_true(atomic_load(&w->region.header->control_heartbeat) > 0);
	dataplane_stop(w);
	turn_until(w, &w->detached, 1);
	dataplane_start(w);
	turn_until(w, &w->attached, 2);
	assert_int_equal(w->restarted, 2); // another epoch
	dataplane_link_free(w->link);
	w->link = NULL;
	dataplane_stop(w);
	world_free(w);
}

static void flood_does_not_starve_known_senders(void **state)
{
	struct world *w = world_new();
	dataplane_start(w);
	turn_until(w, &w->attached, 1);
	struct punt_record record = {.kind = PUNT_MOBILE_IPV4, .length = 24};
	for (unsigned i = 0; i < 4000; i++) // worker 0's ring is full of strangers
		assert_true(ring_put(&w->region.punt[0], &record));
	for (unsigned i = 0; i < 50; i++)
		assert_true(ring_put(&w->region.punt[0], &record));
	record.vrf = 1;
	assert_true(
		ring_put(&w->region.punt[0], &record)); // a node with a binding behind all of them
	turn_until(w, &w->known, 1);
	// It had to wait for the ring, not for the strangers to be served.
	assert_in_range(w->known_before_strangers, 0, 32 * 17);
	turn_until(w, &w->strangers, 2048);
	struct dataplane_link_statistics s = dataplane_link_statistics_get(w->link);
	assert_int_equal(s.punts, 4051);
	assert_int_equal(s.punts_deferred + s.punts_dropped, 4050);
	while (dataplane_link_statistics_get(w->link).deferred_now)
		loop_turn(w->loop, 0);
	assert_int_equal(w->strangers, s.punts_deferred);
	dataplane_link_free(w->link);
	w->link = NULL;
	dataplane_stop(w);
	world_free(w);
}

static void injects_in_order_and_waits_for_room(void **state)
{
	struct world *w = world_new();
	dataplane_start(w);
	turn_until(w, &w->attached, 1);
	for (unsigned i = 0; i < 200; i++) { // the ring has 64 slots
		struct inject_record record = {
			.kind = INJECT_FRAME, .length = 14, .port = (uint16_t)i};
		assert_true(dataplane_link_send(w->link, &record));
	}
	struct inject_record got;
	assert_false(ring_get(&w->region.inject, &got)); // nothing before the flush
	monotonic deadline = clock_read().monotonic_ns + 60 * S;
	for (unsigned i = 0; i < 200;) {
		loop_turn(w->loop, S / 100);
		while (ring_get(&w->region.inject, &got)) {
			assert_int_equal(got.port, i);
			assert_int_equal(got.length, 14);
			i++;
		}
		assert_true(clock_read().monotonic_ns < deadline);
	}
	struct inject_record bad = {.kind = INJECT_FRAME, .length = PACKET_RECORD_DATA_SIZE + 1};
	assert_false(dataplane_link_send(w->link, &bad));
	dataplane_link_free(w->link);
	w->link = NULL;
	dataplane_stop(w);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_to_a_dataplane_that_dies),
		cmocka_unit_test(flood_does_not_starve_known_senders),
		cmocka_unit_test(injects_in_order_and_waits_for_room),
	};
	return cmocka_run_group_tests_name("control/dataplane_link", tests, NULL, NULL);
}
