/*
 * The one way a packet dies: counted once under its reason, then freed. Worker's own lcore only.
 */
#ifndef DATAPLANE_DROP_H
#define DATAPLANE_DROP_H

#include "dataplane/worker.h"

/* Takes ownership of the packet (all segments). `reason` is an enum drop_reason other than
 * DROP_NONE. */
void drop_packet(struct worker *worker, struct rte_mbuf *packet, enum drop_reason reason);

#endif
