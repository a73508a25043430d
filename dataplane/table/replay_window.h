/*
 * The replay window of an inbound SA (RFC 4303 3.4.3, appendix A; RFC 6479), without locks: several
 * workers may check and commit at once, and a process killed at any instant leaves a state that
 * reopens nothing.
 *
 * The bitmap is a ring of 64-bit words as in RFC 6479, but each word says which stretch of numbers
 * it holds: 40 bits of the map, and above them the low 24 bits of the ring's turn. So one
 * compare-and-swap of one word is a whole decision: a word of the turn before is empty and is
 * replaced; a word of a newer turn says that the number is left of the window. Nothing is shifted.
 * A jump over whole stretches empties their words, so that none stays behind until its turn comes
 * round.
 *
 * The word that is marked in now (the stretch of `highest`) is taken out of the ring to `front`,
 * which lies beside `highest`: the usual packet touches that line alone. It goes back when
 * `highest` enters another stretch. A front says whose stretch it is, as a word of the ring does;
 * so it tells what was marked there whatever `highest` is, and a number is looked for there first.
 *
 * One worker at a time (replay_window.c) stores in this order: `highest`, then the ring's words,
 * then `front`; whoever is killed between two of them leaves nothing open that went on.
 *
 * Several workers (replay_window_shared.c) change `highest` and `front` together, by one
 * compare-and-swap of 16 octets (F). Before the front moves on, what is marked in it is copied into
 * the ring; if somebody marked in it since, F fails and it is copied again. So the ring's word of a
 * stretch left of `highest` holds all of its marks, and only there numbers are marked in the ring.
 *
 * Edges: F is a full barrier; who sees by `highest` that a stretch is behind (R1, acquire) sees the
 * marks that were copied. A ring's word is swapped with release and read with acquire (R2): who
 * looks at it and then at `highest` sees one at least as high as whoever wrote it, so a word of a
 * newer turn shows by the number being left of the window.
 *
 * The memory is the region's (lib/ipc/sa_state.h): its content is not trusted, indices are masked.
 */
#ifndef DATAPLANE_TABLE_REPLAY_WINDOW_H
#define DATAPLANE_TABLE_REPLAY_WINDOW_H

#include "lib/base/atomic_pair.h"

#include "lib/ipc/sa_state.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REPLAY_TURN_SHIFT SA_WINDOW_WORD_PACKETS
#define REPLAY_BITS_MASK  ((UINT64_C(1) << REPLAY_TURN_SHIFT) - 1)

/* Above the bits of a front: that there is one, and the low bits of its stretch. */
#define REPLAY_FRONT      (UINT64_C(1) << 63)
#define REPLAY_FRONT_MASK ((REPLAY_FRONT >> REPLAY_TURN_SHIFT) - 1)

enum replay_verdict {
	REPLAY_NEW,  /* never seen: goes on */
	REPLAY_SEEN, /* duplicate, or a number that nobody sends (0) */
	REPLAY_LATE, /* left of the window, or a high half that does not exist (ESP-SEQ-07) */
};

struct replay_window {
	_Atomic uint64_t *highest; /* T; 0 nothing yet */
	_Atomic uint64_t *front; /* behind it, both in 16 aligned octets; not used when size is 0 */
	_Atomic uint64_t *words; /* [mask + 1]; not used when size is 0 */
	uint32_t mask;
	uint32_t size; /* W, packets; 0 off */
	bool extended; /* 64-bit numbers */
	bool shared;   /* several workers may use it at once; else plain stores do */
};

/*
 * The number that the wire's low half means (RFC 4303 A2.2, ESP-SEQ-06, -07): the one with that low
 * half in [T - W + 1, T - W + 2^32]. Without ESN the low half itself. REPLAY_NEW and *number, else
 * why there is none. With W = 0 and ESN, W is taken for 1 (ESP-SEQ-15). Worker.
 */
enum replay_verdict replay_window_infer(
	const struct replay_window *window, uint32_t low, uint64_t *number);
/* Before the ICV: is the number still open (ESP-SEQ-09)? Changes nothing. Worker. */
enum replay_verdict replay_window_check(const struct replay_window *window, uint64_t number);
/*
 * After the ICV: check again and mark, in one step (ESP-SEQ-10). Of any number of calls with one
 * number exactly one says REPLAY_NEW, unless the window is off. *newest: the number is right of all
 * before it. Worker.
 */
enum replay_verdict replay_window_commit(
	const struct replay_window *window, uint64_t number, bool *newest);

/*
 * For several workers from now on: puts a front back into the ring, which one worker may have left
 * behind `highest` when it was killed; without one nothing happens. Nobody else uses the window.
 */
void replay_window_share(const struct replay_window *window);

/* What stands above the bits in the front of a stretch. */
static inline uint64_t replay_window_front(uint64_t stretch)
{
	return REPLAY_FRONT | (stretch & REPLAY_FRONT_MASK) << REPLAY_TURN_SHIFT;
}

/*
 * replay_window_commit for its usual case, straight: a number right of all before it whose stretch
 * is the front's. False: nothing was done, ask replay_window_commit.
 */
static inline bool replay_window_advance(const struct replay_window *window, uint64_t number)
{
	uint64_t highest = atomic_load_explicit(window->highest, memory_order_relaxed);
	uint64_t front = atomic_load_explicit(window->front, memory_order_relaxed);
	uint64_t marked = front | UINT64_C(1) << number % SA_WINDOW_WORD_PACKETS;

	if (window->size == 0 || number <= highest || number - highest >= SA_WINDOW_WORD_PACKETS ||
		(front & ~REPLAY_BITS_MASK) !=
			replay_window_front(number / SA_WINDOW_WORD_PACKETS) ||
		marked == front) /* memory that is not trusted */
		return false;
	if (window->shared)
		return atomic_pair_swap(window->highest, (struct atomic_pair_value){highest, front},
			(struct atomic_pair_value){number, marked});
	atomic_store_explicit(window->highest, number, memory_order_relaxed);
	atomic_store_explicit(window->front, marked, memory_order_relaxed);
	return true;
}

#endif
