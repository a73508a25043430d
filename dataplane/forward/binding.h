/* A packet for a mobile node: loop rules, state of the binding, one copy per simultaneous binding.
 */
#ifndef DATAPLANE_FORWARD_BINDING_H
#define DATAPLANE_FORWARD_BINDING_H

#include "dataplane/step.h"

/* HA4-FWD-10, -11, -13, -16, HA4-BND-06, -08, -09, HA4-BCM-03, HA4-MTU-11. p->tunnel is the first
 * binding. */
step_result binding_forward(struct worker *worker, struct rte_mbuf *packet);
void binding_forward_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
