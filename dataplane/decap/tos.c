#include "dataplane/decap/tos.h"

#include "dataplane/decap/ecn.h"
#include "dataplane/header.h"

bool tos_combine(struct worker *worker, struct rte_mbuf *packet, bool dscp_of_outer)
{
	struct packet *p = packet_get(packet);
	uint8_t ecn = ecn_decapsulate(p->tos, p->outer_tos), tos;

	if (ecn_is_anomalous(p->tos, p->outer_tos))
		worker->counters->ecn_anomalies++;
	if (ecn == ECN_DROP)
		return false;
	tos = dscp_of_outer ? p->outer_tos : p->tos;
	tos = (uint8_t)((tos & ~ECN_MASK) | ecn);
	if (tos == p->tos)
		return true;
	p->tos = tos;
	if (packet_is_ipv6(p))
		ipv6_tos_set(rte_pktmbuf_mtod(packet, struct rte_ipv6_hdr *), tos);
	else
		ipv4_tos_set(rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *), tos);
	return true;
}
