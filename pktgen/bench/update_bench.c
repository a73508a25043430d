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
 * A busy machine loses packets by itself. So before, between and after the changes of a trial there
 * are phases in which nothing changes. Where one of the two beside a change lost a packet, the
 * machine was not fit to say anything about the change: that trial does not count, the rate without
 * loss is looked for again, as the core may have become slower, and the trial is repeated, up to
 * TRIES times as often as there are runs. Of the trials that count the promise asks that not one
 * packet was lost in the median trial; `lost` and the spread say what happened in all of them.
 *
 * Then what the worker loses to changes at a pace: 50,000 pairs of SAs and their policies and
 * 200,000 bindings a second, which is what the project promises to take. The main thread changes
 * for 50 ms, then spins for 50 ms, while the worker takes as many packets as go; the figure is how
 * much more of its time a packet takes in the former.
 *
 * A machine that takes the processor away for half a millisecond now and then leaves no such trial.
 * Then those count in which the seconds beside the change lost packets in gaps alone (load.h), and
 * what is lost in gaps is left out everywhere: the row says "gaps_apart".
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

#define TRIES 4

#define PACE          50000u  /* pairs of SAs and policies a second */
#define PACE_BINDINGS 200000u /* bindings */
#define SLICE_S       0.05
#define TAKEN_MOST    1.0 /* percent */

struct counted { /* trials that count: blocked ms, cycles a packet, us; packets of them all */
	struct runs_values blocked, cycles, latency;
	uint64_t lost, packets;
};

struct result {
	struct counted clean, apart; /* nothing lost beside them; nothing but in gaps */
	struct runs_values rate;     /* changes a second */
	unsigned trials;
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

static void count(
	struct counted *counted, const struct load_phase *found, uint64_t lost, double rate)
{
	runs_add(&counted->blocked, (double)lost / rate * 1e3);
	runs_add(&counted->cycles,
		found->busy_seconds * (double)worker->tsc_hz / (double)found->packets);
	runs_add(&counted->latency, load_latency(found, 0.99) / 1e3);
	counted->lost += lost;
	counted->packets += found->packets;
}

static uint64_t outside_gaps(const struct load_phase *phase)
{
	return phase->lost - phase->lost_in_gaps;
}

/* True when the trial counts without a word about gaps. */
static bool note(const struct load *load, enum phase change, double rate, struct result *result)
{
	const struct load_phase *found = &load->phases[change],
				*before = &load->phases[QUIET + change - ADD], *after = before + 1;
	const uint64_t lost = before->lost + after->lost;
	const uint64_t lost_in_gaps = before->lost_in_gaps + after->lost_in_gaps;

	printf("trial %u, %s: lost %llu, in gaps %llu; beside it %llu, in gaps %llu\n",
		++result->trials, names[change], (unsigned long long)found->lost,
		(unsigned long long)found->lost_in_gaps, (unsigned long long)lost,
		(unsigned long long)lost_in_gaps);
	if (found->packets == 0)
		return false;
	if (outside_gaps(before) + outside_gaps(after) == 0)
		count(&result->apart, found, outside_gaps(found), rate);
	if (lost > 0)
		return false;
	count(&result->clean, found, found->lost, rate);
	return true;
}

/* True when it counts for each of the changes. */
static bool trial(double rate, uint32_t entries, double seconds, struct result *results)
{
	struct load *load = malloc(sizeof(*load));
	bool good = true;

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
		good = note(load, change, rate, &results[change]) && good;
	if (load->switches > 0)
		printf("the worker slept %llu times\n", (unsigned long long)load->switches);
	free(load);
	return good;
}

static bool enough(const struct result *results, unsigned runs)
{
	for (enum phase change = ADD; change < CHANGES; change++)
		if (results[change].clean.blocked.count < runs)
			return false;
	return true;
}

/* ---- what the worker loses ---- */

enum { PACED_WARM, BESIDE, CHANGING };

static void spin_until(double end)
{
	while (wall_s() < end)
		;
}

/* An entry's pair and policy, its binding, and in the same measure three other bindings. */
static void paced_change(enum phase phase, uint32_t entry, uint32_t entries)
{
	change(phase, STABLE + entry);
	for (unsigned k = 1; phase != REMOVE && k < PACE_BINDINGS / PACE; k++)
		load_binding_set(STABLE + (uint32_t)((entry + (uint64_t)k * entries / 4) % entries),
			phase == MOVE);
}

static void paced_changes(struct load *load, enum phase phase, uint32_t entries)
{
	for (uint32_t i = 0; i < entries;) {
		load->phase = BESIDE;
		spin_until(wall_s() + SLICE_S);
		load->phase = CHANGING;
		double start = wall_s();
		for (unsigned n = 0; n < PACE * SLICE_S && i < entries; n++) {
			paced_change(phase, i++, entries);
			spin_until(start + (n + 1) / (double)PACE);
		}
	}
	esp_pairs_policy_commit();
	uint64_t token = tables_publish(worker->tables);
	while (!tables_synced(worker->tables, token))
		sched_yield();
}

static double busy(const struct load_phase *phase)
{
	if (phase->packets == 0) {
		fprintf(stderr, "update_bench: the worker never ran\n");
		exit(1);
	}
	return phase->busy_seconds / (double)phase->packets;
}

/* Percent of the worker's time, over so many seconds of changes and as many beside them. */
static double time_taken(uint32_t most, double seconds)
{
	uint32_t wanted = (uint32_t)(PACE * seconds / (CHANGES - ADD));
	uint32_t entries = wanted < most ? wanted : most;
	struct load *load = malloc(sizeof(*load));
	double percent;

	if (!load || entries == 0)
		exit(1);
	load_start(load, worker, STABLE, 0);
	load_wait(load, PACED_WARM, seconds / 4);
	for (enum phase change = ADD; change < CHANGES; change++)
		paced_changes(load, change, entries);
	load_end(load);
	percent = 100 * (busy(&load->phases[CHANGING]) / busy(&load->phases[BESIDE]) - 1);
	free(load);
	return percent;
}

static void time_taken_figure(uint32_t entries, struct runs runs)
{
	struct runs_values percents = {0};

	for (unsigned n = 0; n < runs.count; n++)
		runs_add(&percents, time_taken(entries, runs.seconds));
	printf("{\"figure\": \"worker time taken by %u pairs, %u bindings changed a second\", "
	       "\"entries\": %u, \"unit\": \"%%\", ",
		PACE, PACE_BINDINGS, entries);
	runs_print(&percents);
	printf(", \"target\": %.0f, \"pass\": %s}\n", TAKEN_MOST,
		runs_median(&percents) <= TAKEN_MOST ? "true" : "false");
	fflush(stdout);
}

static void figures(
	const struct result *result, const char *name, uint32_t entries, unsigned runs, double rate)
{
	printf("{\"figure\": \"pairs, policies and bindings %s under load\", \"entries\": %u, "
	       "\"unit\": \"1/s\", ",
		name, entries);
	runs_print(&result->rate);
	puts("}");
	bool apart = result->clean.blocked.count < runs;
	const struct counted *counted = apart ? &result->apart : &result->clean;
	if (counted->blocked.count == 0) {
		printf("%s: none of %u trials without loss where nothing changes: nothing can be "
		       "said\n",
			name, result->trials);
		return;
	}
	printf("{\"figure\": \"blocked by changes: %u pairs, policies, bindings %s\", \"entries\": "
	       "%u, \"size\": 64, \"direction\": \"out\", \"udp\": false, \"unit\": \"ms\", ",
		entries, name, entries);
	runs_print(&counted->blocked);
	printf(", \"gaps_apart\": %s, \"lost\": %llu, \"packets\": %llu, \"trials\": %u, "
	       "\"load_mpps\": %.3f, \"latency_p99_us\": %.1f, \"cycles_per_packet\": %.1f, "
	       "\"target\": 0, \"pass\": %s}\n",
		apart ? "true" : "false", (unsigned long long)counted->lost,
		(unsigned long long)counted->packets, result->trials, rate / 1e6,
		runs_median(&counted->latency), runs_median(&counted->cycles),
		runs_median(&counted->blocked) == 0 ? "true" : "false");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint32_t entries = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 100000;
	static struct result results[CHANGES];
	struct runs runs = runs_wanted(5, 2);
	struct region_limits limits = {.bindings = entries + STABLE};
	bool good = false;
	double rate = 0;

	if (entries == 0 || entries > 1000000)
		return 64;
	esp_pairs_limits(&limits, entries + STABLE, entries + STABLE);
	path_bench_init("update_bench", &limits, &worker);
	esp_pairs_init(worker, 1, entries + STABLE, LIBRARY_PRIVATE);
	load_tables(worker, STABLE);
	for (unsigned n = 0; n < TRIES * runs.count && !enough(results, runs.count); n++) {
		if (!good)
			rate = SHARE * load_without_loss(worker, STABLE, runs.seconds);
		good = trial(rate, entries, runs.seconds, results);
	}
	for (enum phase change = ADD; change < CHANGES; change++)
		figures(&results[change], names[change], entries, runs.count, rate);
	time_taken_figure(entries, runs);
	esp_pairs_fini();
	return path_bench_fini();
}
