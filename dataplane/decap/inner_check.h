/* Is the datagram that came out of a tunnel from the node whose tunnel it is? */
#ifndef DATAPLANE_DECAP_INNER_CHECK_H
#define DATAPLANE_DECAP_INNER_CHECK_H

#include "dataplane/step.h"

/* RFC 3024 4.3.2, RFC 3519 4.3, RFC 6040 4.2; HA4-REV-02..19, HA4-NAT-15..22. The data start is the
 * inner header. */
step_result inner_check(struct worker *worker, struct rte_mbuf *packet);
void inner_check_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);

#endif
