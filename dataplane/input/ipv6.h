/* IPv6 header checks and the first decision: ours, or to be forwarded. */
#ifndef DATAPLANE_INPUT_IPV6_H
#define DATAPLANE_INPUT_IPV6_H

#include "dataplane/step.h"

/* RFC 8200 3, RFC 4291 2.5-2.7. The data start is the IPv6 header; link padding is cut off. */
step_result ipv6_input(struct worker *worker, struct rte_mbuf *packet);
void ipv6_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
