/* Does the packet fit the tunnel? Asked before any work on it. */
#ifndef DATAPLANE_ENCAP_MTU_CHECK_H
#define DATAPLANE_ENCAP_MTU_CHECK_H

#include "dataplane/step.h"

/* HA4-MTU-02..05, -07, -15, HA4-FWD-12. p->tunnel is the way; fills nested and route. */
step_result mtu_check(struct worker *worker, struct rte_mbuf *packet);
void mtu_check_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
