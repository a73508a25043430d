// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "tests/unit/dataplane/player.h"
#include "dataplane/lane/lane.h"
#include "tests/unit/selector_any.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_udp.h>

#define POLICY_ID 3

struct world *player_begin(struct player *player, bool lanes, uint64_t seed)
{
	struct world *w = world_new();

	player->world = w;
	player->record = record_new(w);
	player->random = seed;
	w->worker.lanes_off = !lanes;
	w->ports[0].tx_ipv4_checksum = seed & 1;
	return w;
}

uint32_t player_below(struct player *player, uint32_t limit)
{
	player->random ^= player->random << 13;
	player->random ^= player->random >> 7;
	player->random ^= player->random << 17;
	return (uint32_t)((player->random >> 32) * limit >> 32);
}

bool player_chance(struct player *player, unsigned percent)
{
	return player_below(player, 100) < percent;
}

struct ip_address player_v4(uint32_t host)
{
	return ip_address_from_v4(rte_cpu_to_be_32(host));
}

void player_route(struct world *w, uint32_t network, uint8_t length, uint32_t via, uint16_t port,
	uint16_t mtu, uint32_t flags)
{
	struct command c = {
		.type = COMMAND_ROUTE_SET, .route = {.port = port, .mtu = mtu, .flags = flags}};

	c.route.prefix.address = player_v4(network);
	c.route.prefix.length = (uint8_t)(96 + length);
	if (via != 0)
		c.route.next_hop = player_v4(via);
	assert_int_equal(world_apply(w, &c), 0);
}

void player_route_remove(struct world *w, uint32_t network, uint8_t length)
{
	struct command c = {.type = COMMAND_ROUTE_REMOVE};

	c.route.prefix.address = player_v4(network);
	c.route.prefix.length = (uint8_t)(96 + length);
	assert_int_equal(world_apply(w, &c), 0);
}

uint16_t player_mtu(struct player *player)
{
	static const uint16_t mtus[] = {0, 0, 1400, 700, 500};

	return mtus[player_below(player, RTE_DIM(mtus))];
}

void player_route_change(struct player *player, uint32_t host, unsigned what)
{
	const struct player_hop *hop = &player->hops[0];
	uint32_t flags = 0;
	uint16_t mtu = 0;

	if (what == 0) {
		hop = &player->hops[player_below(player, 2)];
		mtu = player_mtu(player);
	} else if (what == 1) {
		flags = player_chance(player, 50) ? ROUTE_BLACKHOLE : 0;
	} else {
		hop = &player->hops[2];
	}
	player_route(player->world, host, 32, hop->via, hop->port, mtu, flags);
}

void player_neighbor(struct world *w, uint32_t host, uint16_t port, uint8_t mac)
{
	assert_int_equal(world_apply(w, &(struct command){.type = COMMAND_NEIGHBOR_SET,
						.neighbor = {.address = player_v4(host),
							.port = port,
							.mac = {2, 0, 0, 0, 0xee, mac}}}),
		0);
}

static void policy_commit(struct world *w, struct command *c)
{
	(void)world_apply(w, c); /* there may be none to remove */
	assert_int_equal(world_apply(w, &(struct command){.type = COMMAND_POLICY_COMMIT}), 0);
}

void player_policy_change(struct player *player, unsigned percent_set, bool ipv6)
{
	struct command c = {.type = player_chance(player, percent_set) ? COMMAND_POLICY_SET
								       : COMMAND_POLICY_REMOVE,
		.policy = {.selector = selector_any(ipv6),
			.policy_id = POLICY_ID,
			.order = 1,
			.sa_id = SA_NONE,
			.direction = SA_OUTBOUND,
			.action = player_chance(player, 50) ? POLICY_BYPASS : POLICY_DISCARD}};

	policy_commit(player->world, &c);
}

void player_policy_remove(struct world *w)
{
	policy_commit(w, &(struct command){.type = COMMAND_POLICY_REMOVE,
				 .policy = {.policy_id = POLICY_ID}});
}

struct rte_ipv4_hdr *player_ip(uint8_t *frame)
{
	return (struct rte_ipv4_hdr *)(frame + sizeof(struct rte_ether_hdr));
}

void player_checksum(uint8_t *frame)
{
	player_ip(frame)->hdr_checksum = 0;
	player_ip(frame)->hdr_checksum = rte_ipv4_cksum(player_ip(frame));
}

uint32_t player_datagram(
	struct player *player, uint8_t *frame, uint16_t port, uint32_t source, uint32_t destination)
{
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)frame;
	struct rte_ipv4_hdr *ip = player_ip(frame);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	uint32_t length = player_chance(player, 70) ? 28 + player_below(player, 100)
						    : 28 + player_below(player, 1473);
	const uint8_t mac[6] = {2, 0, 0, 0, (uint8_t)port, 1};

	if (player_chance(player, 10)) /* about what fits */
		length = 1420 + player_below(player, 40);
	memset(frame, (uint8_t)player_below(player, 256), PLAYER_FRAME);
	memcpy(&ether->dst_addr, mac, 6);
	memset(&ether->src_addr, 2, 6);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.type_of_service = (uint8_t)player_below(player, 256),
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.packet_id = rte_cpu_to_be_16((uint16_t)player_below(player, 65536)),
		.fragment_offset = player_chance(player, 50) ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0,
		.time_to_live = (uint8_t)(2 + player_below(player, 254)),
		.next_proto_id = player_chance(player, 80) ? IPPROTO_UDP
							   : (uint8_t)player_below(player, 256),
		.src_addr = rte_cpu_to_be_32(source),
		.dst_addr = rte_cpu_to_be_32(destination)};
	*udp = (struct rte_udp_hdr){.src_port = rte_cpu_to_be_16((uint16_t)player_below(player, 2)),
		.dst_port = player_chance(player, 90) ? RTE_BE16(9) : RTE_BE16(53),
		.dgram_len = rte_cpu_to_be_16((uint16_t)(length - 20))};
	player_checksum(frame);
	return (uint32_t)sizeof(*ether) + length;
}

uint32_t player_spoil(struct player *player, uint8_t *frame, uint32_t length)
{
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)frame;
	struct rte_ipv4_hdr *ip = player_ip(frame);

	switch (player_below(player, 18)) {
	case 0:
		ip->time_to_live = (uint8_t)player_below(player, 2);
		break;
	case 1:
		ip->hdr_checksum ^= (uint16_t)(1 + player_below(player, 65535));
		return length;
	case 2:
		ip->version_ihl = (uint8_t)player_below(player, 256);
		break;
	case 3:
		ip->fragment_offset |= rte_cpu_to_be_16(
			(uint16_t)(player_chance(player, 50) ? RTE_IPV4_HDR_MF_FLAG
							     : player_below(player, 100)));
		break;
	case 4:
		ether->dst_addr.addr_bytes[player_below(player, 6)] ^=
			(uint8_t)(1 + player_below(player, 255));
		break;
	case 5:
		ether->ether_type = rte_cpu_to_be_16(
			(uint16_t)(player_chance(player, 50) ? RTE_ETHER_TYPE_ARP
							     : RTE_ETHER_TYPE_IPV6));
		break;
	case 6: /* a tag: priority alone, or a VLAN */
		memmove(frame + 16, frame + 12, length - 12);
		frame[12] = 0x81, frame[13] = 0, frame[14] = 0x20;
		frame[15] = player_chance(player, 60) ? 0 : 5;
		return length + 4;
	case 7: /* octets behind the datagram */
		return length + 1 + player_below(player, 40);
	case 8:
		return 1 + player_below(player, length);
	case 9:
		ip->total_length = rte_cpu_to_be_16((uint16_t)player_below(player, 1600));
		break;
	case 10:
		ip->src_addr = rte_cpu_to_be_32(
			player->sources[player_below(player, player->source_count)]);
		break;
	case 11:
	case 12:
		ip->dst_addr =
			rte_cpu_to_be_32(player->others[player_below(player, player->other_count)]);
		break;
	case 13: /* options */
		memmove(frame + 38, frame + 34, length - 34);
		memset(frame + 34, 1, 4);
		ip->version_ihl = 0x46;
		ip->total_length = rte_cpu_to_be_16((uint16_t)(length - 10));
		length += 4;
		ip->hdr_checksum = 0;
		ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, 24);
		return length;
	default:
		ip->dst_addr = rte_cpu_to_be_32(player->destination(player));
		break;
	}
	player_checksum(frame);
	return length;
}

struct rte_mbuf *player_buffer(
	struct player *player, const uint8_t *frame, uint32_t length, struct rte_mbuf **shared)
{
	unsigned kind = player_below(player, 120);
	struct rte_mbuf *m = world_packet(player->world, frame, length, kind == 0 ? 3 : 1);

	if (kind == 1 && length < 1600) {
		m->data_off = (uint16_t)(player_below(player, 32) * 2);
		memcpy(rte_pktmbuf_mtod(m, void *), frame, length);
	} else if (kind == 2 && length < 1600) {
		m->data_off = (uint16_t)((m->buf_len - length - player_below(player, 48)) & ~1u);
		memcpy(rte_pktmbuf_mtod(m, void *), frame, length);
	} else if (kind == 3) {
		rte_pktmbuf_refcnt_update(m, 1);
		*shared = m;
	} else if (kind == 4) {
		m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	} else if (kind == 5) {
		m->ol_flags |= RTE_MBUF_F_RX_VLAN_STRIPPED;
		m->vlan_tci = (uint16_t)player_below(player, 2);
	}
	return m;
}

void player_burst_add(
	struct player *player, struct player_burst *burst, const uint8_t *frame, uint32_t length)
{
	unsigned i = burst->count++;

	burst->shared[i] = NULL;
	burst->packets[i] = player_buffer(player, frame, length, &burst->shared[i]);
}

void player_burst_receive(struct player *player, struct player_burst *burst, uint16_t port)
{
	world_receive_mbufs(player->world, port, burst->packets, burst->count);
	for (unsigned i = 0; i < burst->count; i++)
		rte_pktmbuf_free(burst->shared[i]);
	burst->count = 0;
}

/* ---- with lanes and without ---- */

void player_end(struct player *player)
{
	assert_true(world_settle(player->world));
	assert_true(world_free(player->world));
	record_free(player->record);
}

void player_compare(const struct player_script *script, uint64_t seeds, unsigned taken_lane)
{
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct player with, without;
		const char *difference;

		script->setup(&without, false, seed * 0x9e3779b97f4a7c15u + seed);
		script->play(&without);
		assert_int_equal(without.world->worker.lane_taken[taken_lane], 0);
		assert_true(world_settle(without.world));
		assert_true(world_free(without.world)); /* one world at a time */
		script->setup(&with, true, seed * 0x9e3779b97f4a7c15u + seed);
		script->play(&with);
		printf("# seed %u: %llu frames received, taken:", (unsigned)seed,
			(unsigned long long)with.world->counters.received_port);
		for (unsigned lane = 0; lane < LANE_COUNT; lane++)
			printf(" %llu", (unsigned long long)with.world->worker.lane_taken[lane]);
		printf("\n");
		difference = record_differs(without.record, with.record);
		if (difference != NULL)
			fail_msg("seed %u: %s", (unsigned)seed, difference);
		assert_true(with.record->frames > 3000);
		script->enough(with.world);
		record_free(without.record);
		player_end(&with);
	}
}
