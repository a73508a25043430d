/* MIP tunnel data (type 4) in UDP 434. */
#ifndef DATAPLANE_DECAP_UDP_H
#define DATAPLANE_DECAP_UDP_H

#include "dataplane/step.h"

/* RFC 3519 3.3; HA4-NAT-15. The UDP datagram was checked by input/udp. */
step_result udp_decap(struct worker *worker, struct rte_mbuf *packet);
void udp_decap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
