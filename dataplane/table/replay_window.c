#include "dataplane/table/replay_window.h"

#include "dataplane/table/replay_window_private.h"
#include "dataplane/table/replay_window_shared.h"

static struct replay_place place_of(const struct replay_window *window, uint64_t number)
{
	const struct replay_place front = {
		.word = window->front, .turn = replay_window_front(replay_stretch(number))};

	return replay_is_of_turn(atomic_load_explicit(front.word, memory_order_relaxed), &front)
		       ? front
		       : replay_place_in_ring(window, replay_stretch(number));
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

enum replay_verdict replay_window_check(const struct replay_window *window, uint64_t number)
{
	uint64_t highest, word;
	struct replay_place place;

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
	return replay_marks(word, &place) & replay_bit(number) ? REPLAY_SEEN : REPLAY_NEW;
}

/* ---- one worker ---- */

static void place_store(const struct replay_place *place, uint64_t marks)
{
	atomic_store_explicit(place->word, place->turn | marks, memory_order_relaxed);
}

/* A jump over whole stretches (ESP-SEQ-14): the words of all that it enters begin empty. */
static void words_empty(const struct replay_window *window, uint64_t last, uint64_t count)
{
	if (count > window->mask + UINT64_C(1))
		count = window->mask + UINT64_C(1);
	for (uint64_t i = 0; i < count; i++) {
		struct replay_place place = replay_place_in_ring(window, last - i);
		place_store(&place, 0);
	}
}

/* Back into its place in the ring; what is left of the window has none any more. `stretch`: of a
 * number not left of the front's. */
static void front_put_back(const struct replay_window *window, uint64_t stretch)
{
	uint64_t front = atomic_load_explicit(window->front, memory_order_relaxed);
	uint64_t behind = (stretch - (front >> REPLAY_TURN_SHIFT)) & REPLAY_FRONT_MASK;
	struct replay_place place;

	if (!(front & REPLAY_FRONT) || behind > window->mask || behind > stretch)
		return;
	place = replay_place_in_ring(window, stretch - behind);
	place_store(&place, front & REPLAY_BITS_MASK);
}

/* `number` is the new highest, `before` was: the front is of its stretch from now on. */
static void front_move(const struct replay_window *window, uint64_t before, uint64_t number)
{
	uint64_t stretch = replay_stretch(number), entered = stretch - replay_stretch(before);
	uint64_t front = atomic_load_explicit(window->front, memory_order_relaxed), word;
	struct replay_place place = replay_place_in_ring(window, stretch);

	if (entered == 0 && (front & ~REPLAY_BITS_MASK) == replay_window_front(stretch))
		return;
	if (entered <= window->mask)
		front_put_back(window, stretch);
	word = atomic_load_explicit(place.word, memory_order_relaxed);
	atomic_store_explicit(window->front,
		replay_window_front(stretch) | replay_marks(word, &place), memory_order_relaxed);
}

void replay_window_share(const struct replay_window *window)
{
	if (window->size > 0)
		front_put_back(window, replay_stretch(atomic_load_explicit(
					       window->highest, memory_order_relaxed)));
	atomic_store_explicit(window->front, 0, memory_order_relaxed);
}

/* True when `number` is the new highest. */
static bool highest_raise(const struct replay_window *window, uint64_t number)
{
	uint64_t highest = atomic_load_explicit(window->highest, memory_order_relaxed);
	uint64_t entered = replay_stretch(number) - replay_stretch(highest);

	if (number <= highest)
		return false;
	atomic_store_explicit(window->highest, number, memory_order_relaxed);
	if (window->size == 0)
		return true;
	if (entered > 1)
		words_empty(window, replay_stretch(number), entered);
	front_move(window, highest, number);
	return true;
}

enum replay_verdict replay_window_commit(
	const struct replay_window *window, uint64_t number, bool *newest)
{
	struct replay_place place;
	uint64_t highest, marks;

	if (window->shared)
		return replay_window_shared_commit(window, number, newest);
	*newest = false;
	if (window->size > 0 && number == 0)
		return REPLAY_SEEN;
	*newest = highest_raise(window, number);
	if (window->size == 0)
		return REPLAY_NEW;
	highest = atomic_load_explicit(window->highest, memory_order_relaxed);
	if (highest >= number && highest - number >= window->size)
		return REPLAY_LATE;
	place = place_of(window, number);
	marks = replay_marks(atomic_load_explicit(place.word, memory_order_relaxed), &place);
	if (marks & replay_bit(number))
		return REPLAY_SEEN;
	place_store(&place, marks | replay_bit(number));
	return REPLAY_NEW;
}
