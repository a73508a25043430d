#include "dataplane/table/replay_window.h"

#define JUMP_WORDS_MAX 128 /* sa_window_words of the largest window */

/* Where a number is marked, and what the word of its turn begins with. */
struct place {
	_Atomic uint64_t *word;
	uint64_t turn; /* in its place in the word */
	uint64_t bit;
};

static bool is_of_turn(uint64_t word, const struct place *place)
{
	return word >> REPLAY_TURN_SHIFT == place->turn >> REPLAY_TURN_SHIFT;
}

static struct place place_in_ring(const struct replay_window *window, uint64_t number)
{
	uint64_t stretch = number / SA_WINDOW_WORD_PACKETS;
	uint64_t turn = stretch >> __builtin_ctz(window->mask + 1u); /* a power of two */

	return (struct place){.word = &window->words[stretch & window->mask],
		.turn = (turn & REPLAY_TURN_MASK) << REPLAY_TURN_SHIFT,
		.bit = UINT64_C(1) << number % SA_WINDOW_WORD_PACKETS};
}

static struct place place_of(const struct replay_window *window, uint64_t number)
{
	const struct place front = {.word = window->front,
		.turn = replay_window_front(number / SA_WINDOW_WORD_PACKETS),
		.bit = UINT64_C(1) << number % SA_WINDOW_WORD_PACKETS};

	return !window->shared && is_of_turn(atomic_load_explicit(front.word, memory_order_relaxed),
					  &front)
		       ? front
		       : place_in_ring(window, number);
}

enum replay_verdict replay_window_infer(
	const struct replay_window *window, uint32_t low, uint64_t *number)
{
	uint64_t highest, bottom;
	uint32_t size = window->size > 0 ? window->size : 1;

	if (!window->extended) {
		*number = low;
		return low == 0 && window->size > 0 ? REPLAY_SEEN : REPLAY_NEW;
	}
	highest = atomic_load_explicit(window->highest, memory_order_relaxed);
	bottom = highest - size + 1; /* negative, that is huge, at the start */
	*number = bottom + (uint32_t)(low - (uint32_t)bottom);
	if (highest < size - 1) { /* below 0 there is no high half (ESP-SEQ-07) */
		if (*number >= bottom)
			return REPLAY_LATE;
	} else if (*number < bottom) { /* beyond 2^64 neither */
		return REPLAY_LATE;
	}
	return *number == 0 ? REPLAY_SEEN : REPLAY_NEW;
}

void replay_window_prefetch(const struct replay_window *window, uint32_t low)
{
	uint64_t number = low;

	if (!window->shared)
		return;
	if (window->extended && replay_window_infer(window, low, &number) != REPLAY_NEW)
		return;
	__builtin_prefetch(&window->words[number / SA_WINDOW_WORD_PACKETS & window->mask], 1);
}

enum replay_verdict replay_window_check(const struct replay_window *window, uint64_t number)
{
	uint64_t highest, word;
	struct place place;

	if (window->size == 0)
		return REPLAY_NEW;
	if (number == 0)
		return REPLAY_SEEN;
	highest = atomic_load_explicit(window->highest, memory_order_relaxed);
	if (number > highest)
		return REPLAY_NEW;
	if (highest - number >= window->size)
		return REPLAY_LATE;
	place = place_of(window, number);
	word = atomic_load_explicit(place.word, memory_order_relaxed);
	return is_of_turn(word, &place) && word & place.bit ? REPLAY_SEEN : REPLAY_NEW;
}

static bool highest_swap(const struct replay_window *window, uint64_t *highest, uint64_t number)
{
	if (window->shared)
		return atomic_compare_exchange_weak_explicit(window->highest, highest, number,
			memory_order_relaxed, memory_order_relaxed);
	atomic_store_explicit(window->highest, number, memory_order_relaxed);
	return true;
}

/*
 * A jump over whole stretches (ESP-SEQ-14): the words of all that it enters begin empty. They were
 * read before `highest` rose, so each of them was old; one that changed since is somebody's mark in
 * the new stretch and stays.
 */
static bool highest_jump(const struct replay_window *window, uint64_t *highest, uint64_t number)
{
	uint64_t old[JUMP_WORDS_MAX], last = number / SA_WINDOW_WORD_PACKETS;
	uint64_t count = last - *highest / SA_WINDOW_WORD_PACKETS;

	if (count > window->mask + UINT64_C(1))
		count = window->mask + UINT64_C(1);
	for (uint64_t i = 0; i < count; i++)
		old[i] = atomic_load_explicit(
			&window->words[(last - i) & window->mask], memory_order_acquire);
	if (!highest_swap(window, highest, number))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		struct place place = place_in_ring(window, (last - i) * SA_WINDOW_WORD_PACKETS);
		if (window->shared)
			atomic_compare_exchange_strong_explicit(place.word, &old[i], place.turn,
				memory_order_release, memory_order_relaxed);
		else
			atomic_store_explicit(place.word, place.turn, memory_order_relaxed);
	}
	return true;
}

/* Back into its place in the ring; what is left of the window has none any more. `stretch`: of a
 * number not left of the front's. */
static void front_put_back(const struct replay_window *window, uint64_t stretch)
{
	uint64_t front = atomic_load_explicit(window->front, memory_order_relaxed);
	uint64_t behind = (stretch - (front >> REPLAY_TURN_SHIFT)) & REPLAY_FRONT_MASK;
	struct place place;

	if (!(front & REPLAY_FRONT) || behind > window->mask || behind > stretch)
		return;
	place = place_in_ring(window, (stretch - behind) * SA_WINDOW_WORD_PACKETS);
	atomic_store_explicit(
		place.word, place.turn | (front & REPLAY_BITS_MASK), memory_order_relaxed);
}

/* `number` is the new highest, `before` was: the front is of its stretch from now on. */
static void front_move(const struct replay_window *window, uint64_t before, uint64_t number)
{
	uint64_t stretch = number / SA_WINDOW_WORD_PACKETS, turn = replay_window_front(stretch);
	uint64_t front = atomic_load_explicit(window->front, memory_order_relaxed), word;
	struct place place = place_in_ring(window, number);

	if (stretch == before / SA_WINDOW_WORD_PACKETS && (front & ~REPLAY_BITS_MASK) == turn)
		return;
	if (stretch - before / SA_WINDOW_WORD_PACKETS <= window->mask)
		front_put_back(window, stretch);
	word = atomic_load_explicit(place.word, memory_order_relaxed);
	if (!is_of_turn(word, &place))
		word = 0;
	atomic_store_explicit(
		window->front, turn | (word & REPLAY_BITS_MASK), memory_order_relaxed);
}

void replay_window_share(const struct replay_window *window)
{
	if (window->size > 0)
		front_put_back(window, atomic_load_explicit(window->highest, memory_order_relaxed) /
					       SA_WINDOW_WORD_PACKETS);
	atomic_store_explicit(window->front, 0, memory_order_relaxed);
}

/* W1. True when `number` is the new highest. */
static bool highest_raise(const struct replay_window *window, uint64_t number)
{
	uint64_t highest = atomic_load_explicit(window->highest, memory_order_relaxed);
	uint64_t before = highest;
	bool raised = false;

	while (number > highest && !raised) {
		uint64_t entered =
			number / SA_WINDOW_WORD_PACKETS - highest / SA_WINDOW_WORD_PACKETS;
		raised = entered > 1 && window->size > 0 ? highest_jump(window, &highest, number)
							 : highest_swap(window, &highest, number);
	}
	if (raised && !window->shared && window->size > 0)
		front_move(window, before, number);
	return raised;
}

enum replay_verdict replay_window_commit(
	const struct replay_window *window, uint64_t number, bool *newest)
{
	uint64_t word, highest, marked;
	struct place place;

	*newest = false;
	if (window->size > 0 && number == 0)
		return REPLAY_SEEN;
	*newest = highest_raise(window, number);
	if (window->size == 0)
		return REPLAY_NEW;
	place = place_of(window, number);
	word = atomic_load_explicit(place.word, memory_order_acquire); /* pairs with W2 */
	do {
		/* If the word is of a newer turn, whoever wrote it had raised `highest` beyond our
		 * window before. */
		highest = atomic_load_explicit(window->highest, memory_order_relaxed);
		if (highest >= number && highest - number >= window->size)
			return REPLAY_LATE;
		marked = place.turn | place.bit;
		if (is_of_turn(word, &place)) {
			if (word & place.bit)
				return REPLAY_SEEN;
			marked = word | place.bit;
		}
		if (!window->shared) {
			atomic_store_explicit(place.word, marked, memory_order_relaxed);
			return REPLAY_NEW;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		place.word, &word, marked, memory_order_release, memory_order_acquire)); /* W2 */
	return REPLAY_NEW;
}
