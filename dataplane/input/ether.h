/* Ethernet and VLAN: is the frame for us, and what is in it. Moves the data start to what follows
 * the header. */
#ifndef DATAPLANE_INPUT_ETHER_H
#define DATAPLANE_INPUT_ETHER_H

#include "dataplane/step.h"

step_result ether_input(struct worker *worker, struct rte_mbuf *packet);
void ether_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
