/* The ring of the replay window: shared by replay_window.c and replay_window_shared.c alone. */
#ifndef DATAPLANE_TABLE_REPLAY_WINDOW_PRIVATE_H
#define DATAPLANE_TABLE_REPLAY_WINDOW_PRIVATE_H

#include "dataplane/table/replay_window.h"

#define REPLAY_TURN_MASK ((UINT64_C(1) << (64 - REPLAY_TURN_SHIFT)) - 1)

/* Where the numbers of a stretch are marked, and what stands above the marks then. */
struct replay_place {
	_Atomic uint64_t *word;
	uint64_t turn;
};

static inline uint64_t replay_stretch(uint64_t number)
{
	return number / SA_WINDOW_WORD_PACKETS;
}

static inline uint64_t replay_bit(uint64_t number)
{
	return UINT64_C(1) << number % SA_WINDOW_WORD_PACKETS;
}

static inline bool replay_is_of_turn(uint64_t word, const struct replay_place *place)
{
	return (word & ~REPLAY_BITS_MASK) == place->turn;
}

static inline struct replay_place replay_place_in_ring(
	const struct replay_window *window, uint64_t stretch)
{
	uint64_t turn = stretch >> __builtin_ctz(window->mask + 1u); /* a power of two */

	return (struct replay_place){.word = &window->words[stretch & window->mask],
		.turn = (turn & REPLAY_TURN_MASK) << REPLAY_TURN_SHIFT};
}

/* What is marked in a word, if it is of the turn. */
static inline uint64_t replay_marks(uint64_t word, const struct replay_place *place)
{
	return replay_is_of_turn(word, place) ? word & REPLAY_BITS_MASK : 0;
}

#endif
