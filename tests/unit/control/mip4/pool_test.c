/* Home address pools: whose an address is while it is leased, held down, and after that. */
#include "control/mip4/pool.h"

#include "tests/unit/parsed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ALICE 1
#define BOB   2
#define CAROL 3

static struct pool *pool_of_two(void)
{
	const struct ip_address first = address_of("10.1.0.77"), last = address_of("10.1.0.78");
	struct pool *pool = pool_new(&first, &last);

	assert_non_null(pool);
	return pool;
}

static void assert_takes(struct pool *pool, uint64_t owner, const struct ip_address *wanted,
	monotonic now, const char *expected)
{
	struct ip_address want = address_of(expected), got;

	assert_true(pool_take(pool, owner, wanted, now, &got));
	assert_true(ip_address_equal(&got, &want));
}

/* HA4-DYN-06: within the hold-down nobody gets it but who had it, also by asking for it. */
static void held_for_its_owner(void **state)
{
	struct pool *pool = pool_of_two();
	const struct ip_address hers = address_of("10.1.0.77");
	struct ip_address got;

	assert_takes(pool, ALICE, NULL, 0, "10.1.0.77");
	assert_takes(pool, BOB, NULL, 0, "10.1.0.78");
	pool_release(pool, &hers, 100);
	assert_int_equal(pool_leased(pool), 1);
	assert_int_equal(pool_held(pool, 99), 1);
	assert_int_equal(pool_held(pool, 100), 0);
	assert_false(pool_take(pool, CAROL, &hers, 99, &got));
	assert_false(pool_take(pool, CAROL, NULL, 99, &got));
	assert_takes(pool, ALICE, &hers, 99, "10.1.0.77");
	assert_int_equal(pool_held(pool, 99), 0);
	assert_int_equal(pool_leased(pool), 2);
	pool_free(pool);
}

static void anybodys_after_the_hold_down(void **state)
{
	struct pool *pool = pool_of_two();
	const struct ip_address hers = address_of("10.1.0.77"), his = address_of("10.1.0.78");
	struct ip_address got;

	assert_takes(pool, ALICE, NULL, 0, "10.1.0.77");
	assert_takes(pool, BOB, NULL, 0, "10.1.0.78");
	pool_release(pool, &his, 100);
	pool_release(pool, &hers, 110);
	assert_takes(pool, CAROL, NULL, 100, "10.1.0.78"); /* the one that waited longest */
	assert_false(pool_take(pool, BOB, &his, 109, &got));
	assert_takes(pool, BOB, &his, 110, "10.1.0.77");
	pool_free(pool);
}

/* A lease from the store: its owner's, and only when it is of this pool. */
static void restored_leases(void **state)
{
	struct pool *pool = pool_of_two();
	const struct ip_address hers = address_of("10.1.0.77"), other = address_of("10.1.0.79");

	assert_true(pool_claim(pool, ALICE, &hers));
	assert_true(pool_claim(pool, ALICE, &hers));
	assert_false(pool_claim(pool, BOB, &hers));
	assert_false(pool_claim(pool, BOB, &other));
	assert_int_equal(pool_leased(pool), 1);
	assert_takes(pool, BOB, NULL, 0, "10.1.0.78"); /* past the one that is taken */
	pool_free(pool);
}

static void alarm_rises_once(void **state)
{
	struct pool *pool = pool_of_two();

	assert_false(pool_alarm(pool, false));
	assert_true(pool_alarm(pool, true));
	assert_false(pool_alarm(pool, true));
	assert_false(pool_alarm(pool, false));
	assert_true(pool_alarm(pool, true));
	pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_for_its_owner),
		cmocka_unit_test(anybodys_after_the_hold_down),
		cmocka_unit_test(restored_leases),
		cmocka_unit_test(alarm_rises_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
