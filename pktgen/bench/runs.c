#include "pktgen/bench/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct runs runs_wanted(unsigned count, double seconds)
{
	const char *runs = getenv("BENCH_RUNS"), *run_s = getenv("BENCH_RUN_S");

	if (runs)
		count = (unsigned)strtoul(runs, NULL, 10);
	if (run_s)
		seconds = strtod(run_s, NULL);
	return (struct runs){count == 0 ? 1 : count <= RUNS_MAX ? count : RUNS_MAX, seconds};
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double ranked(const struct runs_values *values, unsigned rank)
{
	struct runs_values copy = *values;

	if (copy.count == 0)
		return 0;
	qsort(copy.values, copy.count, sizeof(double), compare);
	return copy.values[rank];
}

void runs_add(struct runs_values *values, double value)
{
	if (values->count < RUNS_MAX)
		values->values[values->count++] = value;
}

double runs_median(const struct runs_values *values)
{
	return ranked(values, values->count / 2);
}

double runs_low(const struct runs_values *values)
{
	return ranked(values, 0);
}

double runs_high(const struct runs_values *values)
{
	return ranked(values, values->count ? values->count - 1 : 0);
}

void runs_print(const struct runs_values *values)
{
	printf("\"value\": %.6g, \"runs\": %u, \"spread\": [%.6g, %.6g]", runs_median(values),
		values->count, runs_low(values), runs_high(values));
}
