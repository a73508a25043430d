/*
 * The lane of plain IPv4 and of Mobile IP tunnels against the steps: one script of bursts and
 * changes is played to a world with lanes and to one without, and all that can be seen of them must
 * be the same (lane_record.h). Correspondents' packets to destinations of all kinds and to nodes
 * that are away, packets out of their tunnels; whole and plain, or wrong outside or inside in one
 * of many ways. Between bursts routes, neighbours, bindings, agents, networks and policies change.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/lane/lane.h"

#include "tests/unit/dataplane/forward_scene.h"

#define STEPS 1100
#define SEEDS 4

static uint32_t frame_any(struct player *player, uint8_t *frame, uint16_t port, unsigned odd)
{
	unsigned n = 1 + player_below(player, player_chance(player, 60) ? 6 : NODES - 1);
	uint32_t length;

	switch (player_below(player, 3)) {
	case 0:
		length = player_datagram(player, frame, port, PEER, destination(player));
		break;
	case 1:
		length = player_datagram(
			player, frame, port, PEER + player_below(player, 2), HOME(n));
		break;
	default:
		length = tunnel_frame(
			player, frame, n, destination(player), player_chance(player, odd));
		frame[4] = (uint8_t)port;
		if (player_chance(player, odd))
			tunnel_spoil(player, frame);
		break;
	}
	return player_chance(player, odd) ? player_spoil(player, frame, length) : length;
}

static void burst(struct player *player, unsigned percent_odd, unsigned most)
{
	struct player_burst frames = {.count = 0};
	unsigned count = 1 + player_below(player, most);
	uint16_t port = player_chance(player, 85) ? OUTSIDE : INSIDE;
	uint8_t frame[2 * PLAYER_FRAME];

	for (unsigned i = 0; i < count; i++) {
		uint32_t length = frame_any(player, frame, port, percent_odd);
		player_burst_add(player, &frames, frame, length);
	}
	player_burst_receive(player, &frames, port);
}

/* ---- changes ---- */

static void change_route(struct player *player)
{
	struct world *w = player->world;
	uint32_t to = CARE_OF(1 + player_below(player, NODES - 1));
	unsigned what = player_below(player, 6);

	switch (what) {
	case 0:
	case 1:
	case 2:
		player_route_change(player, to, what);
		break;
	case 3:
		player_route(w, 0x0a3c0000, 16, player_chance(player, 50) ? ROUTER : GATEWAY_2,
			player_chance(player, 50) ? INSIDE : OUTSIDE, player_mtu(player), 0);
		break;
	case 4:
		player_route_remove(w, 0, 0);
		break;
	default:
		player_route_remove(w, to, 32);
		player_route(w, 0, 0, GATEWAY, OUTSIDE, 0, 0);
		break;
	}
}

static void change_binding(struct player *player)
{
	struct world *w = player->world;
	unsigned n = 1 + player_below(player, NODES - 1);
	struct command remove = {.type = COMMAND_BINDING_REMOVE, .binding = {.binding_id = n}};

	switch (player_below(player, 6)) {
	case 0: /* moved */
		binding(w, n, n, CARE_OF(n) + 1 + player_below(player, 2), CLOCK_NEVER);
		break;
	case 1: /* for a moment only */
		binding(w, n, n, care_of(n), w->worker.now_ns + behind_ns + UINT64_C(100500000));
		break;
	case 2: /* two at once */
		remove.binding.binding_id = 30;
		assert_int_equal(apply(w, remove), 0);
		binding(w, 30, n, CARE_OF(n) + 9, CLOCK_NEVER);
		break;
	case 3:
		remove.binding.binding_id = 30;
		assert_int_equal(apply(w, remove), 0);
		break;
	case 4:
		assert_int_equal(apply(w, remove), 0);
		break;
	default:
		binding(w, n, n, care_of(n), CLOCK_NEVER);
		break;
	}
}

/* What errors from the outside teach about the way to a node. */
static void change_path(struct player *player)
{
	struct world *w = player->world;
	const struct ip_address home = player_v4(HOME(1 + player_below(player, NODES - 1)));
	const struct tunnel *t = tables_home_lookup(w->tables, 0, &home);
	struct tunnel_path *path;

	if (t == NULL)
		return;
	path = tables_path_write(w->tables, t);
	path->changed_s = (uint32_t)(w->worker.now_ns / CLOCK_NS_PER_S);
	switch (player_below(player, 3)) {
	case 0:
		path->path_mtu = 700;
		break;
	case 1:
		path->unreachable_code = 3;
		break;
	default: /* over: the lane's again */
		path->path_mtu = 0;
		path->unreachable_code = 0;
		break;
	}
}

static void change_other(struct player *player)
{
	struct world *w = player->world;
	static const uint32_t flags[] = {AGENT_AWAY_SOURCE_DROP, AGENT_AWAY_SOURCE_LOG,
		AGENT_MSS_CLAMP, AGENT_DF_COPY, AGENT_DF_COPY | AGENT_FRAGMENT_AFTER,
		AGENT_ECN_COMPATIBILITY, AGENT_REQUIRE_T, AGENT_UDP_CHECKSUM, AGENT_DSCP_COPY_IN,
		AGENT_NO_BINDING_CHECK, AGENT_REVERSE_MULTICAST};
	struct command c;

	switch (player_below(player, 8)) {
	case 0:
		player_neighbor(w, GATEWAY, OUTSIDE, (uint8_t)(9 + player_below(player, 2)));
		break;
	case 1:
		w->ports[player_below(player, WORLD_PORTS)].up = player_chance(player, 50);
		break;
	case 2:
	case 3:
	case 4:
		agent(w, flags[player_below(player, RTE_DIM(flags))],
			(uint8_t)(player_chance(player, 50) ? DSCP_COPY : 46));
		break;
	case 5: /* an address of ours, for a while */
		c = (struct command){.type = player_chance(player, 50) ? COMMAND_LOCAL_SET
								       : COMMAND_LOCAL_REMOVE,
			.local = {.address = player_v4(
					  player_chance(player, 50) ? HOME(2) : 0x0a3d0003),
				.port = INSIDE}};
		assert_int_equal(apply(w, c), 0);
		break;
	case 6: /* on the port that all come from */
		if (player_chance(player, 30)) {
			home_network(w, 0x0a410000, 30, OUTSIDE);
			break;
		}
		c = (struct command){.type = COMMAND_HOME_NETWORK_REMOVE};
		c.home_network.prefix.address = player_v4(0x0a410000);
		c.home_network.prefix.length = 96 + 30;
		assert_int_equal(apply(w, c), 0);
		break;
	default:
		heal(player);
		break;
	}
}

/* Nobody answers for a next hop, and then somebody does. Few packets: which of many may wait is
 * nobody's right. */
static void wait_for_neighbor(struct player *player)
{
	struct world *w = player->world;
	uint16_t port = (uint16_t)player_below(player, 2);
	struct command c = {.type = COMMAND_NEIGHBOR_REMOVE,
		.neighbor = {
			.address = player_v4(port == OUTSIDE ? GATEWAY : ROUTER), .port = port}};

	world_advance(w, 4000);
	assert_int_equal(apply(w, c), 0);
	burst(player, 0, 3);
	if (player_chance(player, 50)) {
		burst(player, 0, 1);
		player_neighbor(w, GATEWAY, OUTSIDE, 9);
		player_neighbor(w, ROUTER, INSIDE, 5);
	}
	burst(player, 0, 2);
	world_advance(w, player_chance(player, 50) ? 10 : 4000);
	heal(player);
}

static void play(struct player *player)
{
	for (player->step = 0; player->step < STEPS; player->step++) {
		unsigned what = player_below(player, 22);

		if (player->step % 50 == 0)
			heal(player);
		if (what == 0)
			change_route(player);
		else if (what == 1)
			change_binding(player);
		else if (what == 2)
			change_other(player);
		else if (what == 3 && player->step > STEPS / 2)
			change_path(player);
		else if (what == 4 && player_chance(player, 40))
			player_policy_change(player, 30, false);
		else if (what == 6 && player_chance(player, 30))
			wait_for_neighbor(player);
		else if (what == 5)
			world_advance(player->world,
				player_chance(player, 5) ? 700000 : 10 + player_below(player, 500));
		else
			burst(player, what < 12 ? 15 : 0, BURST_SIZE);
		record_write(player->record, player->world, player->step);
	}
}

static void enough(const struct world *with)
{
	const uint64_t *taken = with->worker.lane_taken;

	assert_true(
		taken[LANE_FORWARD] > 700 && taken[LANE_MIP_OUT] > 500 && taken[LANE_MIP_IN] > 250);
}

/* HA4-FWD-17: nothing that can be seen differs. */
static void steps_and_lanes_are_one(void **state)
{
	player_compare(&(struct player_script){setup, play, enough}, SEEDS, LANE_FORWARD);
}

/* Which bindings the lane is there for, packet by packet. */
static void lane_takes_the_usual(void **state)
{
	struct player player;
	uint8_t frame[2 * PLAYER_FRAME];

	setup(&player, true, 2);
	for (unsigned n = 1; n < NODES; n++) {
		const uint64_t *taken = player.world->worker.lane_taken;
		uint64_t out = taken[LANE_MIP_OUT], in = taken[LANE_MIP_IN];
		uint32_t length;

		do
			length = player_datagram(&player, frame, OUTSIDE, PEER, HOME(n));
		while (length > 500);
		world_receive(player.world, OUTSIDE, frame, length);
		if (taken[LANE_MIP_OUT] - out != (nodes[n].out == LANE))
			fail_msg("%s: %u of 1 taken into the tunnel", nodes[n].name,
				(unsigned)(taken[LANE_MIP_OUT] - out));
		do {
			length = tunnel_frame(&player, frame, n, PEER, false);
			player_ip(frame)->type_of_service = 0;
			player_checksum(frame);
		} while (length > 500);
		world_receive(player.world, OUTSIDE, frame, length);
		if (taken[LANE_MIP_IN] - in != (nodes[n].in == LANE))
			fail_msg("%s: %u of 1 taken out of the tunnel", nodes[n].name,
				(unsigned)(taken[LANE_MIP_IN] - in));
	}
	player_end(&player);
}

/* HA4-FWD-17: behind one that the steps get, the rest of its flow goes there too. */
static void lane_leaves_a_flow_whole(void **state)
{
	struct player player;
	struct world_frame frames[4];
	static uint8_t octets[4][2 * PLAYER_FRAME];

	setup(&player, true, 2);
	for (unsigned i = 0; i < 4; i++) {
		frames[i].octets = octets[i];
		do
			frames[i].length = player_datagram(
				&player, octets[i], OUTSIDE, PEER, HOME(i == 2 ? 2 : 1));
		while (frames[i].length > 500);
	}
	/* whole, fragment, another flow, whole: both of the fragment's flow go with it */
	player_ip(octets[1])->fragment_offset = RTE_BE16(RTE_IPV4_HDR_MF_FLAG);
	player_checksum(octets[1]);
	world_receive_burst(player.world, OUTSIDE, frames, 4);
	assert_int_equal(player.world->worker.lane_taken[LANE_MIP_OUT], 1);
	assert_int_equal(player.world->counters.encapsulated, 4);
	player_end(&player);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lane_takes_the_usual),
		cmocka_unit_test(lane_leaves_a_flow_whole),
		cmocka_unit_test(steps_and_lanes_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
