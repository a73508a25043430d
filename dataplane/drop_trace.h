/*
 * What the drop trace (AUD-16, lib/ipc/drop_trace.h) keeps of a packet that dies: the outer header
 * as it came or as we made it, and whose SA it is. Nothing that was decrypted, unless the operator
 * asked for it. Called by drop_packet alone, while the trace is on; the worker's own lcore.
 */
#ifndef DATAPLANE_DROP_TRACE_H
#define DATAPLANE_DROP_TRACE_H

#include "dataplane/worker.h"

/* `mode`: the switch as the caller read it. */
void drop_trace_take(
	struct worker *worker, struct rte_mbuf *packet, enum drop_reason reason, uint32_t mode);

#endif
