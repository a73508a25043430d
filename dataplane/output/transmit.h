/* The frame into the transmit buffer of its port. */
#ifndef DATAPLANE_OUTPUT_TRANSMIT_H
#define DATAPLANE_OUTPUT_TRANSMIT_H

#include "dataplane/step.h"

/* The data start is the Ethernet header; whoever flushes worker->tx counts what was sent. */
step_result transmit_output(struct worker *worker, struct rte_mbuf *packet);
void transmit_output_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
