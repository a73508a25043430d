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

/* HA4-NAT-25: on IPv4 by option, always on IPv6 (RFC 8200 8.1). */
static void fill_udp(struct rte_mbuf *packet, struct packet *p, const struct tunnel *t, uint16_t at)
{
	struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(packet, struct rte_udp_hdr *, at);
	uint16_t length = (uint16_t)(rte_pktmbuf_pkt_len(packet) - at), sum = 0;
	bool v4 = ip_address_is_v4(&t->agent_address);
	uint32_t total;

	if (p->care_of_port != 0)
		udp->dst_port = p->care_of_port;
	udp->dgram_len = rte_cpu_to_be_16(length);
	udp->dgram_cksum = 0;
	if (v4 && (t->agent == NULL || !(t->agent->flags & AGENT_UDP_CHECKSUM)))
		return;
	if (!packet_sum(packet, at, length, &sum))
		return;
	total = sum + rte_cpu_to_be_16(IPPROTO_UDP) + rte_cpu_to_be_16(length);
	total += rte_raw_cksum(
		v4 ? &t->agent_address.words[3] : t->agent_address.words, v4 ? 4 : 16);
	total += rte_raw_cksum(
		v4 ? &t->care_of_address.words[3] : t->care_of_address.words, v4 ? 4 : 16);
	total = (total & 0xffff) + (total >> 16);
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
	uint16_t at = ip_address_is_v4(&t->agent_address) ? sizeof(struct rte_ipv4_hdr)
							  : sizeof(struct rte_ipv6_hdr);
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
	fill_udp(packet, p, t, at);
	return outer_finish(worker, packet, &inner);
}

void udp_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(udp_encap, worker, packets, count, next);
}
