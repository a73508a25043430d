/*
 * Ports: DPDK devices made ready, one receive and one transmit queue for each worker when the
 * device has them. Main lcore.
 */
#ifndef DATAPLANE_PORT_H
#define DATAPLANE_PORT_H

#include "dataplane/worker.h"

struct port_queues { /* what the device gave */
	uint16_t rx, tx;
};

/*
 * Configures and starts the device behind settings->device. 0 or -errno with one sentence in the
 * log that names the setting.
 */
int port_open(struct port *port, const struct config_port *settings, uint16_t index,
	unsigned workers, struct rte_mempool *pool, struct port_queues *queues);
void port_close(struct port *port);
/* Shares the queues out: to all workers, or to the one that owns the port (index modulo workers).
 */
void port_assign(const struct port *port, const struct port_queues *queues, struct worker *workers,
	unsigned worker_count);
/* Copies the device's counters and link state into the region; true when the link changed. */
bool port_watch(struct port *port, struct port_counters *counters);

#endif
