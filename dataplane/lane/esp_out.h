/*
 * The lane of ESP out: a packet from inside whose address has a host policy of its own that sends
 * it through an SA in tunnel mode over IPv4.
 *
 * What the steps would have asked on its way, and who answers here:
 *
 *   input/ipv4           lane_parse
 *   forward/destination  the header's TTL; and struct policy_entry's `ground`, as the policy is for
 *   forward/route        this one address: it is not ours, no home address, in no home or mobile
 *                        network, and its route leaves for outside
 *   forward/policy       policy_host.h, each packet
 *   encap/esp_path,      the SA's `way` (table/sa_lane.h), as it has one peer; it is not there
 *   output/neighbor      while an ICMP error or a move (MOB-12) is to be thought of
 *   encap/esp            SA, limits, numbers, cipher: the very same tables and library
 *
 * A packet to the home address of a mobile node that is behind ESP (RFC 5266, mode mc) goes into
 * its tunnel first: mip_out.c asks what forward/binding, encap/mtu_check and encap/ipip ask, and
 * the policy is that of the care-of address. Most packets are not of this kind and pay for one
 * question, whether a home address may be near.
 *
 * What is fetched ahead, each for the whole burst before the next: hash bucket; policy; of the SA,
 * as the policy notes where it was last, one line and the state in the region, and the policy's hit
 * counter; its key, a few packets ahead of the cipher. That is all that a usual packet touches.
 */
#ifndef DATAPLANE_LANE_ESP_OUT_H
#define DATAPLANE_LANE_ESP_OUT_H

#include "dataplane/lane/lane.h"

/* Takes what it can of burst->usual. */
void esp_out_lane(struct lane_burst *burst);

#endif
