#include "dataplane/drop.h"

void drop_packet(struct worker *worker, struct rte_mbuf *packet, enum drop_reason reason)
{
	worker->counters->drops[reason]++;
	rte_pktmbuf_free(packet);
}
