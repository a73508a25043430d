/* Does the packet fit the egress link? */
#ifndef DATAPLANE_OUTPUT_LINK_MTU_H
#define DATAPLANE_OUTPUT_LINK_MTU_H

#include "dataplane/step.h"

/* RFC 1812 5.2.6, HA4-MTU-05. Fragments what may be; else an ICMP error. */
step_result link_mtu_output(struct worker *worker, struct rte_mbuf *packet);
void link_mtu_output_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
