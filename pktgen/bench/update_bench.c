/*
 * What changing tables costs the packets: 100,000 pairs of SAs with their policies, and as many
 * bindings, are added, moved and removed by the main thread, as the dataplane's main lcore does,
 * while a worker carries 90 % of the load that it carries without loss (load.h). "Blocked" is what
 * CSIT's reconfiguration tests call effective blocked time: packets lost, divided by the load.
 *
 *   update_bench [ENTRIES]     default 100000
 *
 * Moved: another care-of address, another peer's address of the same SAs. The entries that traffic
 * uses stay as they are: a lost packet is one that the worker was too late for.
 *
 * A busy machine loses packets by itself. So before, between and after the changes there are
 * phases in which nothing changes, and the figure is the difference: blocked time of the phase with
 * changes less what the quiet phases on both its sides make for as long a time. The promise that
 * nothing is lost counts as kept when that is within what the quiet phases differ by themselves; on
 * a quiet machine that is nothing. Gaps (load.h) are counted beside it: their number a second must
 * not rise either where changes would hold the worker up.
 */
#include "pktgen/bench/load.h"
#include "pktgen/bench/runs.h"

#include <stdio.h>
#include <stdlib.h>

#define STABLE 1000
#define SHARE  0.9

/* A quiet phase stands before and behind each change: QUIET + change - ADD, and the one after. */
enum phase { WARM, ADD, MOVE, REMOVE, CHANGES, QUIET = CHANGES, PHASES = QUIET + REMOVE - ADD + 2 };

static const char *const names[CHANGES] = {"warm", "added", "moved", "removed"};

struct result {
	struct runs_values excess, blocked, quiet; /* ms of a phase as long as the changes took */
	struct runs_values gaps, quiet_gaps;       /* a second */
	struct runs_values rate, cycles, latency;
	uint64_t lost, lost_in_gaps, packets;
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
		esp_pairs_node_remove(entry);
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

/* Blocked milliseconds a second of processor time. */
static double blocked(const struct load_phase *phase, double rate)
{
	return phase->seconds > 0 ? (double)phase->lost / rate * 1e3 / phase->seconds : 0;
}

static double gaps(const struct load_phase *phase)
{
	return phase->seconds > 0 ? (double)phase->gaps / phase->seconds : 0;
}

static void note(const struct load *load, enum phase change, double rate, struct result *result)
{
	const struct load_phase *found = &load->phases[change],
				*before = &load->phases[QUIET + change - ADD], *after = before + 1;

	if (found->packets == 0)
		return;
	double own = blocked(found, rate) * found->seconds;
	double quiet = (blocked(before, rate) + blocked(after, rate)) / 2 * found->seconds;
	runs_add(&result->blocked, own);
	runs_add(&result->quiet, quiet);
	runs_add(&result->excess, own - quiet);
	runs_add(&result->gaps, gaps(found));
	runs_add(&result->quiet_gaps, (gaps(before) + gaps(after)) / 2);
	runs_add(&result->cycles,
		found->busy_seconds * (double)worker->tsc_hz / (double)found->packets);
	runs_add(&result->latency, load_latency(found, 0.99) / 1e3);
	result->lost += found->lost;
	result->lost_in_gaps += found->lost_in_gaps;
	result->packets += found->packets;
}

static void run(double rate, uint32_t entries, double seconds, struct result *results)
{
	struct load *load = malloc(sizeof(*load));

	if (!load)
		exit(1);
	load_start(load, worker, STABLE, rate);
	load_wait(load, WARM, seconds / 4);
	for (enum phase change = ADD; change < CHANGES; change++) {
		load->phase = QUIET + change - ADD;
		load_wait(load, load->phase, seconds / 2);
		load->phase = change;
		runs_add(&results[change].rate, changes_run(change, entries));
	}
	load->phase = PHASES - 1;
	load_wait(load, PHASES - 1, seconds / 2);
	load_end(load);
	for (enum phase change = ADD; change < CHANGES; change++)
		note(load, change, rate, &results[change]);
	if (load->switches > 0)
		printf("the worker slept %llu times\n", (unsigned long long)load->switches);
	free(load);
}

/* Half of what quiet phases differ by themselves. */
static double noise_ms(const struct result *result)
{
	return (runs_high(&result->quiet) - runs_low(&result->quiet)) / 2;
}

static void figures(const struct result *result, const char *name, uint32_t entries, double rate)
{
	double noise = noise_ms(result);

	printf("{\"figure\": \"blocked by changes: %u pairs, policies, bindings %s\", \"entries\": "
	       "%u, \"size\": 64, \"direction\": \"out\", \"unit\": \"ms\", ",
		entries, name, entries);
	runs_print(&result->excess);
	printf(", \"blocked_ms\": %.4g, \"without_changes_ms\": %.4g, \"noise_ms\": %.4g, "
	       "\"gaps_a_second\": %.4g, \"gaps_without_changes\": %.4g",
		runs_median(&result->blocked), runs_median(&result->quiet), noise,
		runs_median(&result->gaps), runs_median(&result->quiet_gaps));
	printf(", \"lost\": %llu, \"lost_in_gaps\": %llu, \"packets\": %llu, \"load_mpps\": %.3f, "
	       "\"latency_p99_us\": %.1f, \"cycles_per_packet\": %.1f, \"target\": %.4g, "
	       "\"pass\": %s}\n",
		(unsigned long long)result->lost, (unsigned long long)result->lost_in_gaps,
		(unsigned long long)result->packets, rate / 1e6, runs_median(&result->latency),
		runs_median(&result->cycles), noise,
		runs_median(&result->excess) <= noise ? "true" : "false");
	printf("{\"figure\": \"pairs, policies and bindings %s under load\", \"entries\": %u, "
	       "\"unit\": \"1/s\", ",
		name, entries);
	runs_print(&result->rate);
	printf("}\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint32_t entries = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 100000;
	static struct result results[CHANGES];
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
	for (enum phase change = ADD; change < CHANGES; change++)
		figures(&results[change], names[change], entries, rate);
	esp_pairs_fini();
	return path_bench_fini();
}
