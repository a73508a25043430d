#include "dataplane/table/sa_sequence.h"

#define FAR (UINT64_C(1) << 20) /* more than all workers can take at one moment */

uint32_t sa_sequence_take(struct sa_outbound_state *state, uint32_t count, uint64_t last,
	bool shared, uint64_t *first)
{
	uint64_t taken = atomic_load_explicit(&state->sequence, memory_order_relaxed);

	if (shared && taken < last && last - taken > FAR) {
		*first = atomic_fetch_add_explicit(&state->sequence, count, memory_order_relaxed) +
			 1;
		return count;
	}
	do { /* near the end nothing beyond it is taken, so the counter itself never wraps */
		if (taken >= last)
			return 0;
		if (count > last - taken)
			count = (uint32_t)(last - taken);
		if (!shared) {
			atomic_store_explicit(
				&state->sequence, taken + count, memory_order_relaxed);
			break;
		}
	} while (!atomic_compare_exchange_weak_explicit(&state->sequence, &taken, taken + count,
		memory_order_relaxed, memory_order_relaxed));
	*first = taken + 1;
	return count;
}
