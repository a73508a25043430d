/*
 * Token buckets by key in a fixed table, as deadlines (GCRA): a slot holds the time when its bucket
 * would be full again. Two keys that meet in a busy slot share it: a flood can only make its
 * neighbour more limited, never less. One worker, no locks.
 */
#ifndef DATAPLANE_LIMITER_H
#define DATAPLANE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

struct limiter;

/* `slots` is a power of two. NULL without memory. */
struct limiter *limiter_new(uint32_t slots);
void limiter_free(struct limiter *limiter);
/* May one more event of `key` happen at now_tsc, at one per interval_tsc with `burst` at once?
 * Takes the token when so. */
bool limiter_pass(struct limiter *limiter, uint64_t key, uint64_t now_tsc, uint64_t interval_tsc,
	uint32_t burst);

#endif
