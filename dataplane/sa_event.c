#include "dataplane/sa_event.h"

#define REJECTED_KEY   (UINT64_C(1) << 61) /* among pipeline_limit's */
#define REJECTED_RATE  1                   /* a second for each SA and reason */
#define REJECTED_BURST 10

void sa_event_expired(
	struct worker *worker, enum sa_direction direction, uint32_t sa_id, uint32_t fresh)
{
	for (; fresh != 0; fresh &= fresh - 1)
		pipeline_event(worker, &(struct event){.type = EVENT_SA_EXPIRED,
					       .port = (uint16_t)direction,
					       .id = sa_id,
					       .value = (unsigned)__builtin_ctz(fresh)});
}

void sa_event_rejected(struct worker *worker, const struct packet *p, uint32_t sa_id, be32 spi,
	enum drop_reason reason)
{
	uint64_t key = REJECTED_KEY | (uint64_t)reason << 32 | sa_id;

	bool opened = p->outer_kind == DECAP_ESP; /* p tells of what was inside already */

	if (!pipeline_limit(worker, key, REJECTED_RATE, REJECTED_BURST))
		return;
	pipeline_event(worker, &(struct event){.type = EVENT_SA_REJECTED,
				       .port = p->port,
				       .vrf = p->vrf,
				       .address = opened ? p->outer_source : p->source,
				       .id = sa_id,
				       .value = (uint64_t)reason << 32 | rte_be_to_cpu_32(spi)});
}

void sa_event_mapping(struct worker *worker, const struct packet *p, uint32_t sa_id)
{
	pipeline_event(worker, &(struct event){.type = EVENT_SA_MAPPING,
				       .port = p->port,
				       .vrf = p->vrf,
				       .udp_port = p->source_port,
				       .address = p->source,
				       .id = sa_id});
}
