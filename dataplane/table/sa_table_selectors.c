/* The selectors of inbound SAs: the first one in the object, the others in a list behind it. */
#include "dataplane/table/sa_table_private.h"

void sa_table_selectors_retire(struct sa_table *table, const struct sa_inbound *sa)
{
	uint32_t next;

	for (uint32_t i = sa->selector.next; i != 0; i = next) {
		next = ((struct sa_selector *)slab_at(&table->selectors, i))->next;
		retirement_add(table->retirement, &table->selectors, i);
	}
}

bool sa_table_selectors_build(struct sa_table *table, struct sa_inbound *sa)
{
	const struct sa_staging *s = &table->staging;
	uint32_t next = 0;

	for (uint32_t i = s->selector_count; i-- > 0;) {
		struct sa_selector *selector = &sa->selector;
		uint32_t slot = 0;
		if (i > 0) {
			slot = slab_take(&table->selectors);
			if (slot == 0)
				break;
			selector = slab_at(&table->selectors, slot);
		}
		sa_table_build_selector(selector, &s->selectors[i]);
		selector->next = next;
		next = slot;
		if (i == 0)
			return true;
	}
	while (next != 0) {
		uint32_t after = ((struct sa_selector *)slab_at(&table->selectors, next))->next;
		slab_give(&table->selectors, next);
		next = after;
	}
	return false;
}

bool sa_table_selectors_match(const struct sa_table *table, const struct sa_inbound *sa,
	const struct sa_selector_key *key)
{
	const struct sa_selector *selector = &sa->selector;

	while (!sa_table_selector_match(selector, key)) {
		if (selector->next == 0)
			return false;
		selector = slab_at(&table->selectors, selector->next);
	}
	return true;
}
