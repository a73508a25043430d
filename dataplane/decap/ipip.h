/* IP-in-IP (protocol 4 and 41) addressed to an agent. */
#ifndef DATAPLANE_DECAP_IPIP_H
#define DATAPLANE_DECAP_IPIP_H

#include "dataplane/step.h"

/* RFC 2003; HA4-REV-01, -06, -15. Takes the outer header off. */
step_result ipip_decap(struct worker *worker, struct rte_mbuf *packet);
void ipip_decap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
