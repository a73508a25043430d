#include "dataplane/encap/home.h"

#include "dataplane/encap/outer.h"

step_result home_encap(struct worker *worker, struct rte_mbuf *packet)
{
	if (!outer_home(worker, packet))
		return STEP_DROP(DROP_no_headroom);
	return outer_encapsulation_step(packet_get(packet)->tunnel);
}

void home_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(home_encap, worker, packets, count, next);
}
