/*
 * The burst that waits (pipeline_feed) and what the lanes find of it before its turn. That what
 * leaves is the same with it and without is lane_test.c's and lane_in_test.c's, whose bursts wait
 * while everything around them changes.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/dataplane/lane_scene.h"

#include "dataplane/lane/ahead.h"
#include "dataplane/lane/lane.h"
#include "dataplane/pipeline.h"

#define FEW  4 /* too few for all passes */
#define MANY BURST_SIZE_ESP
#define SA   1

static struct rte_mbuf *packet_to(struct player *player, unsigned client)
{
	static uint8_t frame[PLAYER_FRAME];
	uint32_t length;

	do {
		length = frame_plain(player, frame, client);
	} while (length > 800);
	return world_packet(player->world, frame, length, 1);
}

/* `count` frames, to SA 1's client but for the last one, which is to `last`. */
static void feed(struct player *player, unsigned count, unsigned last)
{
	struct rte_mbuf *packets[BURST_SIZE];

	for (unsigned i = 0; i < count; i++)
		packets[i] = packet_to(player, i + 1 == count ? last : SA);
	world_feed(player->world, INSIDE, packets, count);
}

static const struct ahead_policies *found(const struct world *w)
{
	const struct worker *worker = &w->worker;
	const struct policy_hosts hosts = policy_hosts_begin(tables_policies(worker->tables), 0);

	assert_non_null(worker->waiting);
	return lane_ahead_policies(
		worker, (struct rte_mbuf **)(uintptr_t)worker->waiting->frames, &hosts);
}

/* A burst runs when the next one is there, and the last one when told to; none twice. */
static void a_burst_waits_for_the_next(void **state)
{
	struct player player;
	const struct worker_counters *c;
	(void)state;

	setup(&player, true, 2);
	c = &player.world->counters;
	assert_int_equal(pipeline_feed_end(&player.world->worker), 0);
	feed(&player, MANY, SA);
	assert_int_equal(c->received_port, 0);
	feed(&player, FEW, SA);
	assert_int_equal(c->received_port, MANY);
	assert_int_equal(c->esp_encrypted, MANY);
	assert_int_equal(pipeline_feed_end(&player.world->worker), FEW);
	assert_int_equal(c->esp_encrypted, MANY + FEW);
	assert_int_equal(pipeline_feed_end(&player.world->worker), 0);
	assert_null(player.world->worker.waiting);
	assert_int_equal(player.world->worker.lane_taken[LANE_ESP_OUT], MANY + FEW);
	player_end(&player);
}

/* While one burst is enciphered, the policies of the next are found; what is found is what is
 * there, and its packets then leave through their own SAs. */
static void policies_are_found_ahead(void **state)
{
	struct player player;
	const struct ahead_policies *ahead;
	const struct sa_table *sas;
	uint64_t numbers;
	(void)state;

	setup(&player, true, 2);
	sas = tables_sas(player.world->worker.tables);
	numbers = sa_outbound_state(sas, 2)->sequence;
	feed(&player, MANY, SA);
	feed(&player, MANY, 2);
	ahead = found(player.world);
	assert_non_null(ahead);
	assert_int_equal(ahead->runs[0].place, 0);
	assert_int_equal(ahead->runs[1].place, MANY - 1);
	assert_true(ahead->runs[2].place >= BURST_SIZE);
	assert_int_equal(ahead->runs[0].policy->sa_id, SA);
	assert_int_equal(ahead->runs[1].policy->sa_id, 2);
	assert_ptr_equal(ahead->runs[1].state, sa_outbound_state(sas, 2));
	world_feed_end(player.world);
	assert_int_equal(player.world->counters.esp_encrypted, 2 * MANY);
	assert_int_equal(sa_outbound_state(sas, 2)->sequence, numbers + 1);
	player_end(&player);
}

/* With less than all passes made nothing is taken over, and nothing is missing. */
static void a_short_burst_finds_nothing_ahead(void **state)
{
	struct player player;
	(void)state;

	setup(&player, true, 2);
	feed(&player, FEW, SA);
	feed(&player, MANY, SA);
	assert_null(found(player.world));
	world_feed_end(player.world);
	assert_int_equal(player.world->counters.esp_encrypted, FEW + MANY);
	player_end(&player);
}

/* ESP-SPD-01: the policy of the moment decides, though another one was found before its time. */
static void a_commit_makes_it_stale(void **state)
{
	struct player player;
	struct world *w;
	(void)state;

	setup(&player, true, 2);
	w = player.world;
	feed(&player, MANY, SA);
	feed(&player, MANY, SA);
	assert_non_null(found(w));
	policy(w, 15, 50, selector(CLIENT(SA), CLIENT(SA)), POLICY_DISCARD, 0);
	commit(w);
	assert_null(found(w));
	world_feed_end(w);
	assert_int_equal(w->counters.esp_encrypted, MANY);
	assert_int_equal(w->counters.drops[DROP_policy_discard], MANY);
	player_end(&player);
}

/* The room of a burst is used again: what was found for the one before it there is not its own. */
static void a_room_is_forgotten(void **state)
{
	struct player player;
	struct world *w;
	(void)state;

	setup(&player, true, 2);
	w = player.world;
	feed(&player, MANY, SA);
	feed(&player, MANY, SA);
	assert_non_null(found(w));
	world_feed_end(w);
	w->worker.lanes_off = true; /* nobody looks ahead */
	feed(&player, MANY, 2);
	feed(&player, MANY, 2);
	w->worker.lanes_off = false;
	assert_null(found(w));
	world_feed_end(w);
	assert_int_equal(w->counters.esp_encrypted, 4 * MANY);
	player_end(&player);
}

/* Whatever waits is looked at: frames of an octet, and what is no IPv4. */
static void anything_may_wait(void **state)
{
	static uint8_t octets[64];
	struct rte_mbuf *packets[MANY];
	struct player player;
	(void)state;

	setup(&player, true, 2);
	feed(&player, MANY, SA);
	memset(octets, 0xff, sizeof(octets));
	for (unsigned i = 0; i < MANY; i++)
		packets[i] = world_packet(player.world, octets, 1 + i, 1);
	world_feed(player.world, INSIDE, packets, MANY);
	assert_int_equal(player.world->counters.esp_encrypted, MANY);
	world_feed_end(player.world);
	assert_int_equal(player.world->counters.received_port, 2 * MANY);
	assert_int_equal(world_balance(player.world), 0);
	player_end(&player);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_waits_for_the_next),
		cmocka_unit_test(policies_are_found_ahead),
		cmocka_unit_test(a_short_burst_finds_nothing_ahead),
		cmocka_unit_test(a_commit_makes_it_stale),
		cmocka_unit_test(a_room_is_forgotten),
		cmocka_unit_test(anything_may_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
