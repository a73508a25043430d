/* GRE towards the care-of address. */
#ifndef DATAPLANE_ENCAP_GRE_H
#define DATAPLANE_ENCAP_GRE_H

#include "dataplane/step.h"

/* RFC 2784 2; HA4-ALT-02. */
step_result gre_encap(struct worker *worker, struct rte_mbuf *packet);
void gre_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
