/* MIP tunnel data in UDP, with IP, GRE or minimal encapsulation inside. */
#ifndef DATAPLANE_ENCAP_UDP_H
#define DATAPLANE_ENCAP_UDP_H

#include "dataplane/step.h"

/* RFC 3519 3.3; HA4-NAT-14, -25. */
step_result udp_encap(struct worker *worker, struct rte_mbuf *packet);
void udp_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
