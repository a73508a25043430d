/*
 * A DPDK port of any kind (memif, ring, tap, af_packet, vfio ...) with one queue in and one or more
 * out, and what it takes to talk to the gateway behind it: our MAC, its MAC. Main lcore, but for
 * the bursts.
 */
#ifndef PKTGEN_GENERATOR_PORT_H
#define PKTGEN_GENERATOR_PORT_H

#include "pktgen/generator/frame.h"

#include <rte_ethdev.h>
#include <rte_spinlock.h>
#include <stdio.h>

#define PORT_ERROR_SIZE 256

struct port {
	uint16_t ethdev;
	uint16_t tx_queues; /* fewer than senders: each is shared, under its lock */
	bool shared;
	rte_spinlock_t locks[PROFILE_SENDERS_MAX];
	const struct profile_port *settings;
	struct frame_link link; /* source: ours, destination: the gateway's */
	bool resolved;          /* the destination is known */
	char driver[32], device[RTE_ETH_NAME_MAX_LEN];
};

/*
 * Opens the ports that the EAL found, in its order, and waits for each at most resolve_ms.
 * `frame_max` octets without check sequence are sent or received in one piece. 0; or -errno with a
 * sentence in `error`, PORT_ERROR_SIZE octets; -EINTR after `stop`.
 */
int port_open_all(struct port *ports, const struct profile *profile, struct rte_mempool *pool,
	uint32_t frame_max, const volatile bool *stop, char *error);
void port_close_all(struct port *ports, unsigned count);
/* Waits until all links are up, at most `timeout_ms` and not after `stop`; those that say nothing
 * count as up. One that is still down, or NULL. */
const struct port *port_wait_links(
	const struct port *ports, unsigned count, uint32_t timeout_ms, const volatile bool *stop);

/* What the port takes of a burst of sender number `sender`; PORT_BUSY while another sender has the
 * queue that they share. Any lcore, each as one sender. */
#define PORT_BUSY (-1)
static inline int port_transmit(
	struct port *port, unsigned sender, struct rte_mbuf **mbufs, uint16_t count)
{
	uint16_t queue = (uint16_t)(sender % port->tx_queues), taken;

	if (!port->shared)
		return rte_eth_tx_burst(port->ethdev, queue, mbufs, count);
	if (!rte_spinlock_trylock(&port->locks[queue]))
		return PORT_BUSY;
	taken = rte_eth_tx_burst(port->ethdev, queue, mbufs, count);
	rte_spinlock_unlock(&port->locks[queue]);
	return taken;
}

/* A line for each of the device's counters that says that frames were lost in it, and what helps.
 */
void port_complain(const struct port *port, FILE *out);

/* The port's VLAN tag, before a frame leaves; false without room for it. A frame that comes must
 * have it, and loses it. */
bool port_tag(const struct port *port, struct rte_mbuf *mbuf);
bool port_untag(const struct port *port, struct rte_mbuf *mbuf);

#endif
