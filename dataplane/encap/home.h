/*
 * The first of two tunnels: from the agent to the home address, inside the one to a foreign agent's
 * care-of address, which would not know what to do with another destination (RFC 5177 7,
 * RFC 5944 4.3; HA4-NEMO-07, HA4-BCM-03). After mtu_check, which counts both headers.
 */
#ifndef DATAPLANE_ENCAP_HOME_H
#define DATAPLANE_ENCAP_HOME_H

#include "dataplane/step.h"

step_result home_encap(struct worker *worker, struct rte_mbuf *packet);
void home_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
