/*
 * Hits of a policy (SPD-24) are in two places of the region: in policy_hits, by worker, and, for
 * one that sends all it matches through one SA, in the line of that SA's state, which its packets
 * write anyhow: a line of the policy's own would be one more that is cold.
 *
 * The words of the line only rise, whoever they were counted for. `rest` is what the policy has
 * from lines that it had before, less what was in its present one when that became its own; so its
 * hits there are rest + policy_hits of the line (modulo 2^64), and nothing is lost or counted twice
 * when policies, SAs and lines change partners. The main lcore writes it, control reads it.
 */
#ifndef LIB_IPC_POLICY_LINE_H
#define LIB_IPC_POLICY_LINE_H

#include "lib/ipc/sa_state.h"

#include <stdbool.h>

struct policy_line {
	_Atomic uint64_t rest;
	_Atomic uint32_t line; /* slot of the outbound SA + 1; 0 none */
	_Atomic uint32_t turn; /* odd while it is changed */
};

static_assert(sizeof(struct policy_line) == 16, "four a cache line");

/* Main lcore. The line's hits are its own from now on, or, line 0, no more. Readers that see any of
 * the new values see that `turn` is odd or another one. */
static inline void policy_line_set(
	struct policy_line *policy, uint32_t line, const struct sa_outbound_state *state)
{
	uint32_t turn = atomic_load_explicit(&policy->turn, memory_order_relaxed);
	uint64_t rest = atomic_load_explicit(&policy->rest, memory_order_relaxed);
	uint64_t hits = atomic_load_explicit(&state->policy_hits, memory_order_relaxed);

	atomic_store_explicit(&policy->turn, turn + 1, memory_order_relaxed);
	atomic_store_explicit(
		&policy->rest, line != 0 ? rest - hits : rest + hits, memory_order_release);
	atomic_store_explicit(&policy->line, line, memory_order_release);
	atomic_store_explicit(&policy->turn, turn + 2, memory_order_release);
}

/* Hits outside policy_hits; `states`: all `count` lines. Whatever the other side wrote it ends, and
 * reads no other memory. */
static inline uint64_t policy_line_hits(
	const struct policy_line *policy, const struct sa_outbound_state *states, uint32_t count)
{
	uint64_t hits = 0;

	for (unsigned tries = 0; tries < 1000; tries++) {
		uint32_t turn = atomic_load_explicit(&policy->turn, memory_order_acquire);
		uint32_t line = atomic_load_explicit(&policy->line, memory_order_acquire);
		hits = atomic_load_explicit(&policy->rest, memory_order_acquire);
		if (line - 1 < count)
			hits += atomic_load_explicit(
				&states[line - 1].policy_hits, memory_order_acquire);
		if (!(turn & 1) &&
			atomic_load_explicit(&policy->turn, memory_order_relaxed) == turn)
			break;
	}
	return hits;
}

#endif
