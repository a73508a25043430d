/* Longest prefix match against a linear search, both families, random changes. */
#include "tests/unit/dataplane/table/table_fixture.h"

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

static void lookups_match_a_linear_search(void **state)
{
	struct region_limits limits = small_limits();
	struct tables *t = tables_new(&limits, 1);

	srand(2);
	for (unsigned step = 0; step < STEPS; step++) {
		change_one(t);
		for (unsigned i = 0; i < 4; i++) {
			struct ip_address a = random_address(i % 2);
			const struct rule *expected = best(&a);
			const struct route *found = tables_route_lookup(t, 0, &a);
			assert_int_equal(found != NULL, expected != NULL);
			if (found) {
				assert_true(ip_prefix_equal(&found->prefix, &expected->prefix));
				assert_int_equal(found->mtu, expected->mtu);
			}
			assert_null(tables_route_lookup(t, 1, &a));
		}
		if (step % 32 == 0)
			tables_publish(t);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookups_match_a_linear_search),
		cmocka_unit_test(default_route_and_host_routes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
