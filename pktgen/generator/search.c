#include "pktgen/generator/search.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Stages before the last: from single trials, with bounds this many times as wide. */
#define STAGES       4
#define STAGE_FACTOR 4.0

enum { GOOD, BAD };

void search_init(struct search *search, double min, double max, const struct search_goal *goals,
	unsigned goal_count)
{
	assert(goal_count <= SEARCH_GOALS_MAX && min > 0 && min <= max);
	for (unsigned i = 1; i < goal_count; i++)
		assert(goals[i].trial_s == goals[0].trial_s);
	memset(search, 0, sizeof(*search));
	search->min = min;
	search->max = max;
	search->goal_count = goal_count;
	memcpy(search->goals, goals, goal_count * sizeof(*goals));
}

static double stage_width(const struct search_goal *goal, unsigned stage)
{
	double width = goal->width;

	for (; stage + 2 < STAGES; stage++)
		width *= STAGE_FACTOR;
	return width < 0.5 ? width : 0.5;
}

/* What most of its trials say. */
static bool is_upper(const struct search *search, unsigned goal, const struct search_load *load)
{
	const double *duration = load->duration_s[goal];

	return duration[BAD] > search->goals[goal].exceed_ratio * (duration[GOOD] + duration[BAD]);
}

/* Nothing that the rest of the goal's duration sum could bring would change what they say. */
static bool is_sure(const struct search *search, unsigned goal, const struct search_load *load)
{
	const struct search_goal *wanted = &search->goals[goal];
	double good = load->duration_s[goal][GOOD], bad = load->duration_s[goal][BAD];
	double missing = wanted->duration_sum_s - good - bad;

	if (missing <= 0)
		return true;
	return bad > wanted->exceed_ratio * wanted->duration_sum_s ||
	       bad + missing <= wanted->exceed_ratio * wanted->duration_sum_s;
}

struct bounds {
	const struct search_load *lower, *upper;
};

/*
 * The lowest upper bound and the highest lower bound below it. So a lossy load below a good one is
 * taken at its word and the result is the lower one (MLRsearch's relevant bounds).
 */
static struct bounds bounds_find(const struct search *search, unsigned goal)
{
	struct bounds bounds = {0};

	for (unsigned i = 0; i < search->load_count && !bounds.upper; i++) {
		const struct search_load *load = &search->loads[i];
		if (is_upper(search, goal, load))
			bounds.upper = load;
		else
			bounds.lower = load;
	}
	return bounds;
}

/* As much as the only trial so far delivered. */
static double load_delivered(const struct search *search)
{
	const struct search_load *load = &search->loads[0];

	return load->load * (1 - load->losses[0]);
}

/* Below the lowest upper bound, in steps that double with each upper bound that lies near. */
static double load_below(
	const struct search *search, unsigned goal, const struct search_load *upper, double width)
{
	const struct search_load *end = search->loads + search->load_count;
	double step = width;

	if (search->load_count == 1 && load_delivered(search) < upper->load * (1 - width))
		return fmax(floor(load_delivered(search)), search->min);
	for (const struct search_load *load = upper + 1;
		load < end && load->load < 1.5 * upper->load && step < 0.5; load++)
		if (is_upper(search, goal, load))
			step *= 2;
	return fmax(floor(upper->load * (step < 0.5 ? 1 - step : 0.5)), search->min);
}

/* The next load for a goal at a stage; 0 when the stage is reached. */
static double load_for(const struct search *search, unsigned goal, unsigned stage)
{
	struct bounds bounds = bounds_find(search, goal);
	double width = stage_width(&search->goals[goal], stage);
	bool last = stage == STAGES - 1;

	if (!bounds.upper && !bounds.lower)
		return search->max;
	/* Sure of the lower bound first: when it falls, the upper one does not matter. */
	if (last && bounds.lower && !is_sure(search, goal, bounds.lower))
		return bounds.lower->load;
	if (last && bounds.upper && !is_sure(search, goal, bounds.upper))
		return bounds.upper->load;
	if (!bounds.upper)
		return bounds.lower->load >= search->max ? 0 : search->max;
	if (!bounds.lower)
		return bounds.upper->load <= search->min
			       ? 0
			       : load_below(search, goal, bounds.upper, width);
	if (bounds.upper->load - bounds.lower->load <= fmax(width * bounds.upper->load, 1))
		return 0;
	return fmax(floor(sqrt(bounds.lower->load * bounds.upper->load)), bounds.lower->load + 1);
}

bool search_next(struct search *search, double *load, double *duration_s)
{
	for (; search->goal < search->goal_count; search->goal++, search->stage = 0) {
		for (; search->stage < STAGES; search->stage++) {
			*load = load_for(search, search->goal, search->stage);
			*duration_s = search->goals[search->goal].trial_s;
			if (*load > 0 && !search->full)
				return true;
		}
	}
	return false;
}

/* The record of a load, made when it is new; NULL when there is no room. */
static struct search_load *load_get(struct search *search, double load)
{
	unsigned at = 0;

	while (at < search->load_count && search->loads[at].load < load)
		at++;
	if (at < search->load_count && search->loads[at].load == load)
		return &search->loads[at];
	if (search->load_count == SEARCH_LOADS_MAX)
		return NULL;
	memmove(&search->loads[at + 1], &search->loads[at],
		(search->load_count - at) * sizeof(search->loads[0]));
	search->load_count++;
	search->loads[at] = (struct search_load){.load = load};
	return &search->loads[at];
}

static void loss_note(struct search_load *load, double loss_ratio)
{
	unsigned at = load->loss_count;

	while (at > 0 && load->losses[at - 1] > loss_ratio)
		at--;
	if (at == SEARCH_LOSSES_MAX)
		return;
	load->loss_count += load->loss_count < SEARCH_LOSSES_MAX;
	memmove(&load->losses[at + 1], &load->losses[at],
		(load->loss_count - 1 - at) * sizeof(load->losses[0]));
	load->losses[at] = loss_ratio;
}

void search_add(struct search *search, const struct search_trial *trial)
{
	struct search_load *load = load_get(search, trial->load);

	search->trial_count++;
	if (!load) {
		search->full = true;
		return;
	}
	load->trial_count++;
	load->loss_sum += trial->loss_ratio;
	loss_note(load, trial->loss_ratio);
	for (unsigned goal = 0; goal < search->goal_count; goal++)
		load->duration_s[goal][trial->loss_ratio <= search->goals[goal].loss_ratio ? GOOD
											   : BAD] +=
			trial->duration_s;
}

/*
 * The loss ratio at the goal's quantile (MLRsearch's conditional throughput): of so many trials as
 * the duration sum wants, but for those that may exceed, the highest. What is not measured counts
 * as lost, but a lower bound lost no more than the goal's ratio.
 */
static double quantile_loss(const struct search_goal *goal, const struct search_load *load)
{
	double whole = fmax(goal->duration_sum_s, load->trial_count * goal->trial_s);
	double remaining = whole * (1 - goal->exceed_ratio), loss = load->losses[0];

	for (unsigned i = 0; i < load->loss_count && remaining > 0; i++) {
		loss = load->losses[i];
		remaining -= goal->trial_s;
	}
	return remaining > 0 ? goal->loss_ratio : fmin(loss, goal->loss_ratio);
}

struct search_result search_result_get(const struct search *search, unsigned index)
{
	struct bounds bounds = bounds_find(search, index);
	struct search_result result = {
		.found_lower = bounds.lower != NULL,
		.found_upper = bounds.upper != NULL,
		.lower = bounds.lower ? bounds.lower->load : 0,
		.upper = bounds.upper ? bounds.upper->load : 0,
	};

	if (bounds.lower) {
		result.throughput = bounds.lower->load *
				    (1 - quantile_loss(&search->goals[index], bounds.lower));
		result.loss_ratio = bounds.lower->loss_sum / bounds.lower->trial_count;
	}
	return result;
}
