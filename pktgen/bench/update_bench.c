/*
 * What changing tables costs the packets: 100,000 pairs of SAs with their policies, and as many
 * bindings, are added, moved and removed by the main thread, as the dataplane's main lcore does,
 * while a worker carries 90 % of the load that it carries without loss (load.h). "Blocked" is what
 * CSIT's reconfiguration tests call effective blocked time: packets lost, divided by the load.
 *
 *   update_bench [ENTRIES]     default 100000
 *
 * Moved: another care-of address, another peer's address of the same SAs. The entries that traffic
 * uses stay as they are: a lost packet is one that the worker was too late for. Where the machine
 * loses packets while nothing changes, nothing is said about the promise that none is lost.
 */
#include "pktgen/bench/load.h"
#include "pktgen/bench/runs.h"

#include <stdio.h>
#include <stdlib.h>

#define STABLE 1000
#define SHARE  0.9

enum phase { WARM, QUIET, ADD, MOVE, REMOVE, PHASES };

static const char *const names[] = {"warm", "nothing changes", "added", "moved", "removed"};

struct result {
	struct runs_values blocked, rate, cycles, latency;
	uint64_t lost, packets;
};

static struct worker *worker;

static double wall_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void change(enum phase phase, uint32_t entry)
{
	switch (phase) {
	case ADD:
		load_binding_set(entry, 0);
		esp_pairs_set(entry, true, false, 0);
		esp_pairs_policy_set(entry);
		break;
	case MOVE:
		load_binding_set(entry, 1);
		esp_pairs_set(entry, false, false, 1);
		break;
	default:
		esp_pairs_policy_remove(entry);
		esp_pairs_remove(entry);
		load_binding_remove(entry);
	}
	if (entry % 1024 == 0)
		esp_pairs_policy_commit();
}

/* Changes of entries a second of wall clock. */
static double changes_run(enum phase phase, uint32_t entries)
{
	double start = wall_s();

	for (uint32_t i = STABLE; i < STABLE + entries; i++)
		change(phase, i);
	esp_pairs_policy_commit();
	uint64_t token = tables_publish(worker->tables);
	while (!tables_synced(worker->tables, token))
		sched_yield();
	return entries / (wall_s() - start);
}

static void run(double rate, uint32_t entries, double seconds, struct result *results)
{
	struct load *load = malloc(sizeof(*load));

	if (!load)
		exit(1);
	load_start(load, worker, STABLE, rate);
	load_wait(load, WARM, seconds / 4);
	load->phase = QUIET;
	load_wait(load, QUIET, seconds);
	for (enum phase phase = ADD; phase <= REMOVE; phase++) {
		load->phase = phase;
		runs_add(&results[phase].rate, changes_run(phase, entries));
	}
	load_end(load);
	for (enum phase phase = QUIET; phase < PHASES; phase++) {
		const struct load_phase *found = &load->phases[phase];
		if (found->packets == 0)
			continue;
		runs_add(&results[phase].blocked, (double)found->lost / rate * 1e3);
		runs_add(&results[phase].cycles,
			found->busy_seconds * (double)worker->tsc_hz / (double)found->packets);
		runs_add(&results[phase].latency, load_latency(found, 0.99) / 1e3);
		results[phase].lost += found->lost;
		results[phase].packets += found->packets;
	}
	if (load->switches > 0)
		printf("the worker slept %llu times\n", (unsigned long long)load->switches);
	free(load);
}

static void figures(
	const struct result *result, const char *name, uint32_t entries, double rate, bool judged)
{
	printf("{\"figure\": \"blocked while %u pairs, policies, bindings: %s\", \"entries\": %u, "
	       "\"size\": 64, \"direction\": \"out\", \"unit\": \"ms\", ",
		entries, name, entries);
	runs_print(&result->blocked);
	printf(", \"lost\": %llu, \"packets\": %llu, \"load_mpps\": %.3f, "
	       "\"latency_p99_us\": %.1f, \"cycles_per_packet\": %.1f",
		(unsigned long long)result->lost, (unsigned long long)result->packets, rate / 1e6,
		runs_median(&result->latency), runs_median(&result->cycles));
	if (judged)
		printf(", \"target\": 0, \"pass\": %s", result->lost == 0 ? "true" : "false");
	printf("}\n");
	if (result->rate.count > 0) {
		printf("{\"figure\": \"pairs, policies and bindings %s under load\", \"entries\": "
		       "%u, \"unit\": \"1/s\", ",
			name, entries);
		runs_print(&result->rate);
		printf("}\n");
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint32_t entries = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 100000;
	static struct result results[PHASES];
	struct runs runs = runs_wanted(5, 2);
	struct region_limits limits = {.bindings = entries + STABLE};

	if (entries == 0 || entries > 1000000)
		return 64;
	esp_pairs_limits(&limits, entries + STABLE, entries + STABLE);
	path_bench_init("update_bench", &limits, &worker);
	esp_pairs_init(worker, 1, entries + STABLE, LIBRARY_PRIVATE);
	load_tables(worker, STABLE);
	double rate = SHARE * load_without_loss(worker, STABLE, runs.seconds);
	for (unsigned r = 0; r < runs.count; r++)
		run(rate, entries, runs.seconds, results);
	for (enum phase phase = QUIET; phase < PHASES; phase++)
		figures(&results[phase], names[phase], entries, rate,
			phase != QUIET && results[QUIET].lost == 0);
	esp_pairs_fini();
	return path_bench_fini();
}
