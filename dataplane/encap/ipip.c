#include "dataplane/encap/ipip.h"

#include "dataplane/encap/outer.h"

#include <rte_ip.h>

step_result ipip_encap(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	struct inner inner = outer_inner(packet, p);
	bool v4 = ip_address_is_v4(&p->tunnel->agent_address);
	uint8_t *outer;

	outer = outer_prepend(
		packet, p->tunnel, v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr));
	if (outer == NULL)
		return STEP_DROP(DROP_no_headroom);
	if (v4)
		((struct rte_ipv4_hdr *)outer)->next_proto_id =
			inner.is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	else
		((struct rte_ipv6_hdr *)outer)->proto = inner.is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	return outer_finish(worker, packet, &inner);
}

void ipip_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(ipip_encap, worker, packets, count, next);
}
