/* Minimal encapsulation: the header is changed in place; a fragment goes IP-in-IP. */
#ifndef DATAPLANE_ENCAP_MINIMAL_H
#define DATAPLANE_ENCAP_MINIMAL_H

#include "dataplane/step.h"

/* RFC 2004 3; HA4-ALT-06..08. */
step_result minimal_encap(struct worker *worker, struct rte_mbuf *packet);
void minimal_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
