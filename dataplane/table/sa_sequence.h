/*
 * Outbound sequence numbers (RFC 4303 3.3.3), taken in the region before they are used: whatever
 * happens to the process afterwards, no number and so no counter-mode IV is used twice (ESP-SEQ-02,
 * ESP-ALG-18). A burst takes all numbers that it needs for one SA by one atomic add, so any number
 * of workers may send on one SA (MP-01); it uses them at once, so they go out nearly in order
 * (MP-02).
 */
#ifndef DATAPLANE_TABLE_SA_SEQUENCE_H
#define DATAPLANE_TABLE_SA_SEQUENCE_H

#include "lib/ipc/sa_state.h"

#include <stdbool.h>

#define SA_SEQUENCE_LAST     UINT32_MAX /* without ESN */
#define SA_SEQUENCE_LAST_ESN UINT64_MAX
#define SA_SEQUENCE_SOFT     (UINT64_C(0x100000000) - (UINT64_C(1) << 28)) /* ESP-SEQ-04 */
#define SA_SEQUENCE_SOFT_ESN (UINT64_MAX - (UINT64_C(1) << 32))

/*
 * Takes `count` (> 0) numbers that follow each other, none above `last`: returns how many there are
 * still, 0..count, and the first in *first. At the end numbers may be skipped, none is given out
 * twice. `shared` when another worker may do the same now. Worker.
 */
uint32_t sa_sequence_take(struct sa_outbound_state *state, uint32_t count, uint64_t last,
	bool shared, uint64_t *first);

/* The first of `count` numbers, when they and all that other workers can take are far from the end
 * (sa_lane_is_far). Worker. */
static inline uint64_t sa_sequence_take_far(
	struct sa_outbound_state *state, uint32_t count, bool shared)
{
	uint64_t taken;

	if (shared)
		return atomic_fetch_add_explicit(&state->sequence, count, memory_order_relaxed) + 1;
	taken = atomic_load_explicit(&state->sequence, memory_order_relaxed);
	atomic_store_explicit(&state->sequence, taken + count, memory_order_relaxed);
	return taken + 1;
}

/* A run of packets of one SA was given to the cipher: counts and the time. Worker. */
static inline void sa_sequence_count(struct sa_outbound_state *state, uint32_t packets,
	uint64_t bytes, monotonic now_ns, bool shared)
{
	if (shared) {
		atomic_fetch_add_explicit(&state->packets, packets, memory_order_relaxed);
		atomic_fetch_add_explicit(&state->bytes, bytes, memory_order_relaxed);
	} else {
		atomic_store_explicit(&state->packets,
			atomic_load_explicit(&state->packets, memory_order_relaxed) + packets,
			memory_order_relaxed);
		atomic_store_explicit(&state->bytes,
			atomic_load_explicit(&state->bytes, memory_order_relaxed) + bytes,
			memory_order_relaxed);
	}
	atomic_store_explicit(&state->last_use_ns, now_ns, memory_order_relaxed);
}

#endif
