/* The SPD against a list searched from its head. */
#include "tests/unit/dataplane/table/policy_grace.h"
#include "tests/unit/dataplane/table/table_fixture.h"

#include "dataplane/table/policy_table.h"

#define LIMIT 3000u

struct fixture {
	struct rte_rcu_qsbr *qsbr;
	struct retirement retirement;
	struct policy_table table;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	f->qsbr = aligned_alloc(64, rte_rcu_qsbr_get_memsize(1));
	assert_int_equal(rte_rcu_qsbr_init(f->qsbr, 1), 0);
	rte_rcu_qsbr_thread_register(f->qsbr, 0);
	rte_rcu_qsbr_thread_online(f->qsbr, 0);
	assert_int_equal(policy_table_init(&f->table, f->qsbr, &f->retirement, LIMIT), 0);
	assert_int_equal(
		retirement_init(&f->retirement, f->qsbr, policy_table_objects(&f->table)), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	policy_table_fini(&f->table);
	retirement_fini(&f->retirement);
	free(f->qsbr);
	free(f);
	return 0;
}

static void grace(struct fixture *f)
{
	policy_grace(&f->table, &f->retirement);
}

static struct policy_command policy(uint32_t id, uint32_t order, const char *local_first,
	const char *local_last, const char *remote_first, const char *remote_last)
{
	return (struct policy_command){.policy_id = id,
		.order = order,
		.direction = SA_OUTBOUND,
		.action = POLICY_PROTECT,
		.sa_id = id + 1000,
		.selector = {.local_first = address(local_first),
			.local_last = address(local_last),
			.remote_first = address(remote_first),
			.remote_last = address(remote_last),
			.local_port_last = UINT16_MAX,
			.remote_port_last = UINT16_MAX}};
}

static struct policy_command host_policy(uint32_t id, uint32_t order, const char *remote)
{
	return policy(id, order, "0.0.0.0", "255.255.255.255", remote, remote);
}

static struct policy_key key(const char *local, const char *remote, uint16_t protocol,
	uint32_t local_port, uint32_t remote_port)
{
	return (struct policy_key){.local = address(local),
		.remote = address(remote),
		.protocol = protocol,
		.local_port = local_port,
		.remote_port = remote_port,
		.direction = SA_OUTBOUND};
}

static struct policy_verdict ask(struct fixture *f, struct policy_key k)
{
	struct policy_verdict v;
	policy_table_lookup_burst(&f->table, &k, 1, &v);
	return v;
}

static void put(struct fixture *f, struct policy_command c)
{
	assert_int_equal(policy_table_check(&c), 0);
	assert_int_equal(policy_table_set(&f->table, &c, 0), 0);
}

// SPD-15: a vrf without policies bypasses, one with any discards what matches none.
static void default_is_discard_as_soon_as_there_is_a_policy(void **state)
{
	struct fixture *f = *state;
	struct policy_key k = key("10.1.0.1", "198.51.100.1", 17, 5, 6);

	assert_int_equal(ask(f, k).action, POLICY_BYPASS);
	put(f, host_policy(3, 10, "198.51.100.2"));
	assert_int_equal(ask(f, k).action, POLICY_BYPASS); // staged only
	assert_int_equal(policy_table_commit(&f->table), 0);
	assert_int_equal(ask(f, k).action, POLICY_DISCARD);
	assert_int_equal(ask(f, k).policy_id, POLICY_NONE);
	k.vrf = 1;
	assert_int_equal(ask(f, k).action, POLICY_BYPASS);
	k.vrf = 0;
	assert_int_equal(policy_table_remove(&f->table, 3), 0);
	assert_int_equal(policy_table_commit(&f->table), 0);
	assert_int_equal(ask(f, k).action, POLICY_BYPASS);
}

// SPD-03: order decides between a host policy and general ones.
static void order_decides_between_host_and_general(void **state)
{
	struct fixture *f = *state;
	struct policy_key k = key("10.1.0.1", "198.51.100.2", 17, 500, 500);
	struct policy_command ike =
		policy(1, 5, "0.0.0.0", "255.255.255.255", "0.0.0.0", "255.255.255.255");

	ike.action = POLICY_BYPASS;
	ike.selector.protocol = 17;
	ike.selector.local_port_first = ike.selector.local_port_last = 500;
	put(f, ike);
	put(f, host_policy(3, 10, "198.51.100.2"));
	put(f, policy(4, 20, "0.0.0.0", "255.255.255.255", "198.51.100.0", "198.51.100.255"));
	assert_int_equal(policy_table_commit(&f->table), 0);
	assert_int_equal(ask(f, k).policy_id, 1);
	assert_int_equal(ask(f, k).action, POLICY_BYPASS);
	k.local_port = 501;
	assert_int_equal(ask(f, k).policy_id, 3);
	assert_int_equal(ask(f, k).sa_id, 1003);
	k.remote = address("198.51.100.3");
	assert_int_equal(ask(f, k).policy_id, 4);
	// the same general policy, now behind the host policy
	ike.order = 15;
	put(f, ike);
	assert_int_equal(policy_table_commit(&f->table), 0);
	k = key("10.1.0.1", "198.51.100.2", 17, 500, 500);
	assert_int_equal(ask(f, k).policy_id, 3);
}

// SPD-05, SPD-08, SPD-10: ANY, OPAQUE, hidden and ignored fields.
static void hidden_and_ignored_fields(void **state)
{
	struct fixture *f = *state;
	struct policy_command range = host_policy(1, 1, "198.51.100.2");
	struct policy_command opaque = host_policy(2, 2, "198.51.100.2");
	struct policy_command any = host_policy(3, 3, "198.51.100.2");

	range.selector.protocol = opaque.selector.protocol = 6;
	range.selector.remote_port_first = 80;
	range.selector.remote_port_last = 90;
	opaque.selector.remote_port_first = UINT16_MAX;
	opaque.selector.remote_port_last = 0;
	put(f, range);
	put(f, opaque);
	put(f, any);
	assert_int_equal(policy_table_commit(&f->table), 0);
	struct policy_key k = key("10.1.0.1", "198.51.100.2", 6, 1, 85);
	assert_int_equal(ask(f, k).policy_id, 1);
	k.remote_port = 91;
	assert_int_equal(ask(f, k).policy_id, 3);
	k.remote_port = POLICY_PORT_HIDDEN;
	assert_int_equal(ask(f, k).policy_id, 2);
	k.protocol = POLICY_PROTOCOL_UNKNOWN;
	assert_int_equal(ask(f, k).policy_id, 3);
	k.protocol = 6;
	k.remote_port = POLICY_PORT_IGNORED;
	assert_int_equal(ask(f, k).policy_id, 1);
}

// HA4-SPD-05, -06: the bypass for signalling does not cover tunnel data on the same port.
static void signalling_bypass_is_for_signalling_alone(void **state)
{
	struct fixture *f = *state;
	struct policy_command bypass =
		policy(1, 1, "0.0.0.0", "255.255.255.255", "0.0.0.0", "255.255.255.255");
	struct policy_command rest =
		policy(2, 2, "0.0.0.0", "255.255.255.255", "0.0.0.0", "255.255.255.255");
	struct policy_key k = key("10.1.0.1", "198.51.100.2", 17, 434, 40000);

	bypass.action = POLICY_BYPASS;
	bypass.flags = POLICY_MIP_SIGNALLING;
	bypass.selector.protocol = 17;
	bypass.selector.local_port_first = bypass.selector.local_port_last = 434;
	put(f, bypass);
	put(f, rest);
	put(f, host_policy(3, 3, "198.51.100.2"));
	assert_int_equal(policy_table_commit(&f->table), 0);
	assert_int_equal(ask(f, k).policy_id, 2);
	k.mip_signalling = true;
	assert_int_equal(ask(f, k).policy_id, 1);
	k.local_port = 435;
	assert_int_equal(ask(f, k).policy_id, 2);
	k.remote = address("198.51.100.3"); // no host policy: the classifier alone
	assert_int_equal(ask(f, k).policy_id, 2);
	k.local_port = 434;
	assert_int_equal(ask(f, k).policy_id, 1);
	k.mip_signalling = false;
	assert_int_equal(ask(f, k).policy_id, 2);
}

// SPD-22: a set of changes is one step; a burst that has begun sees the old order.
static void changes_are_one_step(void **state)
{
	struct fixture *f = *state;
	struct policy_key k[2] = {key("10.1.0.1", "198.51.100.1", 17, 5, 6),
		key("10.1.0.1", "198.51.100.2", 17, 5, 6)};
	struct policy_verdict v[2];

	put(f, host_policy(1, 1, "198.51.100.1"));
	assert_int_equal(policy_table_commit(&f->table), 0);
	assert_int_equal(policy_table_remove(&f->table, 1), 0);
	put(f, host_policy(2, 1, "198.51.100.2"));
	put(f, policy(5, 0, "10.9.0.0", "10.9.255.255", "0.0.0.0", "255.255.255.255"));
	policy_table_lookup_burst(&f->table, k, 2, v);
	assert_int_equal(v[0].policy_id, 1);
	assert_int_equal(v[1].policy_id, POLICY_NONE);
	assert_int_equal(policy_table_commit(&f->table), 0);
	policy_table_lookup_burst(&f->table, k, 2, v);
	assert_int_equal(v[0].policy_id, POLICY_NONE);
	assert_int_equal(v[1].policy_id, 2);
}

static void staged_twice_and_removed_before_the_commit(void **state)
{
	struct fixture *f = *state;
	struct policy_key k = key("10.1.0.1", "198.51.100.1", 17, 5, 6);
	struct policy_command c = host_policy(1, 1, "198.51.100.1");

	put(f, c);
	c.sa_id = 77;
	put(f, c);
	assert_int_equal(policy_table_commit(&f->table), 0);
	assert_int_equal(ask(f, k).sa_id, 77);
	c.sa_id = 78;
	put(f, c);
	assert_int_equal(policy_table_remove(&f->table, 1), 0);
	assert_int_equal(policy_table_commit(&f->table), 0);
	assert_int_equal(ask(f, k).action, POLICY_BYPASS);
	grace(f);
	assert_int_equal(f->table.entries.taken, 0); // nothing leaked
	assert_int_equal(f->table.hosts.used, 0);
}

static void sweep_removes_what_was_not_set_again(void **state)
{
	struct fixture *f = *state;
	struct policy_command one = host_policy(1, 1, "198.51.100.1");
	struct policy_command two = host_policy(2, 1, "198.51.100.2");

	put(f, one);
	put(f, two);
	assert_int_equal(policy_table_commit(&f->table), 0);
	assert_int_equal(policy_table_set(&f->table, &two, 1), 0); // the same: no change
	assert_int_equal(f->table.changed_count, 0);
	assert_int_equal(policy_table_sweep(&f->table, 1), 0);
	assert_int_equal(f->table.used, 1);
	assert_int_equal(ask(f, key("10.1.0.1", "198.51.100.1", 17, 5, 6)).policy_id, POLICY_NONE);
	assert_int_equal(ask(f, key("10.1.0.1", "198.51.100.2", 17, 5, 6)).policy_id, 2);
}

static void bad_commands_are_refused(void **state)
{
	struct policy_command good = host_policy(1, 1, "198.51.100.1"), c = good;

	(void)state;
	assert_int_equal(policy_table_check(&good), 0);
	c.vrf = POLICY_VRFS;
	assert_int_equal(policy_table_check(&c), EINVAL);
	c = good;
	c.action = 3;
	assert_int_equal(policy_table_check(&c), EINVAL);
	c = good;
	c.selector.local_first = address("255.255.255.255");
	c.selector.local_last = address("0.0.0.1");
	assert_int_equal(policy_table_check(&c), EINVAL);
	c = good;
	c.selector.remote_first = address("2001:db8::1");
	assert_int_equal(policy_table_check(&c), EINVAL);
	c = good;
	c.selector.local_port_first = 5; // ports without a protocol
	assert_int_equal(policy_table_check(&c), EINVAL);
	c.selector.protocol = 17;
	assert_int_equal(policy_table_check(&c), 0);
	c.selector.local_port_last = 4; // neither a range nor OPAQUE
	assert_int_equal(policy_table_check(&c), EINVAL);
}

// ---- the list, searched from its head ----

static bool slow_address(
	const struct ip_address *first, const struct ip_address *last, const struct ip_address *a)
{
	return memcmp(first, a, 16) <= 0 && memcmp(a, last, 16) <= 0;
}

static bool slow_port(uint16_t first, uint16_t last, uint32_t port)
{
	bool is_any = first == 0 && last == 65535, opaque = first == 65535 && last == 0;

	if (port == POLICY_PORT_HIDDEN)
		return is_any || opaque;
	if (port == POLICY_PORT_IGNORED || is_any)
		return true;
	return !opaque && first <= port && port <= last;
}

static uint32_t slow_lookup(
	const struct policy_command *list, const bool *there, const struct policy_key *k)
{
	uint32_t best = POLICY_NONE;

	for (uint32_t i = 0; i < LIMIT; i++) {
		const struct selector *s = &list[i].selector;
		if (!there[i] || list[i].vrf != k->vrf || list[i].direction != k->direction ||
			!slow_address(&s->local_first, &s->local_last, &k->local) ||
			!slow_address(&s->remote_first, &s->remote_last, &k->remote) ||
			(s->protocol && s->protocol != k->protocol) ||
			(list[i].flags & POLICY_MIP_SIGNALLING && !k->mip_signalling) ||
			!slow_port(s->local_port_first, s->local_port_last, k->local_port) ||
			!slow_port(s->remote_port_first, s->remote_port_last, k->remote_port))
			continue;
		if (best == POLICY_NONE || list[i].order < list[best].order)
			best = i;
	}
	return best;
}

static uint32_t random_below(uint32_t n)
{
	static uint64_t x = 88172645463325252ull; // the same every run
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 20) % n;
}

static struct ip_address random_address(bool ipv6)
{
	struct ip_address a = address(ipv6 ? "2001:db8::" : "10.0.0.0");
	a.bytes[15] = (uint8_t)random_below(48);
	return a;
}

static void random_ports(uint16_t *first, uint16_t *last)
{
	uint32_t kind = random_below(4);

	*first = kind == 0 ? UINT16_MAX : kind == 1 ? (uint16_t)random_below(8) : 0;
	*last = kind == 0 ? 0 : kind == 1 ? (uint16_t)(*first + random_below(8)) : UINT16_MAX;
}

static struct policy_command random_policy(uint32_t id)
{
	static const uint8_t protocols[] = {0, 6, 17, 1};
	struct policy_command c = {.policy_id = id,
		.order = random_below(500),
		.sa_id = id,
		.direction = (uint8_t)random_below(2),
		.vrf = (uint16_t)random_below(2),
		.action = (uint8_t)random_below(3)};
	bool ipv6 = random_below(2);
	struct ip_address *pairs[2][2] = {{&c.selector.local_first, &c.selector.local_last},
		{&c.selector.remote_first, &c.selector.remote_last}};

	for (int i = 0; i < 2; i++) {
		*pairs[i][0] = *pairs[i][1] = random_address(ipv6);
		if (i == 0 || id % 3 == 0)
			pairs[i][1]->bytes[15] |= (uint8_t)(random_below(2) ? 63 : 7);
	}
	c.selector.local_port_last = c.selector.remote_port_last = UINT16_MAX;
	if (random_below(3) == 0) { /* as the policy of a node: its address alone, often asked */
		c.selector.local_first = address(ipv6 ? "::" : "0.0.0.0");
		c.selector.local_last = address(
			ipv6 ? "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" : "255.255.255.255");
		if (random_below(2))
			return c;
	}
	if (random_below(6) == 0)
		c.flags = POLICY_MIP_SIGNALLING;
	c.selector.protocol = protocols[random_below(4)];
	if (c.selector.protocol) {
		random_ports(&c.selector.local_port_first, &c.selector.local_port_last);
		random_ports(&c.selector.remote_port_first, &c.selector.remote_port_last);
	}
	return c;
}

static struct policy_key random_key(void)
{
	static const uint16_t protocols[] = {6, 17, 1, 50, POLICY_PROTOCOL_UNKNOWN};
	static const uint32_t ports[] = {
		0, 1, 3, 7, 12, 65535, POLICY_PORT_HIDDEN, POLICY_PORT_IGNORED};
	bool ipv6 = random_below(2);

	return (struct policy_key){.local = random_address(ipv6),
		.remote = random_address(ipv6),
		.local_port = ports[random_below(8)],
		.remote_port = ports[random_below(8)],
		.protocol = protocols[random_below(5)],
		.mip_signalling = random_below(2),
		.vrf = (uint16_t)random_below(3),
		.direction = (uint8_t)random_below(2)};
}

// SPD-03, SPD-04, SPD-06: the tables answer what a first-match search of the list answers.
static void equals_a_search_from_the_head(void **state)
{
	struct fixture *f = *state;
	static struct policy_command list[LIMIT];
	static bool there[LIMIT];
	unsigned matched = 0;

	memset(there, 0, sizeof(there));
	for (int round = 0; round < 30; round++) {
		for (unsigned i = 0; i < 1 + random_below(300); i++) {
			uint32_t id = random_below(LIMIT);
			if (random_below(4) == 0) {
				assert_int_equal(policy_table_remove(&f->table, id), 0);
				there[id] = false;
			} else {
				list[id] = random_policy(id);
				assert_int_equal(policy_table_check(&list[id]), 0);
				assert_int_equal(policy_table_set(&f->table, &list[id], 0), 0);
				there[id] = true;
			}
		}
		assert_int_equal(policy_table_commit(&f->table), 0);
		for (unsigned i = 0; i < 300; i++) {
			struct policy_key keys[32];
			struct policy_verdict v[32];
			for (unsigned j = 0; j < 32; j++)
				keys[j] = random_key();
			policy_table_lookup_burst(&f->table, keys, 32, v);
			for (unsigned j = 0; j < 32; j++) {
				uint32_t expected = slow_lookup(list, there, &keys[j]);
				assert_int_equal(v[j].policy_id, expected);
				if (expected != POLICY_NONE)
					assert_int_equal(v[j].action, list[expected].action);
				matched += expected != POLICY_NONE;
			}
		}
		grace(f);
	}
	assert_true(matched > 10000); // the test is about something
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			default_is_discard_as_soon_as_there_is_a_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(
			order_decides_between_host_and_general, setup, teardown),
		cmocka_unit_test_setup_teardown(hidden_and_ignored_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(
			signalling_bypass_is_for_signalling_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_are_one_step, setup, teardown),
		cmocka_unit_test_setup_teardown(
			staged_twice_and_removed_before_the_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(
			sweep_removes_what_was_not_set_again, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_commands_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(equals_a_search_from_the_head, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
