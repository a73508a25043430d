/*
 * Resynchronisation of the high half of 64-bit sequence numbers (RFC 4303 appendix A3, ESP-SEQ-17):
 * after 2^32 packets in a row were lost, the receiver would take every packet for one of 2^32
 * numbers ago, and none would be authentic ever again.
 */
#ifndef DATAPLANE_DECAP_ESP_RESYNC_H
#define DATAPLANE_DECAP_ESP_RESYNC_H

#include "dataplane/step.h"
#include "dataplane/table/sa_table.h"

#define ESP_RESYNC_TRIES 4 /* high halves further on */

struct esp_resync {
	const struct sa_inbound *sa;
	uint16_t at;   /* where ESP begins */
	uint32_t text; /* octets given to the cipher */
};

/*
 * The number under which the packet is authentic, when one of the next high halves makes it so;
 * else `number`, the one that the window infers. Looks at a copy: the packet is as before, and is
 * to be decrypted and committed as any other. At most once a second and SA; for an SA with ESN of
 * which so many packets in a row were not authentic that its peer alone is listened to (AUD-14).
 */
uint64_t esp_resync_number(struct worker *worker, struct rte_mbuf *packet,
	const struct esp_resync *resync, uint64_t number);

#endif
