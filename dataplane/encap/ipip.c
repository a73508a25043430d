#include "dataplane/encap/ipip.h"

#include "dataplane/encap/outer.h"

step_result ipip_encap(struct worker *worker, struct rte_mbuf *packet)
{
	return outer_ipip(worker, packet);
}

void ipip_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(ipip_encap, worker, packets, count, next);
}
