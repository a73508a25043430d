/*
 * Does a packet fit its SA's path (MTU-01..06, -09..11, RFC 4301 8)? The path's MTU is the smallest
 * of the egress route's, the SA's configured cap and what ICMP errors taught; the way to the peer
 * is kept in the SA until anything that leads packets changes.
 */
#ifndef DATAPLANE_ENCAP_ESP_PATH_H
#define DATAPLANE_ENCAP_ESP_PATH_H

#include "dataplane/step.h"
#include "dataplane/table/sa_table.h"

struct esp_path {
	const struct route *route; /* NULL when the peer is itself a home address */
	uint16_t mtu;              /* of the outer datagram; 0 no way there */
};

/*
 * Where policies of POLICY_NESTED ask for it, the packet that the SA makes goes into another SA
 * (ESP-OUT-04): its path is then what that one leaves of its own.
 */
struct esp_path esp_path_find(struct worker *worker, const struct sa_outbound *sa);
/* The same for transport mode, whose packet has its way already. */
struct esp_path esp_path_transport(
	struct worker *worker, const struct sa_outbound *sa, const struct packet *p);
/* Has the packet passed the outbound step as often as it may? */
bool esp_path_is_too_deep(const struct worker *worker, const struct packet *p);

enum esp_fit {
	ESP_FITS,
	ESP_FITS_CUT, /* the ESP packet will be fragmented: outer DF 0 */
	ESP_DROPPED,  /* told its sender; *result is the step's result */
};

/*
 * Judges the packet before anything was done to it. Too large: an ICMP error and a drop, fragments
 * of the inner packet that come back to STEP_ENCAP_ESP, or ESP_FITS_CUT.
 */
enum esp_fit esp_path_fit(struct worker *worker, struct rte_mbuf *packet,
	const struct sa_outbound *sa, uint16_t path_mtu, step_result *result);

#endif
