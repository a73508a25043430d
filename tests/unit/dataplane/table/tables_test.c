#include "tests/unit/dataplane/table/table_fixture.h"

#include "dataplane/tsc_clock.h"

#include <rte_cycles.h>

static int setup(void **state)
{
	struct region_limits limits = small_limits();
	struct tables *t = tables_new(&limits, 1);
	struct command agent = agent_command("192.0.2.1");

	assert_non_null(t);
	assert_int_equal(tables_apply(t, &agent), 0);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	tables_free(*state);
	return 0;
}

static void apply(struct tables *t, struct command c, int error)
{
	assert_int_equal(tables_apply(t, &c), error);
}

static void template_is_the_outer_header(void **state)
{
	struct tables *t = *state;
	// HA4-FWD-02: 45, TOS 0, length and identification to fill, DF, TTL 64, protocol 4
	static const uint8_t ipip[20] = {
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 4, 0, 0, 192, 0, 2, 1, 198, 51, 100, 23};
	static const uint8_t udp[12] = {
		0x01, 0xb2, 0x9c, 0x47, 0, 0, 0, 0, 4, 4, 0, 0}; // HA4-NAT-14

	apply(t, binding_command(0, "10.1.0.10", "198.51.100.23"), 0);
	const struct tunnel *tunnel = home(t, "10.1.0.10");
	assert_non_null(tunnel);
	assert_int_equal(tunnel->outer_length, 20);
	assert_memory_equal(tunnel->outer, ipip, 20);

	apply(t, udp_binding_command(0, "10.1.0.10", "203.0.113.7", 40007), 0);
	tunnel = home(t, "10.1.0.10");
	assert_int_equal(tunnel->outer_length, 32);
	assert_int_equal(tunnel->outer[9], 17);
	assert_memory_equal(tunnel->outer + 20, udp, 12);

	struct command gre = binding_command(0, "10.1.0.10", "198.51.100.23");
	gre.binding.encapsulation = ENCAPSULATION_GRE;
	apply(t, gre, 0);
	tunnel = home(t, "10.1.0.10");
	assert_int_equal(tunnel->outer_length, 24);
	assert_int_equal(tunnel->outer[9], 47);
	assert_memory_equal(tunnel->outer + 20, "\x00\x00\x08\x00", 4);
}

static void ipv6_takes_the_same_way(void **state)
{
	struct tables *t = *state;
	struct command c = binding_command(3, "2001:db8:1::10", "2001:db8:ff::23");

	apply(t, agent_command("2001:db8::1"), 0);
	c.binding.agent_address = address("2001:db8::1");
	c.binding.encapsulation = ENCAPSULATION_IPV6;
	apply(t, c, 0);
	const struct tunnel *tunnel = home(t, "2001:db8:1::10");
	assert_non_null(tunnel);
	assert_int_equal(tunnel->outer_length, 40);
	assert_int_equal(tunnel->outer[0], 0x60);
	assert_int_equal(tunnel->outer[6], 41);
	assert_int_equal(tunnel->outer[7], 64);
	assert_memory_equal(tunnel->outer + 24, c.binding.care_of_address.bytes, 16);
}

// HA4-REG-22: a handover is one new tunnel, the old object is as it was.
static void handover_swaps_the_whole_tunnel(void **state)
{
	struct tables *t = *state;

	apply(t, udp_binding_command(7, "10.1.0.10", "203.0.113.7", 40007), 0);
	const struct tunnel *before = home(t, "10.1.0.10");
	struct tunnel copy = *before;
	apply(t, udp_binding_command(7, "10.1.0.10", "203.0.113.9", 50000), 0);
	const struct tunnel *after = home(t, "10.1.0.10");
	assert_ptr_not_equal(before, after);
	assert_int_equal(tunnel_care_of_port(after), htons(50000));
	assert_memory_equal(before->outer, copy.outer, sizeof(copy.outer));
	assert_int_equal(tunnel_care_of_port(before), htons(40007));
}

static void refresh_changes_expiry_alone(void **state)
{
	struct tables *t = *state;
	struct command c = binding_command(7, "10.1.0.10", "198.51.100.23");

	apply(t, c, 0);
	const struct tunnel *before = home(t, "10.1.0.10");
	// HA4-BND-06: each entry carries its deadline, in the worker's own clock
	c.binding.expires_ns = clock_read().monotonic_ns + CLOCK_NS_PER_S;
	apply(t, c, 0);
	assert_ptr_equal(home(t, "10.1.0.10"), before);
	uint64_t now = rte_rdtsc();
	assert_true(tables_tunnel_live(before, now));
	// within a hundredth of the second that was asked for, by the clock itself
	struct tsc_clock clock = tsc_clock_read();
	assert_in_range(before->expires_tsc - now, clock.hz / 100 * 98, clock.hz);
	c.binding.expires_ns = clock_read().monotonic_ns - 1;
	apply(t, c, 0);
	assert_false(tables_tunnel_live(before, rte_rdtsc()));
}

static void simultaneous_bindings_form_a_chain(void **state)
{
	struct tables *t = *state;

	apply(t, binding_command(1, "10.1.0.10", "198.51.100.1"), 0);
	apply(t, binding_command(2, "10.1.0.10", "198.51.100.2"), 0);
	apply(t, binding_command(3, "10.1.0.10", "198.51.100.3"), 0);
	unsigned seen = 0;
	for (const struct tunnel *at = home(t, "10.1.0.10"); at; at = tables_tunnel_next(t, at))
		seen |= 1u << at->binding_id;
	assert_int_equal(seen, 0xe);
	struct command gone = plain_command(COMMAND_BINDING_REMOVE);
	gone.binding.binding_id = 2;
	apply(t, gone, 0);
	apply(t, binding_command(1, "10.1.0.10", "198.51.100.9"), 0);
	seen = 0;
	for (const struct tunnel *at = home(t, "10.1.0.10"); at; at = tables_tunnel_next(t, at))
		seen |= 1u << at->binding_id;
	assert_int_equal(seen, 0xa);
}

// HA4-REV-16
static void old_care_of_has_its_grace(void **state)
{
	struct tables *t = *state;
	struct command agent = agent_command("192.0.2.1");

	apply(t, binding_command(1, "10.1.0.10", "198.51.100.1"), 0);
	apply(t, binding_command(1, "10.1.0.10", "198.51.100.2"), 0);
	assert_null(tables_tunnel_previous(t, home(t, "10.1.0.10"), rte_rdtsc())); // default: none
	agent.agent.old_care_of_grace_ns = CLOCK_NS_PER_S;
	apply(t, agent, 0);
	apply(t, binding_command(1, "10.1.0.10", "198.51.100.3"), 0);
	const struct tunnel *now = home(t, "10.1.0.10");
	const struct tunnel *previous = tables_tunnel_previous(t, now, rte_rdtsc());
	assert_non_null(previous);
	struct ip_address old = address("198.51.100.2");
	struct ip_address kept = tunnel_care_of_address(previous);
	assert_true(ip_address_equal(&kept, &old));
	assert_null(tables_tunnel_previous(t, now, now->previous_until_tsc));
	agent.agent.old_care_of_grace_ns = 6 * CLOCK_NS_PER_S;
	apply(t, agent, EINVAL);
}

static void agent_changes_restyle_its_tunnels(void **state)
{
	struct tables *t = *state;
	struct command agent = agent_command("192.0.2.1");

	apply(t, binding_command(1, "10.1.0.10", "198.51.100.1"), 0);
	agent.agent.tunnel_ttl = 17;
	agent.agent.dscp = 46;
	agent.agent.flags = AGENT_DF_COPY;
	apply(t, agent, 0);
	const struct tunnel *tunnel = home(t, "10.1.0.10");
	assert_int_equal(tunnel->outer[8], 17);
	assert_int_equal(tunnel->outer[1], 46 << 2);
	assert_int_equal(tunnel->outer[6], 0);
	assert_int_equal(tables_agent_flags(t), AGENT_DF_COPY);
}

static void soft_state_belongs_to_the_destination(void **state)
{
	struct tables *t = *state;
	struct ip_address agent = address("192.0.2.1"), care_of = address("198.51.100.1");

	apply(t, binding_command(1, "10.1.0.10", "198.51.100.1"), 0);
	apply(t, binding_command(2, "10.1.0.11", "198.51.100.1"), 0);
	apply(t, binding_command(3, "10.1.0.12", "198.51.100.2"), 0);
	// HA4-MTU-01: what one packet to this care-of address learned holds for all
	atomic_store(&tables_tunnel_path(t, 1)->path_mtu, 1400);
	assert_int_equal(tables_tunnel_path(t, 2)->path_mtu, 1400);
	assert_null(tables_path_learned(
		t, home(t, "10.1.0.11"))); // nobody said that there is something
	tables_path_write(t, home(t, "10.1.0.10"));
	assert_int_equal(tables_path_learned(t, home(t, "10.1.0.11"))->path_mtu, 1400);
	assert_null(tables_path_learned(t, home(t, "10.1.0.12")));
	assert_int_equal(tables_tunnel_path(t, 3)->path_mtu, 0);
	assert_non_null(tables_care_of_lookup(t, 0, &agent, &care_of, 0));
	assert_null(tables_care_of_lookup(t, 0, &agent, &care_of, htons(9)));
	struct command gone = plain_command(COMMAND_BINDING_REMOVE);
	gone.binding.binding_id = 1;
	apply(t, gone, 0);
	assert_int_equal(tables_care_of_lookup(t, 0, &agent, &care_of, 0)->binding_id, 2);
	gone.binding.binding_id = 2;
	apply(t, gone, 0);
	assert_null(tables_care_of_lookup(t, 0, &agent, &care_of, 0));
	apply(t, binding_command(1, "10.1.0.10", "198.51.100.1"), 0);
	assert_int_equal(tables_tunnel_path(t, 1)->path_mtu, 0);
}

static void resynchronisation_sweeps_what_was_not_set(void **state)
{
	struct tables *t = *state;
	struct command route = plain_command(COMMAND_ROUTE_SET);
	struct command neighbor = plain_command(COMMAND_NEIGHBOR_SET);

	route.route.prefix = prefix("10.2.0.0/16");
	neighbor.neighbor.address = address("10.2.0.5");
	neighbor.neighbor.mac[5] = 5;
	apply(t, binding_command(1, "10.1.0.10", "198.51.100.1"), 0);
	apply(t, binding_command(2, "10.1.0.11", "198.51.100.2"), 0);
	apply(t, route, 0);
	apply(t, neighbor, 0);
	apply(t, plain_command(COMMAND_SYNC_END), EINVAL);
	apply(t, plain_command(COMMAND_SYNC_BEGIN), 0);
	apply(t, agent_command("192.0.2.1"), 0);
	assert_non_null(home(t, "10.1.0.11")); // goes on meanwhile
	apply(t, binding_command(1, "10.1.0.10", "198.51.100.1"), 0);
	apply(t, route, 0);
	apply(t, plain_command(COMMAND_SYNC_END), 0);
	assert_non_null(home(t, "10.1.0.10"));
	assert_null(home(t, "10.1.0.11"));
	struct ip_address node = address("10.2.0.5");
	assert_non_null(tables_route_lookup(t, 0, &node));
	assert_null(tables_neighbor_lookup(t, 0, &node));
	assert_int_equal(tables_use(t).bindings, 1);
}

static void resynchronisation_may_renumber_without_a_gap(void **state)
{
	struct tables *t = *state;

	apply(t, binding_command(1, "10.1.0.10", "198.51.100.1"), 0);
	apply(t, binding_command(2, "10.1.0.11", "198.51.100.2"), 0);
	apply(t, binding_command(1, "10.1.0.12", "198.51.100.3"), EEXIST);
	apply(t, plain_command(COMMAND_SYNC_BEGIN), 0);
	apply(t, agent_command("192.0.2.1"), 0);
	apply(t, binding_command(1, "10.1.0.11", "198.51.100.2"), 0);
	assert_non_null(home(t, "10.1.0.10")); // its id is gone, its tunnel is not
	assert_null(tables_tunnel_next(t, home(t, "10.1.0.11")));
	apply(t, binding_command(2, "10.1.0.10", "198.51.100.1"), 0);
	assert_int_equal(home(t, "10.1.0.10")->binding_id, 2);
	assert_null(tables_tunnel_next(t, home(t, "10.1.0.10")));
	apply(t, plain_command(COMMAND_SYNC_END), 0);
	assert_int_equal(home(t, "10.1.0.10")->binding_id, 2);
	assert_int_equal(home(t, "10.1.0.11")->binding_id, 1);
	assert_int_equal(tables_use(t).bindings, 2);
}

static void locals_tell_agents_from_the_kernel(void **state)
{
	struct tables *t = *state;
	struct command local = plain_command(COMMAND_LOCAL_SET);
	struct ip_address agent = address("192.0.2.1"), kernel = address("10.1.0.1");

	local.local = (struct local_command){.address = agent, .port = 1};
	assert_int_equal(tables_local_lookup(t, 0, &agent).port, PORT_NONE);
	apply(t, local, 0);
	assert_int_equal(tables_local_lookup(t, 0, &agent).kind, LOCAL_AGENT);
	assert_int_equal(tables_local_lookup(t, 0, &agent).port, 1);
	local.local.address = kernel;
	apply(t, local, 0);
	assert_int_equal(tables_local_lookup(t, 0, &kernel).kind, LOCAL_KERNEL);
	assert_int_equal(tables_local_lookup(t, 1, &kernel).kind, LOCAL_NONE);
	assert_true(ip_address_equal(tables_own_address(t, 0, 1, false), &agent));
	apply(t, binding_command(1, "10.1.0.10", "198.51.100.1"), 0);
	struct command gone = plain_command(COMMAND_AGENT_REMOVE);
	gone.agent.address = agent;
	apply(t, gone, 0);
	assert_int_equal(tables_local_lookup(t, 0, &agent).kind, LOCAL_KERNEL);
	assert_int_equal(tables_agent_of(t, home(t, "10.1.0.10"))->tunnel_ttl,
		64); // lives as long as its tunnels
	apply(t, binding_command(2, "10.1.0.11", "198.51.100.1"), ENOENT);
}

static void prefixes_follow_their_binding(void **state)
{
	struct tables *t = *state;
	struct command p = plain_command(COMMAND_PREFIX_SET);
	struct ip_address inside = address("10.9.1.77");

	p.prefix.prefix = prefix("10.9.1.0/24");
	p.prefix.binding_id = 1;
	apply(t, p, ENOENT);
	apply(t, binding_command(1, "10.1.0.10", "198.51.100.1"), 0);
	apply(t, p, 0);
	assert_int_equal(tables_prefix_lookup(t, 0, &inside)->binding_id, 1);
	apply(t, binding_command(1, "10.1.0.10", "198.51.100.7"), 0);
	assert_ptr_equal(tables_prefix_lookup(t, 0, &inside), home(t, "10.1.0.10"));
	struct command gone = plain_command(COMMAND_BINDING_REMOVE);
	gone.binding.binding_id = 1;
	apply(t, gone, 0);
	assert_null(tables_prefix_lookup(t, 0, &inside));
	apply(t, binding_command(1, "10.1.0.99", "198.51.100.8"),
		0); // the id is another node's now
	assert_null(tables_prefix_lookup(t, 0, &inside));
}

static void broadcast_list_names_those_who_asked(void **state)
{
	struct tables *t = *state;
	struct command c = binding_command(1, "10.1.0.10", "198.51.100.1");
	uint32_t cursor = 0;

	c.binding.home_port = 1;
	c.binding.flags = BINDING_BROADCAST;
	apply(t, c, 0);
	apply(t, binding_command(2, "10.1.0.11", "198.51.100.1"), 0);
	assert_int_equal(tables_broadcast_next(t, 1, &cursor)->binding_id, 1);
	assert_null(tables_broadcast_next(t, 1, &cursor));
	c.binding.flags = 0;
	apply(t, c, 0);
	cursor = 0;
	assert_null(tables_broadcast_next(t, 1, &cursor));
}

static void bad_fields_are_refused(void **state)
{
	struct tables *t = *state;
	struct command good = udp_binding_command(1, "10.1.0.10", "198.51.100.1", 4000), bad;

#define REFUSE(change, reason)                                                                     \
	do {                                                                                       \
		bad = good;                                                                        \
		bad.change;                                                                        \
		apply(t, bad, reason);                                                             \
	} while (0)
	REFUSE(type = 999, EINVAL);
	REFUSE(type = COMMAND_NONE, EINVAL);
	REFUSE(binding.binding_id = 4096, EINVAL);
	REFUSE(binding.vrf = TABLES_VRF_MAX, EINVAL);
	REFUSE(binding.flags |= 1u << 30, EINVAL);
	REFUSE(binding.encapsulation = 99, EINVAL);
	REFUSE(binding.encapsulation = ENCAPSULATION_IPV6, EINVAL);
	REFUSE(binding.home_address = address("224.0.0.1"), EINVAL);
	REFUSE(binding.care_of_address = address("2001:db8::1"), EINVAL);
	REFUSE(binding.care_of_address = address("0.0.0.0"), EINVAL);
	REFUSE(binding.care_of_port = 0, EINVAL);
	REFUSE(binding.home_port = 2, EINVAL);
	REFUSE(binding.path_mtu = 67, EINVAL);
	REFUSE(binding.agent_address = address("192.0.2.2"), ENOENT);
	good = (struct command){
		.type = COMMAND_ROUTE_SET, .route = {.prefix = prefix("10.2.0.0/16")}};
	REFUSE(route.prefix.length = 129, EINVAL);
	REFUSE(route.prefix.length = 90, EINVAL);
	REFUSE(route.prefix.address = address("10.2.0.1"), EINVAL);
	REFUSE(route.port = PORT_NONE, EINVAL);
	REFUSE(route.flags = 4, EINVAL);
	REFUSE(route.next_hop = address("255.255.255.255"), EINVAL);
	good = (struct command){.type = COMMAND_NEIGHBOR_SET,
		.neighbor = {.address = address("10.2.0.5"), .mac = {2, 0, 0, 0, 0, 5}}};
	REFUSE(neighbor.mac[0] = 1, EINVAL);
	REFUSE(neighbor.port = 2, EINVAL);
	assert_int_equal(
		tables_use(t).bindings + tables_use(t).routes + tables_use(t).neighbors, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(template_is_the_outer_header),
		T(ipv6_takes_the_same_way),
		T(handover_swaps_the_whole_tunnel),
		T(refresh_changes_expiry_alone),
		T(simultaneous_bindings_form_a_chain),
		T(old_care_of_has_its_grace),
		T(agent_changes_restyle_its_tunnels),
		T(soft_state_belongs_to_the_destination),
		T(resynchronisation_sweeps_what_was_not_set),
		T(resynchronisation_may_renumber_without_a_gap),
		T(locals_tell_agents_from_the_kernel),
		T(prefixes_follow_their_binding),
		T(broadcast_list_names_those_who_asked),
		T(bad_fields_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
