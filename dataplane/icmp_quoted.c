#include "dataplane/icmp_quoted.h"

#include <rte_ip.h>

#define ICMP_HEADER 8

bool icmp_quoted_is_error(struct rte_mbuf *packet, const struct packet *p)
{
	uint8_t type;

	if (p->protocol != (packet_is_ipv6(p) ? IPPROTO_ICMPV6 : IPPROTO_ICMP) ||
		p->flags & PACKET_FRAGMENT_LATER ||
		!packet_pull(packet, p->payload_offset + ICMP_HEADER))
		return false;
	type = *rte_pktmbuf_mtod_offset(packet, const uint8_t *, p->payload_offset);
	if (packet_is_ipv6(p))
		return type >= 1 && type <= 4;
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static bool read_ipv6(struct rte_mbuf *packet, uint32_t at, struct icmp_quoted *quoted)
{
	const struct rte_ipv6_hdr *ip;

	if (!packet_pull(packet, at + (uint32_t)sizeof(*ip)))
		return false;
	ip = rte_pktmbuf_mtod_offset(packet, const struct rte_ipv6_hdr *, at);
	memcpy(quoted->source.bytes, (const uint8_t *)ip + 8, 16);
	memcpy(quoted->destination.bytes, (const uint8_t *)ip + 24, 16);
	quoted->protocol = ip->proto;
	quoted->later = false;
	quoted->payload_offset = at + (uint32_t)sizeof(*ip);
	return true;
}

bool icmp_quoted_read(struct rte_mbuf *packet, const struct packet *p, struct icmp_quoted *quoted)
{
	uint32_t at = p->payload_offset + ICMP_HEADER;
	const struct rte_ipv4_hdr *ip;

	if (packet_is_ipv6(p))
		return read_ipv6(packet, at, quoted);
	if (!packet_pull(packet, at + (uint32_t)sizeof(*ip)))
		return false;
	ip = rte_pktmbuf_mtod_offset(packet, const struct rte_ipv4_hdr *, at);
	if (ip->version_ihl >> 4 != 4 || rte_ipv4_hdr_len(ip) < sizeof(*ip))
		return false;
	quoted->source = ip_address_from_v4(ip->src_addr);
	quoted->destination = ip_address_from_v4(ip->dst_addr);
	quoted->protocol = ip->next_proto_id;
	quoted->later = ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK);
	quoted->payload_offset = at + rte_ipv4_hdr_len(ip);
	return true;
}
