/* The ring in one thread: order, limits, and a peer that scribbles. */
#include "lib/ipc/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// after the standard headers
#include <cmocka.h>

#define SLOTS 8

struct record {
	uint64_t number;
	uint8_t rest[56];
};

static struct ring_shared *shared;
static struct ring producer, consumer;

static int setup(void **state)
{
	size_t size = ring_size(SLOTS, sizeof(struct record));

	shared = aligned_alloc(64, size);
	memset(shared, 0, size);
	ring_reset(shared);
	return ring_attach_producer(&producer, shared, size, SLOTS, sizeof(struct record)) ||
	       ring_attach_consumer(&consumer, shared, size, SLOTS, sizeof(struct record));
}

static int teardown(void **state)
{
	free(shared);
	return 0;
}

static bool put(uint64_t number)
{
	struct record r = {.number = number};

	return ring_put(&producer, &r);
}

static void keeps_order_around_the_end(void **state)
{
	struct record r;
	uint64_t put_count = 0, got = 0;

	for (unsigned round = 0; round < 100; round++) {
		for (unsigned i = 0; i < 1 + round % SLOTS; i++)
			assert_true(put(put_count++));
		while (ring_get(&consumer, &r))
			assert_int_equal(r.number, got++);
		assert_int_equal(got, put_count);
	}
}

static void is_full_and_empty_when_it_is(void **state)
{
	struct record r;

	assert_false(ring_get(&consumer, &r));
	assert_null(ring_peek(&consumer, 0));
	assert_int_equal(ring_free_count(&producer), SLOTS);
	for (unsigned i = 0; i < SLOTS; i++)
		assert_true(put(i));
	assert_false(put(99));
	assert_int_equal(ring_free_count(&producer), 0);
	assert_null(ring_reserve(&producer, 0));
	assert_int_equal(ring_used_count(&consumer), SLOTS);
	assert_non_null(ring_peek(&consumer, SLOTS - 1));
	assert_null(ring_peek(&consumer, SLOTS));
	ring_release(&consumer, 3);
	assert_int_equal(ring_free_count(&producer), 3);
	assert_non_null(ring_reserve(&producer, 2));
	assert_null(ring_reserve(&producer, 3));
}

static void reserved_is_invisible_until_committed(void **state)
{
	for (unsigned i = 0; i < 3; i++)
		((struct record *)ring_reserve(&producer, i))->number = i;
	assert_int_equal(ring_used_count(&consumer), 0);
	ring_commit(&producer, 3);
	assert_int_equal(ring_used_count(&consumer), 3);
	assert_int_equal(((const struct record *)ring_peek(&consumer, 2))->number, 2);
}

static void scribbled_tail_reads_as_empty(void **state)
{
	static const uint64_t nonsense[] = {UINT64_MAX, SLOTS + 2, 1ull << 63, (uint64_t)-5};
	struct record r;

	put(1);
	for (unsigned i = 0; i < 4; i++) {
		atomic_store(&shared->tail, nonsense[i]);
		assert_int_equal(ring_used_count(&consumer), 0);
		assert_null(ring_peek(&consumer, 0));
		assert_false(ring_get(&consumer, &r));
	}
	atomic_store(&shared->tail, 1); // the next sensible value counts again
	assert_true(ring_get(&consumer, &r));
	assert_int_equal(r.number, 1);
}

static void scribbled_head_reads_as_full(void **state)
{
	for (unsigned i = 0; i < SLOTS; i++)
		put(i);
	atomic_store(&shared->head, 1ull << 40);
	assert_int_equal(ring_free_count(&producer), 0);
	assert_false(put(9));
	atomic_store(&shared->head, UINT64_MAX);
	assert_false(put(9));
	atomic_store(&shared->head, 2);
	assert_int_equal(ring_free_count(&producer), 2);
	assert_true(put(9));
}

/* A worker's punt ring runs on while control is replaced: the new consumer mends what the old one
 * left. */
static void new_consumer_mends_a_scribbled_head(void **state)
{
	size_t size = ring_size(SLOTS, sizeof(struct record));
	struct record r;

	put(1);
	put(2);
	assert_int_equal(ring_attach_consumer(&consumer, shared, size, SLOTS, sizeof(r)), 0);
	assert_int_equal(ring_used_count(&consumer), 2); // nothing wrong: nothing lost
	atomic_store(&shared->head, 77);
	assert_int_equal(ring_free_count(&producer), 0);
	assert_int_equal(ring_attach_consumer(&consumer, shared, size, SLOTS, sizeof(r)), 0);
	assert_int_equal(ring_used_count(&consumer), 0);
	assert_int_equal(ring_free_count(&producer), SLOTS);
	assert_true(put(3));
	assert_true(ring_get(&consumer, &r));
	assert_int_equal(r.number, 3);
}

static void attach_checks_what_it_is_given(void **state)
{
	size_t size = ring_size(SLOTS, 64);
	struct ring r;

	assert_int_equal(ring_attach_producer(&r, shared, size - 1, SLOTS, 64), -EINVAL);
	assert_int_equal(ring_attach_producer(&r, shared, size, 7, 64), -EINVAL);
	assert_int_equal(ring_attach_producer(&r, shared, size, 0, 64), -EINVAL);
	assert_int_equal(ring_attach_consumer(&r, shared, size, 4, 63), -EINVAL);
	assert_int_equal(ring_attach_consumer(&r, shared, size, 4, 0), -EINVAL);
	assert_int_equal(ring_attach_consumer(&r, (uint8_t *)shared + 8, size, 4, 64), -EINVAL);
	assert_int_equal(ring_attach_consumer(&r, shared, size, SLOTS, 64), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_order_around_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(is_full_and_empty_when_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(
			reserved_is_invisible_until_committed, setup, teardown),
		cmocka_unit_test_setup_teardown(scribbled_tail_reads_as_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(scribbled_head_reads_as_full, setup, teardown),
		cmocka_unit_test_setup_teardown(
			new_consumer_mends_a_scribbled_head, setup, teardown),
		cmocka_unit_test_setup_teardown(attach_checks_what_it_is_given, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
