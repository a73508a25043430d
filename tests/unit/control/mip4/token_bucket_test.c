/* A bucket that is asked often must not lose the parts of a token that came in between. */
#include "control/mip4/token_bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define US UINT64_C(1000)

static void parts_of_a_millisecond_count(void **state)
{
	struct token_bucket bucket = {0};

	assert_true(token_bucket_peek(&bucket, 1000, 1, 0));
	token_bucket_take(&bucket);
	assert_false(token_bucket_peek(&bucket, 1000, 1, 600 * US));
	assert_true(token_bucket_peek(&bucket, 1000, 1, 1200 * US));
	token_bucket_take(&bucket);
	assert_false(token_bucket_peek(&bucket, 1000, 1, 1800 * US));
	assert_true(token_bucket_peek(&bucket, 1000, 1, 2400 * US));
}

static void never_more_than_the_burst(void **state)
{
	struct token_bucket bucket = {0};

	for (unsigned round = 0; round < 2; round++) {
		const monotonic now = round * 7200 * CLOCK_NS_PER_S;
		for (unsigned i = 0; i < 3; i++) {
			assert_true(token_bucket_peek(&bucket, 10, 3, now));
			token_bucket_take(&bucket);
		}
		assert_false(token_bucket_peek(&bucket, 10, 3, now));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_of_a_millisecond_count),
		cmocka_unit_test(never_more_than_the_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
