/*
 * Transport mode inbound (RFC 4303 3.4.4, RFC 3948 3.1.2): ESP and UDP are taken out from between
 * the IP header and what follows, and the header gets its own protocol and length back.
 */
#ifndef DATAPLANE_DECAP_ESP_TRANSPORT_H
#define DATAPLANE_DECAP_ESP_TRANSPORT_H

#include "dataplane/step.h"
#include "dataplane/table/sa_table.h"

/*
 * The packet begins with its IP header, was decrypted and cut behind the payload, which begins at
 * `payload_at`. DROP_NONE: it is whole again, matches the SA's selectors (its own addresses are the
 * selectors' addresses), and p describes it. Checksums behind a NAT are made anew (TRN-08).
 */
enum drop_reason esp_transport_open(struct worker *worker, struct rte_mbuf *packet,
	const struct sa_inbound *sa, uint16_t payload_at, uint8_t next_header);

#endif
