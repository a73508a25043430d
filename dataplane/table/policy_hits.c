#include "dataplane/table/policy_hits.h"

#include "dataplane/table/sa_table.h"

/* The state whose line the entry might have; NULL: none. */
static struct sa_outbound_state *state_of(
	const struct policy_table *table, const struct policy_entry *entry)
{
	const struct sa_table *sas = table->sas;
	bool may = sas != NULL && sas->region.policies != NULL && !sas->shared && entry->host &&
		   entry->action == POLICY_PROTECT && entry->direction == SA_OUTBOUND &&
		   entry->sa_id < sas->count;

	return may ? sa_outbound_state(sas, entry->sa_id) : NULL;
}

void policy_hits_take(const struct policy_table *table, const struct policy_entry *entry)
{
	struct sa_outbound_state *state = state_of(table, entry);
	struct policy_line *line;

	if (state == NULL || atomic_load_explicit(&state->policy_slot, memory_order_relaxed) != 0)
		return;
	line = &table->sas->region.policies[entry->policy_id];
	if (atomic_load_explicit(&line->line, memory_order_relaxed) != 0)
		return;
	policy_line_set(line, entry->sa_id + 1, state);
	atomic_store_explicit(
		&state->policy_slot, policy_entry_slot(table, entry), memory_order_release);
}

void policy_hits_give(const struct policy_table *table, const struct policy_entry *entry)
{
	struct sa_outbound_state *state = state_of(table, entry);
	uint32_t successor = table->live[entry->policy_id];

	if (state == NULL || atomic_load_explicit(&state->policy_slot, memory_order_relaxed) !=
				     policy_entry_slot(table, entry))
		return;
	atomic_store_explicit(&state->policy_slot, 0, memory_order_relaxed);
	policy_line_set(&table->sas->region.policies[entry->policy_id], 0, state);
	if (successor != 0)
		policy_hits_take(table, slab_at(&table->entries, successor));
}
