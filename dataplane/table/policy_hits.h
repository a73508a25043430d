/*
 * Which policies count their hits in the line of an outbound SA's state (lib/ipc/policy_line.h):
 * those of one remote address that send everything through one SA, when that SA is one worker's at
 * a time. A policy has one line at most, a line one entry of a policy.
 */
#ifndef DATAPLANE_TABLE_POLICY_HITS_H
#define DATAPLANE_TABLE_POLICY_HITS_H

#include "dataplane/table/policy_entry.h"
#include "dataplane/table/policy_table.h"

#include "lib/ipc/sa_state.h"

static inline uint32_t policy_entry_slot(
	const struct policy_table *table, const struct policy_entry *entry)
{
	return (uint32_t)(((const uint8_t *)entry - table->entries.objects) / sizeof(*entry));
}

/* Main lcore. The entry is about to be seen; its policy and its SA may have room. */
void policy_hits_take(const struct policy_table *table, const struct policy_entry *entry);
/* Main lcore. No worker decides by the entry any more; what its policy has become may take over. */
void policy_hits_give(const struct policy_table *table, const struct policy_entry *entry);

/* Worker: are hits of the entry counted in the state of its SA? Then no other worker does it. */
static inline bool policy_hits_are_there(const struct policy_table *table,
	const struct policy_entry *entry, const struct sa_outbound_state *state)
{
	uint32_t slot = atomic_load_explicit(&state->policy_slot, memory_order_acquire);

	return (const struct policy_entry *)table->entries.objects + slot == entry;
}

#endif
