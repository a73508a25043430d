/*
 * The TOS octet or traffic class at the end of any tunnel: RFC 6040 4.2 for ECN, the inner DSCP or,
 * where it is configured so, the outer one (HA4-REV-08, -09; ECN-03, -04, -08).
 */
#ifndef DATAPLANE_DECAP_TOS_H
#define DATAPLANE_DECAP_TOS_H

#include "dataplane/packet.h"

/*
 * Combines p->outer_tos into the header at the data start and p->tos, and keeps the checksum right.
 * Anomalous combinations are counted. False: CE over Not-ECT, the packet must be dropped; it is
 * unchanged. Worker.
 */
bool tos_combine(struct worker *worker, struct rte_mbuf *packet, bool dscp_of_outer);

#endif
