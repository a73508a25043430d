/*
 * An internal home agent over time (RFC 5265 3): nodes that monitor whether they are still inside
 * ask every minute, beside an external home agent, and foreign agents may be anywhere.
 */
#include "tests/scenario/configs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char config[] = "instances = ( " INSTANCE_OF("inner", "192.0.2.1",
	"{ prefix = \"10.1.0.0/16\"; }",
	"role = \"i-HA\"; trusted = [ \"10.8.0.0/16\" ];") ", " INSTANCE_OF("outer", "192.0.2.2",
	"{ prefix = \"10.5.0.0/16\"; }",
	"role = \"x-HA\";") " );\n" NODES(NODE("instance = \"inner\"; home_address = "
					       "\"10.1.0.10\";") ", " NODE("instance = \"outer\"; "
									   "home_address = "
									   "\"10.5.0.10\";"));

static struct ask through_agent(const char *home_agent, const char *home_address)
{
	struct ask ask = plain;

	ask.home_agent = ask.destination = home_agent;
	ask.home_address = home_address;
	ask.care_of = "10.8.0.2";
	ask.flags = MIP4_T;
	ask.port = 1;
	ask.lifetime_s = 600;
	return ask;
}

/* HA4-TNC-09: T_MONITOR is 60 s; a day of it, with two registrations through one foreign agent. */
static void a_day_of_monitoring_through_one_agent(void **state)
{
	struct home *h = home_new(config);
	struct ask inner = through_agent("192.0.2.1", "10.1.0.10");
	struct ask outer = through_agent("192.0.2.2", "10.5.0.10");

	(void)state;
	for (unsigned minute = 0; minute < 24 * 60; minute++) {
		struct mip4_message reply;
		assert_int_equal(ask_send(h, &inner), 0);
		assert_true(home_reply(h, &reply));
		assert_true(mip4_extension_find(&reply, MIP4_EXT_TNC, 0) >= 0);
		assert_int_equal(ask_send(h, &outer), 0);
		assert_true(home_reply(h, &reply));
		assert_int_equal(mip4_extension_find(&reply, MIP4_EXT_TNC, 0), -1);
		assert_int_equal(h->live_count, 2);
		home_pass(h, 60);
	}
	assert_int_equal(home_counter(h, MIP4_REG_ACCEPTED), 24 * 60);
	assert_true(mip4_counters_balance(h->engine));
	home_free(h);
}

/* HA4-MODE-15: a foreign agent outside may relay to an external home agent; to the internal one it
 * speaks in vain, whichever port that came in by, and the binding inside stays. */
static void an_agent_outside_is_for_the_external_home_agent(void **state)
{
	struct home *h = home_new(config);
	struct ask inside = through_agent("192.0.2.1", "10.1.0.10");
	struct ask ask = inside;

	(void)state;
	assert_int_equal(ask_send(h, &inside), 0);
	ask.care_of = "198.51.100.9";
	ask.port = 0;
	assert_int_equal(ask_send(h, &ask), -1);
	ask.port = 1;
	assert_int_equal(ask_send(h, &ask), -1);
	assert_int_equal(home_counter(h, MIP4_UNTRUSTED_SOURCE), 2);
	struct ip_address agent = address_of("10.8.0.2");
	assert_true(ip_address_equal(&home_binding(h, "10.1.0.10")->care_of_address, &agent));
	ask = through_agent("192.0.2.2", "10.5.0.10");
	ask.care_of = "198.51.100.9";
	ask.port = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(mip4_counters_balance(h->engine));
	home_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_of_monitoring_through_one_agent),
		cmocka_unit_test(an_agent_outside_is_for_the_external_home_agent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
