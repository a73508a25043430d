/*
 * The Ethernet header towards the next hop. Packets for one that is not resolved wait in a small
 * queue of this worker (held_neighbor) while the kernel is asked, once a second
 * (EVENT_NEIGHBOR_NEEDED); RFC 1122 2.3.2.2.
 */
#ifndef DATAPLANE_OUTPUT_NEIGHBOR_H
#define DATAPLANE_OUTPUT_NEIGHBOR_H

#include "dataplane/step.h"

/* NULL without memory. */
struct neighbor_queue *neighbor_queue_new(void);
/* Drops what waits (neighbor_unresolved). */
void neighbor_queue_free(struct worker *worker, struct neighbor_queue *queue);
/* out_port and next_hop say where; broadcast and multicast next hops need nobody's answer. */
step_result neighbor_output(struct worker *worker, struct rte_mbuf *packet);
void neighbor_output_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);
/* Do packets of this worker wait for that neighbour? Who does not come through here must not
 * overtake them (HA4-FWD-17). */
bool neighbor_is_awaited(
	const struct worker *worker, uint16_t port, const struct ip_address *address);
/* Sends what has been resolved meanwhile, drops what waited too long. */
void neighbor_tick(struct worker *worker);

#endif
