#include "dataplane/input/arp.h"

#include <rte_arp.h>

static bool parse(struct rte_mbuf *packet, struct rte_arp_hdr **arp)
{
	if (!packet_pull(packet, sizeof(**arp)))
		return false;
	*arp = rte_pktmbuf_mtod(packet, struct rte_arp_hdr *);
	return (*arp)->arp_hardware == rte_cpu_to_be_16(RTE_ARP_HRD_ETHER) &&
	       (*arp)->arp_protocol == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) &&
	       (*arp)->arp_hlen == 6 && (*arp)->arp_plen == 4;
}

/* Is the address that of a node which is away from the link of `port`, now? */
static bool is_away(struct worker *worker, const struct packet *p, be32 v4)
{
	struct ip_address address = ip_address_from_v4(v4);
	const struct tunnel *t = tables_home_lookup(worker->tables, p->vrf, &address);

	for (; t != NULL; t = tables_tunnel_next(worker->tables, t))
		if (t->home_port == p->port && t->expires_tsc > worker->now_tsc)
			return true;
	return false;
}

/* Request -> reply in place: `mac` is where the target address is. */
static void reply(struct rte_arp_hdr *arp, const uint8_t mac[6])
{
	struct rte_arp_ipv4 asked = arp->arp_data;

	arp->arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = asked.arp_sha;
	arp->arp_data.arp_tip = asked.arp_sip;
	arp->arp_data.arp_sip = asked.arp_tip;
	memcpy(arp->arp_data.arp_sha.addr_bytes, mac, 6);
}

static bool frame(struct rte_mbuf *packet, const struct rte_arp_hdr *arp)
{
	struct rte_ether_addr to = arp->arp_data.arp_tha, from = arp->arp_data.arp_sha;
	struct rte_ether_hdr *ether;

	packet_trim(packet, sizeof(*arp));
	ether = (struct rte_ether_hdr *)rte_pktmbuf_prepend(packet, sizeof(*ether));
	if (ether == NULL)
		return false;
	ether->dst_addr = to;
	ether->src_addr = from;
	ether->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP);
	return true;
}

step_result arp_input(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	struct rte_arp_hdr *arp;
	const struct rte_arp_ipv4 *data;

	if (!parse(packet, &arp))
		return STEP_EXCEPTION;
	data = &arp->arp_data;
	if (data->arp_sip == data->arp_tip && is_away(worker, p, data->arp_sip)) {
		/* The node itself, or a thief of its address: control logs it (HA4-HOME-13). */
		p->source = ip_address_from_v4(data->arp_sip);
		p->destination = ip_address_from_v4(data->arp_tip);
		p->punt_kind = PUNT_HOME_ARP;
		return STEP_PUNT;
	}
	if (arp->arp_opcode != rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) ||
		data->arp_sip == data->arp_tip || !is_away(worker, p, data->arp_tip))
		return STEP_EXCEPTION;
	if (rte_is_multicast_ether_addr(&data->arp_sha))
		return STEP_DROP(DROP_source_invalid);
	reply(arp, worker->ports[p->port].mac);
	if (!frame(packet, arp))
		return STEP_DROP(DROP_no_headroom);
	worker->counters->proxy_arp_sent++;
	return STEP_TRANSMIT;
}

void arp_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(arp_input, worker, packets, count, next);
}

bool arp_answer_kernel(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	struct rte_arp_hdr *arp;
	uint8_t mac[6];

	if (!parse(packet, &arp) || arp->arp_opcode != rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) ||
		arp->arp_data.arp_sip == arp->arp_data.arp_tip ||
		!is_away(worker, p, arp->arp_data.arp_tip))
		return false;
	/* Not the port's own address, which the kernel would take for itself; it never reaches the
	 * wire. */
	memcpy(mac, worker->ports[p->port].mac, 6);
	mac[0] ^= 0x02;
	reply(arp, mac);
	return frame(packet, arp);
}
