/*
 * How long a figure is measured: in runs of some seconds each. scripts/bench asks for both through
 * the environment, BENCH_RUNS and BENCH_RUN_S; a program that is started by hand takes its own.
 */
#ifndef PKTGEN_BENCH_RUNS_H
#define PKTGEN_BENCH_RUNS_H

#include <stdbool.h>

#define RUNS_MAX 64

struct runs {
	unsigned count;
	double seconds; /* of each; 0: as little as the program can do */
};

/* From the environment, or the given ones. */
struct runs runs_wanted(unsigned count, double seconds);

/* One value a run. */
struct runs_values {
	unsigned count;
	double values[RUNS_MAX];
};

void runs_add(struct runs_values *values, double value);
double runs_median(const struct runs_values *values);
double runs_low(const struct runs_values *values);
double runs_high(const struct runs_values *values);
/* Prints `"value": median, "runs": n, "spread": [low, high]`. */
void runs_print(const struct runs_values *values);

#endif
