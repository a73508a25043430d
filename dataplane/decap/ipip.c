#include "dataplane/decap/ipip.h"

#include "dataplane/decap/outer.h"

#include <rte_ip.h>

step_result ipip_decap(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	uint8_t version, wanted = p->protocol == IPPROTO_IPIP ? 4 : 6;

	if (!packet_pull(packet, p->payload_offset + (uint32_t)sizeof(struct rte_ipv4_hdr)))
		return STEP_DROP(DROP_rt_inner_bad);
	version = *rte_pktmbuf_mtod_offset(packet, const uint8_t *, p->payload_offset) >> 4;
	if (version != wanted) /* HA4-REV-15: protocol 4 says IPv4 */
		return STEP_DROP(version == 6 ? DROP_tunnel_protocol : DROP_rt_inner_bad);
	outer_note(p, DECAP_IPIP, version == 4 ? ENCAPSULATION_IPIP : ENCAPSULATION_IPV6);
	rte_pktmbuf_adj(packet, p->payload_offset);
	return STEP_INNER_CHECK;
}

void ipip_decap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(ipip_decap, worker, packets, count, next);
}
