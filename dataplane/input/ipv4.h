/* IPv4 header checks and the first decision: ours, or to be forwarded. */
#ifndef DATAPLANE_INPUT_IPV4_H
#define DATAPLANE_INPUT_IPV4_H

#include "dataplane/step.h"

/* RFC 1812 5.2.2 (in its order), 5.3.4, 5.3.7; HA4-MSG-01. The data start is the IPv4 header; link
 * padding is cut off. */
step_result ipv4_input(struct worker *worker, struct rte_mbuf *packet);
void ipv4_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
