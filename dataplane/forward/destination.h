/* Where a packet goes by its destination: to us, into a tunnel, onto the home link, along a route.
 */
#ifndef DATAPLANE_FORWARD_DESTINATION_H
#define DATAPLANE_FORWARD_DESTINATION_H

#include "dataplane/step.h"

/* HA4-FWD-01, -03, -12, HA4-REV-11, -17, HA4-HOME-10, RFC 1812 5.3.1. Source and destination are
 * set. */
step_result destination_forward(struct worker *worker, struct rte_mbuf *packet);
void destination_forward_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
