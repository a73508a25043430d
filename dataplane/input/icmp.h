/* ICMP addressed to an agent: solicitations, echo out of a tunnel, errors about our tunnels; the
 * rest is the kernel's. */
#ifndef DATAPLANE_INPUT_ICMP_H
#define DATAPLANE_INPUT_ICMP_H

#include "dataplane/step.h"

/* HA4-NAT-20 (keepalive), HA4-MTU-06..11 (errors about outer datagrams), HA4-HOME-19
 * (solicitations). */
step_result icmp_input(struct worker *worker, struct rte_mbuf *packet);
void icmp_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
