/* Source-routed packets (RFC 791 3.1 LSRR, SSRR; RFC 5095 type 0 routing header): not through an SA
 * (ESP-OUT-11, BAD-51). Any thread. */
#ifndef DATAPLANE_SOURCE_ROUTE_H
#define DATAPLANE_SOURCE_ROUTE_H

#include "dataplane/packet.h"

/* `p` was filled by packet_parse; the header may be stepped over again. */
bool source_route_is_there(struct rte_mbuf *packet, const struct packet *p);

#endif
