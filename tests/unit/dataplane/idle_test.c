/*
 * The idle worker's pace in simulated time: how often it wakes, how long it sleeps, and that it
 * does neither while there is traffic. A turn is taken to cost 30 us, wake-up included: three times
 * what it was measured to.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/idle.h"

#define TSC_HZ  1000000000ull /* a TSC tick is a nanosecond */
#define TURN_NS 30000ull
#define MAX_US  2000u

struct pace {
	uint64_t turns, sleeps, awake_ns, slept_ns, longest_ns;
};

/* A worker without traffic from now_ns for `length_ns`. */
static struct pace idle_for(struct idle *idle, uint64_t *now_ns, uint64_t length_ns)
{
	struct pace pace = {0};

	for (uint64_t end = *now_ns + length_ns; *now_ns < end; pace.turns++) {
		*now_ns += TURN_NS;
		pace.awake_ns += TURN_NS;
		uint64_t sleep_ns = idle_turn(idle, *now_ns);
		*now_ns += sleep_ns;
		pace.slept_ns += sleep_ns;
		pace.sleeps += sleep_ns > 0;
		if (sleep_ns > pace.longest_ns)
			pace.longest_ns = sleep_ns;
	}
	return pace;
}

static void an_idle_worker_uses_little(void **state)
{
	struct idle idle;
	uint64_t now = TSC_HZ;

	idle_init(&idle, false, MAX_US, TSC_HZ);
	idle_busy(&idle, now);
	struct pace pace =
		idle_for(&idle, &now, TSC_HZ); // its first second, the way there included
	assert_true(pace.awake_ns * 100 < 5 * TSC_HZ);
	assert_int_equal(pace.longest_ns, MAX_US * 1000);
	pace = idle_for(&idle, &now, 10 * TSC_HZ);
	assert_int_equal(pace.turns, pace.sleeps);
	assert_int_equal(pace.slept_ns, pace.sleeps * MAX_US * 1000);
	assert_true(pace.awake_ns * 1000 < 15 * 10 * TSC_HZ); // 1.5 %
}

// A packet that comes during a ping train, a millisecond after the last one, does not wait a long
// sleep.
static void sleeps_grow_slowly(void **state)
{
	struct idle idle;
	uint64_t now = TSC_HZ;

	idle_init(&idle, false, MAX_US, TSC_HZ);
	for (unsigned i = 0; i < 100; i++) {
		idle_busy(&idle, now);
		assert_int_equal(idle_turn(&idle, now + 99000), 0); // awake for 100 us
		struct pace pace = idle_for(&idle, &now, 1000000);
		assert_true(pace.sleeps > 3);
		assert_true(pace.longest_ns < 300000);
	}
}

static void a_busy_or_polling_worker_never_sleeps(void **state)
{
	struct idle idle;
	uint64_t now = TSC_HZ;

	idle_init(&idle, false, MAX_US, TSC_HZ);
	for (unsigned i = 0; i < 10000; i++, now += 90000) {
		idle_busy(&idle, now);
		assert_int_equal(idle_turn(&idle, now + 90000), 0);
	}
	idle_init(&idle, true, MAX_US, TSC_HZ);
	struct pace pace = idle_for(&idle, &now, TSC_HZ);
	assert_int_equal(pace.sleeps, 0);
}

static void the_setting_bounds_a_sleep(void **state)
{
	const uint32_t max_us[] = {50, 100, 1000, 100000};
	uint64_t now = TSC_HZ;

	for (unsigned i = 0; i < 4; i++) {
		struct idle idle;
		idle_init(&idle, false, max_us[i], TSC_HZ);
		idle_busy(&idle, now);
		assert_int_equal(idle_for(&idle, &now, 10 * TSC_HZ).longest_ns, max_us[i] * 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_worker_uses_little),
		cmocka_unit_test(sleeps_grow_slowly),
		cmocka_unit_test(a_busy_or_polling_worker_never_sleeps),
		cmocka_unit_test(the_setting_bounds_a_sleep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
