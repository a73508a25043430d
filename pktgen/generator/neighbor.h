/*
 * The generator's side of ARP: asks for the gateway's MAC, and answers for its own address and for
 * every node, outer address and correspondent behind the port, so that any of them may be on the
 * gateway's link. IPv6 has no such side here: its neighbours stand in the gateway's configuration,
 * and the gateway's MAC in the profile or known from IPv4. One thread.
 */
#ifndef PKTGEN_GENERATOR_NEIGHBOR_H
#define PKTGEN_GENERATOR_NEIGHBOR_H

#include "pktgen/generator/population.h"
#include "pktgen/generator/port.h"

#include "lib/wire/arp.h"

#define NEIGHBOR_FRAME_SIZE 60

/* True when `address` is one that `port` answers for. */
bool neighbor_is_ours(
	const struct population *population, unsigned port, const struct ip_address *address);
/* A request for the gateway's MAC, NEIGHBOR_FRAME_SIZE octets. */
void neighbor_request(const struct port *port, uint8_t *frame);
/*
 * An ARP message that came in by `port`: learns the gateway's MAC; true when `answer` is a frame of
 * NEIGHBOR_FRAME_SIZE octets to send back.
 */
bool neighbor_receive(const struct population *population, struct port *ports, unsigned port,
	const void *message, uint32_t length, uint8_t *answer);

#endif
