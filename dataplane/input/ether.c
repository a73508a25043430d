/*
 * The first step. A frame for another station is dropped; what neither we nor a table knows is the
 * kernel's business. Only untagged and priority-tagged (VLAN 0) frames are ours: a VLAN is a port
 * of its own to DPDK or to the kernel.
 */
#include "dataplane/input/ether.h"

#include <rte_ether.h>

#define VLAN_ID_MASK 0x0fff

static step_result by_type(uint16_t type)
{
	switch (type) {
	case RTE_ETHER_TYPE_IPV4:
		return STEP_IPV4;
	case RTE_ETHER_TYPE_IPV6:
		return STEP_IPV6;
	case RTE_ETHER_TYPE_ARP:
		return STEP_ARP;
	default:
		return STEP_EXCEPTION;
	}
}

step_result ether_input(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	const struct rte_ether_hdr *ether;
	uint16_t type;
	uint8_t length = sizeof(*ether);

	if (!packet_pull(packet, sizeof(*ether)))
		return STEP_DROP(DROP_rx_frame_short);
	ether = rte_pktmbuf_mtod(packet, const struct rte_ether_hdr *);
	memcpy(p->source_mac, ether->src_addr.addr_bytes, 6);
	if (rte_is_multicast_ether_addr(&ether->dst_addr))
		p->flags |= PACKET_LINK_BROADCAST;
	else if (memcmp(ether->dst_addr.addr_bytes, worker->ports[p->port].mac, 6) != 0)
		return STEP_DROP(DROP_rx_not_for_us);
	type = rte_be_to_cpu_16(ether->ether_type);
	if (packet->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED && packet->vlan_tci & VLAN_ID_MASK)
		return STEP_DROP(DROP_rx_vlan_unknown);
	if (type == RTE_ETHER_TYPE_VLAN) {
		const struct rte_vlan_hdr *tag;

		length += sizeof(*tag);
		if (!packet_pull(packet, length))
			return STEP_DROP(DROP_rx_frame_short);
		tag = rte_pktmbuf_mtod_offset(packet, const struct rte_vlan_hdr *, sizeof(*ether));
		if (rte_be_to_cpu_16(tag->vlan_tci) & VLAN_ID_MASK)
			return STEP_DROP(DROP_rx_vlan_unknown);
		type = rte_be_to_cpu_16(tag->eth_proto);
	}
	p->link_length = length;
	p->flags |= PACKET_AS_IT_CAME;
	rte_pktmbuf_adj(packet, length);
	return by_type(type);
}

void ether_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(ether_input, worker, packets, count, next);
}
