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

#include "tests/unit/dataplane/player.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_udp.h>
#include <stdio.h>

#define HERE       0xc0000201u /* 192.0.2.1, the agent */
#define GATEWAY    0xc00002feu /* 192.0.2.254, outside */
#define GATEWAY_2  0xc00002fdu
#define ROUTER     0xac100102u                               /* 172.16.1.2, inside */
#define HOME(n)    (0x0a320000u + (uint32_t)(n))             /* 10.50.0.n */
#define NETWORK(n) (0x0a460000u + ((uint32_t)(n) << 8))      /* 10.70.n.0/24: behind node n */
#define CARE_OF(n) (0xcb007100u + ((uint32_t)(n) << 16) + 7) /* 203.n.113.7 */
#define PEER       0x08080808u                               /* a correspondent */
#define OUTSIDE    0
#define INSIDE     1
#define HOME_LINK  2
#define ETHERNET   14
#define IPV4       20
#define STEPS      1100
#define SEEDS      4

enum expectation { STEPS_ONLY, LANE };

/* Node n has home address HOME(n) and binding n. */
static const struct node {
	const char *name;
	uint32_t flags;
	uint16_t care_of_port, path_mtu;
	uint8_t encapsulation;
	uint8_t out, in;  /* enum expectation */
	uint32_t care_of; /* 0: CARE_OF(n) */
} nodes[] = {
	{"nobody", 0, 0, 0, 0, STEPS_ONLY, STEPS_ONLY, 0},
	{"IP-in-IP", BINDING_REVERSE | BINDING_COLOCATED, 0, 0, ENCAPSULATION_IPIP, LANE, LANE, 0},
	{"through a foreign agent", BINDING_REVERSE, 0, 0, ENCAPSULATION_IPIP, LANE, LANE, 0},
	{"UDP", BINDING_UDP | BINDING_REVERSE | BINDING_COLOCATED, 40000, 0, ENCAPSULATION_IPIP,
		LANE, LANE, 0},
	{"T not granted", BINDING_COLOCATED, 0, 0, ENCAPSULATION_IPIP, LANE, LANE, 0},
	{"old far end", BINDING_REVERSE | BINDING_ECN_COMPATIBILITY, 0, 0, ENCAPSULATION_IPIP, LANE,
		LANE, 0},
	{"small path", BINDING_REVERSE | BINDING_COLOCATED, 0, 600, ENCAPSULATION_IPIP, LANE, LANE,
		0},
	{"GRE", BINDING_REVERSE, 0, 0, ENCAPSULATION_GRE, STEPS_ONLY, STEPS_ONLY, 0},
	{"minimal", BINDING_REVERSE, 0, 0, ENCAPSULATION_MINIMAL, STEPS_ONLY, STEPS_ONLY, 0},
	{"GRE in UDP", BINDING_UDP | BINDING_REVERSE, 40001, 0, ENCAPSULATION_GRE, STEPS_ONLY,
		STEPS_ONLY, 0},
	{"half bound", BINDING_UDP | BINDING_REVERSE | BINDING_HALF_BOUND, 0, 0, ENCAPSULATION_IPIP,
		STEPS_ONLY, STEPS_ONLY, 0},
	{"suspended", BINDING_REVERSE | BINDING_SUSPENDED, 0, 0, ENCAPSULATION_IPIP, STEPS_ONLY,
		LANE, 0},
	{"stale", BINDING_UDP | BINDING_REVERSE | BINDING_STALE_NAT, 40002, 0, ENCAPSULATION_IPIP,
		STEPS_ONLY, LANE, 0},
	{"IPsec", BINDING_REVERSE | BINDING_REQUIRES_IPSEC, 0, 0, ENCAPSULATION_IPIP, STEPS_ONLY,
		STEPS_ONLY, 0},
	{"visiting a node", BINDING_REVERSE, 0, 0, ENCAPSULATION_IPIP, STEPS_ONLY, LANE, HOME(1)},
	{"UDP, small path", BINDING_UDP | BINDING_REVERSE, 40003, 900, ENCAPSULATION_IPIP, LANE,
		LANE, 0},
};
#define NODES RTE_DIM(nodes)

/* What a source or destination may be that is wrong, or of somebody else. */
static const uint32_t sources[] = {0, 0x7f000001, 0xe0000001, 0xf0000001, 0x00000005, 0x0a3c0909,
	HOME(1), HOME(3), CARE_OF(2), 0xc0000263, PEER + 1};
static const uint32_t others[] = {0xffffffff, 0xe0000005, HERE, 0x0a3c0909, 0x0a32ffff, 0x7f000001,
	HOME(200), 0x0a3e0001, 0x0a3f0001, 0x0a400001, 0x0a410001, NETWORK(1) + 1, NETWORK(3) + 5,
	0xc0000277, 0xf0000001};

static uint32_t destination(struct player *player)
{
	static const uint32_t nets[] = {0x0a3c0000, 0x0a3d0000, 0x08080000, 0x0a3e0000};

	return nets[player_below(player, RTE_DIM(nets))] + 1 + player_below(player, 6);
}

static int apply(struct world *w, struct command command)
{
	return world_apply(w, &command);
}

static void agent(struct world *w, uint32_t flags, uint8_t dscp)
{
	assert_int_equal(
		apply(w, (struct command){.type = COMMAND_AGENT_SET,
				 .agent = {.address = player_v4(HERE),
					 .flags = AGENT_GRE | AGENT_MINIMAL | AGENT_UDP | flags,
					 .tunnel_ttl = 64,
					 .dscp = dscp}}),
		0);
}

static uint32_t care_of(unsigned n)
{
	return nodes[n].care_of != 0 ? nodes[n].care_of : CARE_OF(n);
}

static void binding(
	struct world *w, uint32_t id, unsigned n, uint32_t address, monotonic expires_ns)
{
	const struct node *node = &nodes[n];

	assert_int_equal(
		apply(w,
			(struct command){.type = COMMAND_BINDING_SET,
				.binding = {.home_address = player_v4(HOME(n)),
					.care_of_address = player_v4(address),
					.care_of_field = player_v4(address),
					.agent_address = player_v4(HERE),
					.expires_ns = expires_ns,
					.binding_id = id,
					.flags = node->flags,
					.home_port = HOME_LINK,
					.care_of_port = rte_cpu_to_be_16(node->care_of_port),
					.agent_port = node->flags & BINDING_UDP ? RTE_BE16(434) : 0,
					.path_mtu = node->path_mtu,
					.encapsulation = node->encapsulation}}),
		0);
}

static void home_network(struct world *w, uint32_t network, uint8_t length, uint16_t port)
{
	struct command c = {.type = COMMAND_HOME_NETWORK_SET, .home_network = {.port = port}};

	c.home_network.prefix.address = player_v4(network);
	c.home_network.prefix.length = (uint8_t)(96 + length);
	assert_int_equal(apply(w, c), 0);
}

/* All as it is in the beginning, but for what was learned. */
static void heal(struct player *player)
{
	struct world *w = player->world;

	agent(w, 0, DSCP_COPY);
	assert_int_equal(apply(w, (struct command){.type = COMMAND_BINDING_REMOVE,
					  .binding = {.binding_id = 30}}),
		0);
	for (unsigned n = 1; n < NODES; n++) {
		binding(w, n, n, care_of(n), CLOCK_NEVER);
		player_route_remove(w, CARE_OF(n), 32);
	}
	player_route(w, 0, 0, GATEWAY, OUTSIDE, 0, 0);
	player_route(w, 0x0a3c0000, 16, ROUTER, INSIDE, 0, 0);
	player_route(w, 0x0a3d0000, 16, 0, HOME_LINK, 0, 0);
	player_route(w, 0x0a3e0000, 16, ROUTER, INSIDE, 400, 0);
	player_route(w, 0x0a3f0000, 16, 0, INSIDE, 0, ROUTE_BLACKHOLE);
	player_route(w, 0x0a400000, 16, 0, INSIDE, 0, 0); /* nobody answers there */
	player_neighbor(w, GATEWAY, OUTSIDE, 9);
	player_neighbor(w, GATEWAY_2, OUTSIDE, 10);
	player_neighbor(w, ROUTER, INSIDE, 5);
	for (unsigned i = 1; i < 7; i++)
		player_neighbor(w, 0x0a3d0000 + i, HOME_LINK, (uint8_t)(20 + i));
	player_policy_remove(w);
	for (unsigned i = 0; i < WORLD_PORTS; i++)
		w->ports[i].up = true;
}

/* What is counted in whole seconds is to begin alike: the worker's clock is that much behind. */
static monotonic behind_ns;

static void setup(struct player *player, bool lanes, uint64_t seed)
{
	struct world *w = world_new();

	behind_ns = w->worker.now_ns % CLOCK_NS_PER_S;
	w->worker.now_ns -= behind_ns;

	*player = (struct player){.world = w,
		.record = record_new(w),
		.random = seed,
		.sources = sources,
		.others = others,
		.source_count = RTE_DIM(sources),
		.other_count = RTE_DIM(others),
		.destination = destination,
		.hops = {{GATEWAY, OUTSIDE}, {GATEWAY_2, OUTSIDE}, {ROUTER, INSIDE}}};
	w->worker.lanes_off = !lanes;
	w->ports[OUTSIDE].tx_ipv4_checksum = seed & 1;
	world_local(w, "192.0.2.1", OUTSIDE);
	world_local(w, "10.60.9.9", INSIDE); /* ours, among what is routed */
	home_network(w, 0x0a320000, 16, HOME_LINK);
	heal(player);
	for (unsigned n = 1; n < 4; n++) {
		struct command c = {.type = COMMAND_PREFIX_SET, .prefix = {.binding_id = n}};
		c.prefix.prefix.address = player_v4(NETWORK(n));
		c.prefix.prefix.length = 96 + 24;
		assert_int_equal(apply(w, c), 0);
	}
}

/* ---- frames ---- */

/* What came out of node n's tunnel to `to`, wrong in one way or another when `odd`. */
static uint32_t tunnel_frame(
	struct player *player, uint8_t *frame, unsigned n, uint32_t to, bool odd_inside)
{
	const struct node *node = &nodes[n];
	uint8_t inner[PLAYER_FRAME];
	bool udp = node->flags & BINDING_UDP;
	uint32_t length = player_datagram(player, inner, OUTSIDE, HOME(n), to),
		 at = ETHERNET + IPV4;
	struct rte_ipv4_hdr *ip = player_ip(frame);
	struct rte_udp_hdr *header = (struct rte_udp_hdr *)(ip + 1);

	do {
		length = player_datagram(player, inner, OUTSIDE, HOME(n), to);
		if (odd_inside)
			length = player_spoil(player, inner, length);
		if (odd_inside && player_chance(player, 10)) { /* a registration */
			((struct rte_udp_hdr *)(inner + ETHERNET + IPV4))->dst_port = RTE_BE16(434);
			inner[ETHERNET + IPV4 + 8] = 1;
		}
	} while (length < ETHERNET + IPV4 || length > 1450);
	memcpy(frame, inner, ETHERNET);
	frame[12] = 8, frame[13] = 0;
	if (!odd_inside && player_chance(player, 5)) { /* shorter than its protocol's header */
		length = ETHERNET + IPV4 + player_below(player, 9);
		player_ip(inner)->total_length = rte_cpu_to_be_16((uint16_t)(length - ETHERNET));
		player_checksum(inner);
	}
	memcpy(frame, (const uint8_t[]){2, 0, 0, 0, OUTSIDE, 1}, 6);
	at += udp ? 12 : 0;
	memcpy(frame + at, inner + ETHERNET, length - ETHERNET);
	length = at + length - ETHERNET;
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.type_of_service =
			(uint8_t)(player_chance(player, 70) ? 0 : player_below(player, 256)),
		.total_length = rte_cpu_to_be_16((uint16_t)(length - ETHERNET)),
		.packet_id = rte_cpu_to_be_16((uint16_t)player_below(player, 65536)),
		.fragment_offset = player_chance(player, 50) ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0,
		.time_to_live = (uint8_t)(1 + player_below(player, 255)),
		.next_proto_id = udp ? IPPROTO_UDP : IPPROTO_IPIP,
		.src_addr = rte_cpu_to_be_32(care_of(n)),
		.dst_addr = rte_cpu_to_be_32(HERE)};
	if (udp) {
		*header = (struct rte_udp_hdr){.src_port = rte_cpu_to_be_16(node->care_of_port),
			.dst_port = RTE_BE16(434),
			.dgram_len = rte_cpu_to_be_16((uint16_t)(length - ETHERNET - IPV4))};
		memcpy(header + 1, (const uint8_t[]){4, ENCAPSULATION_IPIP, 0, 0}, 4);
	}
	player_checksum(frame);
	return length;
}

/* Something about the tunnel's own headers. */
static void tunnel_spoil(struct player *player, uint8_t *frame)
{
	struct rte_ipv4_hdr *ip = player_ip(frame);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	switch (player_below(player, 8)) {
	case 0:
		ip->src_addr = rte_cpu_to_be_32(care_of(1 + player_below(player, NODES - 1)));
		break;
	case 1:
		ip->next_proto_id =
			(uint8_t)(player_chance(player, 50) ? IPPROTO_UDP : IPPROTO_IPIP);
		break;
	case 2:
		udp->src_port = RTE_BE16(40009);
		break;
	case 3:
		udp->dst_port = player_chance(player, 50) ? RTE_BE16(4500) : RTE_BE16(435);
		break;
	case 4:
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)player_below(player, 200));
		break;
	case 5:
		if (ip->next_proto_id == IPPROTO_UDP)
			udp->dgram_cksum = player_chance(player, 80)
						   ? rte_ipv4_udptcp_cksum(ip, udp)
						   : RTE_BE16(0x1234);
		break;
	case 6:
		if (ip->next_proto_id == IPPROTO_UDP)
			((uint8_t *)(udp + 1))[player_below(player, 4)] =
				(uint8_t)player_below(player, 60);
		break;
	default: /* a registration, perhaps, inside */
		ip->type_of_service = (uint8_t)player_below(player, 256);
		break;
	}
	player_checksum(frame);
}

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
