/*
 * The lane of inbound ESP against the steps: one script of bursts and changes of the tables is
 * played to a dataplane with lanes and to one without, and all that can be seen of the two must be
 * the same, octet by octet: frames of each flow in their order, counters, events, states of SAs.
 *
 * The script is random, from a seed: several peers with suites, windows and selectors of all kinds,
 * whose packets come usual, repeated, late, forged, authentic but hostile inside, from elsewhere,
 * in fragments, with trailing octets; among them packets that are no ESP at all. Between bursts
 * routes, neighbours, policies, addresses and SAs come and go. In most bursts hardly anything is
 * odd, as one odd packet may take all of its SA away from the lane; how many left by the lane, and
 * how many it deciphered for the steps to judge, is asserted: a lane that takes nothing proves
 * nothing.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/lane/lane.h"
#include "dataplane/packet.h"

#include "tests/unit/dataplane/peers.h"

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_MAX 8 /* output/neighbor holds as many */

/* ---- packets ---- */

static uint32_t destination(struct script *s)
{
	static const uint32_t nets[] = {0x0a010000u, 0x0a010000u, 0x0a010000u, 0x0a020000u,
		0x0a030000u, 0x0a040000u, 0x0a050000u, 0x0a060000u, 0x0a630000u, 0x0b000000u,
		0xe0000000u, 0x7f000000u};
	uint32_t net = nets[peers_next(s, peers_odd(s, 4) ? RTE_DIM(nets) : s->calm ? 4 : 5)];

	if (net == 0x0a050000u)
		return net + 7 + peers_next(s, 2);
	if (net == 0x0a060000u && peers_next(s, 8) == 0)
		return 0x0a060909u;
	return net + 1 + peers_next(s, 6);
}

/* A packet from `source`, mostly sound. Returns its length. */
static uint32_t packet_make(struct script *s, uint32_t source, uint8_t *text)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)text;
	static const uint16_t lengths[] = {20, 28, 40, 64, 200, 512, 1200};
	uint32_t length = lengths[peers_next(s, RTE_DIM(lengths))] + peers_next(s, 8);

	for (uint32_t i = 0; i < length; i++)
		text[i] = (uint8_t)(i * 7 + s->frames);
	if (length >= 24)
		memset(text + 20, 7, 4); /* ports: one flow to a destination */
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.type_of_service = (uint8_t)(peers_odd(s, 4) ? peers_next(s, 256) : 0),
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.packet_id = rte_cpu_to_be_16((uint16_t)s->frames),
		.fragment_offset = peers_next(s, 2) ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0,
		.time_to_live = (uint8_t)(peers_odd(s, 8) ? peers_next(s, 4) : 64),
		.next_proto_id = (uint8_t)(peers_next(s, 4) ? IPPROTO_UDP : 253),
		.src_addr = rte_cpu_to_be_32(source),
		.dst_addr = rte_cpu_to_be_32(destination(s))};
	switch (peers_odd(s, 4) ? peers_next(s, 6) : UINT32_MAX) {
	case 0:
		ip->src_addr = rte_cpu_to_be_32(HOSTS + 1 + peers_next(s, 200));
		break;
	case 1:
		ip->fragment_offset =
			rte_cpu_to_be_16((uint16_t)(peers_next(s, 4) ? peers_next(s, 0x10000) : 1));
		break;
	case 2:
		if (length >= 28)
			ip->version_ihl = (uint8_t)(0x40 | peers_next(s, 8));
		break;
	case 3:
		ip->total_length = rte_cpu_to_be_16((uint16_t)peers_next(s, length + 8));
		break;
	case 4:
		ip->src_addr = rte_cpu_to_be_32(peers_next(s, 2) ? 0x0a060909u : 0x7f000001u);
		break;
	case 5: { /* an ICMP error about anything */
		ip->next_proto_id = IPPROTO_ICMP;
		if (length >= 32)
			memset(text + 20, 3, 2);
		break;
	}
	default:
		break;
	}
	if ((ip->version_ihl & 15u) >= 5 && (ip->version_ihl & 15u) * 4u <= length)
		peers_checksum(ip);
	if (peers_odd(s, 32))
		text[peers_next(s, 20)] ^= (uint8_t)(1u << peers_next(s, 8));
	return length;
}

/* What a peer sends: a packet of its own, or one of the mobile node that it is, in its tunnel. */
static uint32_t inner_make(struct script *s, unsigned peer, uint8_t *text)
{
	uint32_t host = HOSTS + peer * 16 + (peers_all[peer].subnet ? peers_next(s, 4) : 0), length;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)text;

	if (peers_next(s, 4) != 0)
		return packet_make(s, host, text);
	length = 20 + packet_make(s, NODES + (peers_odd(s, 16) ? peers_next(s, PEERS_COUNT) : peer),
			      text + sizeof(*ip));
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.type_of_service = (uint8_t)(peers_odd(s, 4) ? peers_next(s, 256) : 0),
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.packet_id = rte_cpu_to_be_16((uint16_t)s->frames),
		.time_to_live = (uint8_t)(peers_odd(s, 16) ? peers_next(s, 2) : 64),
		.next_proto_id = (uint8_t)(peers_odd(s, 16) ? peers_next(s, 256) : IPPROTO_IPIP),
		.src_addr = rte_cpu_to_be_32(host),
		.dst_addr = rte_cpu_to_be_32(peers_odd(s, 16) ? 0x0a060909u : HERE)};
	peers_checksum(ip);
	return length;
}

static void sealed_make(struct script *s, unsigned peer, struct frame *f)
{
	peers_seal(s, peer, f, inner_make(s, peer, peers_text(s, peer, f)));
}

/* The whole datagram's right checksum in place of none. */
static void udp_checksum_set(struct frame *f)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(f->octets + ETHERNET);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	udp->dgram_cksum = 0;
	udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
}

static void udp_spoil(struct script *s, struct frame *f)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(f->octets + ETHERNET + 20);

	switch (peers_next(s, 6)) {
	case 0:
		udp_checksum_set(f);
		break;
	case 1:
		udp_checksum_set(f);
		udp->dgram_cksum ^= 0x100;
		break;
	case 2:
		udp->src_port = RTE_BE16(7777);
		break;
	case 3:
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)peers_next(s, 200));
		break;
	case 4: /* IKE, or a keepalive */
		memset(udp + 1, peers_next(s, 2) ? 0 : 0xff, 4);
		if (peers_next(s, 2))
			udp->dgram_len = RTE_BE16(9);
		break;
	default:
		udp->dst_port = RTE_BE16(peers_next(s, 2) ? 500 : 434);
	}
}

/* Something on the way, or somebody, changes the frame. */
static void spoil(struct script *s, struct frame *f)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(f->octets + ETHERNET);
	bool udp = ip->next_proto_id == IPPROTO_UDP;
	uint32_t at;

	switch (peers_next(s, 14)) {
	case 0: /* forged, anywhere behind the SPI: one of another SA would come in the other
		   encapsulation, and the steps take what is not in UDP first */
	case 1:
		at = ETHERNET + 20 + (udp ? 8 : 0) + 4;
		f->octets[at + peers_next(s, f->length - at)] ^= (uint8_t)(1u << peers_next(s, 8));
		break;
	case 2:
		f->length -= peers_next(s, RTE_MIN(f->length, 60u));
		break;
	case 3: /* Ethernet padding */
		memset(f->octets + f->length, 0, 40);
		f->length += 1 + peers_next(s, 30);
		break;
	case 4:
		ip->fragment_offset = rte_cpu_to_be_16(
			(uint16_t)(peers_next(s, 2) ? 0x2000 : peers_next(s, 100)));
		break;
	case 5:
		ip->src_addr = rte_cpu_to_be_32(PEERS + peers_next(s, 80));
		break;
	case 6:
		ip->dst_addr = rte_cpu_to_be_32(peers_next(s, 2) ? HERE + 1 : 0x0a060909u);
		break;
	case 7:
		f->octets[peers_next(s, 14)] ^= 1;
		break;
	case 8:
		ip->next_proto_id = (uint8_t)(peers_next(s, 2) ? IPPROTO_TCP : IPPROTO_AH);
		break;
	case 9: /* priority tagged */
		memmove(f->octets + 16, f->octets + 12, f->length - 12);
		memcpy(f->octets + 12, (const uint8_t[]){0x81, 0, 0x20, 0}, 4);
		f->length += 4;
		return;
	case 10: /* an SPI of nobody, or a small one */
		at = ETHERNET + 20 + (udp ? 8 : 0);
		memset(f->octets + at, peers_next(s, 2) ? 0 : 0xc7, 3);
		break;
	case 11: /* cut where the total length says so */
		ip->total_length = rte_cpu_to_be_16((uint16_t)peers_next(s, f->length));
		break;
	default:
		if (udp)
			udp_spoil(s, f);
	}
	if (peers_next(s, 16) != 0)
		peers_checksum(ip);
}

/* A packet in clear, to be forwarded or to us. */
static void clear_make(struct script *s, struct frame *f)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(f->octets + ETHERNET);

	peers_outer(s, 70, f, false, 60);
	ip->next_proto_id = (uint8_t)(peers_next(s, 2) ? IPPROTO_ICMP : 253);
	if (peers_next(s, 2))
		ip->dst_addr = rte_cpu_to_be_32(destination(s));
	peers_checksum(ip);
}

static void frame_make(struct script *s, struct frame *f, unsigned peer)
{
	struct frame *kept = &s->kept[peers_next(s, KEPT)];

	s->frames++;
	if (peers_next(s, 16) == 0) {
		clear_make(s, f);
		return;
	}
	if (peers_odd(s, 16) && kept->length != 0) {
		*f = *kept;
		return;
	}
	sealed_make(s, peer, f);
	if (peers_odd(s, 8))
		spoil(s, f);
	*kept = *f;
}

static void burst(struct script *s, unsigned port)
{
	static struct frame f;
	struct rte_mbuf *packets[BURST_SIZE], *held[BURST_SIZE];
	unsigned most = peers_next(s, 8) == 0 ? BURST_SIZE : BURST_SIZE_ESP;
	unsigned count = 1 + peers_next(s, s->waiting ? WAIT_MAX : most),
		 peer = peers_next(s, PEERS_COUNT), holding = 0;
	bool one = peers_next(s, 3) == 0, plain;

	s->calm = peers_next(s, 3) != 0;
	plain = s->calm || peers_next(s, 3) != 0;
	for (unsigned i = 0; i < count; i++) {
		frame_make(s, &f, one ? peer : peers_next(s, PEERS_COUNT));
		packets[i] = world_packet(s->world, f.octets, f.length,
			plain || peers_next(s, 16) ? 1 : 1 + peers_next(s, 3));
		if (!plain && peers_next(s, 32) == 0 && packets[i]->nb_segs == 1) {
			rte_mbuf_refcnt_update(packets[i], 1);
			held[holding++] = packets[i];
		}
	}
	uint64_t taken = s->world->worker.lane_taken[LANE_ESP_IN];
	world_receive_mbufs(s->world, (uint16_t)port, packets, count);
	if (s->world->worker.lane_taken[LANE_ESP_IN] != taken)
		s->asked[s->world->worker.burst == BURST_SIZE]++;
	for (unsigned i = 0; i < holding; i++)
		rte_pktmbuf_free(held[i]);
}

/* ---- the comparison ---- */

struct outcome {
	struct record *record;
	struct worker_counters counters;
	uint64_t frames, taken, judged, tunnels; /* the last three by the lane */
};

static void perform(uint64_t seed, bool lanes, struct outcome *outcome)
{
	struct script *s = aligned_alloc(64, (sizeof(*s) + 63) & ~(size_t)63);

	assert_non_null(s);
	memset(s, 0, sizeof(*s));
	s->random = seed;
	s->world = world_new();
	s->world->worker.lanes_off = !lanes;
	peers_begin(s);
	s->record = record_new(s->world);
	for (; s->step < BURSTS; s->step++) {
		if (s->waiting) { /* for one burst */
			world_advance(s->world, peers_next(s, 2) ? 1 : 4000);
			peers_restore(s);
		} else if (peers_next(s, 4) == 0) {
			peers_change(s);
		}
		world_advance(s->world, 20);
		burst(s, peers_next(s, 16) ? 0 : 1);
		record_write(s->record, s->world, s->step);
	}
	*outcome = (struct outcome){.record = s->record,
		.counters = s->world->counters,
		.frames = s->frames,
		.taken = s->world->worker.lane_taken[LANE_ESP_IN],
		.judged = s->world->worker.lane_taken[LANE_ESP_IN_JUDGED],
		.tunnels = s->world->worker.lane_taken[LANE_MIP_IN]};
	/* suite_is_wide: AES-CBC and NULL with HMAC are, the other peers' suites are not */
	assert_true(
		s->world->worker.lanes_off || (s->asked[1] > 0 && s->asked[0] > 2 * s->asked[1]));
	assert_true(world_settle(s->world));
	assert_true(world_free(s->world));
	free(s);
}

/* Nothing of it would be proved if it did not happen, in one performance or another. */
static void check_coverage(const struct worker_counters *c)
{
	static const enum drop_reason reasons[] = {DROP_ipsec_bad_icv, DROP_ipsec_replay,
		DROP_ipsec_replay_late, DROP_ipsec_bad_pad, DROP_ipsec_bad_next_header,
		DROP_ipsec_dummy, DROP_ipsec_inner_malformed, DROP_ipsec_selector_mismatch,
		DROP_ipsec_ecn_ce_not_ect, DROP_ipsec_sa_expired, DROP_ipsec_no_sa,
		DROP_ipsec_udp_csum, DROP_ipsec_natt_keepalive, DROP_rt_inner_multicast, DROP_ttl,
		DROP_no_route, DROP_mtu_df, DROP_policy_discard, DROP_port_down,
		DROP_ipsec_tiny_fragment, DROP_neighbor_unresolved};

	for (unsigned i = 0; i < RTE_DIM(reasons); i++)
		if (c->drops[reasons[i]] == 0)
			fail_msg("the script never met drop reason %u", reasons[i]);
	assert_true(c->ecn_anomalies > 0 && c->ipsec_outer_mismatch > 0 && c->icmp_sent > 0);
}

// HA4-FWD-17, ESP-SEQ-09, -10, ECN-03, NAT-09, HA4-OPS-23: a lane changes nothing that can be seen
static void same_as_steps(void **state)
{
	struct worker_counters all = {0};
	(void)state;

	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct outcome lanes, steps;
		const char *difference;

		perform(seed, true, &lanes);
		perform(seed, false, &steps);
		difference = record_differs(lanes.record, steps.record);
		if (difference != NULL)
			fail_msg("seed %u: %s", (unsigned)seed, difference);
		assert_int_equal(lanes.frames, steps.frames);
		assert_int_equal(steps.taken + steps.judged, 0);
		printf("# seed %u: of %u frames %u left by the lane, %u of them out of a tunnel; "
		       "%u were judged behind the cipher\n",
			(unsigned)seed, (unsigned)lanes.frames, (unsigned)lanes.taken,
			(unsigned)lanes.tunnels, (unsigned)lanes.judged);
		assert_true(lanes.taken > lanes.frames / 4);
		assert_true(lanes.tunnels > lanes.frames / 25);
		assert_true(lanes.judged > lanes.frames / 8);
		for (unsigned i = 0; i < sizeof(all) / sizeof(uint64_t); i++)
			((uint64_t *)&all)[i] += ((const uint64_t *)&lanes.counters)[i];
		record_free(lanes.record);
		record_free(steps.record);
	}
	check_coverage(&all);
}

/* ---- one by one ---- */

/* What the lane takes to its end, and what it deciphers and leaves to the steps. */
static const struct kind {
	const char *name;
	bool tunnel, forged;
	uint8_t time_to_live, protocol;
	uint32_t source;         /* 0: the peer's own */
	enum drop_reason judged; /* DROP_NONE: the lane sends it */
} kinds[] = {
	{"usual", false, false, 64, IPPROTO_UDP, 0, DROP_NONE},
	{"ICMP error", false, false, 64, IPPROTO_ICMP, 0, DROP_NONE},
	{"tunnel", true, false, 64, IPPROTO_UDP, 0, DROP_NONE},
	{"ICMP error in a tunnel", true, false, 64, IPPROTO_ICMP, 0, DROP_NONE},
	{"expired", false, false, 1, IPPROTO_UDP, 0, DROP_ttl},
	{"wrong selector", false, false, 64, IPPROTO_UDP, HOSTS + 1, DROP_ipsec_selector_mismatch},
	{"forged", false, true, 64, IPPROTO_UDP, 0, DROP_ipsec_bad_icv},
	{"expired in a tunnel", true, false, 1, IPPROTO_UDP, 0, DROP_ttl},
	{"tunnel of another node", true, false, 64, IPPROTO_UDP, NODES + 11, DROP_rt_no_binding},
};

static void ip_make(uint8_t *at, uint32_t length, const struct kind *kind, uint8_t protocol,
	uint32_t source, uint32_t to)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)at;

	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)length),
		.time_to_live = kind->time_to_live,
		.next_proto_id = protocol,
		.src_addr = rte_cpu_to_be_32(source),
		.dst_addr = rte_cpu_to_be_32(to)};
	peers_checksum(ip);
}

static void kind_make(struct script *s, unsigned peer, const struct kind *kind, struct frame *f)
{
	const uint32_t payload = 44, host = HOSTS + peer * 16;
	const struct kind usual = {.time_to_live = 64};
	uint8_t *text = peers_text(s, peer, f), *ip = text + (kind->tunnel ? 20 : 0);
	uint32_t source = kind->tunnel ? NODES + peer : host;

	memset(text, 3, 64 + 20);
	ip_make(ip, 20 + payload, kind, kind->protocol, kind->source != 0 ? kind->source : source,
		0x0a010001u);
	if (kind->tunnel)
		ip_make(text, 40 + payload, &usual, IPPROTO_IPIP, host, HERE);
	peers_seal(s, peer, f, (uint32_t)(ip - text) + 20 + payload);
	if (kind->forged)
		f->octets[f->length - 1] ^= 1;
}

static void check_kind(struct script *s, unsigned peer, const struct kind *kind)
{
	struct world *w = s->world;
	struct worker before = w->worker;
	struct worker_counters counters = w->counters;
	static struct frame f;
	uint64_t sent, tunnels, judged;

	kind_make(s, peer, kind, &f);
	world_receive(w, 0, f.octets, f.length);
	sent = w->worker.lane_taken[LANE_ESP_IN] - before.lane_taken[LANE_ESP_IN];
	tunnels = w->worker.lane_taken[LANE_MIP_IN] - before.lane_taken[LANE_MIP_IN];
	judged = w->worker.lane_taken[LANE_ESP_IN_JUDGED] - before.lane_taken[LANE_ESP_IN_JUDGED];
	if (sent != (kind->judged == DROP_NONE) || judged != !sent ||
		tunnels != (sent && kind->tunnel))
		fail_msg("peer %u, %s: %u sent, %u tunnels, %u judged", peer, kind->name,
			(unsigned)sent, (unsigned)tunnels, (unsigned)judged);
	if (sent != 0)
		assert_int_equal(w->counters.sent_port - counters.sent_port, 1);
	else if (w->counters.drops[kind->judged] - counters.drops[kind->judged] != 1)
		fail_msg("peer %u, %s: dropped for another reason", peer, kind->name);
	world_forget(w);
}

/* HA4-MODE-06: every suite, in UDP and not. */
static void lane_goes_to_its_end(void **state)
{
	struct script *s = aligned_alloc(64, (sizeof(*s) + 63) & ~(size_t)63);
	static struct frame first; /* of a peer: the steps look at its limits */
	(void)state;

	assert_non_null(s);
	memset(s, 0, sizeof(*s));
	s->even = true;
	s->world = world_new();
	peers_begin(s);
	for (unsigned peer = 0; peer < PEERS_COUNT; peer++) {
		if (peers_all[peer].subnet || peers_all[peer].limits)
			continue;
		kind_make(s, peer, &kinds[0], &first);
		world_receive(s->world, 0, first.octets, first.length);
		for (unsigned i = 0; i < RTE_DIM(kinds); i++)
			if (!kinds[i].tunnel || peers_all[peer].local == 0)
				check_kind(s, peer, &kinds[i]);
	}
	assert_true(world_settle(s->world));
	assert_true(world_free(s->world));
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lane_goes_to_its_end), cmocka_unit_test(same_as_steps)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
