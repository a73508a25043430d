/* Numbers of the generator's associations: where they end, and which a gateway may not have sent.
 */
#include "pktgen/generator/security.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_numbers_end_without_esn(void **state) // ESP-SEQ-03
{
	_Atomic uint64_t sent[2] = {UINT32_MAX - 2, 7};
	struct security_group group = {.sent = sent};

	(void)state;
	assert_int_equal(security_number_next(&group, 0), UINT32_MAX - 1);
	assert_int_equal(security_number_next(&group, 0), UINT32_MAX);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(security_number_next(&group, 0), 0);
	assert_int_equal(sent[0], UINT32_MAX);
	assert_int_equal(security_number_next(&group, 1), 8); /* the others go on */
}

static void test_numbers_go_on_with_esn(void **state) // ESP-SEQ-03 ESP-SEQ-06
{
	_Atomic uint64_t sent[2] = {UINT32_MAX - 1, UINT64_MAX - 1};
	struct security_group group = {.sent = sent, .esn = true};

	(void)state;
	assert_int_equal(security_number_next(&group, 0), UINT32_MAX);
	assert_int_equal(security_number_next(&group, 0), 1ull << 32);
	assert_true(security_number_next(&group, 1) == UINT64_MAX);
	assert_int_equal(security_number_next(&group, 1), 0);
}

static void test_numbers_that_a_gateway_may_not_send(void **state) // ESP-SEQ-03 ESP-SEQ-05
{
	struct window *windows = window_array_new(2);
	struct security_group group = {.numbers = {NULL, windows}};
	const struct security_peer peer = {.up = false, .association = 1};

	(void)state;
	assert_non_null(windows);
	assert_false(security_number_take(&group, &peer, 0));
	assert_true(security_number_take(&group, &peer, 1));
	assert_false(security_number_take(&group, &peer, 1));
	assert_true(security_number_take(&group, &peer, UINT32_MAX));
	assert_true(security_number_take(&group, &peer, UINT32_MAX - 1000)); /* late */
	assert_false(security_number_take(&group, &peer, 2));                /* begun anew */
	assert_int_equal(windows[1].highest, UINT32_MAX);
	group.esn = true;
	assert_true(security_number_take(&group, &peer, 1ull << 32));
	assert_false(security_number_take(&group, &peer, 1ull << 32));
	assert_int_equal(windows[0].highest, 0);
	free(windows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_end_without_esn),
		cmocka_unit_test(test_numbers_go_on_with_esn),
		cmocka_unit_test(test_numbers_that_a_gateway_may_not_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
