/*
 * Which packets the lane into ESP takes, packet by packet; what all of them look like afterwards is
 * lane_test.c's.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/dataplane/lane_scene.h"

#include "dataplane/lane/lane.h"
#include "dataplane/table/sa_lane.h"

#include <rte_ether.h>

/* Three packets to a host behind SA n; asserts that they took the lane, or the steps. */
static void expect_taken(struct player *player, unsigned n, uint32_t host)
{
	struct world *w = player->world;
	uint64_t *taken = &w->worker.lane_taken[LANE_ESP_OUT], before = *taken;
	uint64_t encrypted = w->counters.esp_encrypted;
	uint8_t frame[PLAYER_FRAME];
	uint32_t length;

	do {
		length = frame_to(player, frame, host);
	} while (length > 780);
	for (unsigned i = 0; i < 3; i++)
		world_receive(w, INSIDE, frame, length);
	if (*taken - before != (sa_rows[n].expected == LANE ? 3 : 0))
		fail_msg("%s, %08x: %u of 3 taken", sa_rows[n].name, host,
			(unsigned)(*taken - before));
	if (sa_rows[n].expected == LANE)
		assert_int_equal(w->counters.esp_encrypted - encrypted, 3);
}

/* Which SAs the lane is there for, packet by packet. */
static void lane_takes_the_usual(void **state)
{
	struct player player;

	setup(&player, true, 2);
	for (unsigned n = 1; n <= LAST_SA; n++)
		expect_taken(&player, n, CLIENT(n));
	player_end(&player);
}

/* HA4-MODE-06: to mobile nodes, whether their bindings require it or not. */
static void lane_takes_tunnels_inside(void **state)
{
	struct player player;
	uint64_t expected = 0;

	setup(&player, true, 2);
	for (unsigned n = 1; n <= LAST_SA; n++) {
		expect_taken(&player, n, NODE(n));
		expected += sa_rows[n].expected == LANE ? 3 : 0;
	}
	assert_int_equal(player.world->worker.lane_taken[LANE_MIP_OUT], expected);
	assert_true(player.world->counters.encapsulated >= expected);
	player_end(&player);
}

/* HA4-FWD-17: behind one that the steps get, the rest of its flow goes there too. */
static void lane_leaves_a_flow_whole(void **state)
{
	struct player player;
	struct world_frame frames[4];
	static uint8_t octets[4][PLAYER_FRAME];

	setup(&player, true, 2);
	for (unsigned i = 0; i < 4; i++) {
		frames[i].octets = octets[i];
		frames[i].length = frame_plain(&player, octets[i], i == 2 ? 2 : 1);
		while (frames[i].length > 800)
			frames[i].length = frame_plain(&player, octets[i], i == 2 ? 2 : 1);
	}
	/* whole, fragment, another flow, whole: the last one follows the fragment */
	player_ip(octets[1])->fragment_offset = RTE_BE16(RTE_IPV4_HDR_MF_FLAG);
	player_checksum(octets[1]);
	world_receive_burst(player.world, INSIDE, frames, 4);
	assert_int_equal(player.world->worker.lane_taken[LANE_ESP_OUT], 2);
	assert_int_equal(player.world->counters.esp_encrypted, 4);
	assert_int_equal(player.world->sas.outbound[1].sequence, 3);
	player_end(&player);
}

/* A usual packet to client 1; what left for its peer, or 0. */
static be32 sent_to(struct player *player)
{
	static uint8_t frame[PLAYER_FRAME];
	uint32_t length = frame_plain(player, frame, 1);
	struct world *w = player->world;
	be32 peer = 0;

	while (length > 800)
		length = frame_plain(player, frame, 1);
	world_forget(w);
	world_receive(w, INSIDE, frame, length);
	if (w->sent_count > 0)
		memcpy(&peer, w->sent[0].octets + sizeof(struct rte_ether_hdr) + 16, sizeof(peer));
	return peer;
}

/* MOB-01: the object that the policy noted is another's by now, or nobody's. */
static void lane_knows_the_object(void **state)
{
	struct player player;
	const struct sa_table *table;
	uint32_t first, second;

	setup(&player, true, 2);
	table = tables_sas(player.world->tables);
	first = sa_outbound_number(table, 1);
	assert_int_equal(sent_to(&player), rte_cpu_to_be_32(PEER(1)));
	assert_true(sa_lane_is_of(sa_outbound_at(table, first), 1));
	assert_false(sa_lane_is_of(sa_outbound_at(table, first), 2));

	assert_int_equal(sa_set(player.world, 1, PEER(1) + 100, 0xc0000100u), 0);
	second = sa_outbound_number(table, 1);
	assert_int_not_equal(first, second);
	assert_false(sa_lane_is_of(sa_outbound_at(table, first), 1));
	for (unsigned i = 0; i < 2; i++) /* the first one, by the steps, proves that it may */
		assert_int_equal(sent_to(&player), rte_cpu_to_be_32(PEER(1) + 100));

	sa_remove(player.world, 1);
	assert_false(sa_lane_is_of(sa_outbound_at(table, second), 1));
	assert_int_equal(sent_to(&player), 0);
	for (unsigned i = 0; i < 8 && sa_outbound_number(table, 2) != second; i++)
		assert_int_equal(sa_set(player.world, 2, PEER(2), 0xc0000100u), 0);
	assert_int_equal(sa_outbound_number(table, 2), second); /* it was taken again */
	assert_false(sa_lane_is_of(sa_outbound_at(table, second), 1));
	assert_int_equal(sent_to(&player), 0);

	sa_stage(player.world, 1, 9);
	assert_int_equal(sa_set(player.world, 1, PEER(1), 0xc0000100u), 0);
	assert_int_equal(sent_to(&player), rte_cpu_to_be_32(PEER(1)));
	assert_int_equal(player.world->worker.lane_taken[LANE_ESP_OUT], 3);
	player_end(&player);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lane_takes_the_usual),
		cmocka_unit_test(lane_takes_tunnels_inside),
		cmocka_unit_test(lane_leaves_a_flow_whole),
		cmocka_unit_test(lane_knows_the_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
