/* Which numbers came, and quantiles of durations: against plain arrays. */
#include "pktgen/generator/histogram.h"
#include "pktgen/generator/pace.h"
#include "pktgen/generator/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_in_order_doubled_and_late(void **state)
{
	struct window w = {0};

	for (uint64_t n = 1; n <= 1000; n++)
		assert_int_equal(window_put(&w, n), WINDOW_NEXT);
	assert_int_equal(window_put(&w, 1000), WINDOW_DUPLICATE);
	assert_int_equal(window_put(&w, 745), WINDOW_DUPLICATE);
	assert_int_equal(window_put(&w, 744), WINDOW_BEYOND);
	assert_int_equal(window_put(&w, 1010), WINDOW_NEXT);
	for (uint64_t n = 1009; n > 1000; n--)
		assert_int_equal(window_put(&w, n), WINDOW_REORDERED);
	assert_int_equal(window_put(&w, 1005), WINDOW_DUPLICATE);
	assert_int_equal(w.received, 1011);
	assert_int_equal(w.duplicates, 3);
	assert_int_equal(w.reordered, 9);
	assert_int_equal(w.beyond, 1);
}

static void test_gaps(void **state)
{
	struct window w = {0};

	window_put(&w, 10);
	window_put(&w, 10 + WINDOW_SIZE - 1);
	assert_int_equal(window_put(&w, 10), WINDOW_DUPLICATE);
	assert_int_equal(window_put(&w, 11), WINDOW_REORDERED);
	window_put(&w, 1ull << 40);
	for (uint64_t n = (1ull << 40) - WINDOW_SIZE + 1; n < 1ull << 40; n++)
		assert_int_equal(window_put(&w, n), WINDOW_REORDERED);
	assert_int_equal(window_put(&w, (1ull << 40) - WINDOW_SIZE), WINDOW_BEYOND);
}

/* Random arrivals against an array that knows all. */
static void test_against_an_array(void **state)
{
	static uint8_t seen[20000];
	struct window w = {0};
	uint64_t random = 42, highest = 0;

	for (unsigned i = 0; i < 100000; i++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		uint64_t n = 1 + i / 6 + (random >> 40) % 600;
		enum window_verdict expected = n > highest                  ? WINDOW_NEXT
					       : highest - n >= WINDOW_SIZE ? WINDOW_BEYOND
					       : seen[n]                    ? WINDOW_DUPLICATE
									    : WINDOW_REORDERED;
		assert_int_equal(window_put(&w, n), expected);
		seen[n] = 1;
		highest = n > highest ? n : highest;
	}
}

static void test_extended_numbers(void **state) // ESP-SEQ-06
{
	struct window w = {0};

	assert_int_equal(window_extend(&w, 5), 5);
	window_put(&w, 0xfffffff0);
	assert_int_equal(window_extend(&w, 0xffffffff), 0xffffffff);
	assert_int_equal(window_extend(&w, 3), 0x100000003ull);
	window_put(&w, 0x100000003ull);
	assert_int_equal(window_extend(&w, 0xfffffffa), 0xfffffffa);
	assert_int_equal(window_extend(&w, 4), 0x100000004ull);
}

/* A flow's signature has the low half of its number: one that runs for weeks stays exact. */
static void test_a_long_run(void **state)
{
	struct window *windows = window_array_new(2), *w = &windows[1];

	for (uint64_t n = 0xffffff00; n < 0x100000100ull; n++)
		assert_int_equal(window_put(w, window_extend(w, (uint32_t)n)), WINDOW_NEXT);
	assert_int_equal(window_put(w, window_extend(w, 0x40)), WINDOW_DUPLICATE);
	assert_int_equal(window_put(w, window_extend(w, 0x110)), WINDOW_NEXT);
	assert_int_equal(window_put(w, window_extend(w, 0x10f)), WINDOW_REORDERED);
	assert_int_equal(w->received, 0x202);
	assert_int_equal(windows[0].received, 0);
	free(windows);
}

static void test_quantiles(void **state)
{
	static struct histogram h, sum;

	histogram_clear(&h);
	histogram_clear(&sum);
	assert_int_equal(histogram_quantile(&h, 500000), 0);
	assert_int_equal(histogram_mean(&h), 0);
	for (uint64_t v = 1; v <= 100000; v++)
		histogram_add(&h, v);
	histogram_add(&h, UINT64_MAX / 2);
	histogram_merge(&sum, &h);
	histogram_merge(&sum, &h);
	assert_int_equal(sum.count, 200002);
	assert_int_equal(sum.min, 1);
	assert_int_equal(histogram_quantile(&sum, 1000000), UINT64_MAX / 2);
	const uint32_t parts[] = {1, 500000, 900000, 990000, 999000};
	for (unsigned i = 0; i < 5; i++) {
		uint64_t truth = (100001ull * parts[i] + 999999) / 1000000;
		uint64_t found = histogram_quantile(&sum, parts[i]);
		assert_in_range(found, truth, truth + truth / 64 + 1);
	}
	histogram_clear(&h);
	histogram_add(&h, 77777);
	assert_int_equal(histogram_quantile(&h, 500000), 77777);
	assert_int_equal(histogram_quantile(&h, 999000), 77777);
}

static void test_pace(void **state)
{
	struct pace p = {.start = 1000, .hz = 2600000000, .rate = 14880952};

	assert_int_equal(pace_due(&p, 999), 0);
	assert_int_equal(pace_due(&p, 1000), 1);
	assert_int_equal(pace_due(&p, 1000 + 2600000000ull), 14880953);
	/* Exact after a week: no rounding adds up. */
	assert_int_equal(pace_due(&p, 1000 + 604800 * 2600000000ull), 604800 * 14880952ull + 1);
	p.limit = 5;
	assert_int_equal(pace_due(&p, 1000 + 2600000000ull), 5);
	p.rate = 0;
	assert_int_equal(pace_due(&p, 1000), 5);
	assert_int_equal(pace_due(&p, 0), 0);
}

/* Several parts keep together exactly the rate and the limit of one. */
static void test_pace_in_parts(void **state)
{
	static const uint64_t rates[] = {0, 1, 7, 1000003}, limits[] = {0, 1, 2, 100};

	for (unsigned i = 0; i < 16; i++) {
		struct pace whole = {
			.start = 500, .hz = 1000000, .rate = rates[i / 4], .limit = limits[i % 4]};
		for (uint64_t now = 0; now < 3000000; now += 9973) {
			uint64_t due = pace_due(&whole, now), sum = 0;
			for (uint32_t part = 0; part < 3; part++) {
				struct pace one = whole;
				one.part = part;
				one.parts = 3;
				uint64_t own = pace_due(&one, now);
				assert_true(own >= due / 3 && own <= due / 3 + 1);
				sum += own;
			}
			assert_true(sum == due);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order_doubled_and_late),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_against_an_array),
		cmocka_unit_test(test_extended_numbers),
		cmocka_unit_test(test_a_long_run),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_pace_in_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
