/*
 * The lane out of the tunnel of a mobile node: IP-in-IP or MIP tunnel data in UDP over IPv4, from
 * the very ends that its one binding names, to a destination that only a route has to do with. What
 * input/local_demux, input/udp, decap/ipip, decap/udp and decap/inner_check ask is asked here of
 * the same tables; how the packet goes on is forward.c's.
 */
#ifndef DATAPLANE_LANE_MIP_IN_H
#define DATAPLANE_LANE_MIP_IN_H

#include "dataplane/lane/forward_work.h"

/* A datagram to an address near ours: all that can be asked without its tunnel. Makes w->ip the
 * inner header, w->length its own. */
bool mip_in_parse(struct forward_burst *f, struct forward_work *w, struct rte_ipv4_hdr *outer);
/* The same with it (HA4-REV-02..19, HA4-NAT-15). */
bool mip_in_check(
	const struct forward_burst *f, struct forward_work *w, const struct rte_ipv4_hdr *outer);
/* The packet is the binding's: counts it, gives it the TOS that it leaves the tunnel with. */
void mip_in_take(const struct forward_burst *f, const struct forward_work *w);

#endif
