/*
 * ESP outbound (RFC 4303 3.3, RFC 4301 5.1): a packet that policy sends through its SA (p->sa_id)
 * becomes an ESP packet, in tunnel or transport mode, in UDP when the SA says so, and goes to
 * forwarding again.
 *
 * Everything that can drop a packet is asked before any work on it: state and limits of the SA, and
 * its size (esp_path.c). Then the burst's packets take their numbers, one atomic add for each run
 * of packets of one SA; headers and trailers are written; the engine ciphers all of them; the outer
 * IP header is finished. A buffer that others share, or that lacks room, is copied first.
 *
 *   IP | [UDP 8] | SPI 4 | number 4 | IV | inner packet (tunnel) or payload (transport) | padding |
 * pad length 1 | next header 1 | ICV
 *
 * What is fetched ahead: the SAs' slots for the whole burst, then their objects and state lines;
 * key lines by the engine.
 */
#ifndef DATAPLANE_ENCAP_ESP_H
#define DATAPLANE_ENCAP_ESP_H

#include "dataplane/step.h"

/* On to STEP_ROUTE or STEP_DESTINATION; STEP_DONE for what was cut into fragments. May put another
 * buffer in the place of packets[i]. */
void esp_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);
/* One packet; *packet may be replaced. */
step_result esp_encap(struct worker *worker, struct rte_mbuf **packet);

#endif
