#include "dataplane/output/link_mtu.h"

#include "dataplane/fragment.h"
#include "dataplane/icmp_error.h"

#include <rte_ip.h>

static bool may_fragment(struct rte_mbuf *packet, const struct packet *p)
{
	return !packet_is_ipv6(p) && !(p->flags & PACKET_UDP_TUNNEL) &&
	       !(rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *)->fragment_offset &
		       RTE_BE16(RTE_IPV4_HDR_DF_FLAG));
}

step_result link_mtu_output(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	uint16_t mtu = p->out_mtu;

	if (p->flags & PACKET_NEEDS_PROTECTION) /* HA4-MODE-06, HA4-SPD-06: no SA took it */
		return STEP_DROP(DROP_fwd_needs_ipsec);
	if (unlikely(p->flags & PACKET_MAY_CUT))
		mtu = RTE_MIN(mtu, p->path_mtu);
	if (rte_pktmbuf_pkt_len(packet) <= mtu)
		return STEP_NEIGHBOR;
	if (may_fragment(packet, p))
		return fragment_ipv4(worker, packet, mtu, STEP_NEIGHBOR);
	if (p->flags & PACKET_MAY_CUT && packet_is_ipv6(p))
		return fragment_ipv6(worker, packet, mtu, STEP_NEIGHBOR);
	icmp_error_send(worker, packet, ICMP_ERROR_TOO_BIG, mtu);
	return STEP_DROP(DROP_mtu_df);
}

void link_mtu_output_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	for (unsigned i = 0; i < count; i++)
		next[i] = link_mtu_output(worker, packets[i]);
}
