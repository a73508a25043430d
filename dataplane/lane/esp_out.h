/*
 * The lane of ESP out: a packet from inside whose address has a host policy of its own that sends
 * it through an SA in tunnel mode over IPv4.
 *
 * What the steps would have asked on its way, and who answers here:
 *
 *   input/ipv4           lane_parse
 *   forward/destination  TTL: the header. Is the destination ours, a home address, in a home or
 *   forward/route        mobile network, does its route leave for outside: struct policy_entry's
 *                        `ground`, as the policy is for this one address
 *   forward/policy       policy_table_host_burst, each packet
 *   encap/esp_path       the SA's two words (SA_LANE_NEIGHBOR, SA_LANE_MTU), as the SA has one
 * peer; output/neighbor      what ICMP errors taught, each packet encap/esp            SA, limits,
 * numbers, cipher: the very same tables and engine
 *
 * What is fetched ahead, each for the whole burst before the next: hash bucket, policy, slot and
 * state of the SA with the policy's hit counter, the SA's two lines, its key (with the engine).
 */
#ifndef DATAPLANE_LANE_ESP_OUT_H
#define DATAPLANE_LANE_ESP_OUT_H

#include "dataplane/lane/lane.h"

/* Takes what it can of burst->usual. */
void esp_out_lane(struct lane_burst *burst);

#endif
