#include "dataplane/encap/minimal.h"

#include "dataplane/encap/minimal_header.h"
#include "dataplane/encap/outer.h"

static bool is_possible(const struct packet *p)
{
	return !(p->flags & PACKET_FRAGMENT) && !packet_is_ipv6(p) &&
	       tunnel_is_over_ipv4(p->tunnel);
}

step_result minimal_encap(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	struct inner inner = outer_inner(packet, p);
	struct minimal_header minimal;
	struct rte_ipv4_hdr *ip;
	uint16_t header_length = p->payload_offset;

	if (!is_possible(p))
		return outer_ipip(worker, packet); /* HA4-ALT-08; here, for the order of the flow */
	const struct ip_address agent = tunnel_agent_address(p->tunnel);
	const struct ip_address care_of = tunnel_care_of_address(p->tunnel);
	minimal = minimal_header_of(rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *));
	ip = (struct rte_ipv4_hdr *)rte_pktmbuf_prepend(packet, MINIMAL_HEADER_LENGTH);
	if (ip == NULL)
		return STEP_DROP(DROP_no_headroom);
	memmove(ip, (const uint8_t *)ip + MINIMAL_HEADER_LENGTH, header_length);
	memcpy((uint8_t *)ip + header_length, &minimal, sizeof(minimal));
	/* HA4-ALT-07: TTL, identification, DF, options stay the original's. */
	be16 identification = ip->packet_id;
	ip->next_proto_id = ENCAPSULATION_MINIMAL;
	ip->src_addr = ip_address_v4(&agent);
	ip->dst_addr = ip_address_v4(&care_of);
	step_result next = outer_finish(worker, packet, &inner);
	ip->packet_id = identification;
	if (!(packet->ol_flags & RTE_MBUF_F_TX_IP_CKSUM))
		ipv4_checksum_set(ip);
	return next;
}

void minimal_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(minimal_encap, worker, packets, count, next);
}
