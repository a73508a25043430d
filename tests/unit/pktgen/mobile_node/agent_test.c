/* Which foreign agent is on the link, and since when it is not. RFC 5944 2.1, 2.4 */
#include "pktgen/mobile_node/agent.h"
#include "pktgen/mobile_node/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define S CLOCK_NS_PER_S

static struct agent agent;

static struct icmp_agent_advertisement usual(uint16_t sequence)
{
	static be32 router;

	router = inet_addr("10.3.0.1");
	return (struct icmp_agent_advertisement){.router_lifetime_s = 9,
		.routers = &router,
		.router_count = 1,
		.sequence = sequence,
		.registration_lifetime_s = 1800,
		.flags = ICMP_AGENT_F | ICMP_AGENT_T,
		.care_of_address = inet_addr("10.0.3.2")};
}

static enum agent_change hear(
	struct icmp_agent_advertisement advertisement, const char *from, monotonic now)
{
	struct link_packet packet = {.source_mac = {2, 0, 0, 0, 0, 9}};
	struct writer w = writer_make(packet.data, sizeof(packet.data));

	icmp_agent_advertisement_write(&w, &advertisement);
	packet.ip = (struct ipv4_header){.protocol = IP_PROTOCOL_ICMP,
		.source = inet_addr(from),
		.payload = packet.data,
		.payload_length = (uint16_t)writer_length(&w)};
	return agent_heard(&agent, &packet, now);
}

static void found_and_lost_by_its_advertisements(void **state)
{
	agent_init(&agent, true, 0);
	assert_int_equal(hear(usual(0), "10.3.0.1", 10 * S), AGENT_FOUND);
	assert_int_equal(agent.care_of_address, inet_addr("10.0.3.2"));
	assert_int_equal(agent.address, inet_addr("10.3.0.1"));
	assert_int_equal(agent.mac[5], 9);
	assert_int_equal(agent.registration_lifetime_s, 1800);
	assert_int_equal(hear(usual(1), "10.3.0.1", 12 * S), AGENT_SAME);
	assert_int_equal(agent_deadline(&agent), 21 * S);
	assert_int_equal(hear(usual(7), "10.3.0.9", 13 * S), AGENT_SAME); /* another one */
	assert_int_equal(agent.address, inet_addr("10.3.0.1"));
	assert_int_equal(agent_timer(&agent, 21 * S - 1), AGENT_SAME);
	assert_int_equal(agent_timer(&agent, 21 * S), AGENT_LOST);
	assert_int_equal(agent.care_of_address, 0);
	assert_int_equal(agent_deadline(&agent), CLOCK_NEVER);
}

static void asked_for_three_times_in_a_new_place(void **state)
{
	unsigned asked = 0;

	agent_init(&agent, true, 0);
	assert_int_equal(hear(usual(0), "10.3.0.1", 10 * S), AGENT_FOUND);
	agent_moved(&agent, true, 11 * S);
	assert_int_equal(agent.address, 0);
	for (monotonic now = 11 * S; now < 30 * S; now += S / 4)
		asked += agent_timer(&agent, now) == AGENT_SOLICIT;
	assert_int_equal(asked, 3);
	agent_moved(&agent, true, 30 * S);
	assert_int_equal(agent_timer(&agent, 30 * S), AGENT_SOLICIT);
	assert_int_equal(hear(usual(4), "10.3.0.1", 30 * S), AGENT_FOUND);
	assert_int_equal(agent_timer(&agent, 32 * S), AGENT_SAME); /* it answered */
}

static void a_restart_is_heard_and_a_roll_over_is_none(void **state) // RFC 5944 2.3.2
{
	agent_init(&agent, true, 0);
	hear(usual(700), "10.3.0.1", S);
	assert_int_equal(hear(usual(0), "10.3.0.1", 2 * S), AGENT_RESTARTED);
	hear(usual(0xffff), "10.3.0.1", 3 * S);
	assert_int_equal(hear(usual(256), "10.3.0.1", 4 * S), AGENT_SAME);
}

static void not_everyone_serves(void **state)
{
	struct icmp_agent_advertisement other = usual(0);

	agent_init(&agent, true, inet_addr("10.3.0.1"));
	assert_int_equal(hear(other, "10.3.0.2", S), AGENT_SAME); /* not the wanted one */
	other.flags = ICMP_AGENT_H;
	assert_int_equal(hear(other, "10.3.0.1", S), AGENT_SAME);
	other = usual(0);
	other.care_of_address = 0;
	assert_int_equal(hear(other, "10.3.0.1", S), AGENT_SAME);
	other = usual(0);
	other.flags |= ICMP_AGENT_B;
	assert_int_equal(hear(other, "10.3.0.1", S), AGENT_SAME);
	assert_int_equal(hear(usual(1), "10.3.0.1", S), AGENT_FOUND);
	other.sequence = 2;
	assert_int_equal(hear(other, "10.3.0.1", 5 * S), AGENT_SAME); /* busy, but ours */
	assert_int_equal(agent.expiry, 14 * S);
	agent_init(&agent, false, 0);
	assert_int_equal(hear(usual(2), "10.3.0.1", S), AGENT_SAME);
	agent_moved(&agent, true, S);
	assert_int_equal(agent_deadline(&agent), CLOCK_NEVER);
}

/* Index 0 would be all interfaces: a name that is mistyped must not be taken for them. */
static void a_link_that_does_not_exist_is_refused(void **state)
{
	struct link link;

	(void)state;
	assert_int_equal(link_open(&link, "hp-nowhere"), -ENODEV);
	assert_int_equal(link.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_and_lost_by_its_advertisements),
		cmocka_unit_test(asked_for_three_times_in_a_new_place),
		cmocka_unit_test(a_restart_is_heard_and_a_roll_over_is_none),
		cmocka_unit_test(not_everyone_serves),
		cmocka_unit_test(a_link_that_does_not_exist_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
