/*
 * A tunnel's first line, which is all that the lanes ask, against the rest of it, which the steps
 * ask: after every way in which a binding can change they say the same. And the marks of
 * destinations that something was learned of.
 */
#include "dataplane/table/binding_table.h"

#include "tests/unit/dataplane/table/table_fixture.h"

#include <netinet/in.h>
#include <rte_cycles.h>

#define BINDINGS (2 * BINDING_CROWDS)

static int new_tables(void **state)
{
	struct region_limits limits = small_limits();

	limits.bindings = BINDINGS;
	struct tables *t = tables_new(&limits, 1);
	if (!t)
		return -1;
	struct command agent = agent_command("192.0.2.1"), agent_6 = agent_command("2001:db8::1");
	*state = t;
	return tables_apply(t, &agent) || tables_apply(t, &agent_6);
}

static int free_tables(void **state)
{
	tables_free(*state);
	return 0;
}

static struct binding_command last_set[8]; /* by binding id */

static void apply(struct tables *t, struct command command)
{
	if (command.type == COMMAND_BINDING_SET)
		last_set[command.binding.binding_id] = command.binding;
	assert_int_equal(tables_apply(t, &command), 0);
	uint64_t token = tables_publish(t);
	assert_true(tables_synced(t, token)); /* no worker is online */
}

/* What the steps would say, word by word: forward/binding, encap/ipip, encap/udp. */
static bool may_go_in(const struct tunnel *t)
{
	return t->encapsulation == ENCAPSULATION_IPIP && ip_address_is_v4(&t->home_address) &&
	       tunnel_is_over_ipv4(t) && !(t->flags & BINDING_SUSPENDED) &&
	       !(t->flags & BINDING_STALE_NAT) && !(t->flags & BINDING_HALF_BOUND);
}

/* decap/inner_check */
static bool may_come_out(const struct tunnel *t)
{
	return t->encapsulation == ENCAPSULATION_IPIP && ip_address_is_v4(&t->home_address) &&
	       tunnel_is_over_ipv4(t) && !(t->flags & BINDING_HALF_BOUND);
}

static void check_outer(const struct tunnel *t)
{
	const struct binding_command *set = &last_set[t->binding_id];
	const size_t ports = 20;
	bool udp = t->flags & BINDING_UDP;

	assert_int_equal(t->outer_length, udp ? 32 : 20);
	assert_int_equal(t->outer[0], 0x45);
	assert_int_equal(t->outer[9], udp ? IPPROTO_UDP : IPPROTO_IPIP);
	assert_memory_equal(t->outer + 12, set->agent_address.bytes + 12, 4);
	assert_memory_equal(t->outer + 16, set->care_of_address.bytes + 12, 4);
	if (udp) {
		assert_memory_equal(t->outer + ports, &set->agent_port, 2);
		assert_memory_equal(t->outer + ports + 2, &set->care_of_port, 2);
	}
}

/* The ends are read out of the outer header, whatever is in it. */
static void check_ends(const struct tunnel *t)
{
	const struct binding_command *set = &last_set[t->binding_id];
	const struct ip_address agent = tunnel_agent_address(t),
				care_of = tunnel_care_of_address(t);
	bool udp = t->flags & BINDING_UDP;

	assert_memory_equal(&agent, &set->agent_address, sizeof(agent));
	assert_memory_equal(&care_of, &set->care_of_address, sizeof(care_of));
	assert_int_equal(tunnel_agent_port(t), udp ? set->agent_port : 0);
	assert_int_equal(tunnel_care_of_port(t), udp ? set->care_of_port : 0);
}

/* The chain of the home address, each of its tunnels: usual as said from the first one on. */
static void check(const struct tables *t, const char *home_text, const char *usual)
{
	const struct tunnel *tunnel = home(t, home_text);
	const struct binding_table *table = tables_bindings(t);

	if (tunnel != NULL && tunnel->home != 0) {
		uint64_t hash = binding_table_ask_v4(table, tunnel->vrf, tunnel->home);
		assert_ptr_equal(binding_table_confirm_v4(binding_table_candidate(table, hash),
					 tunnel->vrf, tunnel->home),
			tunnel);
	}
	for (; *usual != '\0'; usual++, tunnel = tables_tunnel_next(t, tunnel)) {
		bool out = *usual == 'b' || *usual == 'o', in = *usual == 'b' || *usual == 'i';

		assert_non_null(tunnel);
		assert_int_equal(!!(tunnel->usual & TUNNEL_USUAL_OUT), out);
		assert_int_equal(!!(tunnel->usual & TUNNEL_USUAL_IN), in);
		assert_int_equal(may_go_in(tunnel), out);
		assert_int_equal(may_come_out(tunnel), in);
		assert_int_equal(tunnel->home, ip_address_is_v4(&tunnel->home_address)
						       ? ip_address_v4(&tunnel->home_address)
						       : 0);
		check_ends(tunnel);
		if (out || in) {
			check_outer(tunnel);
			assert_int_equal(!!(tunnel->usual & TUNNEL_USUAL_BARE),
				!(tunnel->flags & BINDING_REQUIRES_IPSEC));
		}
	}
	assert_null(tunnel);
}

static void first_line_says_what_the_steps_would(void **state)
{
	static const struct {
		uint32_t flags;
		const char *usual; /* both, out, in, neither */
	} cases[] = {
		{0, "b"},
		{BINDING_REVERSE | BINDING_COLOCATED | BINDING_BROADCAST, "b"},
		{BINDING_ECN_COMPATIBILITY | BINDING_STATIC, "b"},
		{BINDING_SUSPENDED, "i"},
		{BINDING_STALE_NAT, "i"},
		{BINDING_HALF_BOUND, "n"},
		{BINDING_REQUIRES_IPSEC, "b"},
		{BINDING_REQUIRES_IPSEC | BINDING_SUSPENDED, "i"},
	};
	struct tables *t = *state;

	/* One binding that goes through all of them, and back. */
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned n = i % (sizeof(cases) / sizeof(cases[0]));
		struct command c = binding_command(1, "10.1.0.10", "198.51.100.1");
		c.binding.flags = cases[n].flags;
		if (c.binding.flags & (BINDING_STALE_NAT | BINDING_HALF_BOUND)) {
			c = udp_binding_command(1, "10.1.0.10", "198.51.100.1", 4000);
			c.binding.flags |= cases[n].flags;
		}
		apply(t, c);
		check(t, "10.1.0.10", cases[n].usual);
	}
}

static void other_encapsulations_and_families_are_the_steps_own(void **state)
{
	struct tables *t = *state;
	struct command gre = binding_command(1, "10.1.0.10", "198.51.100.1");
	struct command minimal = binding_command(2, "10.1.0.11", "198.51.100.1");
	struct command udp_gre = udp_binding_command(3, "10.1.0.12", "198.51.100.1", 4000);
	struct command outer_6 = binding_command(4, "10.1.0.13", "2001:db8:9::1");
	struct command home_6 = binding_command(5, "2001:db8:1::5", "2001:db8:9::2");
	struct command home_6_over_4 = binding_command(6, "2001:db8:1::6", "198.51.100.1");
	struct command udp_6 = udp_binding_command(7, "10.1.0.14", "2001:db8:9::3", 4001);

	gre.binding.encapsulation = udp_gre.binding.encapsulation = ENCAPSULATION_GRE;
	minimal.binding.encapsulation = ENCAPSULATION_MINIMAL;
	outer_6.binding.agent_address = home_6.binding.agent_address = address("2001:db8::1");
	udp_6.binding.agent_address = outer_6.binding.agent_address;
	apply(t, gre);
	apply(t, minimal);
	apply(t, udp_gre);
	apply(t, outer_6);
	apply(t, home_6);
	apply(t, home_6_over_4);
	apply(t, udp_6);
	check(t, "10.1.0.10", "n");
	check(t, "10.1.0.11", "n");
	check(t, "10.1.0.12", "n");
	check(t, "10.1.0.13", "n");
	check(t, "2001:db8:1::5", "n");
	check(t, "2001:db8:1::6", "n");
	check(t, "10.1.0.14", "n");
}

static void it_follows_each_change(void **state)
{
	struct tables *t = *state;
	struct command first = binding_command(1, "10.1.0.10", "198.51.100.1");
	struct command second = udp_binding_command(2, "10.1.0.10", "198.51.100.2", 4000);
	struct command gone = plain_command(COMMAND_BINDING_REMOVE);
	struct command agent = agent_command("192.0.2.1");

	apply(t, first);
	check(t, "10.1.0.10", "b");
	assert_int_equal(home(t, "10.1.0.10")->next, TUNNEL_NONE);
	apply(t, second); /* simultaneous: the head of the chain says so in its own line */
	check(t, "10.1.0.10", "bb");
	assert_int_not_equal(home(t, "10.1.0.10")->next, TUNNEL_NONE);
	second.binding.flags |= BINDING_STALE_NAT;
	apply(t, second);
	check(t, "10.1.0.10", "ib");
	gone.binding.binding_id = 2;
	apply(t, gone);
	check(t, "10.1.0.10", "b");
	assert_int_equal(home(t, "10.1.0.10")->next, TUNNEL_NONE);

	const struct tunnel *before = home(t, "10.1.0.10");
	first.binding.expires_ns = 0; /* over at once, by the same object */
	apply(t, first);
	assert_ptr_equal(home(t, "10.1.0.10"), before);
	assert_false(tables_tunnel_live(before, rte_rdtsc()));
	first.binding.expires_ns = CLOCK_NEVER;
	apply(t, first);
	assert_true(tables_tunnel_live(before, rte_rdtsc()));

	agent.agent.tunnel_ttl = 17;
	agent.agent.dscp = 46;
	agent.agent.flags |= AGENT_DF_COPY;
	apply(t, agent);
	check(t, "10.1.0.10", "b");
	first.binding.path_mtu = 1400; /* and moved, with a capped path */
	first.binding.care_of_address = first.binding.care_of_field = address("198.51.100.9");
	apply(t, first);
	check(t, "10.1.0.10", "b");
	assert_int_equal(home(t, "10.1.0.10")->path_mtu, 1400);
}

/* The tunnel of binding `id`, each to a destination of its own. */
static const struct tunnel *numbered(struct tables *t, uint32_t id, bool there)
{
	struct command c = binding_command(id, "10.0.0.0", "11.0.0.0");

	c.binding.home_address.words[3] |= htonl(id);
	c.binding.care_of_address.words[3] |= htonl(id);
	c.binding.care_of_field = c.binding.care_of_address;
	if (!there)
		c.type = COMMAND_BINDING_REMOVE;
	assert_int_equal(tables_apply(t, &c), 0);
	return tables_home_lookup(t, 0, &c.binding.home_address);
}

static void remove_numbered(struct tables *t, uint32_t id)
{
	assert_null(numbered(t, id, false));
	assert_true(tables_synced(t, tables_publish(t)));
}

// HA4-MTU-01
static void a_mark_is_of_one_destination_and_goes_with_it(void **state)
{
	struct tables *t = *state;
	const struct tunnel *one = numbered(t, 0, true), *other = NULL;
	uint32_t other_id = 0, destination = one->destination;

	for (uint32_t id = 1; other == NULL && id < BINDINGS; id++) {
		const struct tunnel *tunnel = numbered(t, id, true);
		if (tunnel->destination % BINDING_CROWDS == destination % BINDING_CROWDS)
			other = tunnel, other_id = id;
	}
	assert_non_null(other);
	tables_path_write(t, other)->path_mtu = 1300;
	assert_null(tables_path_learned(t, one)); /* of the same crowd */
	tables_path_write(t, one)->path_mtu = 1400;
	assert_int_equal(tables_path_learned(t, one)->path_mtu, 1400);

	remove_numbered(t, 0);
	one = numbered(t, 0, true); /* to a destination with the number that it had */
	assert_int_equal(one->destination, destination);
	assert_null(tables_path_learned(t, one));
	assert_int_equal(tables_path_learned(t, other)->path_mtu, 1300);

	tables_path_write(t, one)->path_mtu = 1400;
	remove_numbered(t, other_id);
	other = numbered(t, other_id, true);
	assert_null(tables_path_learned(t, other));
	assert_int_equal(tables_path_learned(t, one)->path_mtu, 1400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			first_line_says_what_the_steps_would, new_tables, free_tables),
		cmocka_unit_test_setup_teardown(other_encapsulations_and_families_are_the_steps_own,
			new_tables, free_tables),
		cmocka_unit_test_setup_teardown(it_follows_each_change, new_tables, free_tables),
		cmocka_unit_test_setup_teardown(
			a_mark_is_of_one_destination_and_goes_with_it, new_tables, free_tables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
