/*
 * The search for a throughput, after MLRsearch (draft-ietf-bmwg-mlrsearch): which load to try next,
 * and what the trials so far say. The caller does the trials. Pure: no clock, no port, no
 * randomness, so that simulated systems test it.
 *
 * A goal is a loss ratio and how sure one wants to be. A load is a lower bound of a goal when its
 * trials lost no more than the goal's ratio, an upper bound when they did; as a system under test
 * is noisy, a load is tried until trials of `duration_sum_s` agree, and up to `exceed_ratio` of
 * that time may be bad at a lower bound. Between a lower and an upper bound within `width` lies the
 * throughput. Trials serve all goals: one that was too lossy for NDR may be a lower bound of PDR.
 *
 * Goals are approached in stages: wide bounds from single trials first, the final width and the
 * whole duration sum last, so that long measurements happen near the result alone.
 *
 * Loads in whole packets a second. One thread.
 */
#ifndef PKTGEN_GENERATOR_SEARCH_H
#define PKTGEN_GENERATOR_SEARCH_H

#include <stdbool.h>

#define SEARCH_GOALS_MAX  4
#define SEARCH_LOADS_MAX  1024
#define SEARCH_LOSSES_MAX 64

struct search_goal {
	double loss_ratio;     /* 0: NDR */
	double exceed_ratio;   /* 0.5 */
	double width;          /* (upper - lower) / upper, 0.005 */
	double duration_sum_s; /* 21 */
	double trial_s;        /* 1 */
};

struct search_trial {
	double load;       /* as asked for */
	double duration_s; /* as asked for */
	double loss_ratio; /* what was not sent in time counts as lost */
};

/* What is known of one load. */
struct search_load {
	double load;
	unsigned trial_count;
	double duration_s[SEARCH_GOALS_MAX][2]; /* of the trials of each goal: good, bad */
	double loss_sum;                        /* of the trials' ratios */
	unsigned loss_count;
	double losses[SEARCH_LOSSES_MAX]; /* the trials' ratios, the lowest ones, ascending */
};

struct search_result {
	bool found_lower, found_upper; /* without lower: even the smallest load loses more; without
					  upper: even the largest does not */
	double lower, upper;           /* loads */
	double throughput; /* conditional: the lower bound less what at most goal.exceed_ratio of
			      its trials lost more than */
	double loss_ratio; /* mean of the trials at the lower bound */
};

struct search {
	struct search_goal goals[SEARCH_GOALS_MAX];
	unsigned goal_count;
	double min, max;
	unsigned goal, stage; /* at work */
	unsigned trial_count;
	bool full; /* no room for another load */
	unsigned load_count;
	struct search_load loads[SEARCH_LOADS_MAX]; /* ascending */
};

/* Whole numbers, 0 < min <= max; goals are copied and reached in this order; their trials are
 * equally long. */
void search_init(struct search *search, double min, double max, const struct search_goal *goals,
	unsigned goal_count);
/* The next trial; false when all goals are reached. */
bool search_next(struct search *search, double *load, double *duration_s);
/* What the trial gave. */
void search_add(struct search *search, const struct search_trial *trial);
/* Of goal number `index` as given to search_init; provisional before search_next returned false. */
struct search_result search_result_get(const struct search *search, unsigned index);

#endif
