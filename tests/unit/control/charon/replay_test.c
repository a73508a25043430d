/* The keying server when one of the three begins anew: control, dataplane or charon. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/control/charon/charon_bed.h"

/* HA-07: until the replay, a new control neither gives up nor overwrites what it does not know. */
static void a_new_control_holds_what_is_there(void **state)
{
	struct keying_message one = sa_of(1, 0x2001, false, "10.9.0.1");
	struct keying_message policy = policy_of(1, 0x2001, KEYING_PROTECT);
	struct keying_message fresh = sa_of(2, 0x2002, false, "10.9.0.2");
	uint32_t sa_id;
	uint8_t action;

	ready();
	(void)ask(&one);
	(void)ask(&policy);
	settle();
	uint32_t slot = esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.sa_id;
	attachment.sa_outbound[slot].sequence = 1234;
	control_dies();
	control_starts();
	attach(2);
	assert_true(charon_summary_get(charon).held);
	assert_false(mirror_synced(mirror));
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	assert_int_equal(policies_out(&sa_id, &action), 1);
	connects(5);
	struct keying_message lease = {.header = {.type = KEYING_LEASE_SPIS}};
	lease.lease_spis.count = 1;
	assert_true(ask(&lease));
	assert_int_equal(answer.status.status, KEYING_WRONG_STATE);
	simple(KEYING_REPLAY_BEGIN);
	assert_true(ask(&fresh)); /* one that the dead control never had, before the others */
	assert_int_equal(answer.status.status, KEYING_ACCEPTED);
	one.add_sa.flags |= KEYING_SA_RESUME;
	assert_true(ask(&one));
	assert_int_equal(answer.status.status, KEYING_ACCEPTED);
	assert_true(ask(&policy));
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	simple(KEYING_REPLAY_END);
	settle();
	assert_true(mirror_synced(mirror));
	assert_int_equal(dataplane->refused, 0);
	assert_int_equal(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.sa_id, slot);
	assert_int_equal(attachment.sa_outbound[slot].sequence, 1234);
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002));
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(sa_id, slot);
}

static void nobody_comes_back(void **state) // HA-07
{
	struct keying_message one = sa_of(1, 0x2001, false, "10.9.0.1");

	ready();
	(void)ask(&one);
	settle();
	control_dies();
	control_starts();
	attach(2);
	assert_int_equal(charon_tick(charon, now), now + 5 * SECOND);
	now += 5 * SECOND;
	(void)charon_tick(charon, now);
	settle();
	assert_true(mirror_synced(mirror));
	assert_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
}

/* What was named before the dataplane came, and whose numbers it does not have, is dropped. */
static void numbers_are_never_begun_anew(void **state) // ESP-ALG-20
{
	struct keying_message one = sa_of(1, 0x2001, false, "10.9.0.1");
	struct keying_message fresh = sa_of(2, 0x2002, false, "10.9.0.2");

	connects(5);
	simple(KEYING_REPLAY_BEGIN);
	one.add_sa.flags |= KEYING_SA_RESUME;
	assert_true(ask(&one));
	assert_int_equal(answer.status.status, KEYING_ACCEPTED);
	assert_true(ask(&fresh));
	simple(KEYING_REPLAY_END);
	attach(1);
	settle();
	assert_int_equal(charon_counter(charon, CHARON_STALE), 1);
	assert_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002));
	/* The dataplane dies, control lives: it keeps the numbers, and the SA goes on. */
	detach();
	esp_dataplane_kill(dataplane);
	memset(dataplane, 0, sizeof(*dataplane));
	esp_dataplane_start(dataplane, 256);
	attach(1);
	settle();
	struct esp_sa *sa = esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002);
	assert_non_null(sa);
	assert_int_equal(sa->resumed, 1);
	assert_int_equal(charon_counter(charon, CHARON_STALE), 1);
}

static void another_charon_sweeps(void **state)
{
	struct keying_message one = sa_of(1, 0x2001, false, "10.9.0.1");
	struct keying_message policy = policy_of(1, 0x2001, KEYING_PROTECT);
	struct keying_message lease = {.header = {.type = KEYING_LEASE_SPIS}};
	uint32_t sa_id;
	uint8_t action;

	ready();
	(void)ask(&one);
	(void)ask(&policy);
	lease.lease_spis.count = 4;
	assert_true(ask(&lease));
	assert_int_equal(answer.spis.count, 4);
	settle();
	connects(6);
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)); /* until then */
	replays_nothing();
	assert_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	assert_int_equal(policies_out(&sa_id, &action), 0);
	assert_int_equal(charon_counter(charon, CHARON_SWEPT), 6);
	assert_int_equal(ipsec_leases(ipsec), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_control_holds_what_is_there),
		TEST(nobody_comes_back),
		TEST(numbers_are_never_begun_anew),
		TEST(another_charon_sweeps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
