/*
 * The keying server: what requests become, in what order, and how what the dataplane refuses is
 * taken back.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/control/charon/charon_bed.h"

#include "control/charon/policy_stack.h"

#include <errno.h>

/* KIF-18: what kernel-netlink writes for these, as `ip xfrm policy` shows it. */
static void orders_are_kernel_netlinks(void **state)
{
	static const struct {
		const char *source, *destination;
		enum keying_priority priority;
		uint32_t manual, order;
	} rows[] = {
		{"10.1.0.0/16", "10.3.0.10", KEYING_PRIORITY_DEFAULT, 0, 375423},
		{"0.0.0.0/0", "10.3.0.10", KEYING_PRIORITY_DEFAULT, 0, 383615},
		{"0.0.0.0/0", "0.0.0.0/0", KEYING_PRIORITY_DEFAULT, 0, 399999},
		{"0.0.0.0/0", "0.0.0.0/0", KEYING_PRIORITY_ROUTED, 0, 400000},
		{"0.0.0.0/0", "0.0.0.0/0", KEYING_PRIORITY_FALLBACK, 0, 599999},
		{"10.0.0.1", "10.0.0.2", KEYING_PRIORITY_PASS, 0, 167231},
		{"10.1.0.0/16[tcp]", "10.3.0.10", KEYING_PRIORITY_DEFAULT, 0, 375167},
		{"10.1.0.0/16[tcp/80]", "10.3.0.10", KEYING_PRIORITY_DEFAULT, 0, 375103},
		{"2001:db8::/32", "2001:db8:1::1", KEYING_PRIORITY_DEFAULT, 0, 318079},
		{"10.1.0.0/16", "10.3.0.10", KEYING_PRIORITY_FALLBACK, 17, 17},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct keying_policy p = {.priority = (uint16_t)rows[i].priority,
			.manual_priority = rows[i].manual,
			.source_ts = selector_of(rows[i].source),
			.destination_ts = selector_of(rows[i].destination)};
		if (policy_stack_order(&p) != rows[i].order)
			fail_msg("%s %s: %u", rows[i].source, rows[i].destination,
				policy_stack_order(&p));
	}
}

static void an_answer_waits_for_the_dataplane(void **state) // KIF-09, MOB-09
{
	struct keying_message m = sa_of(1, 0x2001, false, "10.9.0.1");

	ready();
	assert_false(ask(&m));
	assert_int_equal(charon_summary_get(charon).waiting, 1);
	settle();
	assert_int_equal(charon_summary_get(charon).waiting, 0);
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001));
	assert_int_equal(charon_counter(charon, CHARON_ACCEPTED_LATE), 0);
	/* And not for ever. */
	m = sa_of(2, 0x2002, false, "10.9.0.2");
	assert_false(ask(&m));
	assert_int_equal(charon_tick(charon, now), now + CHARON_WAIT_NS);
	now += CHARON_WAIT_NS;
	(void)charon_tick(charon, now);
	assert_int_equal(charon_counter(charon, CHARON_ACCEPTED_LATE), 1);
	assert_int_equal(charon_summary_get(charon).waiting, 1);
	settle();
	assert_int_equal(charon_summary_get(charon).waiting, 0);
	assert_non_null(esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002));
}

static void a_refused_association_is_taken_back(void **state)
{
	struct keying_message m = sa_of(1, 0x2001, false, "10.9.0.1");

	ready();
	dataplane->refuse_type = COMMAND_SA_SET;
	dataplane->refuse_errno = EINVAL;
	assert_false(ask(&m));
	settle();
	assert_int_equal(charon_counter(charon, CHARON_TAKEN_BACK), 1);
	assert_null(named_out("home"));
	assert_int_equal(charon_summary_get(charon).associations, 0);
	assert_int_equal(map_count(charon->inner), 0);
	assert_false(ask(&m)); /* nothing of it is left: the same again is a new one */
	settle();
	assert_non_null(named_out("home"));
	assert_int_equal(charon_counter(charon, CHARON_TAKEN_BACK), 1);
}

static void a_refused_move_is_taken_back(void **state)
{
	struct keying_message m = sa_of(1, 0x2001, false, "10.9.0.1");
	struct keying_message move = {.header = {.type = KEYING_UPDATE_SA, .id = 2}};

	ready();
	(void)ask(&m);
	settle();
	move.update_sa.sa = (struct keying_sa_id){1, htonl(0x2001), 0};
	move.update_sa.source.address = address_of("192.0.2.1");
	move.update_sa.destination.address = address_of("198.51.100.9");
	dataplane->refuse_type = COMMAND_SA_SET;
	dataplane->refuse_errno = EINVAL;
	assert_false(ask(&move));
	settle();
	struct ip_address before = address_of("198.51.100.2"), after = address_of("198.51.100.9");
	assert_true(ip_address_equal(&named_out("home")->command.remote, &before));
	assert_true(ip_address_equal(
		&esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.remote, &before));
	assert_false(ask(&move));
	settle();
	assert_true(ip_address_equal(
		&esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.remote, &after));
}

static void a_refused_policy_is_taken_back(void **state)
{
	struct keying_message m = policy_of(0, 0, KEYING_PROTECT);
	uint32_t sa_id;
	uint8_t action;

	ready();
	dataplane->refuse_type = COMMAND_POLICY_SET;
	dataplane->refuse_errno = ENOSPC;
	assert_false(ask(&m));
	settle();
	assert_int_equal(charon_counter(charon, CHARON_TAKEN_BACK), 1);
	assert_int_equal(charon_summary_get(charon).policies, 0);
	assert_int_equal(policies_out(&sa_id, &action), 0);
}

/* LIFE-07, LIFE-08: the policy names the SA, the other stays until it is deleted. */
static void the_policy_names_the_sa(void **state)
{
	struct keying_message one = sa_of(1, 0x2001, false, "10.9.0.1");
	struct keying_message two = sa_of(2, 0x2002, false, "10.9.0.1");
	struct keying_message first = policy_of(1, 0x2001, KEYING_PROTECT);
	struct keying_message second = policy_of(2, 0x2002, KEYING_PROTECT);
	struct keying_message drop = policy_of(0, 0, KEYING_DROP);
	uint32_t sa_id = 0;
	uint8_t action;

	ready();
	(void)ask(&one);
	(void)ask(&first);
	(void)ask(&two);
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(sa_id, esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2001)->set.sa_id);
	(void)ask(&second);
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(sa_id, esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002)->set.sa_id);
	drop.policy.priority = KEYING_PRIORITY_PASS;
	(void)ask(&drop);
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(action, POLICY_DISCARD);
	drop.header.type = first.header.type = KEYING_DEL_POLICY;
	(void)ask(&drop);
	(void)ask(&first);
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(action, POLICY_PROTECT);
	assert_int_equal(sa_id, esp_dataplane_find(dataplane, SA_OUTBOUND, 0x2002)->set.sa_id);
	/* An SA that goes before its policy leaves nobody's slot behind. */
	struct keying_message del = {.header = {.type = KEYING_DEL_SA, .id = 9}};
	del.sa = (struct keying_sa_id){2, htonl(0x2002), 0};
	(void)ask(&del);
	settle();
	assert_int_equal(policies_out(&sa_id, &action), 1);
	assert_int_equal(sa_id, SA_NONE);
}

/* SPD-20: one peer may have an address twice, two may not. */
static void inner_addresses_are_one_peers(void **state)
{
	struct keying_message carol = sa_of(1, 0x1001, true, "10.9.0.1");
	struct keying_message again = sa_of(2, 0x1002, true, "10.9.0.1");
	struct keying_message dave = sa_of(3, 0x1003, true, "10.9.0.1");
	struct keying_message del = {.header = {.type = KEYING_DEL_SA, .id = 9}};

	snprintf(dave.add_sa.identity, sizeof(dave.add_sa.identity), "dave");
	ready();
	(void)ask(&carol);
	(void)ask(&again);
	settle();
	assert_true(ask(&dave));
	assert_int_equal(answer.status.status, KEYING_CONFLICT);
	assert_string_equal(answer.status.text, "inner address 10.9.0.1 is carol's now");
	del.sa = (struct keying_sa_id){1, htonl(0x1001), KEYING_SA_INBOUND};
	(void)ask(&del);
	assert_true(ask(&dave));
	assert_int_equal(answer.status.status, KEYING_CONFLICT);
	del.sa = (struct keying_sa_id){2, htonl(0x1002), KEYING_SA_INBOUND};
	(void)ask(&del);
	assert_false(ask(&dave));
	settle();
	assert_non_null(esp_dataplane_find(dataplane, SA_INBOUND, 0x1003));
}

/* Of a gateway or a host behind it; "" the settled identity. */
static uint32_t status_of(uint64_t handle, uint32_t spi, const char *inner, const char *identity)
{
	struct keying_message sa = sa_of(handle, spi, true, inner);

	snprintf(sa.add_sa.identity, sizeof(sa.add_sa.identity), "%s", identity);
	if (!ask(&sa)) {
		settle();
		return KEYING_OK;
	}
	return answer.status.status;
}

/* SPD-20: ranges of two peers that cross are refused, one in the other is told. */
static void inner_ranges_do_not_cross(void **state)
{
	struct keying_message del = {.header = {.type = KEYING_DEL_SA, .id = 9}};

	ready();
	assert_int_equal(status_of(1, 0x1001, "10.9.0.0-10.9.1.0", "carol"), KEYING_OK);
	assert_int_equal(charon_counter(charon, CHARON_OVERLAPS), 0);
	assert_int_equal(status_of(2, 0x1002, "10.9.0.128-10.9.2.0", "dave"), KEYING_CONFLICT);
	assert_string_equal(
		answer.status.text, "inner addresses from 10.9.0.128 on are in part carol's now");
	assert_int_equal(status_of(2, 0x1002, "10.8.0.0-10.9.0.5", "dave"), KEYING_CONFLICT);
	assert_int_equal(charon_counter(charon, CHARON_CONFLICTS), 2);
	assert_int_equal(charon_counter(charon, CHARON_OVERLAPS), 0);
	/* her own may cross */
	assert_int_equal(status_of(3, 0x1003, "10.9.0.128-10.9.2.0", "carol"), KEYING_OK);
	/* a host in it, and a range around it */
	assert_int_equal(status_of(4, 0x1004, "10.9.0.7", "dave"), KEYING_OK);
	assert_int_equal(charon_counter(charon, CHARON_OVERLAPS), 1);
	assert_int_equal(status_of(5, 0x1005, "10.0.0.0/8", "erin"), KEYING_OK);
	assert_int_equal(charon_counter(charon, CHARON_OVERLAPS), 2);
	/* what is gone is in nobody's way */
	del.sa = (struct keying_sa_id){1, htonl(0x1001), KEYING_SA_INBOUND};
	(void)ask(&del);
	del.sa = (struct keying_sa_id){3, htonl(0x1003), KEYING_SA_INBOUND};
	(void)ask(&del);
	del.sa = (struct keying_sa_id){5, htonl(0x1005), KEYING_SA_INBOUND};
	(void)ask(&del);
	assert_int_equal(status_of(6, 0x1006, "10.9.0.0-10.9.0.200", "frank"), KEYING_OK);
	assert_int_equal(charon_counter(charon, CHARON_OVERLAPS), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_are_kernel_netlinks),
		TEST(an_answer_waits_for_the_dataplane),
		TEST(a_refused_association_is_taken_back),
		TEST(a_refused_move_is_taken_back),
		TEST(a_refused_policy_is_taken_back),
		TEST(the_policy_names_the_sa),
		TEST(inner_addresses_are_one_peers),
		TEST(inner_ranges_do_not_cross),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
