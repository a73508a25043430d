/* UDP 434 addressed to us: registrations to control, tunnel data to decap; other ports are the
 * kernel's. */
#ifndef DATAPLANE_INPUT_UDP_H
#define DATAPLANE_INPUT_UDP_H

#include "dataplane/step.h"

/* HA4-MSG-02, -03, -05, -06, -08, -09, HA4-BAD-03, -12, -13. The datagram is whole. */
step_result udp_input(struct worker *worker, struct rte_mbuf *packet);
void udp_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
