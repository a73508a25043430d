/* What is addressed to us, by protocol: tunnels, Mobile IP, ICMP; the rest is the kernel's. */
#ifndef DATAPLANE_INPUT_LOCAL_DEMUX_H
#define DATAPLANE_INPUT_LOCAL_DEMUX_H

#include "dataplane/step.h"

/* HA4-MSG-01, HA4-REV-01, HA4-BCM-01. Destination is an address of ours, or a broadcast or
 * multicast one. */
step_result local_demux(struct worker *worker, struct rte_mbuf *packet);
void local_demux_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
