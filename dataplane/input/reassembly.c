#include "dataplane/input/reassembly.h"

#include "dataplane/drop.h"
#include "dataplane/header.h"

#include <stdlib.h>

#define PROBES         8
#define FRAGMENTS_MAX  64 /* of one datagram */
#define SOURCE_BUCKETS 256
#define OCTETS_EACH    8192 /* of one datagram on average: the total is this times the datagrams */
#define DATAGRAM_MAX   65535u
#define FIRST_LEAST    12 /* payload of a first fragment: UDP and MIP header, or minimal header */
#define TICK_ENTRIES   64

struct datagram {
	struct ip_address source, destination;
	uint32_t identification;
	uint16_t vrf;
	uint8_t protocol; /* 0 for IPv6, whose key has none */
	bool in_use;
	uint8_t ecn;     /* bit of each codepoint among the fragments */
	uint16_t count;  /* fragments held */
	uint16_t bucket; /* of its source */
	uint32_t octets; /* payload held */
	uint32_t end;    /* payload length once the last fragment is here, else 0 */
	uint64_t deadline_tsc;
	struct rte_mbuf *first; /* by offset, linked through struct packet */
};

struct source {
	uint32_t datagrams, octets;
};

struct reassembly {
	uint32_t datagrams;
	uint64_t timeout_tsc;
	uint32_t used, octets, fragments;
	uint32_t tick_next;
	struct source sources[SOURCE_BUCKETS];
	struct datagram table[];
};

struct reassembly *reassembly_new(uint32_t datagrams, uint64_t timeout_tsc)
{
	struct reassembly *r;

	if (datagrams < PROBES)
		datagrams = PROBES;
	r = calloc(1, sizeof(*r) + datagrams * sizeof(struct datagram));
	if (r == NULL)
		return NULL;
	r->datagrams = datagrams;
	r->timeout_tsc = timeout_tsc;
	return r;
}

/* Takes the datagram out of the table; its fragments are the caller's. */
static struct rte_mbuf *release(struct worker *worker, struct datagram *d)
{
	struct reassembly *r = worker->reassembly;

	r->used--;
	r->octets -= d->octets;
	r->fragments -= d->count;
	r->sources[d->bucket].datagrams--;
	r->sources[d->bucket].octets -= d->octets;
	worker->counters->held_reassembly -= d->count;
	d->in_use = false;
	return d->first;
}

static void discard(struct worker *worker, struct datagram *d, enum drop_reason reason)
{
	struct rte_mbuf *next;

	for (struct rte_mbuf *m = release(worker, d); m != NULL; m = next) {
		next = packet_get(m)->next;
		drop_packet(worker, m, reason);
	}
}

void reassembly_free(struct worker *worker, struct reassembly *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i < r->datagrams; i++)
		if (r->table[i].in_use)
			discard(worker, &r->table[i], DROP_reasm_timeout);
	free(r);
}

void reassembly_tick(struct worker *worker)
{
	struct reassembly *r = worker->reassembly;

	for (unsigned i = 0; i < TICK_ENTRIES && i < r->datagrams && r->used > 0; i++) {
		struct datagram *d = &r->table[r->tick_next];
		if (d->in_use && d->deadline_tsc <= worker->now_tsc)
			discard(worker, d, DROP_reasm_timeout);
		r->tick_next = (r->tick_next + 1) % r->datagrams;
	}
}

static uint32_t hash(const struct ip_address *source, const struct ip_address *destination,
	uint32_t identification)
{
	uint64_t h = identification;

	for (unsigned i = 0; i < 4; i++)
		h = (h ^ source->words[i] ^ (uint64_t)destination->words[i] << 32) *
		    0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32);
}

/* Where the fragment lies, from its header; false when it cannot be one. Sets offset, end and
 * *more. */
static bool locate(struct rte_mbuf *packet, struct packet *p, uint32_t *identification, bool *more)
{
	uint32_t offset, length;

	if (packet_is_ipv6(p)) {
		const uint8_t *h;
		/* Only a fragment header right after the fixed one; anything between is the
		 * kernel's taste. */
		if (p->payload_offset != sizeof(struct rte_ipv6_hdr) ||
			!packet_pull(packet, sizeof(struct rte_ipv6_hdr) + 8))
			return false;
		h = rte_pktmbuf_mtod_offset(packet, const uint8_t *, sizeof(struct rte_ipv6_hdr));
		offset = (uint32_t)(h[2] << 8 | h[3]) & 0xfff8;
		*more = h[3] & 1;
		memcpy(identification, h + 4, 4);
		length = rte_pktmbuf_pkt_len(packet) - p->payload_offset - 8;
	} else {
		const struct rte_ipv4_hdr *ip =
			rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
		uint16_t field = rte_be_to_cpu_16(ip->fragment_offset);
		offset = (uint32_t)(field & RTE_IPV4_HDR_OFFSET_MASK) * 8;
		*more = field & RTE_IPV4_HDR_MF_FLAG;
		*identification = ip->packet_id;
		length = rte_pktmbuf_pkt_len(packet) - p->payload_offset;
	}
	if (length == 0 || (*more && length % 8 != 0) ||
		offset + length + p->payload_offset > DATAGRAM_MAX)
		return false;
	p->fragment_offset = (uint16_t)offset;
	p->fragment_end = (uint16_t)(offset + length);
	return true;
}

/* The datagram of this fragment, a fresh one when it is the first to come; NULL at a limit. */
static struct datagram *find(struct worker *worker, const struct packet *p, uint32_t identification)
{
	struct reassembly *r = worker->reassembly;
	uint8_t protocol = packet_is_ipv6(p) ? 0 : p->protocol;
	uint32_t at = hash(&p->source, &p->destination, identification);
	uint16_t bucket = (uint16_t)(hash(&p->source, &p->source, 1) % SOURCE_BUCKETS);
	struct datagram *empty = NULL;

	for (unsigned i = 0; i < PROBES; i++) {
		struct datagram *d = &r->table[(at + i) % r->datagrams];
		if (d->in_use && d->deadline_tsc <= worker->now_tsc)
			discard(worker, d, DROP_reasm_timeout);
		if (!d->in_use)
			empty = empty != NULL ? empty : d;
		else if (d->identification == identification && d->protocol == protocol &&
			 d->vrf == p->vrf && ip_address_equal(&d->source, &p->source) &&
			 ip_address_equal(&d->destination, &p->destination))
			return d;
	}
	if (empty == NULL || r->sources[bucket].datagrams >= RTE_MAX(r->datagrams / 8, 4u))
		return NULL;
	*empty = (struct datagram){.source = p->source,
		.destination = p->destination,
		.identification = identification,
		.vrf = p->vrf,
		.protocol = protocol,
		.in_use = true,
		.bucket = bucket,
		.deadline_tsc = worker->now_tsc + r->timeout_tsc};
	r->used++;
	r->sources[bucket].datagrams++;
	return empty;
}

static bool is_over_limit(const struct reassembly *r, const struct datagram *d, uint32_t length)
{
	return d->count >= FRAGMENTS_MAX || r->fragments >= r->datagrams * 4 ||
	       r->octets + length > r->datagrams * OCTETS_EACH ||
	       r->sources[d->bucket].octets + length >
		       RTE_MAX(r->datagrams * OCTETS_EACH / 8, 2 * DATAGRAM_MAX);
}

enum placed { PLACED, PLACED_DUPLICATE, PLACED_OVERLAP };

/* Links the fragment in by offset. */
static enum placed place(struct datagram *d, struct rte_mbuf *packet, bool more)
{
	struct packet *p = packet_get(packet);
	struct rte_mbuf *before = NULL, *after = d->first;

	for (; after != NULL && packet_get(after)->fragment_offset < p->fragment_offset;
		after = packet_get(after)->next)
		before = after;
	if (after != NULL && packet_get(after)->fragment_offset == p->fragment_offset &&
		packet_get(after)->fragment_end == p->fragment_end)
		return PLACED_DUPLICATE;
	if ((before != NULL && packet_get(before)->fragment_end > p->fragment_offset) ||
		(after != NULL && packet_get(after)->fragment_offset < p->fragment_end) ||
		(d->end != 0 && (!more || p->fragment_end > d->end)) || (!more && after != NULL))
		return PLACED_OVERLAP;
	p->next = after;
	if (before != NULL)
		packet_get(before)->next = packet;
	else
		d->first = packet;
	if (!more)
		d->end = p->fragment_end;
	return PLACED;
}

/* One chain out of the list; the first fragment's headers are made those of the whole, which came
 * when its last missing fragment did. */
static struct rte_mbuf *join(struct worker *worker, struct datagram *d, uint16_t order)
{
	uint16_t count = d->count;
	uint32_t length = d->end;
	struct rte_mbuf *whole = release(worker, d), *last = rte_pktmbuf_lastseg(whole), *next;
	struct packet *p = packet_get(whole);

	for (struct rte_mbuf *m = p->next; m != NULL; m = next) {
		const struct packet *f = packet_get(m);
		uint16_t header = (uint16_t)(f->payload_offset + (packet_is_ipv6(f) ? 8 : 0));
		next = f->next;
		rte_pktmbuf_adj(m, header);
		last->next = m;
		last = rte_pktmbuf_lastseg(m);
		whole->nb_segs = (uint16_t)(whole->nb_segs + m->nb_segs);
		whole->pkt_len += m->pkt_len;
	}
	worker->counters->joined += count - 1u;
	worker->counters->reassembled++;
	p->next = NULL;
	p->order = order;
	p->flags &= ~(uint32_t)(PACKET_FRAGMENT | PACKET_FRAGMENT_LATER);
	p->flags |= PACKET_REASSEMBLED;
	if (packet_is_ipv6(p)) {
		struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(whole, struct rte_ipv6_hdr *);
		uint8_t protocol = *(const uint8_t *)(ip + 1);
		memmove((uint8_t *)ip + 8, ip, sizeof(*ip));
		ip = (struct rte_ipv6_hdr *)rte_pktmbuf_adj(whole, 8);
		ip->proto = p->protocol = protocol;
		ip->payload_len = rte_cpu_to_be_16((uint16_t)length);
		p->flags &= ~(uint32_t)PACKET_AS_IT_CAME;
	} else {
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(whole, struct rte_ipv4_hdr *);
		ip->fragment_offset = 0;
		ip->total_length = rte_cpu_to_be_16((uint16_t)(length + p->payload_offset));
		ipv4_checksum_set(ip);
	}
	rte_pktmbuf_linearize(whole); /* when it fits; packet_pull serves the rest */
	return whole;
}

static bool is_whole(const struct datagram *d)
{
	return d->end != 0 && d->octets == d->end;
}

/* RFC 3168 5.3: the congestion that one fragment met is the whole's; where one could not have been
 * marked, nobody knows (ECN-06). False: the datagram cannot be kept. */
static bool ecn_join(struct datagram *d)
{
	struct packet *p = packet_get(d->first);
	uint8_t ecn = p->tos & ECN_MASK, tos;

	if (d->ecn & 1u << ECN_CE) {
		if (d->ecn & 1u << ECN_NOT_ECT)
			return false;
		ecn = ECN_CE;
	} else if (d->ecn & 1u << ECN_NOT_ECT) {
		ecn = ECN_NOT_ECT;
	}
	tos = (uint8_t)((p->tos & ~ECN_MASK) | ecn);
	if (tos == p->tos)
		return true;
	p->tos = tos;
	p->flags &= ~(uint32_t)PACKET_AS_IT_CAME;
	if (packet_is_ipv6(p))
		ipv6_tos_set(rte_pktmbuf_mtod(d->first, struct rte_ipv6_hdr *), tos);
	else
		ipv4_tos_set(rte_pktmbuf_mtod(d->first, struct rte_ipv4_hdr *), tos);
	return true;
}

step_result reassembly_input(struct worker *worker, struct rte_mbuf *packet)
{
	struct reassembly *r = worker->reassembly;
	struct packet *p = packet_get(packet);
	uint32_t identification, length;
	struct datagram *d;
	bool more;

	if (!locate(packet, p, &identification, &more))
		return STEP_DROP(packet_is_ipv6(p) ? DROP_ipv6_header : DROP_ipv4_header);
	length = (uint32_t)(p->fragment_end - p->fragment_offset);
	if (p->fragment_offset == 0 && length < FIRST_LEAST)
		return STEP_DROP(DROP_reasm_tiny);
	d = find(worker, p, identification);
	if (d == NULL)
		return STEP_DROP(DROP_reasm_limit);
	if (is_over_limit(r, d, length)) {
		discard(worker, d, DROP_reasm_limit);
		return STEP_DROP(DROP_reasm_limit);
	}
	switch (place(d, packet, more)) {
	case PLACED_DUPLICATE:
		return STEP_DROP(DROP_reasm_overlap);
	case PLACED_OVERLAP:
		discard(worker, d, DROP_reasm_overlap);
		return STEP_DROP(DROP_reasm_overlap);
	case PLACED:
		break;
	}
	/* Table entries may go before it does. */
	p->tunnel = p->nested = p->origin = NULL;
	p->route = NULL;
	d->count++;
	d->octets += length;
	r->octets += length;
	r->fragments++;
	r->sources[d->bucket].octets += length;
	worker->counters->held_reassembly++;
	d->ecn |= (uint8_t)(1u << (p->tos & ECN_MASK));
	if (!is_whole(d))
		return STEP_DONE;
	if (ecn_join(d))
		pipeline_emit(worker, join(worker, d, p->order), STEP_LOCAL_DEMUX);
	else
		discard(worker, d, DROP_reasm_ecn);
	return STEP_DONE;
}

void reassembly_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(reassembly_input, worker, packets, count, next);
}
