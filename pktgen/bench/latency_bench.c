/*
 * How long a packet waits and is worked on at 10, 50 and 90 % of the load that the worker can
 * carry, port queue to transmit buffer, in the process alone (load.h has the clock); half IP-in-IP,
 * half ESP. Wires, ports and interrupts come on top: docs/performance.md.
 *
 *   latency_bench
 */
#include "pktgen/bench/load.h"
#include "pktgen/bench/runs.h"

#include <stdio.h>
#include <stdlib.h>

#define STABLE 1000

static const double shares[] = {0.5, 0.99, 0.999};
static const char *const share_names[] = {"median", "99 %", "99.9 %"};

static void measure(struct worker *worker, unsigned percent, double most, struct runs runs)
{
	struct runs_values values[RTE_DIM(shares)] = {0};
	struct load *load = malloc(sizeof(*load));
	uint64_t lost = 0;

	for (unsigned r = 0; load && r < runs.count; r++) {
		load_start(load, worker, STABLE, most * percent / 100);
		load_wait(load, 0, runs.seconds / 4);
		load->phase = 1;
		load_wait(load, 1, runs.seconds);
		load_end(load);
		lost += load->phases[1].lost;
		for (unsigned i = 0; i < RTE_DIM(shares); i++)
			runs_add(&values[i], load_latency(&load->phases[1], shares[i]) / 1e3);
	}
	free(load);
	for (unsigned i = 0; i < RTE_DIM(shares); i++) {
		printf("{\"figure\": \"a packet at %u %% of the load, %s\", \"size\": 64, "
		       "\"direction\": \"out\", \"unit\": \"us\", ",
			percent, share_names[i]);
		runs_print(&values[i]);
		printf(", \"load_mpps\": %.3f, \"lost\": %llu}\n", most * percent / 1e8,
			(unsigned long long)lost);
	}
	fflush(stdout);
}

int main(void)
{
	struct region_limits limits = {.bindings = STABLE};
	struct runs runs = runs_wanted(5, 2);
	struct worker *worker;

	esp_pairs_limits(&limits, STABLE, STABLE);
	path_bench_init("latency_bench", &limits, &worker);
	esp_pairs_init(worker, 1, STABLE, LIBRARY_PRIVATE);
	load_tables(worker, STABLE);
	double most = load_without_loss(worker, STABLE, runs.seconds);
	measure(worker, 10, most, runs);
	measure(worker, 50, most, runs);
	measure(worker, 90, most, runs);
	esp_pairs_fini();
	return path_bench_fini();
}
