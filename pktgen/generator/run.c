#include "pktgen/generator/run.h"

#include "pktgen/generator/gateway_config.h"
#include "pktgen/generator/obstacles.h"
#include "pktgen/generator/report.h"
#include "pktgen/generator/search.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

struct run {
	struct generator *generator;
	struct trial *trial; /* the latest; one at a time, it is large */
	json_t *report, *trials;
	bool imperfect; /* something was lost, doubled or wrong in a counted trial or outside */
	uint32_t told;  /* obstacles, obstacles.h */
};

/* Whether all that came was right, and once. What may be doubled is not known to be right. */
static bool is_imperfect(const struct tally *tally)
{
	uint64_t wrong = tally_fault_count(tally);

	for (unsigned i = 0; i < PROFILE_GROUPS_MAX; i++)
		for (unsigned k = 0; k < 2; k++)
			wrong += tally->received[i][k].duplicates + tally->received[i][k].beyond;
	return wrong != 0;
}

static void obstacles_say(struct run *run, const char *name, uint64_t wanted, uint64_t sent,
	const struct tally *tally)
{
	const struct profile *profile = run->generator->profile;
	const struct obstacles_trial trial = {
		name, wanted, sent, .search = profile->search_count != 0};

	obstacles_tell(stderr, profile, &trial, tally, &run->told);
}

static void trial_note(struct run *run)
{
	const struct trial *trial = run->trial;

	json_array_append_new(run->trials, report_trial(run->generator, trial));
	run->imperfect |= trial->received != trial->wanted || is_imperfect(&trial->tally);
	obstacles_say(run, trial->settings.name, trial->wanted, trial->sent, &trial->tally);
}

static int warm_up(struct run *run)
{
	const struct profile_traffic *traffic = &run->generator->profile->traffic;
	const struct trial_settings settings = {
		.rate = traffic->rate, .duration_ms = traffic->warm_up_ms, .name = "warm-up"};

	if (!traffic->warm_up_ms)
		return 0;
	int result = trial_run(run->generator, &settings, run->trial);
	/* It counts for nothing but the sum that a gateway's counters are compared with. */
	json_object_set_new(run->report, "warm_up", report_trial(run->generator, run->trial));
	return result;
}

static int trials(struct run *run)
{
	const struct profile_traffic *traffic = &run->generator->profile->traffic;
	int result = 0;

	for (unsigned i = 0; !result && i < traffic->trials; i++) {
		const struct trial_settings settings = {
			.rate = traffic->rate,
			.packets = traffic->packets,
			.duration_ms = traffic->duration_ms,
			.name = "trial",
		};
		result = trial_run(run->generator, &settings, run->trial);
		trial_note(run);
	}
	return result;
}

static int replays(struct run *run)
{
	struct generator *g = run->generator;
	struct replay *replay = malloc(sizeof(*replay));
	int result = replay ? replay_run(g, replay) : -ENOMEM;

	if (!replay) {
		snprintf(g->error, sizeof(g->error), "no memory for the counters");
		return result;
	}
	json_object_set_new(run->report, "replay", report_replay(g, replay));
	run->imperfect |= replay->sent != replay->wanted;
	obstacles_say(run, "replay", replay->wanted, replay->sent, &replay->tally);
	free(replay);
	return result;
}

/* ---- searching ---- */

static void progress_tell(const struct search *search, const struct trial *trial)
{
	fprintf(stderr, "search: trial %u: %.0f/s for %.3g s, lost %.6f %%%s\n",
		search->trial_count, (double)trial->settings.rate, trial->seconds,
		trial->loss_ratio * 100, tally_fault_count(&trial->tally) ? ", FAULTS" : "");
}

/* A rate that the system under test forwards, or the end of the range. */
static json_t *result_report(const struct search *search, const struct profile_search *settings,
	const struct search_result *result)
{
	json_t *object = json_object();

	json_object_set_new(object, "name", json_string(settings->name));
	json_object_set_new(object, "goal_loss_ratio", json_real((double)settings->loss_ppm / 1e6));
	json_object_set_new(object, "goal_width", json_real((double)settings->width_ppm / 1e6));
	json_object_set_new(
		object, "goal_exceed_ratio", json_real((double)settings->exceed_ppm / 1e6));
	json_object_set_new(
		object, "goal_duration_sum_s", json_real((double)settings->duration_sum_ms / 1e3));
	json_object_set_new(
		object, "lower_pps", result->found_lower ? json_real(result->lower) : json_null());
	json_object_set_new(
		object, "upper_pps", result->found_upper ? json_real(result->upper) : json_null());
	json_object_set_new(object, "throughput_pps",
		result->found_lower ? json_real(result->throughput) : json_null());
	json_object_set_new(object, "loss_ratio_at_lower",
		result->found_lower ? json_real(result->loss_ratio) : json_null());
	json_object_set_new(object, "trials", json_integer(search->trial_count));
	return object;
}

static void result_tell(const char *name, const struct search_result *result)
{
	if (result->found_lower && result->found_upper)
		fprintf(stderr, "%s: between %.0f/s and %.0f/s\n", name, result->lower,
			result->upper);
	else if (result->found_lower)
		fprintf(stderr, "%s: at least %.0f/s, the most that was tried\n", name,
			result->lower);
	else if (result->found_upper)
		fprintf(stderr, "%s: less than %.0f/s, the least that was tried\n", name,
			result->upper);
}

static void searches_report(struct run *run, const struct search *search)
{
	const struct profile *profile = run->generator->profile;
	json_t *results = json_array();

	for (unsigned i = 0; i < profile->search_count; i++) {
		struct search_result result = search_result_get(search, i);
		json_array_append_new(
			results, result_report(search, &profile->searches[i], &result));
		result_tell(profile->searches[i].name, &result);
	}
	json_object_set_new(run->report, "searches", results);
}

static int searches(struct run *run)
{
	const struct profile *profile = run->generator->profile;
	struct search_goal goals[SEARCH_GOALS_MAX];
	struct search *search = malloc(sizeof(*search));
	double load, duration_s;

	if (!search) {
		snprintf(run->generator->error, sizeof(run->generator->error),
			"no memory for the search");
		return -ENOMEM;
	}
	int result = 0;
	for (unsigned i = 0; i < profile->search_count; i++)
		goals[i] = (struct search_goal){
			.loss_ratio = profile->searches[i].loss_ppm / 1e6,
			.exceed_ratio = profile->searches[i].exceed_ppm / 1e6,
			.width = profile->searches[i].width_ppm / 1e6,
			.duration_sum_s = profile->searches[i].duration_sum_ms / 1e3,
			.trial_s = profile->searches[i].trial_ms / 1e3,
		};
	search_init(search, (double)profile->search_min, (double)profile->search_max, goals,
		profile->search_count);
	while (!result && search_next(search, &load, &duration_s)) {
		const struct trial_settings settings = {
			.rate = (uint64_t)load,
			.duration_ms = (uint32_t)(duration_s * 1e3 + 0.5),
			.name = "search",
		};
		result = trial_run(run->generator, &settings, run->trial);
		trial_note(run);
		if (result)
			break;
		const struct search_trial trial = {load, duration_s, run->trial->loss_ratio};
		search_add(search, &trial);
		if (profile->progress_ms)
			progress_tell(search, run->trial);
	}
	searches_report(run, search);
	free(search);
	return result;
}

/* What failed is in generator->error and goes to the user and the report; a signal is no failure.
 */
static int excuse(struct run *run, int result, int status)
{
	if (!result || result == -EINTR)
		return EX_OK;
	fprintf(stderr, "homeport-pktgen: %s\n", run->generator->error);
	json_object_set_new(run->report, "error", json_string(run->generator->error));
	return status;
}

static int traffic(struct run *run, int *status)
{
	struct generator *g = run->generator;
	int result = generator_resolve(g, g->profile->resolve_ms);

	if (!result)
		result = generator_register(g);
	if (result) {
		*status = excuse(run, result, EX_UNAVAILABLE);
		return result;
	}
	if (g->profile->replay.file[0]) {
		result = replays(run);
		*status = excuse(run, result, result == -ETIMEDOUT ? EX_UNAVAILABLE : EX_NOINPUT);
		return result;
	}
	result = warm_up(run);
	if (!result)
		result = g->profile->search_count ? searches(run) : trials(run);
	*status = excuse(run, result, EX_OSERR);
	return result;
}

/* What happened beside the trials, and what the ports have to say. */
static void rest_note(struct run *run)
{
	struct generator *g = run->generator;

	receivers_collect(&g->receivers);
	run->imperfect |= is_imperfect(g->tally);
	obstacles_say(run, "outside the trials", 0, 0, g->tally);
	report_outside(run->report, g);
	report_registrations(run->report, g);
	report_moves(run->report, g);
	report_ports(run->report, g);
	for (unsigned i = 0; i < g->profile->port_count; i++)
		port_complain(&g->ports[i], stderr);
}

int run_all(struct generator *g, const struct options *options, int argc, char *const *argv)
{
	struct run run = {.generator = g, .trial = malloc(sizeof(*run.trial))};
	int status = EX_OK, result = report_try(options->report);

	if (result || !run.trial) {
		fprintf(stderr, "homeport-pktgen: %s: %s\n", options->report,
			run.trial ? strerror(-result) : "no memory for the counters");
		status = run.trial ? EX_CANTCREAT : EX_OSERR;
		free(run.trial);
		return status;
	}
	run.report = report_new(g, options->profile, argc, argv);
	run.trials = json_object_get(run.report, "trials");
	if (traffic(&run, &status) == -EINTR)
		json_object_set_new(run.report, "stopped", json_true());
	rest_note(&run);
	if (report_write(run.report, options->report)) {
		fprintf(stderr, "homeport-pktgen: %s: the report cannot be written\n",
			options->report);
		status = EX_IOERR;
	}
	json_decref(run.report);
	free(run.trial);
	return status ? status : options->strict && run.imperfect;
}

/* A file for its owner alone: it holds keys. "-" is standard output. */
static FILE *secret_open(const char *path)
{
	if (strcmp(path, "-") == 0)
		return fdopen(dup(STDOUT_FILENO), "w");
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int offline_write(const struct population *population, const char *path,
	void (*write)(const struct population *population, FILE *out))
{
	FILE *out = path ? secret_open(path) : NULL;

	if (!path)
		return EX_OK;
	if (out)
		write(population, out);
	if (!out || fclose(out)) {
		fprintf(stderr, "homeport-pktgen: %s: %s\n", path, strerror(errno));
		return EX_CANTCREAT;
	}
	return EX_OK;
}

int run_offline(const struct profile *profile, const struct options *options)
{
	struct population *population = population_new(profile);
	int status;

	if (!population) {
		fprintf(stderr, "homeport-pktgen: no memory for the nodes\n");
		return EX_OSERR;
	}
	status = offline_write(population, options->gateway_config, gateway_config_write);
	if (!status)
		status = offline_write(population, options->keys, gateway_config_keys_write);
	for (unsigned i = 0; !status && options->keys && i < profile->group_count; i++)
		if (!gateway_config_keys_has(&profile->groups[i]))
			fprintf(stderr,
				"homeport-pktgen: no keys of group \"%s\": Wireshark opens neither "
				"extended sequence numbers (esn = true) nor every suite\n",
				profile->groups[i].name);
	population_free(population);
	return status;
}
