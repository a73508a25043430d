/*
 * The lane of plain IPv6: from port to port along a route. parse, look up, send, as forward.h has
 * it for IPv4, without tunnels.
 *
 * What the steps would have asked, and who answers here:
 *
 *   input/ether, input/ipv6                     lane_parse; vicinity, and the addresses of ours
 *   forward/destination                         vicinity; the hop limit
 *   forward/route, forward/policy, output/..    way.c; where a policy exists that has to be asked,
 *                                               the steps ask it
 */
#ifndef DATAPLANE_LANE_FORWARD6_H
#define DATAPLANE_LANE_FORWARD6_H

#include "dataplane/lane/lane.h"

/* Takes what it can of burst->usual_v6. */
void forward6_lane(struct lane_burst *burst);

#endif
