#include "dataplane/table/replay_window_shared.h"

#include "dataplane/table/replay_window_private.h"

#include "lib/base/atomic_pair.h"

#define WORDS_MAX 128 /* sa_window_words of the largest window */

/* T and the front as they were found. */
struct top {
	uint64_t highest, front;
};

/* Numbers of one stretch, which are committed together. */
struct batch {
	uint64_t stretch;
	uint64_t bits;
	uint64_t fresh, late; /* of the bits: marked by this, left of the window */
	bool newest;          /* T rose */
};

static struct top top_load(const struct replay_window *window)
{
	struct top top; /* in any order: R1 asks again */

	top.highest = atomic_load_explicit(window->highest, memory_order_acquire); /* R1 */
	top.front = atomic_load_explicit(window->front, memory_order_acquire);
	return top;
}

static uint64_t highest_stretch(const struct replay_window *window)
{
	return replay_stretch(atomic_load_explicit(window->highest, memory_order_acquire)); /* R1 */
}

/* Those bits whose numbers are left of the window. */
static uint64_t bits_late(const struct replay_window *window, uint64_t stretch, uint64_t highest)
{
	uint64_t first = stretch * SA_WINDOW_WORD_PACKETS;
	uint64_t bottom = highest >= window->size ? highest - window->size + 1 : 0;

	if (bottom <= first)
		return 0;
	return bottom - first < SA_WINDOW_WORD_PACKETS ? (UINT64_C(1) << (bottom - first)) - 1
						       : REPLAY_BITS_MASK;
}

/* ---- behind the front ---- */

static void commit_in_ring(const struct replay_window *window, struct batch *b)
{
	const struct replay_place place = replay_place_in_ring(window, b->stretch);
	uint64_t word = atomic_load_explicit(place.word, memory_order_acquire), marks; /* R2 */

	do {
		/* If the word is of a newer turn, T was beyond our window before. */
		b->late = bits_late(window, b->stretch,
			atomic_load_explicit(window->highest, memory_order_relaxed));
		marks = replay_marks(word, &place);
		b->fresh = b->bits & ~b->late & ~marks;
		if (b->fresh == 0)
			return;
	} while (!atomic_compare_exchange_weak_explicit(place.word, &word,
		place.turn | marks | b->fresh, memory_order_release,
		memory_order_acquire)); /* R2 */
}

/* ---- in the front ---- */

/* What is marked in the front stands in the ring too, before the front moves on. False: it has
 * moved on. */
static bool front_copy(const struct replay_window *window, const struct top *top)
{
	const uint64_t stretch = replay_stretch(top->highest);
	const struct replay_place place = replay_place_in_ring(window, stretch);
	uint64_t word = atomic_load_explicit(place.word, memory_order_acquire), wanted;

	do {
		/* A word that did not change since then is not of a newer turn. */
		if (highest_stretch(window) != stretch)
			return false;
		wanted = place.turn | replay_marks(word, &place) | (top->front & REPLAY_BITS_MASK);
	} while (word != wanted && !atomic_compare_exchange_weak_explicit(place.word, &word, wanted,
					   memory_order_release, memory_order_acquire));
	return true;
}

/* The front becomes that of a newer stretch, or there was none. False: ask again. */
static bool front_leave(const struct replay_window *window, const struct top *top, uint64_t stretch,
	uint64_t *marks)
{
	const struct replay_place place = replay_place_in_ring(window, stretch);
	const uint64_t from = replay_stretch(top->highest);

	if ((top->front & ~REPLAY_BITS_MASK) == replay_window_front(from) &&
		stretch - from <= window->mask && !front_copy(window, top))
		return false;
	*marks = replay_marks(atomic_load_explicit(place.word, memory_order_acquire), &place);
	return true;
}

/* F */
static bool top_swap(
	const struct replay_window *window, const struct top *top, const struct top *next)
{
	return atomic_pair_swap(window->highest,
		(struct atomic_pair_value){top->highest, top->front},
		(struct atomic_pair_value){next->highest, next->front});
}

/*
 * A jump over whole stretches (ESP-SEQ-14): the words of all that it enters begin empty. They are
 * read before T rises, so each of them was old; one that changed since is somebody's mark in the
 * new stretch and stays.
 */
static bool top_jump(
	const struct replay_window *window, const struct top *top, const struct top *next)
{
	uint64_t old[WORDS_MAX], last = replay_stretch(next->highest);
	uint64_t count = last - replay_stretch(top->highest);

	if (count > window->mask + UINT64_C(1))
		count = window->mask + UINT64_C(1);
	for (uint64_t i = 0; i < count; i++)
		old[i] = atomic_load_explicit(
			&window->words[(last - i) & window->mask], memory_order_acquire);
	if (!top_swap(window, top, next))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		struct replay_place place = replay_place_in_ring(window, last - i);
		atomic_compare_exchange_strong_explicit(place.word, &old[i], place.turn,
			memory_order_release, memory_order_relaxed);
	}
	return true;
}

/* False: somebody else was quicker. */
static bool commit_in_front(
	const struct replay_window *window, const struct top *top, struct batch *b)
{
	const uint64_t turn = replay_window_front(b->stretch);
	const uint64_t entered = b->stretch - replay_stretch(top->highest);
	uint64_t marks = top->front & REPLAY_BITS_MASK, last;
	struct top next;

	if ((entered != 0 || (top->front & ~REPLAY_BITS_MASK) != turn) &&
		!front_leave(window, top, b->stretch, &marks))
		return false;
	b->late = bits_late(window, b->stretch, top->highest);
	b->fresh = b->bits & ~b->late & ~marks;
	if (b->fresh == 0)
		return true;
	last = b->stretch * SA_WINDOW_WORD_PACKETS + 63 - (unsigned)__builtin_clzll(b->fresh);
	b->newest = last > top->highest;
	next.highest = b->newest ? last : top->highest;
	next.front = turn | marks | b->fresh;
	return entered > 1 ? top_jump(window, top, &next) : top_swap(window, top, &next);
}

static void commit(const struct replay_window *window, struct batch *b)
{
	struct top top;

	do {
		b->newest = false;
		top = top_load(window);
		if (b->stretch < replay_stretch(top.highest)) {
			commit_in_ring(window, b);
			return;
		}
	} while (!commit_in_front(window, &top, b));
}

/* ---- numbers ---- */

static bool highest_raise(const struct replay_window *window, uint64_t number)
{
	uint64_t highest = atomic_load_explicit(window->highest, memory_order_relaxed);

	while (number > highest)
		if (atomic_compare_exchange_weak_explicit(window->highest, &highest, number,
			    memory_order_relaxed, memory_order_relaxed))
			return true;
	return false;
}

enum replay_verdict replay_window_shared_commit(
	const struct replay_window *window, uint64_t number, bool *newest)
{
	struct batch b = {.stretch = replay_stretch(number), .bits = replay_bit(number)};

	*newest = false;
	if (window->size == 0) {
		*newest = highest_raise(window, number);
		return REPLAY_NEW;
	}
	if (number == 0)
		return REPLAY_SEEN;
	commit(window, &b);
	*newest = b.newest;
	return b.fresh != 0 ? REPLAY_NEW : b.late & b.bits ? REPLAY_LATE : REPLAY_SEEN;
}

static void commit_singly(const struct replay_window *window, const uint64_t *numbers,
	unsigned count, enum replay_verdict *verdicts)
{
	bool newest;

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = replay_window_shared_commit(window, numbers[i], &newest);
}

static void commit_stretch(const struct replay_window *window, const uint64_t *numbers,
	unsigned count, enum replay_verdict *verdicts)
{
	struct batch b = {.stretch = replay_stretch(numbers[0])};

	for (unsigned i = 0; i < count; i++)
		b.bits |= replay_bit(numbers[i]);
	commit(window, &b);
	for (unsigned i = 0; i < count; i++) {
		const uint64_t bit = replay_bit(numbers[i]);
		verdicts[i] = b.fresh & bit ? REPLAY_NEW : b.late & bit ? REPLAY_LATE : REPLAY_SEEN;
		b.fresh &= ~bit; /* there may be a copy of it in the run */
	}
}

void replay_window_shared_commit_run(const struct replay_window *window, const uint64_t *numbers,
	unsigned count, enum replay_verdict *verdicts)
{
	unsigned alike;

	/* A window of less than a stretch: the last number of it may put the first one out. */
	if (window->size < SA_WINDOW_WORD_PACKETS) {
		commit_singly(window, numbers, count, verdicts);
		return;
	}
	for (unsigned i = 0; i < count; i += alike) {
		const uint64_t stretch = replay_stretch(numbers[i]);
		for (alike = 1; i + alike < count; alike++)
			if (replay_stretch(numbers[i + alike]) != stretch)
				break;
		if (stretch == 0) /* it has a number that nobody sends */
			commit_singly(window, &numbers[i], alike, &verdicts[i]);
		else
			commit_stretch(window, &numbers[i], alike, &verdicts[i]);
	}
}
