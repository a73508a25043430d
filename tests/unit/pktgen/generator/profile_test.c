/* Profiles: what is refused, with its line; what is derived; the ones that are shipped. */
#include "pktgen/generator/population.h"
#include "pktgen/generator/profile.h"
#include "pktgen/generator/schedule.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define PORTS "ports = ( { name = \"a\"; }, { name = \"b\"; } );\n"
#define GROUP(rest)                                                                                \
	"groups = ( { name = \"g\"; access = \"a\"; core = \"b\"; node = \"10.1.0.1\";\n"          \
	"correspondent = \"10.2.0.1\";\n" rest "\n} );\n"
#define OUTER "agent = \"192.0.2.1\"; care_of = \"198.51.100.1\";\n"

static const struct {
	const char *text, *error;
} bad[] = {
	{"", "p: ports is missing"},
	{PORTS, "p: neither groups nor replay: nothing to send"},
	{"ports = ( { name = \"a\"; },\n{ name = \"a\"; } );\n", "p:2: two ports have this name"},
	{PORTS "speed = 5;\n", "p:2: profile has no setting \"speed\""},
	{PORTS GROUP("nodes = 0;"), "p:4: nodes is 0, not 1 to 1048576"},
	{PORTS "groups = ( { name = \"g\"; access = \"c\"; core = \"b\"; node = \"1.2.3.4\"; "
	       "correspondent = \"1.2.3.5\"; } );",
		"p:2: no port is named \"c\""},
	{PORTS GROUP("encapsulation = \"l2tp\";"), "p:4: encapsulation is \"l2tp\", not \"plain\", "
						   "\"ipip\", \"gre\", \"minimal\", \"mip-udp\" "
						   "or \"esp\""},
	{"sending_lcores = 2;" PORTS GROUP("nodes = 1;"),
		"p:4: fewer nodes than the 2 sending_lcores, each of which wants a share"},
	{PORTS GROUP(OUTER "encapsulation = \"ipip\"; security = { };"),
		"p:2: vpn_address is needed with Mobile IP in tunnel mode ESP: a node's care-of "
		"address is the one that the VPN gave it"},
	{PORTS GROUP(OUTER "encapsulation = \"esp\"; vpn_address = \"1.2.3.4\";"),
		"p:5: only Mobile IP in tunnel mode ESP has addresses inside a VPN"},
	{PORTS GROUP(OUTER "encapsulation = \"esp\"; security = { mode = \"transport\"; };"),
		"p:5: transport mode is around a Mobile IP tunnel: ipip, gre, minimal or mip-udp"},
	{PORTS GROUP(OUTER "encapsulation = \"ipip\"; nodes = 4; care_of_count = 2; security = "
			   "{ mode = \"transport\"; encap = true; };"),
		"p:5: transport mode finds a node by its outer address alone: nodes cannot share "
		"it"},
	{PORTS GROUP(OUTER "encapsulation = \"ipip\"; nodes = 9; registration = { moves = 1; };\n"
			   "security = { mode = \"transport\"; spi_up = 300; spi_down = 317; };"),
		"p:6: SPIs of the two directions overlap: the generator tells the direction by "
		"them"},
	{PORTS GROUP("encapsulation = \"esp\";"),
		"p:4: agent and care_of are needed for this encapsulation"},
	{PORTS GROUP("encapsulation = \"esp\"; agent = \"2001:db8::1\";\ncare_of = \"1.2.3.4\";"),
		"p:4: agent and care_of are of different families"},
	{PORTS GROUP(OUTER "encapsulation = \"esp\";\nsecurity = {\nalgorithm = \"rot13\"; };"),
		"p:7: algorithm \"rot13\" is not known"},
	{PORTS GROUP(OUTER "encapsulation = \"esp\"; nodes = 9; security = {\nspi_up = 300; "
			   "spi_down = 308; };"),
		"p:6: SPIs of the two directions overlap: the generator tells the direction by "
		"them"},
	{PORTS GROUP(OUTER "encapsulation = \"ipip\"; vpn_address = \"10.9.0.1\"; security = "
			   "{\nmoves = 5; };"),
		"p:6: Mobile IP nodes move by registering: registration.moves"},
	{PORTS GROUP(OUTER "encapsulation = \"ipip\";\nhome_agent = \"192.0.2.2\";"),
		"p:6: only of Mobile IP in tunnel mode ESP the home agent can be another than "
		"agent"},
	{PORTS GROUP("agent = \"2001:db8::1\"; care_of = \"2001:db8:1::1\"; encapsulation = "
		     "\"ipip\"; vpn_address = \"10.9.0.1\"; security = { };"),
		"p:4: Mobile IPv4 wants IPv4 addresses of nodes and home agent: around it, in "
		"tunnel mode ESP, IPv6 agent and care_of go with an IPv4 home_agent"},
	{PORTS GROUP("security = { };"), "p:4: encapsulation is \"plain\", which has no ESP"},
	{PORTS GROUP("registration = { };"), "p:4: this encapsulation does not register"},
	{PORTS GROUP(OUTER "encapsulation = \"ipip\"; nat_rebind_ms = 5;"),
		"p:5: only ESP in UDP (security.encap) is rebound: Mobile IP nodes move by "
		"registering"},
	{PORTS GROUP(OUTER "encapsulation = \"esp\"; nodes = 4; care_of_count = 2;"),
		"p:5: nodes share an outer address only behind a NAT (mip-udp, security.encap) or "
		"a foreign agent (ipip, gre, minimal in clear)"},
	{PORTS GROUP(OUTER "encapsulation = \"esp\"; nodes = 100000; care_of_count = 1; "
			   "security = { encap = true; };"),
		"p:2: too many nodes share an outer address: twice as many ports from nat_port on "
		"are needed"},
	{PORTS "groups = ( { name = \"g\"; access = \"a\"; core = \"b\"; node = "
	       "\"255.255.255.0\"; correspondent = \"1.2.3.5\"; nodes = 300; } );",
		"p:2: node and the 300 addresses behind it do not fit below the highest"},
	{PORTS GROUP("") "traffic = { size_mode = \"imix\";\nsizes = [64]; };",
		"p:7: sizes and size_mode = \"imix\" exclude each other"},
	{PORTS GROUP("") "traffic = { sizes = [63]; };", "p:6: sizes is 63, not 64 to 9018"},
	{PORTS "groups = ( { name = \"g\"; access = \"a\"; core = \"b\"; node = \"2001:db8::1\"; "
	       "correspondent = \"2001:db8:1::1\"; } );\ntraffic = { sizes = [83]; };",
		"p:3: sizes has 83: with IPv6 inside, 84 is the smallest frame that holds the "
		"signature"},
	{PORTS "groups = ( { name = \"g\"; access = \"a\"; core = \"b\"; node = \"2001:db8::1\"; "
	       "correspondent = \"2001:db8:1::1\"; } );\ntraffic = { sizes = [500]; size_max = 64; "
	       "};",
		"p:3: size_max is 64: with IPv6 inside, 84 is the smallest frame that holds the "
		"signature"},
	{PORTS GROUP("") "traffic = { sizes = [64, 4000]; };",
		"p:6: sizes has 4000, which would be cut to size_max (1518): set that, too"},
	{PORTS "groups = ( { name = \"g\"; access = \"a\"; core = \"b\"; node = \"10.1.0.1\"; "
	       "nodes = 9; correspondent = \"10.2.0.1\"; encapsulation = \"ipip\"; " OUTER "},\n"
	       "{ name = \"h\"; access = \"a\"; core = \"b\"; node = \"10.1.0.9\"; "
	       "correspondent = \"10.2.0.1\"; encapsulation = \"gre\"; " OUTER "} );",
		"p:4: nodes have the home addresses of group \"g\""},
	{PORTS GROUP("") "searches = ( { name = \"ndr\"; duration_sum_ms = 129000; } );",
		"p:6: too many trials for one load: set trial_ms higher or duration_sum_ms lower"},
	{PORTS GROUP(
		 "") "searches = ( { name = \"ndr\"; },\n{ name = \"pdr\"; trial_ms = 500; } );",
		"p:7: searches share their trials: one trial_ms for all"},
	{PORTS GROUP("") "search_min = 9; search_max = 5;\nsearches = ( { name = \"ndr\"; } );",
		"p:6: search_min is above search_max"},
	{PORTS GROUP("") "replay = { file = \"x\"; };",
		"p:6: a replay goes neither with groups nor with searches"},
	{PORTS "replay = { file = \"x\"; };\nsearches = ( { name = \"ndr\"; } );",
		"p:2: a replay goes neither with groups nor with searches"},
	{PORTS "replay = { loops = 2; };", "p:2: file is missing: what is replayed"},
	{PORTS "replay = { file = \"x\"; speed_percent = 200; };",
		"p:2: speed_percent is of timing = \"timestamps\"; traffic.rate is the rate"},
	{PORTS "replay = { file = \"x\"; timing = \"timestamps\"; };\n"
	       "traffic = { rate = 5; };",
		"p:3: a replay by timestamps has no rate: replay.speed_percent"},
	{PORTS "replay = { file = \"x\"; port = \"c\"; };", "p:2: no port is named \"c\""},
};

static void test_refusals(void **state)
{
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct profile *profile;
		struct config_error error = {""};
		int result = profile_load_string(bad[i].text, "p", &profile, &error);
		assert_string_equal(error.text, bad[i].error);
		assert_int_not_equal(result, 0);
		assert_null(profile);
	}
}

static struct profile *load(const char *text)
{
	struct profile *profile;
	struct config_error error = {""};

	if (profile_load_string(text, "p", &profile, &error))
		fail_msg("%s", error.text);
	return profile;
}

static void test_keys_come_from_the_seed(void **state)
{
	const char *text = PORTS GROUP(OUTER "encapsulation = \"ipip\";");
	struct profile *a = load(text), *b = load(text);
	struct profile *c = load("seed = 2;\n" PORTS GROUP(OUTER "encapsulation = \"ipip\";"));

	assert_int_equal(a->groups[0].registration.key.length, 16);
	assert_memory_equal(&a->groups[0].registration.key, &b->groups[0].registration.key, 18);
	assert_memory_not_equal(&a->groups[0].registration.key, &c->groups[0].registration.key, 18);
	profile_free(a);
	profile_free(b);
	profile_free(c);
}

static void test_flows_and_addresses(void **state)
{
	struct profile *profile =
		load(PORTS GROUP(OUTER "encapsulation = \"esp\"; nodes = 7; care_of_count = 3; "
				       "security = { encap = true; }; "
				       "correspondents = 2; nat_port = 30000;"));
	struct population *population = population_new(profile);
	const struct population_group *group = &population->groups[0];
	struct population_flow flow;
	char text[IP_ADDRESS_TEXT_SIZE];

	assert_int_equal(population->flow_count, 14);
	assert_false(population_flow_find(population, 14, &flow));
	assert_true(population_flow_find(population, 13, &flow));
	assert_int_equal(flow.node, 6);
	assert_false(flow.up);
	assert_int_equal(population_flow_of(group, 6, false), 13);
	struct ip_address node = population_node_address(group, 6);
	assert_string_equal(ip_address_format(&node, text), "10.1.0.7");
	struct ip_address correspondent = population_correspondent(group, 5);
	assert_string_equal(ip_address_format(&correspondent, text), "10.2.0.2");
	/* Three behind an address: no two nodes have one address and port, whatever the mapping. */
	assert_int_equal(group->sharing, 3);
	uint8_t taken[3][6] = {0};
	for (uint32_t n = 0; n < 7; n++) {
		for (uint8_t mapping = 0; mapping < 2; mapping++) {
			struct ip_address care_of = population_care_of(group, n, 0);
			unsigned a = ntohl(care_of.words[3]) & 0xff;
			unsigned p = population_nat_port(group, n, mapping) - 30000u;
			assert_in_range(a, 1, 3);
			assert_in_range(p, 0, 5);
			assert_int_equal(taken[a - 1][p]++, 0);
		}
	}
	population_free(population);
	profile_free(profile);
}

/* Every flow once a round, in another order with another seed; each size alike for each flow. */
static void test_schedule_is_fair(void **state)
{
	struct profile *profile = load("seed = 3;\n" PORTS GROUP(
		"nodes = 6;") "traffic = { order = \"random\"; sizes = [64, 128, 256]; };");
	struct population *population = population_new(profile);
	unsigned count[12][3] = {0}, differs = 0;
	struct schedule schedule;

	assert_int_equal(schedule_init(&schedule, population, 0, 1), 0);
	for (unsigned round = 0; round < 30; round++) {
		unsigned seen = 0;
		for (unsigned i = 0; i < 12; i++) {
			struct schedule_item item;
			assert_true(schedule_next(&schedule, &item));
			seen |= 1u << item.flow;
			differs += item.flow != i;
			count[item.flow][item.size / 128]++;
		}
		assert_int_equal(seen, 0xfff);
	}
	assert_true(differs > 100);
	for (unsigned flow = 0; flow < 12; flow++)
		for (unsigned size = 0; size < 3; size++)
			assert_int_equal(count[flow][size], 10);
	/* Who is not ready is passed over. */
	for (unsigned node = 0; node < 5; node++)
		population->groups[0].nodes[node].ready = 0;
	for (unsigned i = 0; i < 20; i++) {
		struct schedule_item item;
		assert_true(schedule_next(&schedule, &item));
		assert_int_equal(item.node, 5);
	}
	population->groups[0].nodes[5].ready = 0;
	struct schedule_item item;
	assert_false(schedule_next(&schedule, &item));
	schedule_fini(&schedule);
	population_free(population);
	profile_free(profile);
}

/* Several senders: each flow has exactly one, all nodes of a group are shared out evenly. */
static void test_shares_of_senders(void **state)
{
	struct profile *profile = load(
		"sending_lcores = 3;\n" PORTS "groups = ( { name = \"g\"; access = \"a\"; "
		"core = \"b\"; node = \"10.1.0.1\"; correspondent = \"10.2.0.1\"; nodes = 10; }, "
		"{ name = \"h\"; access = \"a\"; core = \"b\"; node = \"10.3.0.1\"; "
		"correspondent = \"10.2.0.1\"; direction = \"up\"; nodes = 3; share = 2; } );"
		"traffic = { order = \"random\"; };");
	struct population *population = population_new(profile);
	unsigned sender[23];

	memset(sender, 0xff, sizeof(sender));
	for (unsigned part = 0; part < 3; part++) {
		unsigned flows[23] = {0}, groups[2] = {0}, distinct = 0;
		struct schedule schedule;
		assert_int_equal(schedule_init(&schedule, population, part, 3), 0);
		for (unsigned i = 0; i < 3 * 8 * 20; i++) {
			struct schedule_item item;
			assert_true(schedule_next(&schedule, &item));
			distinct += flows[item.flow]++ == 0;
			groups[item.group->index]++;
			assert_true(sender[item.flow] == ~0u || sender[item.flow] == part);
			sender[item.flow] = part;
			struct population_flow who;
			assert_true(population_flow_find(population, item.flow, &who));
			assert_int_equal(who.node, item.node);
			assert_int_equal(who.up, item.up);
			assert_int_equal(schedule_part_of(item.group, item.node, 3), part);
		}
		assert_int_equal(groups[0], 160);
		assert_int_equal(groups[1], 320);
		assert_int_equal(distinct, (part == 2 ? 8 : 6) + 1);
		schedule_fini(&schedule);
	}
	for (unsigned flow = 0; flow < 23; flow++)
		assert_in_range(sender[flow], 0, 2);
	population_free(population);
	profile_free(profile);
}

static void test_shares_and_imix(void **state)
{
	struct profile *profile = load(PORTS
		"groups = ( { name = \"g\"; access = \"a\"; core = \"b\"; node = \"10.1.0.1\"; "
		"correspondent = \"10.2.0.1\"; share = 3; }, { name = \"h\"; access = \"a\"; core "
		"= "
		"\"b\"; node = \"10.3.0.1\"; correspondent = \"10.2.0.1\"; direction = \"up\"; } );"
		"traffic = { size_mode = \"imix\"; size_max = 1400; };");
	struct population *population = population_new(profile);
	unsigned sizes[2][3] = {0};
	struct schedule schedule;

	assert_int_equal(schedule_init(&schedule, population, 0, 1), 0);
	for (unsigned i = 0; i < 1200; i++) {
		struct schedule_item item;
		assert_true(schedule_next(&schedule, &item));
		assert_true(item.group->index == 0 || item.up);
		sizes[item.group->index][item.size == 64 ? 0 : item.size == 570 ? 1 : 2]++;
		assert_true(item.size == 64 || item.size == 570 || item.size == 1400);
	}
	/* Three to one, and for each of them 7:4:1. */
	for (unsigned group = 0; group < 2; group++) {
		const unsigned *count = sizes[group], sum = group ? 300 : 900;
		assert_int_equal(count[0] + count[1] + count[2], sum);
		assert_in_range(count[0], sum * 7 / 12 - 1, sum * 7 / 12 + 1);
		assert_in_range(count[1], sum * 4 / 12 - 5, sum * 4 / 12 + 5);
		assert_in_range(count[2], sum / 12 - 5, sum / 12 + 5);
	}
	schedule_fini(&schedule);
	population_free(population);
	profile_free(profile);
}

/* contrib/pktgen: each is valid. */
static void test_shipped_profiles(void **state)
{
	const char *folder = getenv("PKTGEN_PROFILES");
	unsigned count = 0;

	if (!folder)
		skip();
	DIR *directory = opendir(folder);
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		struct profile *profile;
		struct config_error error = {""};
		char path[600];
		if (!strstr(entry->d_name, ".conf"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (profile_load(path, &profile, &error))
			fail_msg("%s", error.text);
		profile_free(profile);
		count++;
	}
	closedir(directory);
	assert_true(count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_keys_come_from_the_seed),
		cmocka_unit_test(test_flows_and_addresses),
		cmocka_unit_test(test_schedule_is_fair),
		cmocka_unit_test(test_shares_of_senders),
		cmocka_unit_test(test_shares_and_imix),
		cmocka_unit_test(test_shipped_profiles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
