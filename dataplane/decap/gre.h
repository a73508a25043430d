/* GRE addressed to an agent, in IP or in a MIP UDP tunnel (data start at the GRE header then). */
#ifndef DATAPLANE_DECAP_GRE_H
#define DATAPLANE_DECAP_GRE_H

#include "dataplane/step.h"

/* RFC 2784; HA4-ALT-03, -04, -05. */
step_result gre_decap(struct worker *worker, struct rte_mbuf *packet);
void gre_decap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
