#include "dataplane/output/transmit.h"

step_result transmit_output(struct worker *worker, struct rte_mbuf *packet)
{
	const struct packet *p = packet_get(packet);
	struct tx_buffer *tx = &worker->tx[p->out_port];

	if (!atomic_load_explicit(&worker->ports[p->out_port].up, memory_order_relaxed))
		return STEP_DROP(DROP_port_down);
	if (tx->count == RTE_DIM(tx->packets))
		worker_flush(worker);
	tx->packets[tx->count++] = packet;
	return STEP_DONE;
}

void transmit_output_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	for (unsigned i = 0; i < count; i++)
		next[i] = transmit_output(worker, packets[i]);
}
