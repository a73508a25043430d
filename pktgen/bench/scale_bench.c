/*
 * Two workers against one, through the whole pipeline: ESP out and in, random pairs of their own,
 * and one fat SA that both workers share. 64 octets, AES-128-GCM, a replay window where it is in.
 *
 *   scale_bench [PAIRS [copies | shared | owned | apart]]     default 1000 copies
 *
 * Each worker is a thread on a processor of its own with its own engine and mbufs; all read the
 * same tables. "copies": each has its own copy of the crypto library; "one library": they share it,
 * whose error word every call writes; "owned": every SA is one worker's.
 *
 * "apart" says what the machine lets two processors do: two processes, each with tables, SAs, mbufs
 * and library of its own, nothing shared but the clock by which it is told whether both ran. What
 * they miss of twice one is the third cache's, the memory's, the clock frequency's and the
 * neighbours'; two workers can reach no more.
 *
 * A processor here is half of a core whose other half may be somebody else's, now of one, now of
 * the other (one was seen to be 1.8 times as fast as its neighbour for minutes), or the two are
 * the halves of one core for some tenths of a second. So one worker is measured on either
 * processor, by turns of a tenth of a second with both; "two workers to one" is the sum of what
 * each keeps of its own speed while the other runs; and what ran on one core is left out and told
 * ("one_core"). Until 2026-11-21 one worker was measured on processor 0 alone, its frames were
 * those that the main thread had just made on the same processor, and a worker on a fat SA looked
 * at the other one's place with every burst; the same code gave 1.2 to 2.0 then. scale_run.h has
 * what counts of a run.
 *
 * The fat SA: each worker has flows of its own inside it. Out, both take numbers from the one
 * counter, each worker's packets must leave with rising numbers, and no number twice; in, packets
 * are sealed in order and dealt out in turn, so both workers move one window, and each worker's
 * must all pass.
 *
 * "steered": each worker receives packets of SAs of its own, as behind a device that spreads by
 * address or SPI; "unsteered": of anybody's, so both write each SA's state, or, where SAs are owned
 * (docs/decisions/0100), half of the packets are handed over. One worker beside them has its half
 * of the SAs in both cases.
 */
#include "pktgen/bench/scale_run.h"

#include "pktgen/bench/esp_pairs.h"
#include "pktgen/bench/runs.h"

#include "dataplane/handover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOTH   ((1u << SCALE_WORKERS) - 1)
#define TURN_S 0.1

static struct worker *workers;
static bool quiet; /* the other process prints */

/* What was measured of one or of two workers. */
struct cell {
	struct runs_values mpps, cycles; /* of all workers together; a packet */
	struct runs_values counted, waited, one_core;
	uint64_t disordered;
};

static void figure(
	const char *name, const struct scale_shape *shape, const struct cell *cell, unsigned count)
{
	if (quiet)
		return;
	printf("{\"figure\": \"%s, %u worker%s\", \"direction\": \"%s\", \"suite\": "
	       "\"aes-128-gcm\", \"size\": %u, \"entries\": %u, \"udp\": false, \"workers\": %u, "
	       "\"cycles_per_packet\": %.0f, \"mpps\": %.3f, \"gbps\": %.3f, \"unit\": \"Mpps\", "
	       "\"disordered\": %llu, \"counted\": %.2f, \"waited\": %.2f, \"one_core\": %.2f, ",
		name, count, count > 1 ? "s" : "", shape->direction == SCALE_OUT ? "out" : "in",
		SCALE_SIZE, shape->pairs, count, runs_median(&cell->cycles),
		runs_median(&cell->mpps), runs_median(&cell->mpps) * SCALE_SIZE * 8 / 1000,
		(unsigned long long)cell->disordered, runs_median(&cell->counted),
		runs_median(&cell->waited), runs_median(&cell->one_core));
	runs_print(&cell->mpps);
	printf("}\n");
}

static void ratio(const char *name, const struct runs_values *ratios, double target, bool right)
{
	if (quiet)
		return;
	printf("{\"figure\": \"%s\", \"unit\": \"ratio\", ", name);
	runs_print(ratios);
	if (target > 0)
		printf(", \"target\": %.1f, \"pass\": %s", target,
			runs_median(ratios) >= target && right ? "true" : "false");
	printf("}\n");
	fflush(stdout);
}

static void cell_add(
	struct cell *cell, double packets_a_cycle, unsigned count, const struct scale_sums *sums)
{
	runs_add(&cell->mpps, packets_a_cycle * (double)workers[0].tsc_hz / 1e6);
	runs_add(&cell->cycles, count / packets_a_cycle);
	runs_add(&cell->counted, (double)sums->good / (double)sums->pieces);
	runs_add(&cell->waited, sums->present ? (double)sums->waited / (double)sums->present : 0);
	runs_add(&cell->one_core, (double)sums->one_core / (double)sums->batches);
	cell->disordered += sums->disordered;
}

/* One run: each alone and both, by turns. Returns how much of its own speed each keeps beside the
 * other, together. */
static double run(struct scale_shape shape, double seconds, struct cell *one, struct cell *two)
{
	const unsigned turns = seconds > TURN_S ? (unsigned)(seconds / TURN_S) : 1;
	struct scale_sums sums[1 << SCALE_WORKERS] = {0};
	double alone[SCALE_WORKERS], together[SCALE_WORKERS];

	for (unsigned turn = 0; turn < turns; turn++) {
		for (shape.who = 1; shape.who < 1 << SCALE_WORKERS; shape.who++)
			scale_run(&shape, shape.who == BOTH ? seconds / turns : seconds / turns / 2,
				&sums[shape.who]);
	}
	if (quiet)
		return 1;
	for (unsigned w = 0; w < SCALE_WORKERS; w++) {
		alone[w] = scale_run_rate(&sums[1 << w], w);
		together[w] = scale_run_rate(&sums[BOTH], w);
	}
	cell_add(one, (alone[0] + alone[1]) / 2, 1, &sums[1]);
	cell_add(two, together[0] + together[1], 2, &sums[BOTH]);
	return together[0] / alone[0] + together[1] / alone[1];
}

static void scale(struct scale_shape shape, const char *how, const char *last, double target)
{
	struct runs runs = runs_wanted(5, 0);
	struct cell one = {0}, two = {0};
	struct runs_values ratios = {0};
	const char *only = getenv("BENCH_ONLY"); /* what figures begin with */
	char name[112], whole[160];

	snprintf(name, sizeof(name), "ESP %s, %s%u SA%s, %s",
		shape.direction == SCALE_OUT ? "out" : "in",
		shape.pairs == 1 ? "the fat one: " : "", shape.pairs, shape.pairs > 1 ? "s" : "",
		how);
	if (only && strncmp(name, only, strlen(only)) != 0)
		return;
	for (unsigned r = 0; r < runs.count; r++)
		runs_add(&ratios, run(shape, runs.seconds, &one, &two));
	figure(name, &shape, &one, 1);
	figure(name, &shape, &two, 2);
	snprintf(whole, sizeof(whole), "%s: %s", name, last);
	ratio(whole, &ratios, target, two.disordered == 0);
}

static void owners_open(void)
{
	struct worker *all[SCALE_WORKERS];
	struct sa_owner *owner = tables_sas_own(workers[0].tables, SCALE_WORKERS);

	for (unsigned i = 0; i < SCALE_WORKERS; i++)
		all[i] = &workers[i];
	if (!owner || handover_open(all, SCALE_WORKERS, owner)) {
		fprintf(stderr, "bench: no memory for owners of SAs\n");
		exit(1);
	}
}

static void figures(uint32_t pairs, const char *mode)
{
	static const char last[] = "two workers to one";
	bool shared = strcmp(mode, "shared") == 0, owned = strcmp(mode, "owned") == 0;
	const char *how = shared ? "one library" : owned ? "owned" : "copies";
	char name[48];

	for (enum scale_direction d = SCALE_OUT; d <= SCALE_IN; d++) {
		snprintf(name, sizeof(name), "%s, steered", how);
		scale((struct scale_shape){d, SCALE_STEERED, pairs, 0}, name, last,
			shared ? 0 : 1.9);
		if (shared)
			continue;
		snprintf(name, sizeof(name), "%s, unsteered", how);
		scale((struct scale_shape){d, SCALE_UNSTEERED, pairs, 0}, name, last,
			owned ? 1.0 : 0);
		if (!owned)
			scale((struct scale_shape){d, SCALE_UNSTEERED, 1, 0}, how, last, 1.6);
	}
}

static void figures_apart(uint32_t pairs)
{
	for (enum scale_direction d = SCALE_OUT; d <= SCALE_IN; d++)
		scale((struct scale_shape){d, SCALE_STEERED, pairs, 0},
			"two processes that share nothing", "both to one, the machine's own", 0);
}

/* A library copy is chosen once a process, and so is who owns SAs. */
int main(int argc, char **argv)
{
	uint32_t pairs = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1000;
	const char *mode = argc > 2 ? argv[2] : "copies";
	bool apart = strcmp(mode, "apart") == 0;
	unsigned count = apart ? 1 : SCALE_WORKERS;
	struct region_limits limits = {.bindings = 1, .workers = count};
	int status;

	if (pairs < 2 || pairs > 100000)
		return 64;
	quiet = scale_run_begin(apart) != 0;
	esp_pairs_limits(&limits, pairs, pairs);
	path_bench_init("scale_bench", &limits, &workers);
	esp_pairs_init(workers, count, pairs,
		strcmp(mode, "shared") == 0 ? LIBRARY_SHARED : LIBRARY_PRIVATE);
	if (strcmp(mode, "owned") == 0)
		owners_open();
	for (uint32_t i = 0; i < pairs; i++) {
		esp_pairs_set(i, true, false, 0);
		esp_pairs_policy_set(i);
	}
	esp_pairs_policy_commit();
	scale_run_workers(workers);
	if (apart)
		figures_apart(pairs);
	else
		figures(pairs, mode);
	for (unsigned i = 0; i < count; i++)
		handover_close(&workers[i]);
	esp_pairs_fini();
	status = path_bench_fini();
	return scale_run_end(status);
}
