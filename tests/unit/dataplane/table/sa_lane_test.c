/* What lane/esp_out believes of an SA's limits and way, and until when. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/table/sa_lane.h"
#include "dataplane/table/sa_sequence.h"

#include "lib/ipc/region.h"

#define BURST 64

struct bed {
	struct sa_outbound_state state;
	struct sa_table table;
	struct sa_outbound sa;
};

static struct bed *bed(uint64_t sequence, uint16_t flags, struct sa_limits limits)
{
	static struct bed b;

	b = (struct bed){.state.sequence = sequence,
		.table = {.count = 1, .region.outbound = &b.state},
		.sa = {.ip_length = 20, .flags = flags, .limits = limits, .allowance = SA_PROVED}};
	sa_table_watch_set(&b.sa.watch, &limits, 0);
	sa_lane_build(&b.table, &b.sa);
	sa_lane_open(&b.sa);
	assert_false(sa_lane_is_far(&b.sa, &b.state, 0)); /* nobody looked yet */
	return &b;
}

static struct sa_limits none(void)
{
	return (struct sa_limits){
		UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
}

/* LIFE-02, -03: all workers' bursts before the first that could reach it. */
static void stops_before_packets(void **state)
{
	struct sa_limits limits = none();
	(void)state;

	limits.soft_packets = 5000;
	for (unsigned shared = 0; shared < 2; shared++) {
		uint64_t room = 5000 - 100 - BURST * (shared ? REGION_WORKERS_MAX : 1u);
		struct bed *b = bed(700, 0, limits); /* numbers were skipped */
		b->table.shared = shared;
		b->state.packets = 100;
		assert_true(sa_lane_look(&b->table, &b->sa, 0));
		b->state.sequence = 700 + room - 1;
		assert_true(sa_lane_is_far(&b->sa, &b->state, 0));
		b->state.sequence = 700 + room;
		assert_false(sa_lane_is_far(&b->sa, &b->state, 0));
		b->state.packets = 100 + room;
		assert_false(sa_lane_look(&b->table, &b->sa, 0));
		assert_false(sa_lane_is_far(&b->sa, &b->state, 0));
	}
}

static void stops_before_octets(void **state)
{
	struct sa_limits limits = none();
	struct bed *b;
	(void)state;

	limits.hard_bytes = 100 * 65536;
	b = bed(0, 0, limits);
	assert_true(sa_lane_look(&b->table, &b->sa, 0));
	b->state.sequence = 100 - BURST - 1;
	assert_true(sa_lane_is_far(&b->sa, &b->state, 0));
	b->state.sequence = 100 - BURST;
	assert_false(sa_lane_is_far(&b->sa, &b->state, 0));
	b->state.bytes = 1000; /* they were short */
	assert_true(sa_lane_look(&b->table, &b->sa, 0));
	assert_true(sa_lane_is_far(&b->sa, &b->state, 0));
}

static void stops_before_the_time(void **state)
{
	struct sa_limits limits = none();
	struct bed *b;
	(void)state;

	limits.soft_tsc = (UINT64_C(10) << 30) + 5;
	b = bed(0, 0, limits);
	assert_true(sa_lane_look(&b->table, &b->sa, 0));
	assert_true(sa_lane_is_far(&b->sa, &b->state, sa_lane_time((UINT64_C(10) << 30) - 1)));
	assert_false(sa_lane_is_far(&b->sa, &b->state, sa_lane_time(UINT64_C(10) << 30)));
	assert_false(sa_lane_look(&b->table, &b->sa, UINT64_C(10) << 30));
}

/* What was told as hard stops everything, whoever told it. */
static void stops_when_told(void **state)
{
	struct bed *b = bed(0, 0, none());
	(void)state;

	sa_table_watch_set(&b->sa.watch, &b->sa.limits, 1u << SA_EXPIRED_HARD_TIME);
	assert_false(sa_lane_look(&b->table, &b->sa, 0));
	assert_false(sa_lane_is_far(&b->sa, &b->state, 0));
}

/* ESP-SEQ-04. */
static void stops_before_the_last_number(void **state)
{
	struct bed *b = bed(SA_SEQUENCE_SOFT - (UINT64_C(1) << 21), 0, none());
	(void)state;

	assert_true(sa_lane_look(&b->table, &b->sa, 0));
	b->state.sequence = SA_SEQUENCE_SOFT - (UINT64_C(1) << 20);
	assert_false(sa_lane_is_far(&b->sa, &b->state, 0));
	assert_false(sa_lane_look(&b->table, &b->sa, 0));
}

/* Half of a 64-bit number: it goes round, and what only the steps send never makes it look far. */
static void goes_round(void **state)
{
	struct bed *b = bed(0xfffffff0, SA_ESN, none());
	(void)state;

	assert_true(sa_lane_look(&b->table, &b->sa, 0));
	assert_true(sa_lane_is_far(&b->sa, &b->state, 0));
	b->state.sequence += SA_LANE_NUMBERS - 1;
	assert_true(sa_lane_is_far(&b->sa, &b->state, 0));
	for (unsigned i = 0; i < 64; i++) {
		b->state.sequence += UINT64_C(1) << 28;
		sa_lane_passed(&b->sa, &b->state);
		assert_false(sa_lane_is_far(&b->sa, &b->state, 0));
	}
	assert_true(sa_lane_look(&b->table, &b->sa, 0));
}

// MTU-09, MOB-12
static void notes_no_way_beside_what_was_learned(void **state)
{
	struct bed *b = bed(0, 0, none());
	struct sa_lane *lane = sa_lane_of(&b->sa);
	uint64_t way = sa_lane_way(7, 9, 1454);
	(void)state;

	assert_int_equal(way >> 32, 7);
	assert_int_equal(sa_lane_way_neighbor(way), 9);
	assert_int_equal(sa_lane_way_mtu(way), 1454);
	assert_int_equal(sa_lane_way_neighbor(sa_lane_way(7, 65536 + 9, 1454)), 0);
	assert_true(sa_lane_way_note(&b->sa, way));
	assert_int_equal(lane->way, way);
	sa_lane_mtu_learned(&b->sa, 1300, 5);
	assert_int_equal(b->sa.learned_mtu, 1300);
	assert_int_equal(b->sa.learned_s, 5);
	assert_int_equal(lane->way, 0);
	assert_false(sa_lane_way_note(&b->sa, way));
	b->sa.learned_mtu = 0;
	b->sa.allowance = 1000;
	assert_false(sa_lane_way_note(&b->sa, way));
	assert_int_equal(lane->way, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stops_before_packets),
		cmocka_unit_test(stops_before_octets),
		cmocka_unit_test(stops_before_the_time),
		cmocka_unit_test(stops_when_told),
		cmocka_unit_test(stops_before_the_last_number),
		cmocka_unit_test(goes_round),
		cmocka_unit_test(notes_no_way_beside_what_was_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
