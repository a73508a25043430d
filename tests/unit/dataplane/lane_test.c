/*
 * Lanes against steps: one script of bursts and changes is played to a world with lanes and to one
 * without, and all that can be seen of them must be the same (lane_record.h). Frames are whole and
 * plain, or wrong in one of many ways; between bursts routes, neighbours, policies, SAs and the
 * rest change. How many frames lanes must have taken is told, so that it cannot pass by taking
 * none.
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

#include <netinet/in.h>

#define STEPS 900
#define SEEDS 4

/* ---- frames ---- */

/* A small packet to each client, by itself: of an SA that was not used since anything changed a
 * tunnel inside it does not know what fits (tunnel_mtu.c), and whether it does then in the same
 * burst depends on the order. */
static void singles(struct player *player)
{
	struct player_burst frames = {.count = 0};
	uint8_t frame[PLAYER_FRAME];
	uint32_t length;

	for (unsigned n = 1; n <= LAST_SA; n++) {
		do {
			length = frame_plain(player, frame, n);
		} while (length > 200);
		player_burst_add(player, &frames, frame, length);
		player_burst_receive(player, &frames, INSIDE);
	}
}

static void burst(struct player *player, unsigned percent_odd)
{
	struct player_burst frames = {.count = 0};
	unsigned count = 1 + player_below(player, BURST_SIZE),
		 clients = 1 + player_below(player, CLIENTS);
	uint8_t frame[PLAYER_FRAME];

	to_nodes = player_chance(player, 25);
	if (to_nodes)
		singles(player);
	for (unsigned i = 0; i < count; i++) {
		unsigned client = (1 + player_below(player, clients)) % CLIENTS;
		uint32_t length = frame_to(player, frame, to_nodes ? NODE(client) : CLIENT(client));
		if (player_chance(player, percent_odd))
			length = player_spoil(player, frame, length);
		player_burst_add(player, &frames, frame, length);
	}
	player_burst_receive(player, &frames, INSIDE);
}

/* ---- changes ---- */

static void change_route(struct player *player)
{
	struct world *w = player->world;
	uint32_t peer = PEER(1 + player_below(player, LAST_SA));
	unsigned what = player_below(player, 7);

	switch (what) {
	case 0:
	case 1:
	case 2:
		player_route_change(player, peer, what);
		break;
	case 3: /* to one that nobody knows */
		player_route(w, peer, 32, 0, 0, 0, 0);
		break;
	case 4: /* a client that is inside */
		player_route(w, CLIENT(player_below(player, CLIENTS)), 32, SERVER, INSIDE, 0, 0);
		break;
	default:
		player_route_remove(w, peer, 32);
		player_route_remove(w, CLIENT(player_below(player, CLIENTS)), 32);
		break;
	}
}

static void change_policy(struct player *player)
{
	struct world *w = player->world;
	unsigned client = 1 + player_below(player, LAST_SA);
	struct selector s = selector(CLIENT(client), CLIENT(client) + 1);

	switch (player_below(player, 6)) {
	case 0: /* general ones before */
		policy(w, 15, 50, s, POLICY_BYPASS, SA_NONE);
		break;
	case 1:
		s.protocol = IPPROTO_UDP;
		s.remote_port_first = s.remote_port_last = 53;
		policy(w, 15, 50, s, player_chance(player, 50) ? POLICY_DISCARD : POLICY_BYPASS,
			SA_NONE);
		break;
	case 2:
		policy(w, 15, 50, selector(0x0a300000, 0x0a30ffff), POLICY_DISCARD, SA_NONE);
		break;
	case 3: /* for one local address */
		s = selector(CLIENT(client), CLIENT(client));
		s.local_first = s.local_last = player_v4(SERVER + 1);
		policy(w, client, 100, s, POLICY_PROTECT, client);
		break;
	case 4:
		host_policy(w, client, player_chance(player, 50) ? POLICY_DISCARD : POLICY_BYPASS,
			SA_NONE);
		break;
	default:
		for (unsigned n = 1; n <= LAST_SA; n++)
			host_policy(w, n, POLICY_PROTECT, n);
		break;
	}
	if (player_chance(player, 80))
		commit(w);
}

static void change_sa(struct player *player)
{
	struct world *w = player->world;
	unsigned n = 1 + player_below(player, LAST_SA - 1);

	switch (player_below(player, 4)) {
	case 0: /* moved, or what it was */
		(void)sa_set(w, n, PEER(n) + (player_chance(player, 50) ? 100 : 0), 0xc0000100u);
		break;
	case 1: /* new keys */
		sa_remove(w, n);
		sa_stage(w, n, (uint8_t)player_below(player, 256));
		(void)sa_set(w, n, PEER(n), 0xc0000100u);
		break;
	case 2: {
		const struct sa_outbound *sa = sa_outbound_get(tables_sas(w->tables), n);
		if (sa != NULL)
			sa_lane_mtu_learned(sa, 800, (uint32_t)(w->worker.now_ns / CLOCK_NS_PER_S));
		break;
	}
	default:
		if (player_chance(player, 20))
			sa_remove(w, n);
		break;
	}
}

static void change_other(struct player *player)
{
	struct world *w = player->world;
	struct command c = {.type = COMMAND_BINDING_REMOVE};

	switch (player_below(player, 11)) {
	case 9: { /* a mobile node's binding is another one */
		static const uint32_t flags[] = {BINDING_SUSPENDED, BINDING_STALE_NAT | BINDING_UDP,
			BINDING_UDP, BINDING_UDP | BINDING_REQUIRES_IPSEC, 0};
		unsigned n = 1 + player_below(player, LAST_SA);
		node_bind(w, n, flags[player_below(player, RTE_DIM(flags))],
			player_chance(player, 70) ? ENCAPSULATION_IPIP : ENCAPSULATION_GRE);
		break;
	}
	case 10:
		c.binding.binding_id = FIRST_BINDING + 1 + player_below(player, LAST_SA);
		assert_int_equal(apply(w, c), 0);
		break;
	case 0:
		player_neighbor(w, GATEWAY, 0, (uint8_t)(9 + player_below(player, 2)));
		break;
	case 1:
		c = (struct command){.type = COMMAND_NEIGHBOR_REMOVE,
			.neighbor = {.address = player_v4(GATEWAY)}};
		assert_int_equal(apply(w, c), 0);
		break;
	case 2:
		w->ports[0].up = player_chance(player, 30);
		break;
	case 3: /* a client, or a peer, is a mobile node */
		if (player_chance(player, 50))
			world_binding(w, 3, "10.22.0.2", "198.51.100.7", 0, ENCAPSULATION_IPIP, 0);
		else
			world_binding(
				w, 4, "203.5.113.5", "198.51.100.7", 0, ENCAPSULATION_IPIP, 0);
		break;
	case 4:
		c.binding.binding_id = 3 + player_below(player, 2);
		assert_int_equal(apply(w, c), 0);
		break;
	case 5: /* a client's address is ours, for a while */
		c = (struct command){.type = player_chance(player, 50) ? COMMAND_LOCAL_SET
								       : COMMAND_LOCAL_REMOVE,
			.local = {.address = player_v4(CLIENT(3)), .port = INSIDE}};
		assert_int_equal(apply(w, c), 0);
		break;
	case 6:
		c = (struct command){.type = player_chance(player, 30)
						     ? COMMAND_HOME_NETWORK_SET
						     : COMMAND_HOME_NETWORK_REMOVE,
			.home_network = {.port = INSIDE}};
		c.home_network.prefix.address = player_v4(CLIENT(8));
		c.home_network.prefix.length = 96 + 30;
		assert_int_equal(apply(w, c), 0);
		break;
	case 7:
		world_agent(w, "192.0.2.1", player_chance(player, 50) ? AGENT_AWAY_SOURCE_DROP : 0);
		break;
	default: /* as it was */
		player_neighbor(w, GATEWAY, 0, 9);
		w->ports[0].up = true;
		break;
	}
}

/* All as in the beginning, but for what SAs have been through. */
static void heal(struct world *w)
{
	for (unsigned n = 0; n < CLIENTS; n++) {
		player_route_remove(w, PEER(n), 32);
		player_route_remove(w, CLIENT(n), 32);
	}
	for (unsigned n = 1; n <= LAST_SA; n++) {
		if (sa_outbound_get(tables_sas(w->tables), n) == NULL) {
			sa_stage(w, n, 7);
			(void)sa_set(w, n, PEER(n), 0xc0000100u);
		}
		host_policy(w, n, POLICY_PROTECT, n);
		node_bind(w, n, n % 2 ? BINDING_REQUIRES_IPSEC : 0, ENCAPSULATION_IPIP);
	}
	policy(w, 15, 50, selector(0x0a300000, 0x0a30ffff), POLICY_DISCARD, SA_NONE);
	commit(w);
	player_neighbor(w, GATEWAY, 0, 9);
	w->ports[0].up = true;
	world_agent(w, "192.0.2.1", 0);
}

static void play(struct player *player)
{
	for (player->step = 0; player->step < STEPS; player->step++) {
		unsigned what = player_below(player, 20);

		if (player->step % 12 == 0)
			heal(player->world);
		if (what == 0)
			change_route(player);
		else if (what == 1)
			change_policy(player);
		else if (what == 2)
			change_sa(player);
		else if (what == 3)
			change_other(player);
		else if (what == 4)
			world_advance(player->world,
				player_chance(player, 5) ? 700000 : 10 + player_below(player, 500));
		else
			burst(player, what < 8 ? 15 : what < 12 ? 2 : 0);
		record_write(player->record, player->world, player->step);
	}
}

static void enough(const struct world *with)
{
	assert_true(with->worker.lane_taken[LANE_ESP_OUT] > 4000);
	assert_true(with->worker.lane_taken[LANE_MIP_OUT] > 700);
}

/* HA4-FWD-17, ESP-SEQ-02: nothing that can be seen differs. */
static void steps_and_lanes_are_one(void **state)
{
	player_compare(&(struct player_script){setup, play, enough}, SEEDS, LANE_ESP_OUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_and_lanes_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
