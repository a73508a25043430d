/* A worker that writes and a reader that looks on: no record is ever half of two. // AUD-16 */
#include "lib/ipc/drop_trace.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
// after the standard headers
#include <cmocka.h>

#define RECORDS 200000u

static struct drop_trace trace;
static atomic_bool done;

static void *write_all(void *unused)
{
	struct drop_record record;

	for (unsigned i = 1; i <= RECORDS; i++) {
		memset(&record, (int)(i & 0xff), sizeof(record));
		record.head_length = DROP_TRACE_OCTETS;
		record.text_length = 0;
		record.at_ns = i;
		drop_trace_put(&trace, &record);
	}
	done = true;
	return unused;
}

static void a_record_is_whole_or_not_there(void **state)
{
	struct drop_record record;
	unsigned seen = 0, wrong = 0;
	pthread_t writer;

	assert_int_equal(pthread_create(&writer, NULL, write_all, NULL), 0);
	while (!done) {
		uint64_t last = atomic_load_explicit(&trace.taken, memory_order_acquire);
		/* The oldest slot is the next to be overwritten. */
		for (uint64_t n = last > DROP_TRACE_SLOTS ? last - DROP_TRACE_SLOTS + 1 : 1;
			n <= last; n += 61) {
			if (!drop_trace_get(&trace, n, &record))
				continue;
			seen++;
			wrong += record.at_ns != n;
			for (unsigned i = 0; i < DROP_TRACE_OCTETS; i++)
				wrong += record.head[i] != (uint8_t)n;
		}
	}
	pthread_join(writer, NULL);
	assert_int_equal(wrong, 0);
	print_message("# %u records read beside the writer\n", seen);
	assert_true(drop_trace_get(&trace, RECORDS, &record));
	assert_int_equal(record.at_ns, RECORDS);
	assert_true(drop_trace_get(&trace, RECORDS - DROP_TRACE_SLOTS + 1, &record));
	assert_false(drop_trace_get(&trace, RECORDS - DROP_TRACE_SLOTS, &record));
	assert_false(drop_trace_get(&trace, RECORDS + 1, &record));
	assert_false(drop_trace_get(&trace, 0, &record));
}

static void lengths_beyond_the_record_are_refused(void **state)
{
	struct drop_record record = {.head_length = DROP_TRACE_OCTETS + 1};
	uint64_t number = atomic_load(&trace.taken) + 1;

	drop_trace_put(&trace, &record);
	assert_false(drop_trace_get(&trace, number, &record));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_whole_or_not_there),
		cmocka_unit_test(lengths_beyond_the_record_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
