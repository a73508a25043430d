/*
 * Longest prefix match against a linear search, both families, random changes; and beside a reader
 * on its own thread.
 */
#include "tests/unit/dataplane/table/table_fixture.h"

#include <pthread.h>
#include <rte_rcu_qsbr.h>

#define RULES 400
#define STEPS 40000

struct rule {
	bool used;
	struct ip_prefix prefix;
	uint16_t mtu;
};

static struct rule rules[RULES];

static struct ip_address random_address(bool v4)
{
	struct ip_address a = v4 ? ip_address_from_v4(0) : address("2001:db8::");

	/* Few values an octet, so that prefixes nest and meet. */
	for (unsigned i = v4 ? 12 : 4; i < 16; i++)
		a.bytes[i] = (uint8_t)(rand() % 3 + (i == 12 ? 10 : 0));
	return a;
}

static struct ip_prefix random_prefix(void)
{
	bool v4 = rand() % 2;
	struct ip_address a = random_address(v4);
	uint8_t length = (uint8_t)(v4 ? 96 + rand() % 33 : rand() % 129);

	return ip_prefix_make(&a, length);
}

static const struct rule *best(const struct ip_address *a)
{
	const struct rule *found = NULL;

	for (unsigned i = 0; i < RULES; i++) {
		bool family = ip_address_is_v4(a) == (ip_address_is_v4(&rules[i].prefix.address) &&
							     rules[i].prefix.length >= 96);
		if (rules[i].used && family && ip_prefix_contains(&rules[i].prefix, a) &&
			(!found || rules[i].prefix.length > found->prefix.length))
			found = &rules[i];
	}
	return found;
}

static struct rule *same(const struct ip_prefix *p)
{
	for (unsigned i = 0; i < RULES; i++)
		if (rules[i].used && ip_prefix_equal(&rules[i].prefix, p))
			return &rules[i];
	return NULL;
}

static void change_one(struct tables *t)
{
	struct rule *rule = &rules[rand() % RULES];
	struct command c = plain_command(COMMAND_ROUTE_SET);

	if (rule->used && rand() % 2) {
		c.type = COMMAND_ROUTE_REMOVE;
		rule->used = false;
	} else if (!rule->used) {
		struct ip_prefix p = random_prefix();
		if (same(&p))
			rule = same(&p);
		*rule = (struct rule){.used = true, .prefix = p};
	}
	rule->mtu = (uint16_t)(1000 + rand() % 500);
	c.route.prefix = rule->prefix;
	c.route.mtu = rule->mtu;
	assert_int_equal(tables_apply(t, &c), 0);
}

static void assert_found(const struct route *found, const struct ip_address *a)
{
	const struct rule *expected = best(a);

	assert_int_equal(found != NULL, expected != NULL);
	if (found) {
		assert_true(ip_prefix_equal(&found->prefix, &expected->prefix));
		assert_int_equal(found->mtu, expected->mtu);
	}
}

/* A burst finds what single lookups find; `count` up to 32. */
static void look_up_bursts(const struct tables *t, unsigned count)
{
	struct ip_address six[32], four;
	const struct ip_address *mixed[32];
	const struct route *found[32];
	const uint16_t vrfs[32] = {0};

	four = random_address(true);
	for (unsigned i = 0; i < count; i++) {
		six[i] = random_address(false);
		mixed[i] = i % 3 ? &six[i] : &four;
	}
	tables_route_v6_burst(t, 0, six, count, found);
	for (unsigned i = 0; i < count; i++)
		assert_found(found[i], &six[i]);
	tables_route_lookup_burst(t, vrfs, mixed, count, found);
	for (unsigned i = 0; i < count; i++)
		assert_found(found[i], mixed[i]);
	tables_route_v6_burst(t, TABLES_VRF_MAX, six, count, found);
	for (unsigned i = 0; i < count; i++)
		assert_null(found[i]);
}

static void lookups_match_a_linear_search(void **state)
{
	struct region_limits limits = small_limits();
	struct tables *t = tables_new(&limits, 1);

	srand(2);
	for (unsigned step = 0; step < STEPS; step++) {
		change_one(t);
		for (unsigned i = 0; i < 4; i++) {
			struct ip_address a = random_address(i % 2);
			assert_found(tables_route_lookup(t, 0, &a), &a);
			assert_null(tables_route_lookup(t, 1, &a));
		}
		if (step % 32 == 0)
			tables_publish(t);
		if (step % 16 == 0)
			look_up_bursts(t, 1 + step / 16 % 32);
	}
	for (unsigned i = 0; i < RULES; i++) {
		struct command c = plain_command(COMMAND_ROUTE_REMOVE);
		c.route.prefix = rules[i].prefix;
		if (rules[i].used)
			assert_int_equal(tables_apply(t, &c), 0);
	}
	tables_publish(t);
	assert_int_equal(tables_use(t).routes, 0);
	assert_int_equal(tables_waiting(t), 0);
	for (unsigned i = 0; i < 100; i++) {
		struct ip_address a = random_address(i % 2);
		assert_null(tables_route_lookup(t, 0, &a));
	}
	tables_free(t);
}

static void default_route_and_host_routes(void **state)
{
	struct region_limits limits = small_limits();
	struct tables *t = tables_new(&limits, 1);
	struct command c = plain_command(COMMAND_ROUTE_SET);
	struct ip_address any = address("203.0.113.1"), host = address("10.2.0.5"),
			  six = address("2001:db8::1");

	c.route.prefix = prefix("0.0.0.0/0");
	assert_int_equal(tables_apply(t, &c), 0);
	c.route.prefix = prefix("10.2.0.5/32");
	c.route.port = 1;
	assert_int_equal(tables_apply(t, &c), 0);
	assert_int_equal(tables_route_lookup(t, 0, &any)->port, 0);
	assert_int_equal(tables_route_lookup(t, 0, &host)->port, 1);
	assert_null(tables_route_lookup(t, 0, &six));
	assert_null(tables_route_lookup(t, TABLES_VRF_MAX, &any));
	tables_free(t);
}

/* ---- beside a reader ---- */

#define HOSTS  3
#define ROUNDS 60000

static struct tables *shared;
static _Atomic bool done;
static _Atomic uint64_t seen, wrong;

static struct ip_address host(unsigned n)
{
	struct ip_address a = address("2001:db8:7::1");
	a.bytes[2] = (uint8_t)n;
	return a;
}

/* Whatever the writer does, one of the host's routes is always there. */
static void *reader(void *unused)
{
	struct rte_rcu_qsbr *qsbr = tables_qsbr(shared);
	struct ip_address hosts[32];
	const struct route *found[32];
	unsigned n = 0;

	rte_rcu_qsbr_thread_online(qsbr, 0);
	while (!atomic_load(&done)) {
		for (unsigned i = 0; i < 32; i++)
			hosts[i] = host(n++ % HOSTS);
		tables_route_v6_burst(shared, 0, hosts, 32, found);
		for (unsigned i = 0; i < 32; i++) {
			if (i % 4 == 0)
				found[i] = tables_route_lookup(shared, 0, &hosts[i]);
			if (!found[i] || !ip_prefix_contains(&found[i]->prefix, &hosts[i]) ||
				found[i]->mtu != 1280 + found[i]->prefix.length)
				atomic_fetch_add(&wrong, 1);
		}
		atomic_fetch_add(&seen, 32);
		rte_rcu_qsbr_quiescent(qsbr, 0);
	}
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	return NULL;
}

static void apply_route(uint16_t type, unsigned n, uint8_t length)
{
	struct command c = plain_command(type);
	struct ip_address a = host(n);
	int error;

	c.route.prefix = ip_prefix_make(&a, length);
	c.route.mtu = (uint16_t)(1280 + length);
	while ((error = tables_apply(shared, &c)) == EAGAIN) {
		tables_publish(shared);
		sched_yield();
	}
	assert_int_equal(error, 0);
}

static void a_reader_always_finds_a_route(void **state)
{
	static const uint8_t lengths[] = {128, 24, 64, 56, 32, 127, 48, 65};
	struct region_limits limits = small_limits();
	unsigned current[HOSTS];
	pthread_t thread;

	shared = tables_new(&limits, 1);
	for (unsigned n = 0; n < HOSTS; n++) {
		current[n] = n % sizeof(lengths);
		apply_route(COMMAND_ROUTE_SET, n, lengths[current[n]]);
	}
	assert_int_equal(pthread_create(&thread, NULL, reader, NULL), 0);
	for (unsigned i = 0; i < ROUNDS || atomic_load(&seen) < 100000; i++) {
		unsigned n = i % HOSTS, next = (unsigned)rand() % sizeof(lengths);
		apply_route(COMMAND_ROUTE_SET, n, lengths[next]);
		if (next != current[n])
			apply_route(COMMAND_ROUTE_REMOVE, n, lengths[current[n]]);
		current[n] = next;
		if (i % 16 == 0)
			tables_publish(shared);
	}
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	assert_int_equal(wrong, 0);
	tables_free(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookups_match_a_linear_search),
		cmocka_unit_test(default_route_and_host_routes),
		cmocka_unit_test(a_reader_always_finds_a_route),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
