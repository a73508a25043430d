/*
 * Windows and counters of SAs that several workers share. What all of them write (struct
 * sa_inbound_state and the window's words) changes hands between their caches, which costs more
 * than a packet's cipher. So all that a burst has of one SA, one behind the other, is one change of
 * each word, and not one for each packet; what is asked for each of them only reads.
 */
#include "dataplane/lane/esp_in_private.h"
#include "dataplane/table/replay_window_shared.h"

static uint64_t bits_of(unsigned first, unsigned count)
{
	return UINT64_MAX >> (64 - count) << first;
}

static void count_use(
	const struct esp_in *lane, const struct arrival *a, uint64_t packets, uint64_t bytes)
{
	struct sa_inbound *sa = (struct sa_inbound *)a->work.sa; /* soft state alone */
	struct sa_inbound_state *state = a->state;
	struct atomic_pair_value before;

	if (unlikely(atomic_load_explicit(&sa->failures, memory_order_relaxed) != 0))
		atomic_store_explicit(&sa->failures, 0, memory_order_relaxed);
	do {
		before.low = atomic_load_explicit(&state->packets, memory_order_relaxed);
		before.high = atomic_load_explicit(&state->bytes, memory_order_relaxed);
	} while (unlikely(!atomic_pair_swap(&state->packets, before,
		(struct atomic_pair_value){before.low + packets, before.high + bytes})));
	atomic_store_explicit(&state->last_use_ns, lane->worker->now_ns, memory_order_relaxed);
}

static inline enum replay_verdict commit_one(const struct esp_in *lane, const struct arrival *a)
{
	const enum replay_verdict verdict = esp_in_commit(lane, a);

	if (likely(verdict == REPLAY_NEW))
		count_use(lane, a, 1, a->work.text);
	return verdict;
}

static __attribute__((noinline)) void commit_run(const struct esp_in *lane, const struct arrival *a,
	unsigned run, enum replay_verdict *verdicts)
{
	const struct replay_window window = esp_in_window(lane, a);
	uint64_t numbers[BURST_SIZE], packets = 0, bytes = 0;

	numbers[0] = a->work.number;
	for (unsigned i = 1; i < run; i++)
		numbers[i] = a[i].work.number;
	replay_window_shared_commit_run(&window, numbers, run, verdicts);
	for (unsigned i = 0; i < run; i++)
		if (likely(verdicts[i] == REPLAY_NEW)) {
			packets++;
			bytes += a[i].work.text;
		}
	if (likely(packets != 0))
		count_use(lane, a, packets, bytes);
}

uint64_t esp_in_run_commit(const struct esp_in *lane, uint64_t usual, enum replay_verdict *verdicts)
{
	uint64_t taken = 0, judged = 0;
	unsigned run;

	for (unsigned i = 0; i < lane->count; i += run) {
		const struct arrival *a = &lane->arrivals[i];
		run = 1;
		if (unlikely(!(usual >> i & 1) || judged & esp_in_bar(a->slot) ||
			     !esp_in_is_far_from_limits(lane, a))) {
			judged |= esp_in_bar(a->slot);
			continue;
		}
		while (i + run < lane->count && usual >> (i + run) & 1 &&
			a[run].work.sa == a->work.sa)
			run++;
		if (run == 1)
			verdicts[i] = commit_one(lane, a);
		else
			commit_run(lane, a, run, &verdicts[i]);
		taken |= bits_of(i, run);
	}
	return taken;
}
