/*
 * The lane into the tunnel of a mobile node: IP-in-IP or MIP tunnel data in UDP over IPv4, one live
 * binding. What forward/destination, forward/binding, encap/mtu_check, encap/ipip and encap/udp ask
 * is asked here of the same tables; how the packet goes on is forward.c's.
 */
#ifndef DATAPLANE_LANE_MIP_OUT_H
#define DATAPLANE_LANE_MIP_OUT_H

#include "dataplane/lane/forward_work.h"

/* A datagram whose destination may be a home address: all that can be asked without its tunnel. */
bool mip_out_parse(const struct forward_burst *f, const struct rte_ipv4_hdr *ip, unsigned near);
/* The same with it; says where the tunnel leads. */
bool mip_out_check(const struct forward_burst *f, struct forward_work *w, be32 *target);
/* `mtu` is what the way lets pass. */
bool mip_out_fits(const struct forward_work *w, uint16_t mtu);
/* Puts the outer headers at `outer`, w->added octets before the packet, and counts. `offload`: the
 * device finishes the checksum of the IP header. */
void mip_out_write(
	const struct forward_burst *f, const struct forward_work *w, bool offload, uint8_t *outer);

#endif
