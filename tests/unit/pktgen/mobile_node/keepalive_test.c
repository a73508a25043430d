/* How soon a lost NAT mapping is noticed, and that nobody is asked more than needed. */
#include "pktgen/mobile_node/keepalive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS (CLOCK_NS_PER_S / 1000)
#define S  CLOCK_NS_PER_S

/* Runs the timer until `until` or a loss; echoes are answered after `round_trip` unless it is 0. */
struct run {
	unsigned echoes;
	monotonic lost_ns; /* 0: not */
};

static struct run run(struct keepalive *k, monotonic *now, monotonic until, monotonic round_trip)
{
	struct run r = {0};

	while (keepalive_deadline(k) <= until) {
		*now = keepalive_deadline(k) > *now ? keepalive_deadline(k) : *now;
		enum keepalive_action action = keepalive_timer(k, *now);
		if (action == KEEPALIVE_LOST) {
			r.lost_ns = *now;
			return r;
		}
		assert_int_equal(action, KEEPALIVE_SEND);
		r.echoes++;
		if (round_trip) {
			*now += round_trip;
			keepalive_heard(k, true, false, *now);
		}
	}
	*now = until;
	return r;
}

static void idle_keeps_the_interval(void **state)
{
	struct keepalive k = {0};
	monotonic now = 100 * S;

	(void)state;
	assert_int_equal(keepalive_deadline(&k), CLOCK_NEVER);
	keepalive_start(&k, 3, now); /* RFC 3519 4.10: never below 10 s */
	assert_int_equal(run(&k, &now, now + 100 * S - MS, 20 * MS).echoes, 1 + 9);
	keepalive_stop(&k);
	keepalive_start(&k, 30, now);
	assert_int_equal(run(&k, &now, now + 300 * S - MS, 20 * MS).echoes, 1 + 9);
	keepalive_stop(&k);
	assert_int_equal(keepalive_deadline(&k), CLOCK_NEVER);
}

static void idle_loss_is_noticed_soon_after_the_keepalive(void **state)
{
	struct keepalive k = {0};
	monotonic now = 100 * S;

	(void)state;
	keepalive_start(&k, 10, now);
	run(&k, &now, now + 5 * S, 20 * MS);
	monotonic quiet = k.sent_ns;
	struct run r = run(&k, &now, now + 60 * S, 0);
	assert_int_equal(r.echoes, KEEPALIVE_ATTEMPTS);
	assert_int_equal(r.lost_ns - quiet, 10 * S + 3 * KEEPALIVE_RETRY_MIN);
}

static void loss_under_traffic_is_noticed_within_two_seconds(void **state)
{
	struct keepalive k = {0};
	monotonic now = 100 * S;

	(void)state;
	for (unsigned direction = 0; direction < 3; direction++) {
		keepalive_moved(&k);
		keepalive_start(&k, 30, now);
		run(&k, &now, now + S / 2, 20 * MS);
		for (unsigned i = 0; i < 100; i++) { /* both, out alone after it broke, in alone */
			now += 10 * MS;
			if (direction != 2)
				keepalive_data_sent(&k, now);
			keepalive_heard(&k, false, true, now);
			assert_int_equal(keepalive_timer(&k, now), KEEPALIVE_NOTHING);
		}
		monotonic broken = now;
		unsigned echoes = 0;
		enum keepalive_action action;
		do {
			now += 10 * MS;
			if (direction == 1)
				keepalive_data_sent(&k, now);
			action = keepalive_timer(&k, now);
			echoes += action == KEEPALIVE_SEND;
		} while (action != KEEPALIVE_LOST);
		assert_int_equal(echoes, KEEPALIVE_ATTEMPTS);
		assert_in_range(now - broken, S, 2 * S);
	}
}

static void long_round_trips_are_waited_for(void **state)
{
	struct keepalive k = {0};
	monotonic now = 100 * S;

	(void)state;
	keepalive_start(&k, 10, now);
	struct run r = run(&k, &now, now + 200 * S - MS, 600 * MS); /* a satellite */
	assert_int_equal(r.lost_ns, 0);
	assert_int_equal(r.echoes, 1 + 19);
	keepalive_data_sent(&k, now);
	now += KEEPALIVE_PATIENCE;
	while (keepalive_deadline(&k) > now)
		now += 10 * MS;
	assert_int_equal(keepalive_timer(&k, now), KEEPALIVE_SEND);
	assert_int_equal(keepalive_deadline(&k), now + KEEPALIVE_RETRY_MAX);
}

static void one_way_traffic_is_asked_less_and_less(void **state)
{
	struct keepalive k = {0};
	monotonic now = 100 * S, end = now + 600 * S;
	unsigned echoes = 0;

	(void)state;
	keepalive_start(&k, 30, now);
	for (; now < end; now += 100 * MS) {
		keepalive_data_sent(&k, now);
		if (keepalive_timer(&k, now) != KEEPALIVE_SEND)
			continue;
		echoes++;
		keepalive_heard(&k, true, false, now + 20 * MS);
	}
	assert_in_range(echoes, 20, 27); /* about one in 30 s, after a few quick ones */
}

static void silent_home_agent_is_not_pestered(void **state)
{
	struct keepalive k = {0};
	monotonic now = 100 * S, end = now + 600 * S;
	unsigned lost = 0;

	(void)state;
	keepalive_start(&k, 30, now);
	for (; now < end; now += 100 * MS) {
		keepalive_data_sent(&k, now);
		if (keepalive_timer(&k, now) != KEEPALIVE_LOST)
			continue;
		lost++;
		keepalive_start(&k, 30, now + 10 * MS); /* registered again, still no echo */
	}
	assert_in_range(lost, 5, 16);
	/* RFC 3519 4.10: shorter here, as assigned elsewhere. */
	assert_int_equal(k.interval_ns, 10 * S);
	keepalive_moved(&k);
	keepalive_start(&k, 30, now);
	assert_int_equal(k.interval_ns, 30 * S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_keeps_the_interval),
		cmocka_unit_test(idle_loss_is_noticed_soon_after_the_keepalive),
		cmocka_unit_test(loss_under_traffic_is_noticed_within_two_seconds),
		cmocka_unit_test(long_round_trips_are_waited_for),
		cmocka_unit_test(one_way_traffic_is_asked_less_and_less),
		cmocka_unit_test(silent_home_agent_is_not_pestered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
