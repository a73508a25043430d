#include "pktgen/generator/window.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct window *window_array_new(uint32_t count)
{
	size_t size = (count ? count : 1) * sizeof(struct window);
	struct window *windows = aligned_alloc(_Alignof(struct window), size);

	return windows ? memset(windows, 0, size) : NULL;
}

static bool test(const struct window *window, uint64_t number)
{
	return window->seen[number / 64 % (WINDOW_SIZE / 64)] >> number % 64 & 1;
}

static void set(struct window *window, uint64_t number, bool value)
{
	uint64_t bit = 1ull << number % 64;
	uint64_t *word = &window->seen[number / 64 % (WINDOW_SIZE / 64)];

	*word = value ? *word | bit : *word & ~bit;
}

static void advance(struct window *window, uint64_t number)
{
	uint64_t skipped = number - window->highest - 1;

	if (skipped >= WINDOW_SIZE)
		for (unsigned i = 0; i < WINDOW_SIZE / 64; i++)
			window->seen[i] = 0;
	else
		for (uint64_t n = window->highest + 1; n < number; n++)
			set(window, n, false);
	window->highest = number;
	set(window, number, true);
}

enum window_verdict window_put(struct window *window, uint64_t number)
{
	if (number > window->highest) {
		advance(window, number);
		window->received++;
		return WINDOW_NEXT;
	}
	if (window->highest - number >= WINDOW_SIZE) {
		window->beyond++;
		window->received++;
		return WINDOW_BEYOND;
	}
	if (test(window, number)) {
		window->duplicates++;
		return WINDOW_DUPLICATE;
	}
	set(window, number, true);
	window->received++;
	window->reordered++;
	return WINDOW_REORDERED;
}

uint64_t window_extend(const struct window *window, uint32_t low)
{
	/* The difference to the highest, taken as signed, is the shorter way round. */
	int32_t step = (int32_t)(low - (uint32_t)window->highest);

	if (step < 0 && (uint64_t) - (int64_t)step > window->highest)
		return low;
	return window->highest + (uint64_t)(int64_t)step;
}
