/* Packets in several segments, parsing, fragments, the limiter, plateaus: what walk cases cannot
 * show one by one. */
#include "dataplane/packet.h"

#include "dataplane/fragment.h"
#include "dataplane/header.h"
#include "dataplane/input/icmp_tunnel.h"
#include "dataplane/limiter.h"
#include "dataplane/pipeline.h"
#include "tests/walk/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t octets[1400];

static void fill(void)
{
	for (unsigned i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 7);
}

static void pull_moves_octets_of_later_segments(void **state)
{
	struct world *world = world_new();
	struct rte_mbuf *mbuf = world_packet(world, octets, 100, 5);

	assert_int_equal(mbuf->nb_segs, 5);
	assert_true(packet_pull(mbuf, 45));
	assert_int_equal(mbuf->nb_segs, 4); /* one segment was emptied */
	assert_int_equal(rte_pktmbuf_pkt_len(mbuf), 100);
	assert_memory_equal(rte_pktmbuf_mtod(mbuf, void *), octets, 45);
	assert_false(packet_pull(mbuf, 101));
	uint8_t copy[100];
	assert_memory_equal(rte_pktmbuf_read(mbuf, 0, 100, copy), octets, 100);
	rte_pktmbuf_free(mbuf);
	assert_true(world_free(world));
}

static void trim_drops_whole_segments(void **state)
{
	struct world *world = world_new();
	struct rte_mbuf *mbuf = world_packet(world, octets, 100, 5);

	packet_trim(mbuf, 30);
	assert_int_equal(mbuf->nb_segs, 2);
	assert_int_equal(rte_pktmbuf_pkt_len(mbuf), 30);
	uint8_t copy[30];
	assert_memory_equal(rte_pktmbuf_read(mbuf, 0, 30, copy), octets, 30);
	rte_pktmbuf_free(mbuf);
	assert_true(world_free(world));
}

/* Fragments of fragments make chains longer than any list of pieces has room for. // ESP-OUT-06 */
static void a_packet_in_too_many_pieces_is_copied(void **state)
{
	struct world *world = world_new();
	struct rte_mbuf *as_it_was = world_packet(world, octets, 1400, PACKET_PIECES_MAX);
	struct rte_mbuf *mbuf = as_it_was;
	uint8_t copy[1400];

	assert_int_equal(mbuf->nb_segs, PACKET_PIECES_MAX);
	assert_true(packet_own(&world->worker, &mbuf, 0));
	assert_ptr_equal(mbuf, as_it_was);
	rte_pktmbuf_free(mbuf);
	mbuf = as_it_was = world_packet(world, octets, 1400, PACKET_PIECES_MAX + 1);
	assert_int_equal(mbuf->nb_segs, PACKET_PIECES_MAX + 1);
	assert_true(packet_own(&world->worker, &mbuf, 0));
	assert_ptr_not_equal(mbuf, as_it_was);
	assert_int_equal(mbuf->nb_segs, 1);
	assert_memory_equal(rte_pktmbuf_read(mbuf, 0, 1400, copy), octets, 1400);
	rte_pktmbuf_free(mbuf);
	assert_true(world_free(world));
}

static void a_packet_that_others_see_is_copied(void **state)
{
	struct world *world = world_new();
	struct rte_mbuf *seen = world_packet(world, octets, 100, 1), *mbuf = seen;

	rte_mbuf_refcnt_update(seen, 1);
	assert_true(packet_own(&world->worker, &mbuf, 0));
	assert_ptr_not_equal(mbuf, seen);
	assert_int_equal(rte_mbuf_refcnt_read(seen), 1); /* the other one's */
	rte_pktmbuf_free(mbuf);
	mbuf = seen;
	assert_true(packet_own(&world->worker, &mbuf, rte_pktmbuf_headroom(seen)));
	assert_ptr_equal(mbuf, seen);
	assert_true(packet_own(&world->worker, &mbuf, 32));
	assert_ptr_equal(mbuf, seen);
	rte_pktmbuf_prepend(mbuf, rte_pktmbuf_headroom(seen));
	assert_true(packet_own(&world->worker, &mbuf, 32)); /* no room in front */
	assert_ptr_not_equal(mbuf, seen);
	rte_pktmbuf_free(mbuf);
	assert_true(world_free(world));
}

static uint32_t ipv4_make(uint8_t *packet, uint32_t length, uint16_t flags)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)packet;

	memcpy(packet, octets, length);
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.packet_id = rte_cpu_to_be_16(9),
		.fragment_offset = rte_cpu_to_be_16(flags),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = RTE_BE32(0x0a020005),
		.dst_addr = RTE_BE32(0x0a01000a)};
	ipv4_checksum_set(ip);
	return length;
}

static void parse_refuses_what_does_not_fit(void **state)
{
	struct world *world = world_new();
	uint8_t packet[100];
	struct rte_mbuf *mbuf;

	for (uint32_t length = 0; length < 60; length++) {
		ipv4_make(packet, 60, 0);
		mbuf = world_packet(world, packet, length, 1);
		if (mbuf != NULL) {
			packet_init(mbuf, &world->ports[0]);
			assert_false(packet_parse(mbuf, packet_get(mbuf)));
			rte_pktmbuf_free(mbuf);
		}
	}
	ipv4_make(packet, 60, RTE_IPV4_HDR_MF_FLAG | 5);
	mbuf = world_packet(world, packet, 60, 3);
	packet_init(mbuf, &world->ports[0]);
	assert_true(packet_parse(mbuf, packet_get(mbuf)));
	assert_int_equal(packet_get(mbuf)->flags, PACKET_FRAGMENT | PACKET_FRAGMENT_LATER);
	assert_int_equal(packet_get(mbuf)->payload_offset, 20);
	rte_pktmbuf_free(mbuf);
	assert_true(world_free(world));
}

/* HA4-FWD-01: a frame in pieces takes the same way as a flat one, octet for octet. */
static void segments_change_nothing(void **state)
{
	uint8_t frame[14 + 300] = {2, 0, 0, 0, 2, 1, 2, 0, 0, 0, 0xee, 5, 8, 0};

	ipv4_make(frame + 14, 300, 0);
	for (unsigned segments = 1; segments <= 30; segments += 3) {
		struct world *world = world_new();
		world_agent(world, "192.0.2.1", AGENT_UDP | AGENT_UDP_CHECKSUM);
		world_home_network(world, "10.1.0.0/16", 1);
		world_binding(world, 0, "10.1.0.10", "203.0.113.7", 40007, ENCAPSULATION_IPIP, 0);
		world_route(world, "0.0.0.0/0", "192.0.2.254", 0);
		world_neighbor(world, "192.0.2.254", 0, 1);
		struct rte_mbuf *packet = world_packet(world, frame, sizeof(frame), segments);
		pipeline_receive_burst(&world->worker, 2, &packet, 1);
		world_advance(world, 1);
		assert_int_equal(world->sent_count, 1);
		assert_int_equal(world->sent[0].length, 14 + 32 + 300);
		assert_memory_equal(world->sent[0].octets + 14 + 32 + 20, frame + 14 + 20, 280);
		const uint8_t *udp = world->sent[0].octets + 34;
		static uint16_t checksum; /* the same for every cut, and not zero */
		uint16_t here = (uint16_t)(udp[6] << 8 | udp[7]);
		assert_int_not_equal(here, 0);
		if (segments == 1)
			checksum = here;
		assert_int_equal(here, checksum);
		assert_true(world_free(world));
	}
}

static void limiter_gives_burst_then_rate(void **state)
{
	struct limiter *limiter = limiter_new(64);
	unsigned passed = 0;

	for (unsigned i = 0; i < 20; i++)
		passed += limiter_pass(limiter, 1, 1000, 100, 5);
	assert_int_equal(passed, 5);
	assert_false(limiter_pass(limiter, 1, 1099, 100, 5));
	assert_true(limiter_pass(limiter, 1, 1100, 100, 5));
	assert_false(limiter_pass(limiter, 1, 1100, 100, 5));
	limiter_free(limiter);
}

/* RFC 1191 7.1 */
static void plateau_is_the_next_lower(void **state)
{
	assert_int_equal(icmp_tunnel_plateau(1500), 1492);
	assert_int_equal(icmp_tunnel_plateau(1492), 1006);
	assert_int_equal(icmp_tunnel_plateau(508), 296);
	assert_int_equal(icmp_tunnel_plateau(20), 68);
}

/* RFC 1624: the adjusted checksum is the computed one, for every TTL. */
static void adjusted_checksums_are_right(void **state)
{
	uint8_t packet[60];
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)packet;

	ipv4_make(packet, 60, 0);
	for (unsigned value = 0; value < 256; value++) {
		ip->time_to_live = (uint8_t)(value + 1);
		ip->next_proto_id = (uint8_t)(value * 7);
		ipv4_checksum_set(ip);
		uint8_t before = ip->time_to_live;
		if (before > 0) {
			ipv4_ttl_decrement(ip);
			assert_int_equal(ip->time_to_live, before - 1);
			uint16_t adjusted = ip->hdr_checksum;
			ipv4_checksum_set(ip);
			assert_int_equal(adjusted, ip->hdr_checksum);
		}
		ipv4_tos_set(ip, (uint8_t)(value * 5));
		assert_true(ipv4_checksum_right(ip));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pull_moves_octets_of_later_segments),
		cmocka_unit_test(trim_drops_whole_segments),
		cmocka_unit_test(a_packet_in_too_many_pieces_is_copied),
		cmocka_unit_test(a_packet_that_others_see_is_copied),
		cmocka_unit_test(parse_refuses_what_does_not_fit),
		cmocka_unit_test(segments_change_nothing),
		cmocka_unit_test(limiter_gives_burst_then_rate),
		cmocka_unit_test(plateau_is_the_next_lower),
		cmocka_unit_test(adjusted_checksums_are_right),
	};
	fill();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
