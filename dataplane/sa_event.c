#include "dataplane/sa_event.h"

#include <netinet/in.h>

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

/* RFC 4301 4.4.1.1: as they stand in the packet. */
static void note_selectors(
	struct event_audit *audit, struct rte_mbuf *packet, const struct packet *p)
{
	const uint8_t *octets;
	uint8_t copy[4];

	audit->flags |= AUDIT_SELECTORS;
	audit->source = p->source;
	audit->destination = p->destination;
	audit->protocol = p->protocol;
	octets = p->flags & PACKET_FRAGMENT_LATER
			 ? NULL
			 : rte_pktmbuf_read(packet, p->payload_offset, sizeof(copy), copy);
	if (octets == NULL)
		return;
	audit->source_port = (uint16_t)(octets[0] << 8 | octets[1]);
	switch (p->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
	case IPPROTO_UDPLITE:
		audit->destination_port = (uint16_t)(octets[2] << 8 | octets[3]);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		break;
	default:
		audit->source_port = 0;
		return;
	}
	audit->flags |= AUDIT_PORTS;
}

/* AUD-05: each SA for itself, and each neighbourhood of those who name none. */
static uint64_t limit_key(const struct sa_rejected *rejected, const struct ip_address *source)
{
	uint64_t key = REJECTED_KEY | (uint64_t)rejected->reason << 32;
	uint32_t words[4];

	if (rejected->sa_id != SA_NONE)
		return key | rejected->sa_id;
	memcpy(words, source->bytes, sizeof(words));
	return key | (ip_address_is_v4(source) ? words[3] & RTE_BE32(0xffffff00)
					       : words[0] ^ (words[1] & RTE_BE32(0xffff0000)));
}

void sa_event_rejected(
	struct worker *worker, struct rte_mbuf *packet, const struct sa_rejected *rejected)
{
	const struct packet *p = packet_get(packet);
	bool opened = p->outer_kind == DECAP_ESP; /* p tells of what was inside already */
	const struct ip_address *source = opened ? &p->outer_source : &p->source;
	struct event event = {.type = EVENT_SA_REJECTED,
		.port = p->port,
		.vrf = p->vrf,
		.address = *source,
		.address2 = opened ? p->outer_destination : p->destination,
		.id = rejected->sa_id,
		.value = (uint64_t)rejected->reason << 32 | rte_be_to_cpu_32(rejected->spi),
		.audit = {.at_ns = worker->now_ns,
			.flow_label = rejected->flow_label,
			.flags = rejected->outbound ? AUDIT_OUTBOUND : 0}};

	if (!pipeline_limit(worker, limit_key(rejected, source), REJECTED_RATE, REJECTED_BURST)) {
		worker->counters->audits_held_back++;
		return;
	}
	event.audit.untold = (uint32_t)worker->counters->audits_held_back;
	if (rejected->spi != 0) {
		event.audit.number = rejected->number;
		event.audit.flags |= AUDIT_NUMBER;
	}
	if (rejected->judged)
		note_selectors(&event.audit, packet, p);
	pipeline_event(worker, &event);
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
