/* What control is told about security associations, rate limited (LIFE-02, AUD-02, AUD-05).
 * Workers.
 */
#ifndef DATAPLANE_SA_EVENT_H
#define DATAPLANE_SA_EVENT_H

#include "dataplane/step.h"

/* One EVENT_SA_EXPIRED for each bit of enum sa_expiry in `fresh`. */
void sa_event_expired(
	struct worker *worker, enum sa_direction direction, uint32_t sa_id, uint32_t fresh);
struct sa_rejected {
	uint32_t sa_id; /* SA_NONE: the packet named none */
	be32 spi;
	uint32_t number; /* low half of the sequence number, when spi is not 0 */
	uint32_t flow_label;
	enum drop_reason reason;
	bool outbound;
	bool judged; /* by its addresses, protocol and ports */
};
/*
 * EVENT_SA_REJECTED: the packet dies of `reason`. Its header stands at the data start, the inner
 * one when it was opened already; then struct packet says what was outside.
 */
void sa_event_rejected(
	struct worker *worker, struct rte_mbuf *packet, const struct sa_rejected *rejected);
/* EVENT_SA_MAPPING: authentic and newest, but from another address or port (NAT-09). */
void sa_event_mapping(struct worker *worker, const struct packet *p, uint32_t sa_id);

#endif
