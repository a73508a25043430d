#include "dataplane/encap/udp.h"

#include "dataplane/encap/minimal_header.h"
#include "dataplane/encap/outer.h"

#include <rte_ether.h>
#include <rte_udp.h>

#define MIP_HEADER_LENGTH 4
#define SHIM_LENGTH       (sizeof(struct rte_udp_hdr) + MIP_HEADER_LENGTH)

/* The inner header becomes a minimal one, unless the datagram is a fragment. Returns the next
 * header to say so. */
static uint8_t shrink(struct rte_mbuf *packet, const struct packet *p)
{
	struct minimal_header minimal;

	if (p->flags & PACKET_FRAGMENT || packet_is_ipv6(p) ||
		p->payload_offset != sizeof(struct rte_ipv4_hdr))
		return packet_is_ipv6(p) ? ENCAPSULATION_IPV6 : ENCAPSULATION_IPIP;
	minimal = minimal_header_of(rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *));
	memcpy(rte_pktmbuf_adj(packet, sizeof(struct rte_ipv4_hdr) - MINIMAL_HEADER_LENGTH),
		&minimal, sizeof(minimal));
	return ENCAPSULATION_MINIMAL;
}

/* Sum of the pseudo header (RFC 768, RFC 8200 8.1), not complemented. */
static uint16_t pseudo_header_sum(const struct tunnel *t, uint16_t length)
{
	bool v4 = tunnel_is_over_ipv4(t);
	size_t ends = v4 ? offsetof(struct rte_ipv4_hdr, src_addr)
			 : offsetof(struct rte_ipv6_hdr, src_addr);
	uint32_t total = rte_cpu_to_be_16(IPPROTO_UDP) + rte_cpu_to_be_16(length);

	total += rte_raw_cksum(t->outer + ends, v4 ? 8 : 32); /* source and destination */
	total = (total & 0xffff) + (total >> 16);
	return (uint16_t)((total & 0xffff) + (total >> 16));
}

/* A device that finishes the checksum wants the pseudo header's sum in its place. */
static void leave_to_device(
	struct rte_mbuf *packet, struct rte_udp_hdr *udp, uint16_t at, uint16_t sum)
{
	udp->dgram_cksum = sum;
	packet->l2_len = sizeof(struct rte_ether_hdr);
	packet->l3_len = at;
	packet->ol_flags |=
		(at == sizeof(struct rte_ipv4_hdr) ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6) |
		RTE_MBUF_F_TX_UDP_CKSUM;
}

/* HA4-NAT-25: on IPv4 by option, always on IPv6 (RFC 8200 8.1). Tunnel data is never fragmented
 * (HA4-MTU-05), so a device can do it. */
static void fill_udp(struct worker *worker, struct rte_mbuf *packet, uint16_t at)
{
	struct packet *p = packet_get(packet);
	const struct tunnel *t = p->tunnel;
	const struct port *port = outer_port(worker, p);
	struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(packet, struct rte_udp_hdr *, at);
	uint16_t length = (uint16_t)(rte_pktmbuf_pkt_len(packet) - at), sum = 0;
	uint32_t total;

	if (p->care_of_port != 0)
		udp->dst_port = p->care_of_port;
	udp->dgram_len = rte_cpu_to_be_16(length);
	udp->dgram_cksum = 0;
	if (tunnel_is_over_ipv4(t) &&
		!(tables_agent_of(worker->tables, t)->flags & AGENT_UDP_CHECKSUM))
		return;
	if (port != NULL && port->tx_udp_checksum) {
		leave_to_device(packet, udp, at, pseudo_header_sum(t, length));
		return;
	}
	if (!packet_sum(packet, at, length, &sum))
		return;
	total = (uint32_t)sum + pseudo_header_sum(t, length);
	total = (total & 0xffff) + (total >> 16);
	udp->dgram_cksum = (uint16_t)~total;
	if (udp->dgram_cksum == 0)
		udp->dgram_cksum = 0xffff;
}

step_result udp_encap(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	const struct tunnel *t = p->tunnel;
	struct inner inner = outer_inner(packet, p);
	uint16_t at =
		tunnel_is_over_ipv4(t) ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
	uint16_t length = (uint16_t)(at + SHIM_LENGTH);
	uint8_t next = inner.is_ipv6 ? ENCAPSULATION_IPV6 : ENCAPSULATION_IPIP;
	uint8_t *outer;

	if (t->encapsulation == ENCAPSULATION_GRE) {
		next = ENCAPSULATION_GRE;
		length = t->outer_length;
	} else if (t->encapsulation == ENCAPSULATION_MINIMAL) {
		next = shrink(packet, p);
	}
	outer = outer_prepend(packet, t, length);
	if (outer == NULL)
		return STEP_DROP(DROP_no_headroom);
	outer[at + sizeof(struct rte_udp_hdr) + 1] = next;
	if (next == ENCAPSULATION_GRE) {
		be16 type = inner.is_ipv6 ? RTE_BE16(RTE_ETHER_TYPE_IPV6)
					  : RTE_BE16(RTE_ETHER_TYPE_IPV4);
		memcpy(outer + length - 2, &type, 2);
	}
	inner.df = true; /* HA4-MTU-05: never fragmented, so it may as well say so */
	fill_udp(worker, packet, at);
	return outer_finish(worker, packet, &inner);
}

void udp_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(udp_encap, worker, packets, count, next);
}
