/* The UDP ports to which ESP comes, with IKE behind a marker (RFC 3948, NAT-01). Workers. */
#ifndef DATAPLANE_INPUT_ESP_PORT_H
#define DATAPLANE_INPUT_ESP_PORT_H

#include "dataplane/worker.h"

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>

#define ESP_PORT 4500

/* 4500, or one of dataplane.esp_ports. `port` in host order. */
static inline bool esp_port_is(const struct worker *worker, uint16_t port)
{
	const struct config_dataplane *settings = worker->settings;

	if (likely(port == ESP_PORT))
		return true;
	for (unsigned i = 0; port != 0 && i < RTE_DIM(settings->esp_ports); i++)
		if (settings->esp_ports[i] == port)
			return true;
	return false;
}

#endif
