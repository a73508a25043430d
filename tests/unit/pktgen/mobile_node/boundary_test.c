/* Which address is the care-of address at the trusted network's border. RFC 5266, HA4-TNC-06 */
#include "pktgen/mobile_node/boundary.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint8_t key[] = "0123456789abcdef";
static unsigned sent;
static be32 sent_from;

static void send_nowhere(void *context, const void *payload, size_t length, be32 source)
{
	sent++;
	sent_from = source;
}

static void ignore(void *context, const struct registration_event *event)
{
}

static uint32_t four(void *context)
{
	return 4;
}

static const struct registration_output output = {
	.send = send_nowhere, .event = ignore, .random = four};

static struct registration node_of(be32 home_address)
{
	struct registration_settings settings = {.home_address = home_address,
		.home_agent = inet_addr("10.20.0.1"),
		.spi = 256,
		.lifetime_s = 600};
	struct registration r;

	memcpy(settings.key.bytes, key, 16);
	settings.key.length = 16;
	registration_init(&r, &settings, &output);
	return r;
}

static const struct clock_now start = {
	.monotonic_ns = 100 * CLOCK_NS_PER_S, .wall_ns = 1700000000ull * CLOCK_NS_PER_S};

static struct clock_now after(uint64_t ms)
{
	return (struct clock_now){start.monotonic_ns + ms * 1000000, start.wall_ns + ms * 1000000};
}

static void without_a_vpn_the_access_address_counts(void **state)
{
	struct boundary b = {0};
	be32 cafe = inet_addr("192.168.1.23");

	assert_false(boundary_changed(&b, cafe, 0));
	assert_int_equal(boundary_care_of(&b), cafe);
	boundary_heard(&b, cafe, false);
	assert_int_equal(boundary_care_of(&b), cafe);
	assert_int_equal(boundary_deadline(&b), CLOCK_NEVER);
}

static void outside_the_inner_address_counts(void **state)
{
	struct boundary b = {0};
	be32 cafe = inet_addr("192.168.1.23"), other = inet_addr("192.168.2.23");
	be32 inner = inet_addr("10.30.0.1");

	assert_false(boundary_changed(&b, cafe, 0));
	assert_false(boundary_changed(&b, cafe, inner)); /* the VPN came up: the same place */
	assert_int_equal(boundary_care_of(&b), inner);
	boundary_heard(&b, inner, true); /* TNC through the VPN says nothing about the cafe */
	assert_int_equal(boundary_care_of(&b), inner);
	assert_false(boundary_changed(&b, 0, inner)); /* between two networks */
	assert_int_equal(boundary_care_of(&b), inner);
	assert_true(boundary_changed(&b, other, inner)); /* MOBIKE's business, and a probe's */
	assert_int_equal(boundary_care_of(&b), inner);
	assert_false(boundary_changed(&b, other, 0)); /* the VPN went */
	assert_int_equal(boundary_care_of(&b), other);
}

static void inside_the_access_address_counts(void **state)
{
	struct boundary b = {0};
	be32 cafe = inet_addr("192.168.1.23"), office = inet_addr("10.2.0.77");
	be32 inner = inet_addr("10.30.0.1");

	assert_true(boundary_changed(&b, office, inner));
	boundary_heard(&b, office, true);
	assert_int_equal(boundary_care_of(&b), office); /* although the VPN is still up */
	assert_false(boundary_changed(&b, office, inner));
	assert_true(boundary_changed(&b, cafe, inner));
	assert_int_equal(boundary_care_of(&b), inner);
	assert_true(boundary_changed(&b, office, inner)); /* trust is not remembered */
	assert_int_equal(boundary_care_of(&b), inner);
	boundary_heard(&b, office, false); /* an answer without TNC */
	assert_int_equal(boundary_care_of(&b), inner);
}

static void a_probe_asks_three_times(void **state)
{
	struct boundary b = {0};
	struct registration node = node_of(inet_addr("10.20.0.10"));
	be32 cafe = inet_addr("192.168.1.23"), inner = inet_addr("10.30.0.1");
	uint8_t reply[20] = {3};

	sent = 0;
	assert_true(boundary_changed(&b, cafe, inner));
	boundary_probe(&b, &node, &output, start);
	assert_int_equal(sent, 1);
	assert_int_equal(sent_from, cafe);
	uint32_t low = htonl((uint32_t)b.probe.identification);
	memcpy(reply + 16, &low, sizeof(low));
	assert_true(boundary_is_answer(&b, reply, sizeof(reply)));
	assert_false(boundary_is_answer(&b, reply, sizeof(reply) - 1));
	reply[19] ^= 1;
	assert_false(boundary_is_answer(&b, reply, sizeof(reply)));
	for (unsigned ms = 0; ms <= 20000; ms += 100)
		boundary_timer(&b, after(ms));
	assert_int_equal(sent, 3);
	assert_false(b.probing);
	assert_int_equal(boundary_deadline(&b), CLOCK_NEVER);
	assert_int_equal(boundary_care_of(&b), inner);
	registration_fini(&node);
}

static void a_move_ends_the_probe(void **state)
{
	struct boundary b = {0};
	struct registration node = node_of(inet_addr("10.20.0.10"));

	assert_true(boundary_changed(&b, inet_addr("192.168.1.23"), inet_addr("10.30.0.1")));
	boundary_probe(&b, &node, &output, start);
	assert_true(b.probing);
	assert_false(boundary_changed(&b, 0, inet_addr("10.30.0.1")));
	assert_false(b.probing);
	registration_fini(&node);
}

/* RFC 5266 3: an agent's care-of address only where the node knows that it is inside. */
static void an_agent_is_asked_inside_only(void **state)
{
	struct boundary b = {.has_vpn = true};
	struct registration node = node_of(inet_addr("10.20.0.10"));
	be32 office = inet_addr("10.2.0.77"), agent = inet_addr("10.0.3.2");

	sent = 0;
	boundary_changed(&b, office, 0);
	boundary_agent_changed(&b, agent, 300);
	boundary_agent_probe(&b, &node, &output, start);
	boundary_heard(&b, office, false);
	boundary_agent_probe(&b, &node, &output, start);
	assert_int_equal(sent, 0);
	boundary_heard(&b, office, true);
	boundary_agent_probe(&b, &node, &output, start);
	assert_int_equal(sent, 1);
	assert_int_equal(sent_from, agent);
	assert_int_equal(b.probe.requested_lifetime_s, 300);
	assert_int_equal(boundary_care_of(&b), office);
	boundary_heard(&b, agent, true);
	boundary_probe_end(&b);
	assert_int_equal(boundary_care_of(&b), agent);
	boundary_agent_changed(&b, 0, 0); /* its advertisements ended */
	assert_int_equal(boundary_care_of(&b), office);
	registration_fini(&node);
}

static void an_agent_that_refuses_is_left_alone_for_a_minute(void **state)
{
	struct boundary b = {0};
	struct registration node = node_of(inet_addr("10.20.0.10"));
	be32 access = inet_addr("198.51.100.2"), agent = inet_addr("10.0.3.2");

	sent = 0;
	boundary_changed(&b, access, 0);
	boundary_agent_changed(&b, agent, 300);
	boundary_heard(&b, access, false); /* no VPN: any answer will do */
	boundary_agent_probe(&b, &node, &output, start);
	boundary_probe_end(&b);
	assert_int_equal(boundary_care_of(&b), access);
	boundary_agent_probe(&b, &node, &output, after(59999));
	assert_int_equal(sent, 1);
	boundary_agent_probe(&b, &node, &output, after(60000));
	assert_int_equal(sent, 2);
	boundary_heard(&b, agent, false);
	assert_int_equal(boundary_care_of(&b), agent);
	boundary_changed(&b, inet_addr("192.168.1.23"), 0); /* gone with the network */
	assert_int_equal(boundary_care_of(&b), inet_addr("192.168.1.23"));
	assert_false(b.probing);
	registration_fini(&node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_vpn_the_access_address_counts),
		cmocka_unit_test(outside_the_inner_address_counts),
		cmocka_unit_test(inside_the_access_address_counts),
		cmocka_unit_test(a_probe_asks_three_times),
		cmocka_unit_test(a_move_ends_the_probe),
		cmocka_unit_test(an_agent_is_asked_inside_only),
		cmocka_unit_test(an_agent_that_refuses_is_left_alone_for_a_minute),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
