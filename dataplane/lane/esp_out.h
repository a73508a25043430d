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
 *   encap/esp_path       the SA's two words (SA_LANE_NEIGHBOR, SA_LANE_MTU), as it has one peer;
 *   output/neighbor      what ICMP errors taught, each packet
 *   encap/esp            SA, limits, numbers, cipher: the very same tables and engine
 *
 * What is fetched ahead, each for the whole burst before the next: hash bucket; policy; all of the
 * SA, as the policy notes where it was last: slot, two lines, state, and the policy's hit counter;
 * its key (with the engine).
 */
#ifndef DATAPLANE_LANE_ESP_OUT_H
#define DATAPLANE_LANE_ESP_OUT_H

#include "dataplane/lane/lane.h"

/* Takes what it can of burst->usual. */
void esp_out_lane(struct lane_burst *burst);

#endif
