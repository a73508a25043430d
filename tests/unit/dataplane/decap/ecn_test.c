/* RFC 6040 figure 4, all 16 combinations and the marked ones. */
#include "dataplane/decap/ecn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOT 0
#define E1  1
#define E0  2
#define CE  3

/* HA4-REV-08 */
static void table_is_figure_4(void **state)
{
	static const uint8_t rows[4][4] = {/* columns: outer Not-ECT, ECT(0), ECT(1), CE */
		[NOT] = {NOT, NOT, NOT, ECN_DROP},
		[E0] = {E0, E0, E1, CE},
		[E1] = {E1, E1, E1, CE},
		[CE] = {CE, CE, CE, CE}};
	static const uint8_t outer[4] = {NOT, E0, E1, CE};

	for (uint8_t inner = 0; inner < 4; inner++)
		for (unsigned column = 0; column < 4; column++)
			assert_int_equal(
				ecn_decapsulate(inner, outer[column]), rows[inner][column]);
}

static void unused_combinations_are_marked(void **state)
{
	unsigned marked = 0;

	for (uint8_t inner = 0; inner < 4; inner++)
		for (uint8_t outer = 0; outer < 4; outer++)
			marked += ecn_is_anomalous(inner, outer);
	assert_int_equal(marked, 5);
	assert_true(ecn_is_anomalous(NOT, E0) && ecn_is_anomalous(NOT, E1) &&
		    ecn_is_anomalous(NOT, CE));
	assert_true(ecn_is_anomalous(E1, E0) && ecn_is_anomalous(CE, E1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_figure_4),
		cmocka_unit_test(unused_combinations_are_marked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
