/*
 * ESP inbound (RFC 4303 3.4, RFC 4301 5.2), a burst at a time:
 *
 *   SA by SPI, its state, lengths, hard limits, replay check      no cipher for junk (ESP-IN-18)
 *   the engine over all that are left                             ICV and decryption
 *   replay window again and marked, in one step; counters         only for what was authentic
 *   padding, next header, inner header (esp_inner.c), selectors   only for what was new
 *
 * A tunnel's inner packet goes to forwarding as if it had come in on the protected side; a
 * transport packet gets its own protocol back and goes where packets to us go. Both carry the SA in
 * p->layers, so that what comes later can ask what protected them (HA4-SPD-15). Nobody on the
 * outside is ever answered.
 *
 * What is fetched ahead: the slots of the burst's SPIs, then the SAs' four lines and their state,
 * then the window's words; key lines by the engine.
 */
#ifndef DATAPLANE_DECAP_ESP_H
#define DATAPLANE_DECAP_ESP_H

#include "dataplane/step.h"

/* Data start: the IP header before protocol 50, or before UDP whose payload is ESP (p->protocol
 * says which). May put another buffer in the place of packets[i]. */
void esp_decap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);
/* One packet; *packet may be replaced. */
step_result esp_decap(struct worker *worker, struct rte_mbuf **packet);

#endif
