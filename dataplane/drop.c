#include "dataplane/drop.h"

#include "dataplane/drop_trace.h"

void drop_packet(struct worker *worker, struct rte_mbuf *packet, enum drop_reason reason)
{
	uint32_t mode = atomic_load_explicit(worker->drop_switch, memory_order_relaxed);

	worker->counters->drops[reason]++;
	if (unlikely(mode & DROP_TRACE_ON))
		drop_trace_take(worker, packet, reason, mode);
	rte_pktmbuf_free(packet);
}
