#include "lib/ipc/drop_trace.h"

#include <string.h>

/*
 * "a": number 0 before the words; pairs with "b": whoever loads a word of the new record sees 0 or
 * the new number when it looks again. "c": the words before the number; pairs with "d".
 */
void drop_trace_put(struct drop_trace *trace, const struct drop_record *record)
{
	uint64_t words[DROP_TRACE_WORDS];
	uint64_t number = atomic_load_explicit(&trace->taken, memory_order_relaxed) + 1;
	struct drop_slot *slot = &trace->slots[number % DROP_TRACE_SLOTS];

	memcpy(words, record, sizeof(words));
	atomic_store_explicit(&slot->number, 0, memory_order_relaxed);
	for (size_t i = 0; i < DROP_TRACE_WORDS; i++)
		atomic_store_explicit(&slot->words[i], words[i], memory_order_release); /* a */
	atomic_store_explicit(&slot->number, number, memory_order_release);             /* c */
	atomic_store_explicit(&trace->taken, number, memory_order_release);
}

bool drop_trace_get(const struct drop_trace *trace, uint64_t number, struct drop_record *record)
{
	const struct drop_slot *slot = &trace->slots[number % DROP_TRACE_SLOTS];
	uint64_t words[DROP_TRACE_WORDS];

	if (number == 0 ||
		atomic_load_explicit(&slot->number, memory_order_acquire) != number) /* d */
		return false;
	for (size_t i = 0; i < DROP_TRACE_WORDS; i++)
		words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire); /* b */
	if (atomic_load_explicit(&slot->number, memory_order_relaxed) != number)
		return false;
	memcpy(record, words, sizeof(*record));
	return record->head_length <= DROP_TRACE_OCTETS && record->text_length <= DROP_TRACE_OCTETS;
}
