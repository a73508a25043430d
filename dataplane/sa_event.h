/* What control is told about security associations, rate limited (LIFE-02, AUD-02, AUD-05).
 * Workers.
 */
#ifndef DATAPLANE_SA_EVENT_H
#define DATAPLANE_SA_EVENT_H

#include "dataplane/step.h"

/* One EVENT_SA_EXPIRED for each bit of enum sa_expiry in `fresh`. */
void sa_event_expired(
	struct worker *worker, enum sa_direction direction, uint32_t sa_id, uint32_t fresh);
/* EVENT_SA_REJECTED: a packet of p's outer source died of `reason`; sa_id SA_NONE when it named
 * none.
 */
void sa_event_rejected(struct worker *worker, const struct packet *p, uint32_t sa_id, be32 spi,
	enum drop_reason reason);
/* EVENT_SA_MAPPING: authentic and newest, but from another address or port (NAT-09). */
void sa_event_mapping(struct worker *worker, const struct packet *p, uint32_t sa_id);

#endif
