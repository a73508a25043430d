/* Random adds, moves, removals, refreshes and resynchronisations against an array that cannot be
 * wrong. */
#include "tests/unit/dataplane/table/table_fixture.h"

#define IDS   512
#define HOMES 300
#define STEPS 200000

struct entry {
	bool used;
	unsigned home, care_of, generation;
};

static struct ip_address number(const char *base, unsigned n)
{
	struct ip_address a = address(base);
	a.bytes[14] = (uint8_t)(n >> 8);
	a.bytes[15] = (uint8_t)n;
	return a;
}

static unsigned chain_count(const struct tables *t, const struct entry *model, unsigned h)
{
	struct ip_address a = number("10.1.0.0", h);
	unsigned count = 0;

	for (const struct tunnel *at = tables_home_lookup(t, 0, &a); at;
		at = tables_tunnel_next(t, at)) {
		const struct entry *entry = &model[at->binding_id];
		struct ip_address care_of = number("198.51.0.0", entry->care_of);
		assert_true(entry->used);
		assert_int_equal(entry->home, h);
		struct ip_address end = tunnel_care_of_address(at);
		assert_true(ip_address_equal(&end, &care_of));
		count++;
	}
	return count;
}

static void check(const struct tables *t, const struct entry *model)
{
	unsigned used = 0, found = 0;

	for (unsigned id = 0; id < IDS; id++)
		used += model[id].used;
	for (unsigned h = 0; h < HOMES; h++)
		found += chain_count(t, model, h);
	assert_int_equal(found, used);
	assert_int_equal(tables_use(t).bindings, used);
}

static void set(struct tables *t, struct entry *model, unsigned id, unsigned h, unsigned care_of,
	unsigned generation)
{
	struct command c = binding_command(id, "10.1.0.0", "198.51.0.0");
	unsigned chain = 0;

	c.binding.home_address = number("10.1.0.0", h);
	c.binding.care_of_address = number("198.51.0.0", care_of);
	for (unsigned i = 0; i < IDS; i++)
		chain += model[i].used && model[i].home == h;
	int expected = model[id].used ? (model[id].home == h ? 0 : EEXIST)
		       : chain < 16   ? 0
				      : ENOSPC;
	assert_int_equal(tables_apply(t, &c), expected);
	if (expected == 0)
		model[id] = (struct entry){true, h, care_of, generation};
}

static void resynchronise(struct tables *t, struct entry *model, unsigned generation)
{
	struct command begin = plain_command(COMMAND_SYNC_BEGIN),
		       end = plain_command(COMMAND_SYNC_END);
	struct command agent = agent_command("192.0.2.1");

	assert_int_equal(tables_apply(t, &begin), 0);
	assert_int_equal(tables_apply(t, &agent), 0);
	for (unsigned id = 0; id < IDS; id++)
		if (model[id].used && rand() % 4)
			set(t, model, id, model[id].home, model[id].care_of, generation);
	assert_int_equal(tables_apply(t, &end), 0);
	for (unsigned id = 0; id < IDS; id++)
		if (model[id].generation != generation)
			model[id].used = false;
}

static void random_changes_match_the_model(void **state)
{
	static struct entry model[IDS];
	struct region_limits limits = {.workers = 1, .ports = 1, .bindings = IDS};
	struct tables *t = tables_new(&limits, 1);
	struct command agent = agent_command("192.0.2.1");
	unsigned generation = 1;

	srand(1);
	assert_int_equal(tables_apply(t, &agent), 0);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned id = (unsigned)rand() % IDS, h = (unsigned)rand() % HOMES,
			 care_of = (unsigned)rand() % 50;
		switch (rand() % 8) {
		case 0:
		case 1:
		case 2:
			set(t, model, id, h, care_of, generation);
			break;
		case 3:
		case 4:
		case 5:
			if (model[id].used)
				set(t, model, id, model[id].home, care_of, generation);
			break;
		default: {
			struct command gone = plain_command(COMMAND_BINDING_REMOVE);
			gone.binding.binding_id = id;
			assert_int_equal(tables_apply(t, &gone), 0);
			model[id].used = false;
		}
		}
		if (step % 64 == 0)
			tables_publish(t);
		if (step % 5000 == 0)
			resynchronise(t, model, ++generation);
		if (step % 500 == 0)
			check(t, model);
	}
	check(t, model);
	tables_publish(t);
	assert_int_equal(tables_waiting(t), 0);
	tables_free(t);
}

/* The burst function must agree with the plain one, hits and misses mixed. */
static void burst_agrees_with_single_lookups(void **state)
{
	struct region_limits limits = {.workers = 1, .ports = 1, .bindings = 20000};
	struct tables *t = tables_new(&limits, 1);
	struct command agent = agent_command("192.0.2.1");

	assert_int_equal(tables_apply(t, &agent), 0);
	for (unsigned i = 0; i < 20000; i++) {
		struct command c = binding_command(i, "10.1.0.0", "198.51.100.1");
		c.binding.home_address = number("10.1.0.0", i);
		assert_int_equal(tables_apply(t, &c), 0);
	}
	for (unsigned round = 0; round < 2000; round++) {
		struct ip_address homes[50];
		uint16_t vrf[50] = {0};
		const struct tunnel *out[50];
		for (unsigned i = 0; i < 50; i++)
			homes[i] = number("10.1.0.0", (unsigned)rand() % 40000);
		tables_home_lookup_burst(t, vrf, homes, 50, out);
		for (unsigned i = 0; i < 50; i++) {
			bool bound = ntohs(*(uint16_t *)&homes[i].bytes[14]) < 20000;
			assert_ptr_equal(out[i], tables_home_lookup(t, 0, &homes[i]));
			assert_int_equal(out[i] != NULL, bound);
		}
	}
	tables_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_match_the_model),
		cmocka_unit_test(burst_agrees_with_single_lookups),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
