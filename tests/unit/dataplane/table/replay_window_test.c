/*
 * The window against a slow reference written from the text of RFC 4303: a set of all numbers ever
 * accepted, and the rules of 3.4.3 and appendix A2 said with it.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/table/replay_window.h"
#include "dataplane/table/replay_window_shared.h"
#include "dataplane/table/sa_sequence.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TWO_32    (UINT64_C(1) << 32)
#define SEEN_MAX  4096
#define WORDS_MAX 128

static uint64_t random_state;

static uint64_t random_next(void) /* splitmix64 */
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

struct subject {
	_Alignas(16) _Atomic uint64_t highest;
	_Atomic uint64_t front; /* sa_inbound_state has them so */
	_Atomic uint64_t words[WORDS_MAX];
	struct replay_window window;
};

static void subject_init(struct subject *s, uint32_t size, bool extended, bool shared)
{
	memset(s, 0, sizeof(*s));
	s->window = (struct replay_window){.highest = &s->highest,
		.front = &s->front,
		.words = s->words,
		.mask = size > 0 ? sa_window_words(size) - 1 : 0,
		.size = size,
		.extended = extended,
		.shared = shared};
}

/* RFC 4303 3.4.3: the receive window as what it is, numbers. */
struct reference {
	uint64_t top;
	uint32_t size;
	bool extended;
	uint64_t seen[SEEN_MAX * 4]; /* the last ones are enough: the window is never larger */
	unsigned count;
};

static void pair_init(struct subject *s, struct reference *r, uint32_t size, bool extended,
	bool shared, uint64_t start)
{
	subject_init(s, size, extended, shared);
	s->highest = start;
	*r = (struct reference){.size = size, .extended = extended, .top = start};
}

static bool reference_has(const struct reference *r, uint64_t number)
{
	for (unsigned i = 0; i < r->count && i < SEEN_MAX * 4; i++)
		if (r->seen[i] == number)
			return true;
	return false;
}

/* Appendix A2.2, its case A and case B word for word, on 32-bit halves. */
static enum replay_verdict reference_infer(
	const struct reference *r, uint32_t low, uint64_t *number)
{
	uint32_t top_low = (uint32_t)r->top, top_high = (uint32_t)(r->top >> 32);
	uint32_t size = r->size > 0 ? r->size : 1, high;

	if (!r->extended) {
		*number = low;
		return low == 0 && r->size > 0 ? REPLAY_SEEN : REPLAY_NEW;
	}
	if (top_low >= size - 1) {
		if (low >= top_low - size + 1) {
			high = top_high;
		} else {
			if (top_high == UINT32_MAX)
				return REPLAY_LATE;
			high = top_high + 1;
		}
	} else {
		if (low >= top_low - size + 1) {
			if (top_high == 0)
				return REPLAY_LATE;
			high = top_high - 1;
		} else {
			high = top_high;
		}
	}
	*number = (uint64_t)high << 32 | low;
	return *number == 0 ? REPLAY_SEEN : REPLAY_NEW;
}

static enum replay_verdict reference_check(const struct reference *r, uint64_t number)
{
	if (r->size == 0)
		return REPLAY_NEW;
	if (number == 0)
		return REPLAY_SEEN;
	if (number > r->top)
		return REPLAY_NEW;
	if (r->top - number >= r->size)
		return REPLAY_LATE;
	return reference_has(r, number) ? REPLAY_SEEN : REPLAY_NEW;
}

static enum replay_verdict reference_commit(struct reference *r, uint64_t number, bool *newest)
{
	enum replay_verdict verdict = reference_check(r, number);

	*newest = verdict == REPLAY_NEW && number > r->top;
	if (verdict != REPLAY_NEW)
		return verdict;
	if (number > r->top)
		r->top = number;
	r->seen[r->count++ % (SEEN_MAX * 4)] = number;
	return verdict;
}

/* Where the next number is looked for: near the top, near the bottom, far away, at an edge. */
static uint64_t pick(const struct reference *r, uint64_t base)
{
	uint64_t size = r->size > 0 ? r->size : 64;

	switch (random_next() % 12) {
	case 0:
		return r->top;
	case 1:
		return r->top + 1;
	case 2:
		return r->top - size + 1;
	case 3:
		return r->top - size;
	case 4:
		return r->top + size + random_next() % (4 * size);
	case 5:
		return r->top + (random_next() & 0x7fffffff);
	case 6:
		return random_next() % (size * 2);
	case 7:
		return base + random_next() % 8;
	default:
		return r->top - size - 8 + random_next() % (size + 24);
	}
}

/* As a lane does it. */
static enum replay_verdict commit(const struct replay_window *window, uint64_t number, bool *newest)
{
	*newest = random_next() % 4 != 0 && replay_window_advance(window, number);
	return *newest ? REPLAY_NEW : replay_window_commit(window, number, newest);
}

/* Between several workers and one, as a dataplane that takes over the state of another. */
static void hand_over(struct subject *s)
{
	s->window.shared = !s->window.shared;
	if (s->window.shared)
		replay_window_share(&s->window);
}

/* All that was accepted is seen or late, all else is open, but `number`, which did not go on. */
static void compare_all(const struct subject *s, const struct reference *r, uint64_t number)
{
	struct subject *copy = malloc(sizeof(*copy));

	memcpy(copy, s, sizeof(*s));
	copy->window.highest = &copy->highest;
	copy->window.front = &copy->front;
	copy->window.words = copy->words;
	for (unsigned round = 0; round < 2; round++) {
		for (uint64_t i = 1; i < 2 * r->size && i <= r->top; i++)
			if (r->top + 1 - i != number)
				assert_int_equal(replay_window_check(&copy->window, r->top + 1 - i),
					reference_check(r, r->top + 1 - i));
		hand_over(copy);
	}
	free(copy);
}

/* Killed between two stores of a commit, which are made in this order. */
static void compare_torn(
	const struct subject *before, const struct subject *after, const struct reference *r)
{
	struct subject *torn = malloc(sizeof(*torn));

	memcpy(torn, before, sizeof(*torn));
	torn->highest = after->highest;
	compare_all(torn, r, after->highest);
	memcpy((void *)torn->words, (const void *)after->words, sizeof(torn->words));
	compare_all(torn, r, after->highest);
	torn->front = after->front;
	compare_all(torn, r, after->highest);
	free(torn);
}

static void compare(uint32_t size, bool extended, bool shared, uint64_t start, unsigned rounds)
{
	struct subject *s = malloc(sizeof(*s)), *before = malloc(sizeof(*s));
	struct reference *r = calloc(1, sizeof(*r));

	pair_init(s, r, size, extended, shared, start);
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t wanted = pick(r, start), number = 0, expected = 0;
		enum replay_verdict verdict =
			replay_window_infer(&s->window, (uint32_t)wanted, &number);
		enum replay_verdict right = reference_infer(r, (uint32_t)wanted, &expected);
		bool newest, newest_right;

		assert_int_equal(verdict, right);
		if (verdict != REPLAY_NEW)
			continue;
		assert_int_equal(number, expected);
		/* Forged now and then: what is only checked changes nothing (ESP-SEQ-11). */
		verdict = replay_window_check(&s->window, number);
		assert_int_equal(verdict, reference_check(r, number));
		if (verdict != REPLAY_NEW || random_next() % 8 == 0)
			continue;
		if (random_next() % 64 == 0)
			hand_over(s);
		memcpy(before, s, sizeof(*s));
		verdict = commit(&s->window, number, &newest);
		assert_int_equal(verdict, reference_commit(r, number, &newest_right));
		if (newest && !s->window.shared && size > 0 && size <= 65 &&
			random_next() % 16 == 0)
			compare_torn(before, s, r);
		assert_int_equal(newest, newest_right);
		assert_int_equal(s->highest, r->top);
		/* A second copy in the same burst (ESP-SEQ-10). */
		if (size > 0) {
			verdict = commit(&s->window, number, &newest);
			assert_int_equal(verdict, REPLAY_SEEN);
			assert_false(newest);
		}
	}
	free(before);
	free(s);
	free(r);
}

// ESP-SEQ-05, -06, -07, -09, -10, -12, -13, -14, -15
static void against_reference(void **state)
{
	static const uint32_t sizes[] = {32, 33, 63, 64, 65, 128, 1000, 1024, 4095, 4096, 0};
	(void)state;

	random_state = 1;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (unsigned shared = 0; shared < 2; shared++) {
			const uint64_t starts[] = {0, sizes[i], TWO_32 - 100, TWO_32 + 10,
				3 * TWO_32 + 5, UINT64_C(0xfffffffe) << 32};
			for (unsigned k = 0; k < 6; k++)
				compare(sizes[i], true, shared, starts[k], 3000);
			compare(sizes[i], false, shared, 0, 3000);
		}
}

#define RUN_MAX 64

/* A burst: upwards with gaps, and now and then a copy, one that comes late, or one far away. */
static unsigned run_draw(const struct reference *r, uint64_t *numbers)
{
	unsigned count = 1 + random_next() % RUN_MAX, step = 1 + random_next() % 4;
	uint64_t number = random_next() % 4 != 0 ? r->top + 1 : pick(r, r->top);

	for (unsigned i = 0; i < count; i++) {
		numbers[i] = random_next() % 8 != 0 ? number : pick(r, r->top);
		if (random_next() % 8 == 0 && i > 0)
			numbers[i] = numbers[random_next() % i];
		number += 1 + random_next() % step;
	}
	return count;
}

static void compare_runs(uint32_t size, uint64_t start, unsigned rounds)
{
	struct subject *s = malloc(sizeof(*s));
	struct reference *r = calloc(1, sizeof(*r));

	pair_init(s, r, size, true, true, start);
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t numbers[RUN_MAX];
		enum replay_verdict verdicts[RUN_MAX];
		unsigned count = run_draw(r, numbers);
		bool newest;

		replay_window_shared_commit_run(&s->window, numbers, count, verdicts);
		for (unsigned k = 0; k < count; k++)
			assert_int_equal(verdicts[k], reference_commit(r, numbers[k], &newest));
		assert_int_equal(s->highest, r->top);
		if (random_next() % 16 == 0)
			compare_all(s, r, 0);
		if (random_next() % 32 == 0) { /* one worker had it meanwhile */
			hand_over(s);
			hand_over(s);
		}
	}
	free(s);
	free(r);
}

// ESP-SEQ-09, -10, -12, -13, -14, MP-03: a burst's numbers together, as one by one
static void runs_against_reference(void **state)
{
	static const uint32_t sizes[] = {32, 39, 40, 41, 64, 128, 1000, 1024, 4096, 0};
	(void)state;

	random_state = 3;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		compare_runs(sizes[i], 0, 300);
		compare_runs(sizes[i], TWO_32 - 100, 300);
		compare_runs(sizes[i], UINT64_C(0xfffffffe) << 32, 300);
	}
}

static uint64_t infer(struct subject *s, uint64_t highest, uint32_t low)
{
	uint64_t number = 0;

	s->highest = highest;
	return replay_window_infer(&s->window, low, &number) == REPLAY_NEW ? number : UINT64_MAX;
}

// ESP-SEQ-06, -07: the edges by hand, W = 64
static void extended_edges(void **state)
{
	struct subject s;
	(void)state;

	subject_init(&s, 64, true, false);
	assert_int_equal(infer(&s, 0, 1), 1);
	assert_int_equal(infer(&s, 0, 0xffffffc0), 0xffffffc0); /* below B: a jump forward */
	assert_int_equal(infer(&s, 0, 0xffffffc1), UINT64_MAX); /* B: its high half would be -1 */
	assert_int_equal(infer(&s, 0, 0xffffffff), UINT64_MAX);
	assert_int_equal(infer(&s, 62, 0xffffffff), UINT64_MAX);
	assert_int_equal(infer(&s, 63, 0xffffffff), 0xffffffff);
	assert_int_equal(infer(&s, 64, 0), TWO_32); /* legal: high half 1 */
	assert_int_equal(infer(&s, 0xffffffff, 0), TWO_32);
	assert_int_equal(infer(&s, TWO_32, 0xffffffff), 0xffffffff);
	assert_int_equal(infer(&s, TWO_32 + 63, 0), TWO_32);
	assert_int_equal(infer(&s, TWO_32 + 64, 0), 2 * TWO_32);
	assert_int_equal(infer(&s, UINT64_MAX, 0), UINT64_MAX); /* beyond the last */
	assert_int_equal(infer(&s, UINT64_MAX, 0xfffffff0), 0xfffffffffffffff0);
}

// ESP-SEQ-05: 0 is nobody's number without ESN
static void zero(void **state)
{
	struct subject s;
	uint64_t number;
	(void)state;

	subject_init(&s, 64, false, false);
	assert_int_equal(replay_window_infer(&s.window, 0, &number), REPLAY_SEEN);
	subject_init(&s, 0, false, false);
	assert_int_equal(replay_window_infer(&s.window, 0, &number), REPLAY_NEW);
}

// ESP-SEQ-14: words that many turns left alone hold nothing back once they are old
static void far_jumps(void **state)
{
	struct subject s;
	uint64_t number = 1;
	bool newest;
	(void)state;

	subject_init(&s, 64, true, true);
	random_state = 7;
	for (unsigned i = 0; i < 200000; i++) {
		assert_int_equal(replay_window_commit(&s.window, number, &newest), REPLAY_NEW);
		assert_true(newest);
		for (uint64_t back = 1; back < 64 && back < number; back += 21) {
			if (i % 16 == 0)
				assert_int_equal(
					replay_window_commit(&s.window, number - back, &newest),
					REPLAY_NEW);
			assert_int_equal(replay_window_check(&s.window, number - back),
				i % 16 == 0 ? REPLAY_SEEN : REPLAY_NEW);
		}
		number += 64 + random_next() % (TWO_32 - 128);
	}
}

/* ---- several workers ---- */

#define RACE_NUMBERS 200000
#define RACE_THREADS 2

struct race {
	struct subject subject;
	struct sa_outbound_state sender;
	_Atomic uint32_t accepted[RACE_NUMBERS + 1];
	_Atomic uint32_t given[RACE_NUMBERS * 2];
};

/* Each thread offers every number, a little out of order, as two queues that got copies. */
static void *offer(void *argument)
{
	struct race *race = argument;

	for (uint32_t i = 1; i <= RACE_NUMBERS; i++) {
		uint64_t number = (i ^ 5) <= RACE_NUMBERS && (i ^ 5) > 0 ? i ^ 5 : i;
		bool newest;
		if (replay_window_check(&race->subject.window, number) != REPLAY_NEW)
			continue;
		if (replay_window_commit(&race->subject.window, number, &newest) == REPLAY_NEW)
			atomic_fetch_add_explicit(&race->accepted[number], 1, memory_order_relaxed);
	}
	return NULL;
}

/* The same in bursts of 1 to 64, half of a thread's numbers also in the burst before. */
static void *offer_runs(void *argument)
{
	struct race *race = argument;
	enum replay_verdict verdicts[RUN_MAX];
	uint64_t numbers[RUN_MAX];

	for (uint32_t first = 1, length = 1; first <= RACE_NUMBERS; first += (length + 1) / 2) {
		unsigned count = 0;
		for (uint32_t i = 0; i < length && first + i <= RACE_NUMBERS; i++)
			if (replay_window_check(&race->subject.window, first + i) == REPLAY_NEW)
				numbers[count++] = first + i;
		length = length % RUN_MAX + 1;
		if (count == 0)
			continue;
		replay_window_shared_commit_run(&race->subject.window, numbers, count, verdicts);
		for (unsigned i = 0; i < count; i++)
			if (verdicts[i] == REPLAY_NEW)
				atomic_fetch_add_explicit(
					&race->accepted[numbers[i]], 1, memory_order_relaxed);
	}
	return NULL;
}

/* As a lane does it: straight where that goes. */
static void *offer_straight(void *argument)
{
	struct race *race = argument;

	for (uint64_t number = 1; number <= RACE_NUMBERS; number++) {
		bool newest;
		if (replay_window_advance(&race->subject.window, number) ||
			replay_window_commit(&race->subject.window, number, &newest) == REPLAY_NEW)
			atomic_fetch_add_explicit(&race->accepted[number], 1, memory_order_relaxed);
	}
	return NULL;
}

static void race_copies(uint32_t window, void *(*one)(void *), void *(*other)(void *))
{
	struct race *race = calloc(1, sizeof(*race));
	pthread_t threads[RACE_THREADS];
	uint32_t once = 0;

	subject_init(&race->subject, window, false, true);
	for (unsigned i = 0; i < RACE_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i == 0 ? one : other, race), 0);
	for (unsigned i = 0; i < RACE_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 1; i <= RACE_NUMBERS; i++) {
		assert_true(race->accepted[i] <= 1);
		once += race->accepted[i];
	}
	/* Both threads offered all, so none was lost but those that one found left of the window
	 * before the other had come to them. */
	assert_true(once > RACE_NUMBERS / 2);
	assert_int_equal(race->subject.highest, RACE_NUMBERS);
	free(race);
}

// ESP-SEQ-10, MP-03, BAD-11: exactly one copy passes
static void one_of_two_copies(void **state)
{
	static const uint32_t windows[] = {32, 64, 1024};
	(void)state;

	for (unsigned i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		race_copies(windows[i], offer, offer);
		race_copies(windows[i], offer_runs, offer_runs);
		race_copies(windows[i], offer_runs, offer_straight);
		race_copies(windows[i], offer, offer_straight);
	}
}

static void *take(void *argument)
{
	struct race *race = argument;

	for (uint32_t i = 0; i < RACE_NUMBERS / 32; i++) {
		uint64_t first;
		uint32_t want = 1 + i % 32;
		uint32_t got = sa_sequence_take(&race->sender, want, RACE_NUMBERS, true, &first);
		for (uint32_t k = 0; k < got; k++)
			atomic_fetch_add_explicit(&race->given[first + k], 1, memory_order_relaxed);
	}
	return NULL;
}

// MP-01, ESP-SEQ-01, -02: no number twice, none beyond the last, the first is 1
static void no_number_twice(void **state)
{
	struct race *race = calloc(1, sizeof(*race));
	pthread_t threads[RACE_THREADS];
	(void)state;

	for (unsigned i = 0; i < RACE_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take, race), 0);
	for (unsigned i = 0; i < RACE_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(race->given[0], 0);
	for (uint64_t i = 1; i <= RACE_NUMBERS; i++)
		assert_int_equal(race->given[i], i <= race->sender.sequence ? 1 : 0);
	for (uint64_t i = RACE_NUMBERS + 1; i < RACE_NUMBERS * 2; i++)
		assert_int_equal(race->given[i], 0);
	free(race);
}

// ESP-SEQ-03: the end of 32 and of 64 bits
static void last_numbers(void **state)
{
	struct sa_outbound_state s = {.sequence = SA_SEQUENCE_LAST - 3};
	uint64_t first;
	(void)state;

	for (unsigned shared = 0; shared < 2; shared++) {
		s.sequence = SA_SEQUENCE_LAST - 3;
		assert_int_equal(sa_sequence_take(&s, 2, SA_SEQUENCE_LAST, shared, &first), 2);
		assert_int_equal(first, SA_SEQUENCE_LAST - 2);
		assert_int_equal(sa_sequence_take(&s, 8, SA_SEQUENCE_LAST, shared, &first), 1);
		assert_int_equal(first, SA_SEQUENCE_LAST);
		assert_int_equal(sa_sequence_take(&s, 1, SA_SEQUENCE_LAST, shared, &first), 0);
		assert_int_equal(s.sequence, SA_SEQUENCE_LAST);
		s.sequence = UINT64_MAX - 1;
		assert_int_equal(sa_sequence_take(&s, 3, SA_SEQUENCE_LAST_ESN, shared, &first), 1);
		assert_int_equal(first, UINT64_MAX);
		assert_int_equal(sa_sequence_take(&s, 1, SA_SEQUENCE_LAST_ESN, shared, &first), 0);
		s.sequence = 0;
		assert_int_equal(sa_sequence_take(&s, 5, SA_SEQUENCE_LAST_ESN, shared, &first), 5);
		assert_int_equal(first, 1);
	}
}

/* ESP-SEQ-10: left of the window by one is late, also for who did not ask before. */
static void commit_alone_knows_the_edge(void **state)
{
	static const uint32_t sizes[] = {32, 64, 128, 1024};
	struct subject s;
	bool newest;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (unsigned shared = 0; shared < 2; shared++) {
			subject_init(&s, sizes[i], false, shared);
			assert_int_equal(
				replay_window_commit(&s.window, sizes[i] + 1, &newest), REPLAY_NEW);
			assert_int_equal(replay_window_commit(&s.window, 1, &newest), REPLAY_LATE);
			assert_int_equal(replay_window_commit(&s.window, 2, &newest), REPLAY_NEW);
			assert_int_equal(replay_window_commit(&s.window, 2, &newest), REPLAY_SEEN);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commit_alone_knows_the_edge),
		cmocka_unit_test(against_reference),
		cmocka_unit_test(runs_against_reference),
		cmocka_unit_test(extended_edges),
		cmocka_unit_test(zero),
		cmocka_unit_test(far_jumps),
		cmocka_unit_test(one_of_two_copies),
		cmocka_unit_test(no_number_twice),
		cmocka_unit_test(last_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
