/*
 * A DPDK port of any kind (memif, ring, tap, af_packet, vfio ...) with one queue each way, and what
 * it takes to talk to the gateway behind it: our MAC, its MAC. Main lcore, but for the bursts.
 */
#ifndef PKTGEN_GENERATOR_PORT_H
#define PKTGEN_GENERATOR_PORT_H

#include "pktgen/generator/frame.h"

#include <rte_ethdev.h>

struct port {
	uint16_t ethdev;
	const struct profile_port *settings;
	struct frame_link link; /* source: ours, destination: the gateway's */
	bool resolved;          /* the destination is known */
	char driver[32], device[RTE_ETH_NAME_MAX_LEN];
};

/*
 * Opens the ports that the EAL found, in its order. `frame_max` octets without check sequence are
 * sent or received in one piece. 0; or -errno with a sentence in `error`.
 */
int port_open_all(struct port *ports, const struct profile *profile, struct rte_mempool *pool,
	uint32_t frame_max, char *error, size_t error_size);
void port_close_all(struct port *ports, unsigned count);
/* Waits until all links are up, at most `timeout_ms`; those that say nothing count as up. */
bool port_wait_links(const struct port *ports, unsigned count, uint32_t timeout_ms);

/* The port's VLAN tag, before a frame leaves; false without room for it. A frame that comes must
 * have it, and loses it. */
bool port_tag(const struct port *port, struct rte_mbuf *mbuf);
bool port_untag(const struct port *port, struct rte_mbuf *mbuf);

#endif
