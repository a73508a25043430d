/*
 * The generator's side of ARP (RFC 826) and neighbour discovery (RFC 4861): asks for the gateway's
 * MAC, and answers for its own addresses and for every node, outer address and correspondent behind
 * the port, so that any of them may be on the gateway's link. A port with an IPv4 gateway asks by
 * ARP, one with an IPv6 gateway alone by a solicitation. One thread.
 */
#ifndef PKTGEN_GENERATOR_NEIGHBOR_H
#define PKTGEN_GENERATOR_NEIGHBOR_H

#include "pktgen/generator/inspect.h"
#include "pktgen/generator/population.h"
#include "pktgen/generator/port.h"

#define NEIGHBOR_FRAME_SIZE 86

/* True when `address` is one that `port` answers for. */
bool neighbor_is_ours(
	const struct population *population, unsigned port, const struct ip_address *address);
/* A request for the gateway's MAC, at most NEIGHBOR_FRAME_SIZE octets; its length. */
uint32_t neighbor_request(const struct port *port, uint8_t *frame);
/* ARP, or a neighbour's solicitation or advertisement: for neighbor_receive. */
bool neighbor_is_message(enum inspect_kind kind, const struct inspected *what);
/*
 * A message that came in by `port`, in its frame: learns the gateway's MAC. Returns the length of
 * `answer`, a frame to send back of at most NEIGHBOR_FRAME_SIZE octets; 0: none.
 */
uint32_t neighbor_receive(const struct population *population, struct port *ports, unsigned port,
	const struct inspected *what, const void *frame, uint8_t *answer);

#endif
