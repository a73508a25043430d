/* Peers of ESP that move: whose turn it is, where they are then, what is written of it. */
#include "pktgen/generator/mover.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HZ 1000u

struct bed {
	struct profile *profile;
	struct population *population;
	struct mover *mover;
	char folder[32], path[48];
};

static struct bed *bed_new(const char *security)
{
	static struct bed bed;
	struct config_error error;
	char text[512];

	snprintf(text, sizeof(text),
		"ports = ( { name = \"a\"; } );\ngroups = ( { name = \"g\"; access = \"a\"; core = "
		"\"a\"; node = \"10.1.0.1\"; correspondent = \"10.2.0.1\"; agent = \"192.0.2.1\"; "
		"care_of = \"198.51.100.1\"; encapsulation = \"esp\"; nodes = 3; security = { %s "
		"}; } );",
		security);
	if (profile_load_string(text, "p", &bed.profile, &error))
		fail_msg("%s", error.text);
	bed.population = population_new(bed.profile);
	snprintf(bed.folder, sizeof(bed.folder), "/tmp/mover-XXXXXX");
	assert_non_null(mkdtemp(bed.folder));
	snprintf(bed.path, sizeof(bed.path), "%s/moves", bed.folder);
	bed.mover = NULL;
	return &bed;
}

static void bed_free(struct bed *bed)
{
	mover_free(bed->mover);
	unlink(bed->path);
	rmdir(bed->folder);
	population_free(bed->population);
	profile_free(bed->profile);
}

static void test_in_turn(void **state)
{
	struct bed *bed = bed_new("moves = 2;");
	const struct population_node *nodes = bed->population->groups[0].nodes;
	char text[512];

	assert_int_equal(mover_new(bed->population, bed->path, HZ, &bed->mover), 0);
	assert_non_null(bed->mover);
	mover_poll(bed->mover, 5 * HZ); /* not in a trial */
	assert_int_equal(mover_counters_get(bed->mover)->moves, 0);
	mover_trial(bed->mover, 5 * HZ, true);
	mover_poll(bed->mover, 5 * HZ);
	mover_poll(bed->mover, 5 * HZ + 499);
	assert_int_equal(mover_counters_get(bed->mover)->moves, 0);
	mover_poll(bed->mover, 5 * HZ + 500);
	assert_int_equal(mover_counters_get(bed->mover)->moves, 1);
	assert_true(nodes[0].place == 1 && nodes[0].moved && !nodes[1].place && !nodes[1].moved);
	mover_poll(bed->mover, 7 * HZ); /* the first is where it was, the others have moved */
	assert_true(!nodes[0].place && nodes[0].moved && nodes[1].place && nodes[2].place);
	mover_trial(bed->mover, 7 * HZ, false);
	mover_poll(bed->mover, 100 * HZ);
	assert_int_equal(mover_counters_get(bed->mover)->moves, 4);
	mover_trial(bed->mover, 100 * HZ, true); /* another trial goes on with the next one */
	mover_poll(bed->mover, 100 * HZ + 500);
	assert_true(!nodes[0].place && !nodes[1].place && nodes[2].place);
	assert_int_equal(mover_counters_get(bed->mover)->untold, 0);
	FILE *file = fopen(bed->path, "r");
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text,
		"sa update g-0 remote 198.51.100.4\nsa update g-1 remote 198.51.100.5\n"
		"sa update g-2 remote 198.51.100.6\nsa update g-0 remote 198.51.100.1\n"
		"sa update g-1 remote 198.51.100.2\n");
	bed_free(bed);
}

/* A reader that takes nothing, or goes: no move waits for it. */
static void test_slow_readers(void **state)
{
	struct bed *bed = bed_new("moves = 1000;");

	assert_int_equal(mkfifo(bed->path, 0600), 0);
	assert_int_equal(mover_new(bed->population, bed->path, HZ, &bed->mover), -ENXIO);
	assert_null(bed->mover);
	int reader = open(bed->path, O_RDONLY | O_NONBLOCK);
	assert_int_equal(mover_new(bed->population, bed->path, HZ, &bed->mover), 0);
	mover_trial(bed->mover, HZ, true);
	for (uint64_t now = HZ; now < 11 * HZ; now++)
		mover_poll(bed->mover, now);
	const struct mover_counters *counters = mover_counters_get(bed->mover);
	assert_int_equal(counters->moves, 9999);
	assert_in_range(counters->untold, 1, 9998);
	close(reader);
	bed_free(bed);
}

static void test_nobody_moves(void **state)
{
	struct bed *bed = bed_new("");

	assert_int_equal(mover_new(bed->population, bed->path, HZ, &bed->mover), 0);
	assert_null(bed->mover);
	assert_int_equal(access(bed->path, F_OK), -1);
	bed_free(bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_turn),
		cmocka_unit_test(test_slow_readers),
		cmocka_unit_test(test_nobody_moves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
