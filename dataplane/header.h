/*
 * Small changes of an IP header in place, the checksum kept right by the difference (RFC 1624 eqn.
 * 3). Headers are at the start of the given bytes, contiguous and valid. Any thread.
 */
#ifndef DATAPLANE_HEADER_H
#define DATAPLANE_HEADER_H

#include <rte_branch_prediction.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include <stdbool.h>

#define ECN_MASK    0x03
#define ECN_NOT_ECT 0
#define ECN_ECT_1   1
#define ECN_ECT_0   2
#define ECN_CE      3

/* Checksum after a 16-bit word of the covered octets changed from `before` to `after` (all as they
 * lie in memory). */
static inline uint16_t checksum_adjust(uint16_t checksum, uint16_t before, uint16_t after)
{
	uint32_t sum = (uint16_t)~checksum + (uint32_t)(uint16_t)~before + after;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The word of TTL and protocol becomes 0x0100 less: checksum_adjust with its constants folded. The
 * TTL is not 0. */
static inline void ipv4_ttl_decrement(struct rte_ipv4_hdr *ip)
{
	const uint32_t one = rte_cpu_to_be_16(0x0100);
	uint32_t sum = ip->hdr_checksum + one;

	ip->time_to_live--;
	ip->hdr_checksum = (uint16_t)(sum + (sum >= UINT16_MAX));
}

static inline void ipv4_tos_set(struct rte_ipv4_hdr *ip, uint8_t tos)
{
	uint16_t before = rte_cpu_to_be_16((uint16_t)(ip->version_ihl << 8 | ip->type_of_service));
	uint16_t after = rte_cpu_to_be_16((uint16_t)(ip->version_ihl << 8 | tos));

	ip->type_of_service = tos;
	ip->hdr_checksum = checksum_adjust(ip->hdr_checksum, before, after);
}

static inline void ipv6_tos_set(struct rte_ipv6_hdr *ip, uint8_t tos)
{
	uint32_t flow = rte_be_to_cpu_32(ip->vtc_flow);

	ip->vtc_flow = rte_cpu_to_be_32((flow & 0xf00fffff) | (uint32_t)tos << 20);
}

/* One's complement sum over the 20 octets of a header without options, as words of memory. */
static inline uint16_t ipv4_words_sum(uint64_t first, uint64_t second, uint32_t last)
{
	uint64_t sum = (first & UINT32_MAX) + (first >> 32) + (second & UINT32_MAX) +
		       (second >> 32) + last;

	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* One's complement sum over the header; nearly every one has 20 octets. */
static inline uint16_t ipv4_header_sum(const struct rte_ipv4_hdr *ip)
{
	const uint8_t *octets = (const uint8_t *)ip;
	uint64_t first, second;
	uint32_t last;

	if (unlikely(ip->version_ihl != 0x45))
		return rte_raw_cksum(ip, rte_ipv4_hdr_len(ip));
	memcpy(&first, octets, 8);
	memcpy(&second, octets + 8, 8);
	memcpy(&last, octets + 16, 4);
	return ipv4_words_sum(first, second, last);
}

/*
 * The header was just written, field by field: reading it back in larger pieces would wait until
 * those stores have left the core, so the sum is taken of the fields.
 */
static inline void ipv4_checksum_set(struct rte_ipv4_hdr *ip)
{
	uint64_t sum;

	ip->hdr_checksum = 0;
	if (unlikely(ip->version_ihl != 0x45)) {
		ip->hdr_checksum = (uint16_t)~ipv4_header_sum(ip);
		return;
	}
	sum = (uint64_t)rte_cpu_to_be_16((uint16_t)(0x4500 | ip->type_of_service)) +
	      rte_cpu_to_be_16((uint16_t)(ip->time_to_live << 8 | ip->next_proto_id)) +
	      ip->total_length + ip->packet_id + ip->fragment_offset + ip->src_addr + ip->dst_addr;
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->hdr_checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/* The first eight octets of a header without options, as a word of memory. Host order. */
static inline uint64_t ipv4_first_word(
	uint8_t tos, uint16_t length, uint16_t identification, uint16_t fragment)
{
	return rte_cpu_to_be_64(UINT64_C(0x45) << 56 | (uint64_t)tos << 48 |
				(uint64_t)length << 32 | (uint32_t)identification << 16 | fragment);
}

/* The checksum of a header that begins with this word; `rest` is the sum of what follows it. */
static inline uint16_t ipv4_checksum_of(uint64_t first_word, uint16_t rest)
{
	uint64_t sum = (first_word & UINT32_MAX) + (first_word >> 32) + rest;

	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/* True when all octets of the header sum to ones. */
static inline bool ipv4_checksum_right(const struct rte_ipv4_hdr *ip)
{
	uint32_t words[5];
	uint64_t sum;

	if (likely(ip->version_ihl == 0x45)) {
		/* Not folded: 2^16 is 1 modulo 2^16 - 1. A sum of 0 there is none. */
		memcpy(words, ip, sizeof(words));
		sum = (uint64_t)words[0] + words[1] + words[2] + words[3] + words[4];
		return sum % UINT16_MAX == 0;
	}
	return ipv4_header_sum(ip) == 0xffff;
}

/*
 * The device has verified the checksum of the outermost IPv4 or UDP header, and found it right.
 * What it says of a packet in which it saw a tunnel may be about the inner header, unless it calls
 * the outer one bad; a verdict "bad" is verified by the caller all the same.
 */
static inline bool device_verified_ipv4(const struct rte_mbuf *packet)
{
	return (packet->ol_flags &
		       (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_OUTER_IP_CKSUM_BAD)) ==
		       RTE_MBUF_F_RX_IP_CKSUM_GOOD &&
	       (packet->packet_type & RTE_PTYPE_TUNNEL_MASK) == 0;
}

static inline bool device_verified_udp(const struct rte_mbuf *packet)
{
	return (packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD &&
	       (packet->packet_type & RTE_PTYPE_TUNNEL_MASK) == 0;
}

/* Puts a plain IPv4 header (DF, identification 0) before the whole packet; addresses in network
 * order. False without headroom. */
static inline bool ipv4_prepend(struct rte_mbuf *packet, rte_be32_t source, rte_be32_t destination,
	uint8_t protocol, uint8_t ttl, uint8_t tos)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)rte_pktmbuf_prepend(packet, sizeof(*ip));

	if (ip == NULL)
		return false;
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
		.type_of_service = tos,
		.total_length = rte_cpu_to_be_16((uint16_t)rte_pktmbuf_pkt_len(packet)),
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = ttl,
		.next_proto_id = protocol,
		.src_addr = source,
		.dst_addr = destination};
	ipv4_checksum_set(ip);
	return true;
}

/* A class A, B or C address, not loopback or "this network": nothing special about it. */
static inline bool ipv4_is_plain(rte_be32_t address)
{
	uint32_t net = rte_be_to_cpu_32(address) >> 24;

	return net - 1 < 223 && net != 127;
}

/* Of one node, to be forwarded: not unspecified, loopback or mapped (nor with 64 bits of zeros
 * before anything else), not link-local or multicast. */
static inline bool ipv6_is_plain(const void *address)
{
	uint64_t net;

	memcpy(&net, address, sizeof(net));
	return net != 0 && *(const uint8_t *)address < 0xfe;
}

#endif
