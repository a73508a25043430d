/* Minimal encapsulation: the original header is rebuilt in place. */
#ifndef DATAPLANE_DECAP_MINIMAL_H
#define DATAPLANE_DECAP_MINIMAL_H

#include "dataplane/step.h"

/* RFC 2004 3; HA4-ALT-09. */
step_result minimal_decap(struct worker *worker, struct rte_mbuf *packet);
void minimal_decap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
