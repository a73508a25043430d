// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "lib/base/processor.h"

#include <sched.h>

/* Pinned to each of them in turn: that one, and no other. */
static void pinned_to_one(void **state)
{
	int all[CPU_SETSIZE], one[2] = {-1, -1};
	unsigned count = processor_list(all, CPU_SETSIZE);
	cpu_set_t before, set;

	assert_true(count > 0);
	assert_int_equal(processor_first(), all[0]);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	for (unsigned i = 0; i < count; i++) {
		assert_true(i == 0 || all[i] > all[i - 1]);
		CPU_ZERO(&set);
		CPU_SET(all[i], &set);
		assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
		assert_int_equal(processor_first(), all[i]);
		assert_int_equal(processor_list(one, 2), 1);
		assert_int_equal(one[0], all[i]);
		assert_int_equal(one[1], -1);
	}
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void no_more_than_room(void **state)
{
	int number = -1;

	assert_int_equal(processor_list(&number, 0), 0);
	assert_int_equal(number, -1);
	assert_int_equal(processor_list(&number, 1), 1);
	assert_int_equal(number, processor_first());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pinned_to_one),
		cmocka_unit_test(no_more_than_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
