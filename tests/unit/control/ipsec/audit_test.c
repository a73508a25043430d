/* What is told of events: each with its packet's words, in classes that can be switched off. */
#include "tests/unit/control/ipsec/ipsec_bed.h"

/* ---- events ---- */

/* 2026-11-21 11:30:00.250 UTC, 2 s after it happened. */
#define AUDIT_WALL_NS (UINT64_C(1795260600) * CLOCK_NS_PER_S + 250000000)

static void audit_says_all(void **state) // AUD-02, AUD-03, RFC 4303 4
{
	struct clock_now at = {.monotonic_ns = 9 * SECOND, .wall_ns = AUDIT_WALL_NS};
	struct event_audit audit = {.at_ns = 7 * SECOND,
		.number = 4000000000u,
		.flow_label = 0xabcde,
		.untold = 41,
		.source_port = 5000,
		.destination_port = 53,
		.protocol = 17,
		.flags = AUDIT_NUMBER | AUDIT_SELECTORS | AUDIT_PORTS};
	struct ipsec_event event = {.type = IPSEC_EVENT_REJECTED, .audit = &audit};
	char text[600] = "x";

	control_starts(load_both());
	attach();
	assert_int_equal(ip_address_parse("10.2.0.9", &audit.source), 0);
	assert_int_equal(ip_address_parse("10.1.0.1", &audit.destination), 0);
	event.sa = sa_database_named(ipsec_associations(ipsec), SA_INBOUND, "b");
	size_t length = audit_describe(&event, at, text, 1, sizeof(text));
	assert_int_equal(length, strlen(text));
	assert_string_equal(text, "x time=2026-11-21T11:29:58.250Z sequence=4000000000 "
				  "flow_label=0xabcde packet_source=10.2.0.9[udp/5000] "
				  "packet_destination=10.1.0.1[udp/53] sa_local=10.1.0.0/16 "
				  "sa_remote=10.2.0.0/16 sa_selectors=2 held_back=41");
	assert_int_equal(audit_describe(&event, at, text, 1, 40), 39); /* cut, and ends there */
	assert_int_equal(strlen(text), 39);
	audit = (struct event_audit){.at_ns = 9 * SECOND,
		.source = audit.source,
		.destination = audit.destination,
		.source_port = 0x0301,
		.protocol = 1,
		.flags = AUDIT_SELECTORS | AUDIT_PORTS};
	event.sa = NULL;
	assert_true(audit_describe(&event, at, text, 0, sizeof(text)) > 0);
	assert_string_equal(text, " time=2026-11-21T11:30:00.250Z packet_source=10.2.0.9[icmp/3:1] "
				  "packet_destination=10.1.0.1[icmp/3:1]");
}

static void audit_classes_are_switched(void **state) // AUD-04
{
	char off[][CONFIG_NAME_SIZE] = {"ipsec_replay", "policy_none"};
	struct config_control control = {.audit_off = off, .audit_off_count = 2};

	assert_false(audit_wanted(&control, "ipsec_replay"));
	assert_false(audit_wanted(&control, "policy_none"));
	assert_true(audit_wanted(&control, "ipsec_replay_late"));
	assert_true(audit_wanted(&control, NULL));
}

static void events_name_the_direction(void **state) // AUD-03
{
	control_starts(load_both());
	attach();
	const struct sa *in = sa_database_named(ipsec_associations(ipsec), SA_INBOUND, "c"),
			*out = sa_database_named(ipsec_associations(ipsec), SA_OUTBOUND, "c");
	struct event event = {.type = EVENT_SA_REJECTED, .id = in->command.sa_id};
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_ptr_equal(told_of, in);
	event.id = out->command.sa_id;
	event.audit.flags = AUDIT_OUTBOUND;
	esp_dataplane_event(dataplane, &event);
	settle();
	assert_ptr_equal(told_of, out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(audit_says_all),
		cmocka_unit_test(audit_classes_are_switched),
		TEST(events_name_the_direction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
