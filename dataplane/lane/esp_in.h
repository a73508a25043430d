/*
 * The lane of inbound ESP: a tunnel's packet from its peer, with or without UDP, to an inner IPv4
 * destination that is plainly routed, or to the home agent with such a packet inside (mip_in.c; RFC
 * 5266, mode mc). From the receive queue to the transmit buffer in these passes:
 *
 *   parse    up to the SPI                                         fetches the SPI's slot
 *   find     the SA                                                fetches it and its state
 *   admit    decap/esp's questions before the cipher               fetches the key
 *   open     decipher, one call each for AES-GCM, else one burst
 *   finish   trailer, inner header, selectors, ECN, destination    reads only
 *            out of a mobile node's tunnel, when it is in one
 *            route, neighbour, MTU                                 once for a run of packets
 *            window, counters, TTL, Ethernet header, transmit
 *
 *   esp_in.c parse      esp_in_admit.c find, admit      esp_in_open.c      esp_in_finish.c
 *   esp_in_run.c        window and counters where workers share their SAs, before all else of
 * finish
 *
 * What an SA's usual packet shows outside (addresses, SPI, port, vrf) lies in two words at the
 * beginning of the SA (sa_inbound.usual), and as two words in the packet: one SA costs the lane a
 * line, beside its state, and its key.
 *
 * Before the cipher nothing is changed: a frame that is not the usual one stays in the burst, as it
 * came, for the steps. After it there is no way back to the beginning, so what turns out unusual
 * then (not authentic, odd padding, no route, a policy ...) goes to decap/esp's own judgement
 * (esp_decap_judge), described as that step would have found it, and from there on through the
 * steps. The lane has no drop, no event and no rule of its own: it only recognizes packets for
 * which all of them come to one and the same plain end.
 *
 * Order. Of a burst all packets of an SA go through the lane, or all through the steps; a frame
 * that may belong to any SA (a fragment, options) leaves the whole burst to the steps. So each SA
 * sees what it would see without the lane: all its packets asked before the cipher, then judged one
 * after another. Once one of them is handed to the steps after the cipher, all later ones are, and
 * none overtakes it (HA4-FWD-17). Packets of two SAs are of two flows.
 */
#ifndef DATAPLANE_LANE_ESP_IN_H
#define DATAPLANE_LANE_ESP_IN_H

#include "dataplane/lane/lane.h"

/* Takes its packets out of the burst. The worker's own lcore. */
void esp_in_lane(struct lane_burst *burst);

#endif
