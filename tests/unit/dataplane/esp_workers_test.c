/*
 * Two workers on one SA, both directions at once (two_workers.h). Each encrypts its own packets,
 * and each is given every ESP packet that either of them sent, so that of every number two copies
 * race for the window. Each packet carries its own identity inside: it must come out once.
 *
 * Once with the SA shared by both, once owned by one of them, which the other hands its packets to
 * (MP-04), and once with the SA moving to and fro meanwhile (MP-05). An inner packet's length says
 * which worker received it and its place among eight, so that the numbers show the order. What is
 * handed over goes as frames where policy and SA are of a host, which the lanes know; else as
 * packets before their step.
 *
 * The threads meet after each round, so that no number can be left of the window: then every drop
 * is known in advance, and a late one is an error. The last test has a small window instead.
 *
 * Not under TSan: libdpdk is not instrumented, so what its rings and mempool hand from thread to
 * thread looks like a race. The functions that the workers share of an SA, the window and the
 * numbers, are free of DPDK and run there: table/replay_window_test.c.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/dataplane/two_workers.h"

#include "dataplane/handover.h"
#include "dataplane/lane/lane.h"

// MP-01, MP-03, MP-05, ESP-SEQ-02, -10, ESP-ALG-18: conservation over both
static void one_sa(void **state)
{
	(void)state;
	race(0, 0, false);
	check(PACKETS);
	finish();
}

// ESP-SEQ-06, -07: both pass 2^32 in the middle
static void one_sa_extended(void **state)
{
	(void)state;
	race(SA_ESN, (UINT64_C(1) << 32) - PACKETS / 2, false);
	check(PACKETS);
	finish();
}

// ESP-SEQ-03, BAD-44: both come to the last number; none goes round
static void one_sa_ends(void **state)
{
	(void)state;
	race(0, UINT32_MAX - PACKETS / 2 - 7, false);
	check(PACKETS / 2 + 7);
	finish();
}

/*
 * ESP-SEQ-09, -20, MP-03: a window far smaller than what is on the way, of which one worker at a
 * time looks at nothing until it has sent its part. Copies come late, and now and then first ones:
 * whichever way, nothing passes twice, every copy is counted under one reason, and the SA's
 * counters say the same as the workers'.
 */
static void one_sa_late(void **state)
{
	const struct sa_inbound_state *in;
	uint64_t delivered;
	(void)state;

	race_kind.replay_window = 64;
	race_kind.by_turns = true;
	race(0, 0, false);
	in = &region.inbound[SA_IN]; /* made anew for each race */
	race_kind.replay_window = WINDOW;
	race_kind.by_turns = false;
	delivered = sides[0].delivered + sides[1].delivered;
	print_message("# %llu of %u passed, %llu copies were late\n", (unsigned long long)delivered,
		PACKETS, (unsigned long long)drops(DROP_ipsec_replay_late));
	assert_int_equal(arrived_twice(), 0);
	assert_true(drops(DROP_ipsec_replay_late) > PACKETS / 100);
	assert_int_equal(delivered + drops(DROP_ipsec_replay) + drops(DROP_ipsec_replay_late),
		(uint64_t)WORKERS * PACKETS);
	assert_int_equal(in->packets, delivered);
	assert_int_equal(in->replays, drops(DROP_ipsec_replay));
	assert_int_equal(in->replays_late, drops(DROP_ipsec_replay_late));
	assert_int_equal(in->highest, PACKETS);
	assert_int_equal(drops(DROP_ipsec_bad_icv), 0);
	finish();
}

static void check_handed(void)
{
	uint64_t handed = sides[0].counters.handed_over + sides[1].counters.handed_over;

	assert_int_equal(handed, sides[0].counters.taken_over + sides[1].counters.taken_over);
	assert_true(handed > PACKETS / 4);
	assert_int_equal(drops(DROP_ipsec_handover_full), 0);
	print_message("# %llu handed over\n", (unsigned long long)handed);
}

static uint64_t lanes_took(unsigned side)
{
	return sides[side].worker.lane_taken[LANE_ESP_OUT];
}

// MP-04, MP-01, MP-03: worker 1 owns both directions
static void one_sa_owned(void **state)
{
	(void)state;
	race_kind.owned = true;
	race(0, 0, false);
	check(PACKETS);
	check_order(PACKETS);
	check_handed();
	assert_int_equal(sides[1].counters.esp_encrypted, PACKETS);
	assert_int_equal(sides[1].counters.esp_decrypted, PACKETS);
	assert_int_equal(sides[0].counters.taken_over, 0);
	assert_int_equal(lanes_took(0), 0);
	assert_int_equal(lanes_took(1), race_kind.hosts ? PACKETS : 0);
	finish();
	race_kind.owned = false;
}

// the same by frames, through the owner's lanes
static void one_sa_owned_frames(void **state)
{
	race_kind.hosts = true;
	one_sa_owned(state);
	race_kind.hosts = false;
}

// MP-05: numbers, window and counters go with it, and order stays
static void one_sa_moves(void **state)
{
	(void)state;
	race_kind.owned = true;
	race(SA_ESN, (UINT64_C(1) << 32) - PACKETS / 2, true);
	check(PACKETS);
	check_order(PACKETS);
	check_handed();
	assert_true(sides[0].counters.esp_encrypted > 0 && sides[1].counters.esp_encrypted > 0);
	assert_true(sides[0].counters.esp_decrypted > 0 && sides[1].counters.esp_decrypted > 0);
	assert_true(!race_kind.hosts || (lanes_took(0) > 0 && lanes_took(1) > 0));
	finish();
	race_kind.owned = false;
}

// the same while frames and packets take turns in the rings
static void one_sa_moves_frames(void **state)
{
	race_kind.hosts = true;
	one_sa_moves(state);
	race_kind.hosts = false;
}

// MP-04: the owner, worker 1, does not look; what finds no room is counted, the rest arrives. First
// clear packets, then what the owner sent itself.
static void ring_full(void **state)
{
	const unsigned bursts = HANDOVER_SLOTS / BURST_SIZE_ESP + 2, room = HANDOVER_SLOTS - 1;
	const unsigned sent = bursts * BURST_SIZE_ESP;
	(void)state;

	race_kind.owned = true;
	sides_make(0, 0);
	for (unsigned i = 0; i < bursts; i++)
		send_clear(&sides[0]);
	assert_int_equal(sides[0].counters.handed_over, room);
	assert_int_equal(sides[0].counters.drops[DROP_ipsec_handover_full], sent - room);
	while (take_over(&sides[1]))
		;
	assert_int_equal(sides[1].counters.taken_over, room);
	assert_int_equal(sides[1].encrypted, room);
	wires_empty();
	for (unsigned i = 0; i < bursts; i++)
		send_clear(&sides[1]);
	while (receive_wire(&sides[0]))
		;
	assert_int_equal(sides[0].counters.handed_over, 2 * room);
	assert_int_equal(sides[0].counters.drops[DROP_ipsec_handover_full], 2 * (sent - room));
	assert_int_equal(sides[1].counters.esp_decrypted, 0);
	while (take_over(&sides[1]))
		;
	assert_int_equal(sides[1].counters.esp_decrypted, room);
	assert_int_equal(sides[1].delivered, room);
	wires_empty();
	finish();
	race_kind.owned = false;
}

// MP-04: frames too
static void ring_full_frames(void **state)
{
	race_kind.hosts = true;
	ring_full(state);
	race_kind.hosts = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_sa),
		cmocka_unit_test(one_sa_extended),
		cmocka_unit_test(one_sa_ends),
		cmocka_unit_test(one_sa_late),
		cmocka_unit_test(one_sa_owned),
		cmocka_unit_test(one_sa_owned_frames),
		cmocka_unit_test(one_sa_moves),
		cmocka_unit_test(one_sa_moves_frames),
		cmocka_unit_test(ring_full),
		cmocka_unit_test(ring_full_frames),
	};
	return cmocka_run_group_tests(tests, workers_start, NULL);
}
