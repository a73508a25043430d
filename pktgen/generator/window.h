/*
 * Which numbers of a sequence have come: finds doubled and reordered ones among the last
 * WINDOW_SIZE. One line of a processor's cache for each flow; the numbers of an SA are watched the
 * same way. Pure; one thread at a time.
 */
#ifndef PKTGEN_GENERATOR_WINDOW_H
#define PKTGEN_GENERATOR_WINDOW_H

#include <stdint.h>

#define WINDOW_SIZE 256

enum window_verdict {
	WINDOW_NEXT,      /* higher than all before */
	WINDOW_REORDERED, /* lower than one that came before it, and new */
	WINDOW_DUPLICATE, /* has come already */
	WINDOW_BEYOND,    /* lower by WINDOW_SIZE or more: late, new or doubled is not known */
};

struct window {
	uint64_t highest; /* 0: none yet; numbers begin with 1 */
	uint64_t seen[WINDOW_SIZE / 64];
	uint64_t received; /* all but duplicates */
	uint32_t duplicates, reordered, beyond;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct window) == 64, "a line of a processor's cache");

/* All empty; NULL when out of memory. free() it. */
struct window *window_array_new(uint32_t count);

enum window_verdict window_put(struct window *window, uint64_t number);
/*
 * The whole of an extended sequence number from its low half: the one nearest to what came before
 * (RFC 4303 A2.2, without its window: the receiver trusts nobody less than a generator does).
 */
uint64_t window_extend(const struct window *window, uint32_t low);

#endif
