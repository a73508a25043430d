/* Two words that change together: what one compare-and-swap of 16 octets can do, and <stdatomic.h>
 * says with a library of its own alone. On x86-64 -mcx16 must be on, as it is with DPDK's flags. */
#ifndef LIB_BASE_ATOMIC_PAIR_H
#define LIB_BASE_ATOMIC_PAIR_H

#include <stdbool.h>
#include <stdint.h>

struct atomic_pair_value {
	uint64_t low, high;
};

/*
 * If the two words at `pair`, 16 octets aligned, hold `before`, they hold `after` from now on:
 * true, and a full barrier. Each of them may be read alone, by an atomic load. Any thread.
 */
static inline bool atomic_pair_swap(
	_Atomic uint64_t *pair, struct atomic_pair_value before, struct atomic_pair_value after)
{
	__extension__ typedef unsigned __int128 both;

	return __sync_bool_compare_and_swap((both *)(uintptr_t)pair,
		(both)before.high << 64 | before.low, (both)after.high << 64 | after.low);
}

#endif
