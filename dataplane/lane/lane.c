#include "dataplane/lane/lane.h"

#include "dataplane/header.h"
#include "dataplane/lane/esp_in.h"
#include "dataplane/lane/esp_out.h"
#include "dataplane/lane/forward.h"
#include "dataplane/lane/forward6.h"

#include <netinet/in.h>

/* Of struct rte_mbuf's rearm_data: data_off, then refcnt 1, then nb_segs 1, then port. */
#define REARM_MASK  UINT64_C(0x0000ffffffff0000)
#define REARM_USUAL UINT64_C(0x0000000100010000)
static_assert(
	offsetof(struct rte_mbuf, refcnt) == offsetof(struct rte_mbuf, rearm_data) + 2 &&
		offsetof(struct rte_mbuf, nb_segs) == offsetof(struct rte_mbuf, rearm_data) + 4,
	"refcnt and nb_segs as REARM_MASK has them");

/* Ethernet's type, and the begin of an IPv4 header without options or of an IPv6 header. */
#define TYPE_USUAL    RTE_BE32(RTE_ETHER_TYPE_IPV4 << 16 | 0x4500)
#define TYPE_USUAL_V6 RTE_BE32((uint32_t)RTE_ETHER_TYPE_IPV6 << 16 | 0x6000)

#define NAT_PORT 4500
#define HEADERS  (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr))
#define HEADERS6 (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv6_hdr))

/* One buffer, nobody else's, and no tag taken off by the device. */
static inline bool is_plain_buffer(const struct rte_mbuf *frame)
{
	uint64_t rearm;

	memcpy(&rearm, &frame->rearm_data, sizeof(rearm));
	return (rearm & REARM_MASK) == REARM_USUAL &&
	       !(frame->ol_flags &
		       (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL));
}

/* `mac` is the port's address as the first six octets of a word in memory. */
static inline bool is_to_us(struct rte_mbuf *frame, uint64_t mac)
{
	uint64_t to;

	if (unlikely(!is_plain_buffer(frame) || frame->data_len < HEADERS))
		return false;
	memcpy(&to, rte_pktmbuf_mtod(frame, const uint8_t *), sizeof(to));
	return ((to ^ mac) & rte_cpu_to_be_64(UINT64_C(0xffffffffffff0000))) == 0;
}

static inline bool is_usual(struct rte_mbuf *frame)
{
	const struct rte_ipv4_hdr *ip = lane_ip(frame);
	uint32_t length = rte_be_to_cpu_16(ip->total_length);

	return length >= sizeof(*ip) && length <= frame->data_len - sizeof(struct rte_ether_hdr) &&
	       !(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) &&
	       ipv4_is_plain(ip->src_addr) && ipv4_is_plain(ip->dst_addr) &&
	       (device_verified_ipv4(frame) || ipv4_checksum_right(ip));
}

/* RFC 8200 4.1: options for every hop, a route, a fragment; and what the steps step over. */
static inline bool is_extension(uint8_t next_header)
{
	return next_header == IPPROTO_HOPOPTS || next_header == IPPROTO_ROUTING ||
	       next_header == IPPROTO_FRAGMENT || next_header == IPPROTO_DSTOPTS;
}

static inline bool is_usual_v6(struct rte_mbuf *frame)
{
	const struct rte_ipv6_hdr *ip = lane_ipv6(frame);

	return frame->data_len >= HEADERS6 &&
	       rte_be_to_cpu_16(ip->payload_len) <= frame->data_len - HEADERS6 &&
	       !is_extension(ip->proto) && ipv6_is_plain(&ip->src_addr) &&
	       ipv6_is_plain(&ip->dst_addr);
}

/* In UDP only to the port of NAT traversal. */
static inline bool may_be_esp(struct rte_mbuf *frame)
{
	const struct rte_ipv4_hdr *ip = lane_ip(frame);
	uint16_t port;

	if (ip->next_proto_id != IPPROTO_UDP)
		return ip->next_proto_id == IPPROTO_ESP;
	memcpy(&port, (const uint8_t *)(ip + 1) + 2, sizeof(port));
	return frame->data_len >= HEADERS + 4 && port == RTE_BE16(NAT_PORT);
}

void lane_parse(struct lane_burst *burst)
{
	uint64_t mac = 0;

	memcpy(&mac, burst->from->mac, sizeof(burst->from->mac));
	burst->usual = burst->usual_v6 = burst->esp = 0;
	for (unsigned i = 0; i < burst->count; i++) {
		struct rte_mbuf *frame = burst->frames[i];
		uint32_t type;

		if (!is_to_us(frame, mac))
			continue;
		memcpy(&type, rte_pktmbuf_mtod_offset(frame, const uint8_t *, 12), sizeof(type));
		if (unlikely((type & RTE_BE32(0xffffff00)) != TYPE_USUAL)) {
			if ((type & RTE_BE32(0xfffff000)) == TYPE_USUAL_V6)
				burst->usual_v6 |= (uint64_t)is_usual_v6(frame) << i;
			continue;
		}
		if (!is_usual(frame))
			continue;
		burst->usual |= UINT64_C(1) << i;
		burst->esp |= (uint64_t)may_be_esp(frame) << i;
	}
}

void lane_leave(struct lane_left *left, const struct rte_mbuf *frame)
{
	const uint8_t *octets = rte_pktmbuf_mtod(frame, const uint8_t *);
	const struct rte_ipv4_hdr *ip = (const void *)(octets + sizeof(struct rte_ether_hdr));
	uint16_t type = 0;

	if (frame->data_len >= sizeof(struct rte_ether_hdr))
		memcpy(&type, octets + 12, sizeof(type));
	if (type == RTE_BE16(RTE_ETHER_TYPE_ARP) || type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		return; /* of no flow that a lane takes */
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4) && frame->data_len >= HEADERS) {
		left->sources |= lane_flow(ip->src_addr);
		left->destinations |= lane_flow(ip->dst_addr);
		return;
	}
	left->sources = left->destinations = UINT64_MAX; /* nobody can say: all of them */
}

uint64_t lane_receive(
	struct worker *worker, unsigned port, struct rte_mbuf **packets, unsigned count)
{
	struct lane_burst burst = {.worker = worker,
		.from = &worker->ports[port],
		.ground = tables_ground(worker->tables),
		.count = count,
		.frames = packets};
	uint64_t before;

	if (worker->lanes_off)
		return 0;
	lane_parse(&burst);
	if (burst.esp != 0)
		esp_in_lane(&burst);
	before = worker->lane_taken[LANE_ESP_OUT];
	if ((burst.usual & ~burst.taken) != 0)
		esp_out_lane(&burst);
	if ((burst.usual & ~burst.taken) != 0)
		forward_lane(&burst);
	if (burst.usual_v6 != 0)
		forward6_lane(&burst);
	worker->burst =
		!burst.wide && (burst.esp != 0 || worker->lane_taken[LANE_ESP_OUT] != before)
			? BURST_SIZE_ESP
			: BURST_SIZE;
	return burst.taken;
}
