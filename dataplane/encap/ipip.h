/* IP-in-IP towards the care-of address. */
#ifndef DATAPLANE_ENCAP_IPIP_H
#define DATAPLANE_ENCAP_IPIP_H

#include "dataplane/step.h"

/* RFC 2003 3.1, RFC 6040 4.1; HA4-FWD-02..09. */
step_result ipip_encap(struct worker *worker, struct rte_mbuf *packet);
void ipip_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
