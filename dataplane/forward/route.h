/* The route to a packet's destination: egress port, next hop, MTU. */
#ifndef DATAPLANE_FORWARD_ROUTE_H
#define DATAPLANE_FORWARD_ROUTE_H

#include "dataplane/step.h"

/* RFC 1812 5.2.4. Fills out_port, next_hop, out_mtu. */
step_result route_forward(struct worker *worker, struct rte_mbuf *packet);
void route_forward_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
