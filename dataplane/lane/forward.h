/*
 * The lane of IPv4 without ESP: along a route (this file), into the tunnel of a mobile node
 * (mip_out.c), out of one (mip_in.c). They are one lane, not three: each packet is looked at once,
 * what its destination is near to (table/vicinity.h) says which of them it is for, and all go on
 * together:
 *
 *   parse    headers; a tunnel's inner one, too. Bucket of the home address: asked for
 *   tunnel   entry, outer header and counters asked for; then all that the binding has to say
 *   route    of the destination or of the care-of address, level by level
 *   send     way (way.c), MTU; headers, counters, transmit buffer
 *
 * What the steps would have asked, and who answers here:
 *
 *   input/ipv4, input/local_demux, input/udp    lane_parse; vicinity; mip_in_parse
 *   decap/ipip, decap/udp, decap/inner_check    mip_in_parse, mip_in_check
 *   forward/destination, forward/binding        vicinity; the header's TTL; mip_out_check
 *   encap/mtu_check, encap/ipip, encap/udp      mip_out_check, mip_out_fits, mip_out_write
 *   forward/route, forward/policy, output/..    way.c; where a policy exists that has to be asked,
 *                                               the steps ask it
 */
#ifndef DATAPLANE_LANE_FORWARD_H
#define DATAPLANE_LANE_FORWARD_H

#include "dataplane/lane/lane.h"

/* Takes what it can of burst->usual. */
void forward_lane(struct lane_burst *burst);

#endif
