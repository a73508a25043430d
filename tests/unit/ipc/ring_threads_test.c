/* Producer and consumer at the same time: what ThreadSanitizer is to look at (edges P1-C1 and C2-P2
 * of ring.c). */
#include "lib/ipc/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// after the standard headers
#include <cmocka.h>

#define SLOTS   64
#define RECORDS 300000ull

struct record {
	uint64_t words[16];
};

static struct ring_shared *shared;
static const size_t size = sizeof(struct ring_shared) + SLOTS * sizeof(struct record);

static void *produce_one_by_one(void *unused)
{
	struct ring ring;
	struct record r;

	ring_attach_producer(&ring, shared, size, SLOTS, sizeof(r));
	for (uint64_t n = 0; n < RECORDS; n++) {
		for (unsigned i = 0; i < 16; i++)
			r.words[i] = n * 16 + i;
		while (!ring_put(&ring, &r))
			sched_yield();
	}
	return NULL;
}

static void *produce_in_batches(void *unused)
{
	struct ring ring;
	uint64_t n = 0;

	ring_attach_producer(&ring, shared, size, SLOTS, sizeof(struct record));
	while (n < RECORDS) {
		uint32_t count = 0;
		struct record *r;
		for (; count < 13 && n < RECORDS && (r = ring_reserve(&ring, count)); count++, n++)
			for (unsigned i = 0; i < 16; i++)
				r->words[i] = n * 16 + i;
		if (count)
			ring_commit(&ring, count);
		else
			sched_yield();
	}
	return NULL;
}

static uint64_t consume(bool in_batches)
{
	struct ring ring;
	uint64_t wrong = 0;

	ring_attach_consumer(&ring, shared, size, SLOTS, sizeof(struct record));
	for (uint64_t n = 0; n < RECORDS;) {
		uint32_t count = 0;
		const struct record *r;
		for (; count < (in_batches ? 7u : 1u) && (r = ring_peek(&ring, count));
			count++, n++)
			for (unsigned i = 0; i < 16; i++)
				wrong += r->words[i] != n * 16 + i;
		if (count)
			ring_release(&ring, count);
		else
			sched_yield();
	}
	wrong += ring_used_count(&ring) != 0;
	return wrong;
}

static void run(void *(*produce)(void *), bool in_batches)
{
	pthread_t thread;

	shared = aligned_alloc(64, size);
	memset(shared, 0, size);
	assert_int_equal(pthread_create(&thread, NULL, produce, NULL), 0);
	assert_int_equal(consume(in_batches), 0);
	pthread_join(thread, NULL);
	free(shared);
}

static void every_record_arrives_whole_and_in_order(void **state)
{
	run(produce_one_by_one, false);
}

static void batches_arrive_whole_and_in_order(void **state)
{
	run(produce_in_batches, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_record_arrives_whole_and_in_order),
		cmocka_unit_test(batches_arrive_whole_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
