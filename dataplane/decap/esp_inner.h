/*
 * What an SA may carry: the decrypted packet against the rules for any packet and against the SA's
 * own selectors (RFC 4301 5.2 step 4, 6.2, 7; ESP-IN-05..09, -14). It is not enough that some other
 * policy would let it pass.
 */
#ifndef DATAPLANE_DECAP_ESP_INNER_H
#define DATAPLANE_DECAP_ESP_INNER_H

#include "dataplane/step.h"
#include "dataplane/table/sa_table.h"

/* The packet at the data start, p filled by packet_parse. DROP_NONE or why not. */
enum drop_reason esp_inner_check(
	struct worker *worker, struct rte_mbuf *packet, const struct sa_inbound *sa);

#endif
