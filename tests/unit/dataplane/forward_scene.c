// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/dataplane/forward_scene.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_udp.h>

#define ETHERNET 14
#define IPV4     20

const struct node nodes[NODES] = {
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

/* What a source or destination may be that is wrong, or of somebody else. */
static const uint32_t sources[] = {0, 0x7f000001, 0xe0000001, 0xf0000001, 0x00000005, 0x0a3c0909,
	HOME(1), HOME(3), CARE_OF(2), 0xc0000263, PEER + 1};
static const uint32_t others[] = {0xffffffff, 0xe0000005, HERE, 0x0a3c0909, 0x0a32ffff, 0x7f000001,
	HOME(200), 0x0a3e0001, 0x0a3f0001, 0x0a400001, 0x0a410001, NETWORK(1) + 1, NETWORK(3) + 5,
	0xc0000277, 0xf0000001};

uint32_t destination(struct player *player)
{
	static const uint32_t nets[] = {0x0a3c0000, 0x0a3d0000, 0x08080000, 0x0a3e0000};

	return nets[player_below(player, RTE_DIM(nets))] + 1 + player_below(player, 6);
}

int apply(struct world *w, struct command command)
{
	return world_apply(w, &command);
}

void agent(struct world *w, uint32_t flags, uint8_t dscp)
{
	assert_int_equal(
		apply(w, (struct command){.type = COMMAND_AGENT_SET,
				 .agent = {.address = player_v4(HERE),
					 .flags = AGENT_GRE | AGENT_MINIMAL | AGENT_UDP | flags,
					 .tunnel_ttl = 64,
					 .dscp = dscp}}),
		0);
}

uint32_t care_of(unsigned n)
{
	return nodes[n].care_of != 0 ? nodes[n].care_of : CARE_OF(n);
}

void binding(struct world *w, uint32_t id, unsigned n, uint32_t address, monotonic expires_ns)
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

void home_network(struct world *w, uint32_t network, uint8_t length, uint16_t port)
{
	struct command c = {.type = COMMAND_HOME_NETWORK_SET, .home_network = {.port = port}};

	c.home_network.prefix.address = player_v4(network);
	c.home_network.prefix.length = (uint8_t)(96 + length);
	assert_int_equal(apply(w, c), 0);
}

void heal(struct player *player)
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

monotonic behind_ns;

void setup(struct player *player, bool lanes, uint64_t seed)
{
	struct world *w;

	*player = (struct player){.sources = sources,
		.others = others,
		.source_count = RTE_DIM(sources),
		.other_count = RTE_DIM(others),
		.destination = destination,
		.hops = {{GATEWAY, OUTSIDE}, {GATEWAY_2, OUTSIDE}, {ROUTER, INSIDE}}};
	w = player_begin(player, lanes, seed);
	behind_ns = w->worker.now_ns % CLOCK_NS_PER_S;
	w->worker.now_ns -= behind_ns;
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

uint32_t tunnel_frame(
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

void tunnel_spoil(struct player *player, uint8_t *frame)
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
