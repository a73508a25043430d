/*
 * The tables alone: bindings, security associations, policies. Inserts and removals a second at
 * 10,000 and 1,000,000 entries, then lookups in bursts of 32 in random order, in TSC cycles each.
 *
 *   tables_bench [ENTRIES [TABLE]]     default 1000000, all: bindings, SA pairs, policies
 *
 * Entries go in and out in another order than that of their addresses. A pair of SAs is inserted
 * with its keys, which are expanded; a policy is a host's, in front of 1,000 general ones, made
 * visible in steps of 1,024. No worker runs: grace periods cost nothing here.
 */
#include "pktgen/bench/esp_pairs.h"
#include "pktgen/bench/runs.h"

#include "dataplane/table/policy_table.h"
#include "dataplane/table/sa_table.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST   32
#define LOOKUPS 65536u /* in a piece */
#define STEP    1024

enum change { INSERT, REMOVE };

struct table {
	const char *name, *lookup;
	double target; /* insertions a second that the project promises, 0 none */
	void (*change)(uint32_t entry, enum change change);
	uint64_t (*lookup_burst)(uint32_t (*draw)(void)); /* cycles of one burst */
};

static struct worker *worker;
static uint32_t entries; /* at present */

static uint32_t draw(void)
{
	static uint64_t random = 88172645463325252ull;

	random ^= random << 13, random ^= random >> 7, random ^= random << 17;
	return (uint32_t)((random >> 32) * entries >> 32);
}

static void missed(const char *what)
{
	fprintf(stderr, "tables_bench: a %s was not found\n", what);
	exit(1);
}

/* ---- bindings ---- */

static void binding_change(uint32_t entry, enum change change)
{
	struct command c = {.type = change == INSERT ? COMMAND_BINDING_SET : COMMAND_BINDING_REMOVE,
		.binding = {.agent_address = path_bench_v4(PATH_BENCH_AGENT),
			.expires_ns = CLOCK_NEVER,
			.home_port = PORT_NONE,
			.binding_id = entry,
			.home_address = path_bench_v4(esp_pairs_home(entry)),
			.encapsulation = ENCAPSULATION_IPIP}};

	c.binding.care_of_address = c.binding.care_of_field = path_bench_v4(0x0b000000u + entry);
	esp_pairs_apply(&c);
}

static uint64_t binding_lookup(uint32_t (*random)(void))
{
	const uint16_t vrf[BURST] = {0};
	const struct tunnel *out[BURST];
	struct ip_address homes[BURST];

	for (unsigned i = 0; i < BURST; i++)
		homes[i] = path_bench_v4(esp_pairs_home(random()));
	uint64_t from = rte_rdtsc();
	tables_home_lookup_burst(worker->tables, vrf, homes, BURST, out);
	uint64_t cycles = rte_rdtsc() - from;
	for (unsigned i = 0; i < BURST; i++)
		if (!out[i])
			missed("binding");
	return cycles;
}

/* ---- security associations ---- */

static void sa_change(uint32_t entry, enum change change)
{
	if (change == INSERT)
		esp_pairs_set(entry, true, false, 0);
	else
		esp_pairs_remove(entry);
}

/* As decapsulation does: by SPI, then the line of the association. */
static uint64_t sa_lookup(uint32_t (*random)(void))
{
	const struct sa_table *sas = tables_sas(worker->tables);
	const struct sa_inbound *found[BURST];
	uint32_t ids[BURST];

	for (unsigned i = 0; i < BURST; i++)
		ids[i] = random();
	uint64_t from = rte_rdtsc();
	for (unsigned i = 0; i < BURST; i++)
		rte_prefetch0(&sas->inbound_of[ids[i] & (sas->count - 1)]);
	for (unsigned i = 0; i < BURST; i++)
		rte_prefetch0(sa_inbound_get(sas, ids[i]));
	for (unsigned i = 0; i < BURST; i++)
		found[i] = sa_inbound_lookup(sas, esp_pairs_spi(ids[i]));
	uint64_t cycles = rte_rdtsc() - from;
	for (unsigned i = 0; i < BURST; i++)
		if (!found[i] || found[i]->sa_id != ids[i])
			missed("security association");
	return cycles;
}

/* ---- policies ---- */

static void policy_change(uint32_t entry, enum change change)
{
	static uint32_t staged;

	if (change == INSERT)
		esp_pairs_policy_set(entry);
	else
		esp_pairs_policy_remove(entry);
	if (++staged % STEP == 0)
		esp_pairs_policy_commit();
}

static uint64_t policy_lookup(uint32_t (*random)(void))
{
	struct policy_verdict verdicts[BURST];
	struct policy_key keys[BURST];
	uint32_t ids[BURST];

	for (unsigned i = 0; i < BURST; i++) {
		ids[i] = random();
		keys[i] = esp_pairs_policy_key(ids[i]);
	}
	uint64_t from = rte_rdtsc();
	tables_policy_lookup_burst(worker->tables, keys, BURST, verdicts);
	uint64_t cycles = rte_rdtsc() - from;
	for (unsigned i = 0; i < BURST; i++)
		if (verdicts[i].sa_id != ids[i])
			missed("policy");
	return cycles;
}

/* ---- figures ---- */

static const struct table tables[] = {
	{"bindings", "binding by home address", 200000, binding_change, binding_lookup},
	{"SA pairs", "SA by SPI", 50000, sa_change, sa_lookup},
	{"policies", "policy of a host", 0, policy_change, policy_lookup},
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void settle(void)
{
	esp_pairs_policy_commit();
	tables_synced(worker->tables, tables_publish(worker->tables));
}

/* Every entry, in or out; a second of this thread's processor time. `tail`: the last tenth alone.
 */
static double change_all(const struct table *table, enum change change, double *tail)
{
	double start = now_s(), last = start;

	for (uint32_t i = 0; i < entries; i++) {
		if (i == entries - entries / 10)
			last = now_s();
		table->change(i, change);
	}
	settle();
	double end = now_s();
	*tail = entries / 10.0 / (end - last);
	return entries / (end - start);
}

static double lookup_run(const struct table *table, double seconds)
{
	double end = now_s() + seconds;
	uint64_t cycles = 0, count = 0;

	do {
		for (uint32_t done = 0; done < LOOKUPS; done += BURST)
			cycles += table->lookup_burst(draw);
		count += LOOKUPS;
	} while (now_s() < end);
	return (double)cycles / (double)count;
}

/* `target`: entries a second, 0 none. */
static void rate_print(
	const struct table *table, const char *what, const struct runs_values *rates, double target)
{
	printf("{\"figure\": \"%s %s, %u\", \"entries\": %u, \"unit\": \"1/s\", ", table->name,
		what, entries, entries);
	runs_print(rates);
	if (target > 0)
		printf(", \"target\": %.0f, \"pass\": %s", target,
			runs_median(rates) >= target ? "true" : "false");
	printf("}\n");
}

static void table_run(const struct table *table, uint32_t count)
{
	struct runs runs = runs_wanted(5, 0);
	struct runs_values inserts = {0}, tails = {0}, removals = {0}, lookups = {0};
	double tail, first;

	entries = count;
	for (unsigned r = 0; r < runs.count; r++) {
		first = change_all(table, INSERT, &tail);
		runs_add(&inserts, first);
		runs_add(&tails, tail);
		runs_add(&lookups, lookup_run(table, runs.seconds));
		runs_add(&removals, change_all(table, REMOVE, &tail));
	}
	rate_print(table, "inserted", &inserts, table->target);
	rate_print(table, "inserted, last tenth", &tails, 0);
	rate_print(table, "removed", &removals, 0);
	printf("{\"figure\": \"%s, %u\", \"entries\": %u, \"unit\": \"cycles/lookup\", ",
		table->lookup, entries, entries);
	runs_print(&lookups);
	printf("}\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint32_t most = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1000000;
	const char *only = argc > 2 ? argv[2] : "";
	const uint32_t counts[] = {10000, 1000000};
	struct region_limits limits = {.bindings = most};

	if (most < 100 || most > 1u << 20)
		return 64;
	esp_pairs_limits(&limits, most, most);
	path_bench_init("tables_bench", &limits, &worker);
	esp_pairs_init(worker, 1, most, LIBRARY_PRIVATE);
	for (unsigned t = 0; t < RTE_DIM(tables); t++) {
		if (strncmp(tables[t].name, only, strlen(only)) != 0)
			continue;
		if (most < counts[0])
			table_run(&tables[t], most);
		for (unsigned i = 0; i < RTE_DIM(counts) && counts[i] <= most; i++)
			table_run(&tables[t], counts[i]);
	}
	esp_pairs_fini();
	return path_bench_fini();
}
