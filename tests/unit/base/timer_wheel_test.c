/* The wheel in simulated time: never early, bounded work, any range. */
#include "lib/base/timer_wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
// after the standard headers
#include <cmocka.h>

#define MS  1000000ull
#define DAY (86400ull * 1000 * MS)

struct probe {
	struct timer timer;
	monotonic wanted, fired;
	unsigned count;
};

static struct timer_wheel wheel;

static void on_expired(struct timer *timer, void *owner, monotonic now)
{
	struct probe *p = owner;

	assert_ptr_equal(timer, &p->timer);
	assert_false(timer_running(timer));
	assert_true(now >= p->wanted);
	p->fired = now;
	p->count++;
}

static void start(struct probe *p, monotonic deadline)
{
	if (!p->timer.expired)
		timer_init(&p->timer, on_expired, p);
	p->wanted = deadline;
	timer_wheel_add(&wheel, &p->timer, deadline);
}

static void fires_in_its_millisecond(void **state)
{
	static const uint64_t delays_ms[] = {0, 1, 63, 64, 65, 4095, 4096, 4097, 262143, 262144,
		1800000, 86400000, 30ull * 86400000};
	monotonic now = 123456789012345ull;

	for (unsigned i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
		struct probe p = {0};
		timer_wheel_init(&wheel, now);
		start(&p, now + delays_ms[i] * MS);
		if (delays_ms[i] > 1) {
			assert_false(timer_wheel_advance(&wheel, p.wanted - 1, 100));
			assert_int_equal(p.count, 0);
		}
		assert_false(timer_wheel_advance(&wheel, p.wanted + MS, 100));
		assert_int_equal(p.count, 1);
		assert_int_equal(wheel.count, 0);
	}
}

static void random_timers_are_neither_early_nor_late(void **state)
{
	enum { COUNT = 20000 };
	struct probe *probes = calloc(COUNT, sizeof(*probes));
	monotonic now = 77 * MS + 3, previous = now;

	srandom(7);
	timer_wheel_init(&wheel, now);
	for (unsigned i = 0; i < COUNT; i++)
		start(&probes[i], now + ((uint64_t)random() << (random() % 20)) % (2 * DAY));
	while (wheel.count) {
		previous = now;
		now = random() % 4 ? timer_wheel_next(&wheel)
				   : now + (uint64_t)random() % (600 * 1000 * MS);
		if (now < previous)
			now = previous;
		while (timer_wheel_advance(&wheel, now, 50))
			;
	}
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(probes[i].count, 1);
	free(probes);
}

static void following_next_is_under_a_millisecond_late(void **state)
{
	enum { COUNT = 3000 };
	struct probe *probes = calloc(COUNT, sizeof(*probes));
	monotonic now = 5 * DAY;

	srandom(8);
	timer_wheel_init(&wheel, now);
	for (unsigned i = 0; i < COUNT; i++)
		start(&probes[i], now + ((uint64_t)random() << 16) % (3 * DAY));
	while (wheel.count) {
		now = timer_wheel_next(&wheel);
		assert_true(now != CLOCK_NEVER);
		timer_wheel_advance(&wheel, now, UINT32_MAX);
	}
	for (unsigned i = 0; i < COUNT; i++)
		assert_true(probes[i].fired - probes[i].wanted < MS);
	assert_true(timer_wheel_next(&wheel) == CLOCK_NEVER);
	free(probes);
}

static void cancel_and_restart(void **state)
{
	struct probe a = {0}, b = {0}, c = {0};
	monotonic now = DAY;

	timer_wheel_init(&wheel, now);
	start(&a, now + 10 * MS);
	start(&b, now + 10 * MS);
	start(&c, now + 10 * MS);
	timer_wheel_cancel(&wheel, &b.timer);
	timer_wheel_cancel(&wheel, &b.timer);
	start(&c, now + 20 * MS); // restart moves it
	assert_int_equal(wheel.count, 2);
	timer_wheel_advance(&wheel, now + 10 * MS, 100);
	assert_int_equal(a.count, 1);
	assert_int_equal(b.count, 0);
	assert_int_equal(c.count, 0);
	timer_wheel_advance(&wheel, now + 20 * MS, 100);
	assert_int_equal(c.count, 1);
	start(&c, CLOCK_NEVER);
	assert_false(timer_running(&c.timer));
}

static void work_is_bounded_and_continues(void **state)
{
	enum { COUNT = 10000 };
	struct probe *probes = calloc(COUNT, sizeof(*probes));
	monotonic now = DAY + 17 * MS, due = now + 1800 * 1000 * MS;
	unsigned calls = 0, fired = 0;

	timer_wheel_init(&wheel, now);
	for (unsigned i = 0; i < COUNT; i++)
		start(&probes[i], due);
	timer_wheel_cancel(&wheel, &probes[5].timer);
	for (bool more = true; more; calls++) {
		unsigned before = wheel.count;
		more = timer_wheel_advance(&wheel, due, 100);
		assert_true(before - wheel.count <= 100);
		if (calls == 3) // in the middle of a cascade
			timer_wheel_cancel(&wheel, &probes[COUNT - 1].timer);
	}
	for (unsigned i = 0; i < COUNT; i++)
		fired += probes[i].count;
	assert_int_equal(fired, COUNT - 2);
	assert_true(calls >= COUNT / 100);
	free(probes);
}

struct again {
	struct timer timer;
	unsigned left;
};

static void start_again(struct timer *timer, void *owner, monotonic now)
{
	struct again *a = owner;

	if (a->left && a->left--)
		timer_wheel_add(&wheel, timer, now);
}

static void a_timer_that_restarts_in_the_past_starves_nobody(void **state)
{
	struct again a = {.left = 1000};
	struct probe p = {0};
	monotonic now = DAY;

	timer_wheel_init(&wheel, now);
	timer_init(&a.timer, start_again, &a);
	start(&p, now);
	timer_wheel_add(&wheel, &a.timer, now);
	assert_true(timer_wheel_advance(&wheel, now, 10));
	assert_int_equal(p.count, 1);
	while (timer_wheel_advance(&wheel, now, 10))
		;
	assert_int_equal(a.left, 0);
}

static void a_million_timers(void **state)
{
	enum { COUNT = 1000000 };
	struct probe *probes = calloc(COUNT, sizeof(*probes));
	monotonic now = DAY;
	uint64_t steps = 0;

	srandom(9);
	timer_wheel_init(&wheel, now);
	for (unsigned i = 0; i < COUNT; i++)
		start(&probes[i], now + 1000 * MS * (uint64_t)(random() % 1800));
	for (unsigned i = 0; i < COUNT; i += 2) // a refresh moves every other one
		start(&probes[i], probes[i].wanted + 1800 * 1000 * MS);
	assert_int_equal(wheel.count, COUNT);
	for (; wheel.count; now += 1000 * MS)
		do
			steps++;
		while (timer_wheel_advance(&wheel, now, 1000));
	assert_true(now < DAY + 3605 * 1000 * MS);
	assert_true(steps < 20000);
	free(probes);
}

static void time_never_runs_backwards(void **state)
{
	struct probe p = {0};

	timer_wheel_init(&wheel, DAY);
	start(&p, DAY + 5 * MS);
	timer_wheel_advance(&wheel, DAY + 4 * MS, 10);
	assert_false(timer_wheel_advance(&wheel, DAY - 100 * MS, 10));
	assert_int_equal(p.count, 0);
	timer_wheel_advance(&wheel, DAY + 5 * MS, 10);
	assert_int_equal(p.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_in_its_millisecond),
		cmocka_unit_test(random_timers_are_neither_early_nor_late),
		cmocka_unit_test(following_next_is_under_a_millisecond_late),
		cmocka_unit_test(cancel_and_restart),
		cmocka_unit_test(work_is_bounded_and_continues),
		cmocka_unit_test(a_timer_that_restarts_in_the_past_starves_nobody),
		cmocka_unit_test(a_million_timers),
		cmocka_unit_test(time_never_runs_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
