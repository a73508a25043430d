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

#include "dataplane/lane/lane.h"
#include "dataplane/table/sa_lane.h"
#include "dataplane/table/sa_sequence.h"

#include "tests/unit/dataplane/player.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>

#define HERE          0xc0000201u /* 192.0.2.1 */
#define GATEWAY       0xc00002feu /* 192.0.2.254 */
#define GATEWAY_2     0xc00002fdu
#define SERVER        0x0a090005u                                 /* 10.9.0.5 */
#define CLIENT(n)     (0x0a140000u + ((uint32_t)(n) << 16) + (n)) /* 10.(20 + n).0.n */
#define PEER(n)       (0xcb007100u + ((uint32_t)(n) << 16) + (n)) /* 203.n.113.n */
#define NODE(n)       (0x0a3c0000u + (n))                         /* 10.60.0.n */
#define INSIDE        1                                           /* port */
#define CLIENTS       16
#define FIRST_BINDING 8
#define STEPS         900
#define SEEDS         4

/* ---- what there is ---- */

enum expectation { STEPS_ONLY, LANE };

/* SA n leads to client n. */
static const struct sa_row {
	const char *name;
	uint32_t flags;
	uint16_t encryption, integrity, path_mtu, tfc;
	uint8_t dscp;
	uint8_t encryption_length, integrity_length;
	enum expectation expected;
} sas[CLIENTS] = {
	[1] = {"plain", 0, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 20, 0, LANE},
	[2] = {"in UDP", SA_UDP, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 20, 0, LANE},
	[3] = {"ESN", SA_ESN, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 36, 0, LANE},
	[4] = {"DF set", SA_DF_SET, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, 46, 20, 0, LANE},
	[5] = {"DF clear", SA_DF_CLEAR | SA_ECN_OFF, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY,
		20, 0, LANE},
	[6] = {"transport", SA_TRANSPORT, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 20, 0,
		STEPS_ONLY},
	[7] = {"TFC", 0, SA_ENCRYPTION_AES_GCM_16, 0, 0, 800, DSCP_COPY, 20, 0, STEPS_ONLY},
	[8] = {"small path", 0, SA_ENCRYPTION_AES_GCM_16, 0, 900, 0, DSCP_COPY, 20, 0, LANE},
	[9] = {"implicit IV", 0, SA_ENCRYPTION_AES_GCM_16_IIV, 0, 0, 0, DSCP_COPY, 20, 0, LANE},
	[10] = {"NULL", 0, SA_ENCRYPTION_NULL, SA_INTEGRITY_HMAC_SHA2_256_128, 0, 0, DSCP_COPY, 0,
		32, LANE},
	[11] = {"CTR", SA_ESN, SA_ENCRYPTION_AES_CTR, SA_INTEGRITY_HMAC_SHA1_96, 0, 0, DSCP_COPY,
		20, 20, LANE},
	[12] = {"limits", 0, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 20, 0, LANE},
	[13] = {"numbers end", 0, SA_ENCRYPTION_AES_GCM_16, 0, 0, 0, DSCP_COPY, 20, 0, STEPS_ONLY},
};
#define LAST_SA     13
#define LIMITED_SA  12
#define EXPIRING_SA 13

static int apply(struct world *w, struct command command)
{
	return world_apply(w, &command);
}

static struct selector selector(uint32_t first, uint32_t last)
{
	return (struct selector){.local_first = player_v4(0),
		.local_last = player_v4(UINT32_MAX),
		.remote_first = player_v4(first),
		.remote_last = player_v4(last),
		.local_port_last = UINT16_MAX,
		.remote_port_last = UINT16_MAX};
}

static void commit(struct world *w)
{
	assert_int_equal(apply(w, (struct command){.type = COMMAND_POLICY_COMMIT}), 0);
}

static void policy(struct world *w, uint32_t id, uint32_t order, struct selector s, uint8_t action,
	uint32_t sa_id)
{
	assert_int_equal(apply(w, (struct command){.type = COMMAND_POLICY_SET,
					  .policy = {.selector = s,
						  .policy_id = id,
						  .order = order,
						  .sa_id = sa_id,
						  .direction = SA_OUTBOUND,
						  .action = action}}),
		0);
}

static void host_policy(struct world *w, unsigned client, uint8_t action, uint32_t sa_id)
{
	policy(w, client, 100, selector(CLIENT(client), CLIENT(client)), action, sa_id);
}

static void sa_stage(struct world *w, unsigned n, uint8_t first_octet)
{
	const struct sa_row *row = &sas[n];
	struct command key = {.type = COMMAND_SA_KEY,
		.sa_key = {.sa_id = n,
			.direction = SA_OUTBOUND,
			.encryption_length = row->encryption_length,
			.integrity_length = row->integrity_length,
			.encryption_key = {first_octet, (uint8_t)n},
			.integrity_key = {first_octet, (uint8_t)n}}};

	assert_int_equal(apply(w, key), 0);
	if (n == LIMITED_SA)
		assert_int_equal(apply(w, (struct command){.type = COMMAND_SA_LIMITS,
						  .sa_limits = {.sa_id = n,
							  .direction = SA_OUTBOUND,
							  .soft_packets = 150,
							  .hard_packets = 700,
							  .soft_bytes = 5000000}}),
			0);
}

static int sa_set(struct world *w, unsigned n, uint32_t peer, uint32_t spi)
{
	const struct sa_row *row = &sas[n];
	struct command c = {.type = COMMAND_SA_SET,
		.sa = {.local = player_v4(HERE),
			.remote = player_v4(peer),
			.sa_id = n,
			.spi = rte_cpu_to_be_32(spi + n),
			.flags = row->flags,
			.pair_id = SA_NONE,
			.encryption = row->encryption,
			.integrity = row->integrity,
			.path_mtu = row->path_mtu,
			.tfc = row->tfc,
			.direction = SA_OUTBOUND,
			.tunnel_ttl = 64,
			.dscp = row->dscp}};

	if (row->flags & SA_UDP)
		c.sa.local_port = c.sa.remote_port = RTE_BE16(4500);
	return apply(w, c);
}

static void sa_remove(struct world *w, unsigned n)
{
	assert_int_equal(apply(w, (struct command){.type = COMMAND_SA_REMOVE,
					  .sa = {.sa_id = n, .direction = SA_OUTBOUND}}),
		0);
}

/* A mobile node whose care-of address is client n's, behind the client's SA (RFC 5266, mode mc). */
static void node_bind(struct world *w, unsigned n, uint32_t flags, uint8_t encapsulation)
{
	struct command c = {.type = COMMAND_BINDING_SET,
		.binding = {.home_address = player_v4(NODE(n)),
			.care_of_address = player_v4(CLIENT(n)),
			.care_of_field = player_v4(CLIENT(n)),
			.agent_address = player_v4(HERE),
			.expires_ns = CLOCK_NEVER,
			.binding_id = FIRST_BINDING + n,
			.flags = flags | BINDING_REVERSE,
			.home_port = PORT_NONE,
			.encapsulation = encapsulation}};

	if (flags & BINDING_UDP)
		c.binding.care_of_port = c.binding.agent_port = RTE_BE16(434);
	assert_int_equal(apply(w, c), 0);
}

/* What a source or destination may be that is wrong, or of somebody else. */
static const uint32_t sources[] = {
	0, 0x7f000001, 0xe0000001, 0xf0000001, 0x00000005, HERE, CLIENT(14)};
static const uint32_t others[] = {0xffffffff, 0xe0000005, HERE, 0x0a15ff01, 0x0a300001, 0x7f000001,
	0x0a090009, 0x08080808, CLIENT(200)};

/* All packets of a burst are to nodes, or to clients: those to nodes go more steps, and would get
 * other numbers of the same SA. */
static bool to_nodes;

static uint32_t destination(struct player *player)
{
	uint32_t n = player_below(player, CLIENTS);

	return to_nodes ? NODE(n) : CLIENT(n);
}

static void setup(struct player *player, bool lanes, uint64_t seed)
{
	struct world *w = world_new();

	*player = (struct player){.world = w,
		.record = record_new(w),
		.random = seed,
		.sources = sources,
		.others = others,
		.source_count = RTE_DIM(sources),
		.other_count = RTE_DIM(others),
		.destination = destination,
		.hops = {{GATEWAY, 0}, {GATEWAY_2, 0}, {SERVER, INSIDE}}};
	w->worker.lanes_off = !lanes;
	w->ports[0].tx_ipv4_checksum = seed & 1;
	world_local(w, "192.0.2.1", 0);
	world_local(w, "10.21.255.1", INSIDE); /* in the /16 of client 1 */
	world_agent(w, "192.0.2.1", 0);
	player_route(w, 0, 0, GATEWAY, 0, 0, 0);
	player_route(w, SERVER & 0xffff0000, 16, 0, INSIDE, 0, 0);
	player_neighbor(w, GATEWAY, 0, 9);
	player_neighbor(w, GATEWAY_2, 0, 10);
	player_neighbor(w, SERVER, INSIDE, 5);
	for (unsigned n = 1; n <= LAST_SA; n++) {
		sa_stage(w, n, 1);
		assert_int_equal(sa_set(w, n, PEER(n), 0xc0000100u), 0);
		host_policy(w, n, POLICY_PROTECT, n);
	}
	for (unsigned n = 1; n <= LAST_SA; n++)
		node_bind(w, n, n % 2 ? BINDING_REQUIRES_IPSEC : 0, ENCAPSULATION_IPIP);
	w->sas.outbound[EXPIRING_SA].sequence = SA_SEQUENCE_SOFT - 3;
	/* Behind them, and before them but for others. */
	policy(w, 14, 200, selector(0x0a140000, 0x0a2fffff), POLICY_BYPASS, SA_NONE);
	policy(w, 15, 50, selector(0x0a300000, 0x0a30ffff), POLICY_DISCARD, SA_NONE);
	commit(w);
}

/* ---- frames ---- */

static uint32_t frame_to(struct player *player, uint8_t *frame, uint32_t host)
{
	return player_datagram(player, frame, INSIDE, SERVER + player_below(player, 3), host);
}

/* To a client; returns the frame's length. */
static uint32_t frame_plain(struct player *player, uint8_t *frame, unsigned client)
{
	return frame_to(player, frame, CLIENT(client));
}

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
	if (*taken - before != (sas[n].expected == LANE ? 3 : 0))
		fail_msg("%s, %08x: %u of 3 taken", sas[n].name, host, (unsigned)(*taken - before));
	if (sas[n].expected == LANE)
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
		expected += sas[n].expected == LANE ? 3 : 0;
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
	assert_ptr_equal(sa_lane_find(table, first, 1), sa_outbound_get(table, 1));
	assert_null(sa_lane_find(table, first, 2));

	assert_int_equal(sa_set(player.world, 1, PEER(1) + 100, 0xc0000100u), 0);
	second = sa_outbound_number(table, 1);
	assert_int_not_equal(first, second);
	assert_null(sa_lane_find(table, first, 1));
	for (unsigned i = 0; i < 2; i++) /* the first one, by the steps, proves that it may */
		assert_int_equal(sent_to(&player), rte_cpu_to_be_32(PEER(1) + 100));

	sa_remove(player.world, 1);
	assert_null(sa_lane_find(table, second, 1));
	assert_int_equal(sent_to(&player), 0);
	for (unsigned i = 0; i < 8 && sa_outbound_number(table, 2) != second; i++)
		assert_int_equal(sa_set(player.world, 2, PEER(2), 0xc0000100u), 0);
	assert_int_equal(sa_outbound_number(table, 2), second); /* it was taken again */
	assert_null(sa_lane_find(table, second, 1));
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
		cmocka_unit_test(steps_and_lanes_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
