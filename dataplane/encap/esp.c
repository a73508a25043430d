#include "dataplane/encap/esp.h"

#include "dataplane/crypto/esp_codec.h"
#include "dataplane/encap/esp_path.h"
#include "dataplane/encap/outer.h"
#include "dataplane/esp_cipher.h"
#include "dataplane/handover.h"
#include "dataplane/header.h"
#include "dataplane/icmp_error.h"
#include "dataplane/sa_event.h"
#include "dataplane/source_route.h"
#include "dataplane/table/sa_lane.h"
#include "dataplane/table/sa_sequence.h"

#include <rte_udp.h>

#define DEPTH_MAX 4   /* encapsulations of one packet, ESP and others (HA4-FWD-12) */
#define KEY_SHORT 512 /* octets: key_prefetch */
#define KEY_FIRST 8

struct work { /* one packet between the checks and its end */
	struct rte_mbuf *packet;
	const struct sa_outbound *sa;
	const struct route *route;
	uint64_t number;
	uint32_t text;    /* octets given to the cipher */
	uint16_t at;      /* transport: octets before ESP; tunnel: of the outer IP header */
	uint16_t next_at; /* transport over IPv6: the octet that says what follows */
	uint16_t path_mtu;
	uint8_t index;  /* in the burst */
	bool cut;       /* outer DF 0: it will be fragmented */
	bool is_tunnel; /* inner is the outer datagram of a Mobile IP tunnel of ours */
	struct inner inner;
};

/* ---- room ---- */

/* Where `octets` more go, in one piece, at the end. NULL without a buffer. */
static uint8_t *append(struct worker *worker, struct rte_mbuf *packet, uint16_t octets)
{
	uint8_t *end = (uint8_t *)rte_pktmbuf_append(packet, octets);
	struct rte_mbuf *more;

	if (end != NULL)
		return end;
	more = rte_pktmbuf_alloc(worker->pool);
	if (more == NULL)
		return NULL;
	end = (uint8_t *)rte_pktmbuf_append(more, octets);
	if (end == NULL || rte_pktmbuf_chain(packet, more) != 0) {
		rte_pktmbuf_free(more);
		return NULL;
	}
	return end;
}

/* TFC padding, padding, pad length, next header, and where the ICV will stand. */
static bool append_tail(struct worker *worker, struct rte_mbuf *packet, const struct suite *suite,
	uint32_t payload, uint32_t tfc, uint8_t next_header)
{
	uint32_t padding = esp_codec_padding(suite, payload + tfc);
	uint8_t *end;

	while (tfc > 0) {
		uint16_t room = rte_pktmbuf_tailroom(rte_pktmbuf_lastseg(packet));
		uint16_t part = (uint16_t)RTE_MIN(tfc, (uint32_t)(room > 0 ? room : 1024));
		end = append(worker, packet, part);
		if (end == NULL)
			return false;
		memset(end, 0, part);
		tfc -= part;
	}
	end = append(worker, packet, (uint16_t)(padding + ESP_TRAILER_LENGTH + suite->icv_length));
	if (end == NULL)
		return false;
	esp_codec_trailer_write(end, padding, next_header);
	return true;
}

/* ---- checks ---- */

/* TRN-02: behind the headers that the way needs; destination options for the far end go inside. */
static bool split_ipv6(struct rte_mbuf *packet, struct work *w, uint8_t *next_header)
{
	const struct packet *p = packet_get(packet);
	uint8_t next = rte_pktmbuf_mtod(packet, const struct rte_ipv6_hdr *)->proto;

	w->at = sizeof(struct rte_ipv6_hdr);
	w->next_at = offsetof(struct rte_ipv6_hdr, proto);
	*next_header = next;
	for (uint16_t at = w->at; at < p->payload_offset;) {
		const uint8_t *header;
		uint16_t here = at;
		if (!packet_pull(packet, at + 8u))
			return false;
		header = rte_pktmbuf_mtod_offset(packet, const uint8_t *, at);
		at = (uint16_t)(at + 8 + 8 * header[1]);
		if (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING) {
			w->at = at; /* and all before it */
			w->next_at = here;
			*next_header = header[0];
		}
		next = header[0];
	}
	return true;
}

static enum drop_reason check_transport(
	struct rte_mbuf *packet, struct work *w, uint8_t *next_header)
{
	const struct packet *p = packet_get(packet);

	if (!(p->flags & PACKET_LOCAL)) /* TRN-01 */
		return DROP_policy_no_sa;
	if (p->flags & PACKET_FRAGMENT) /* TRN-04 */
		return DROP_ipsec_esp_fragment;
	if (packet_is_ipv6(p))
		return split_ipv6(packet, w, next_header) ? DROP_NONE : DROP_ipsec_inner_malformed;
	w->at = p->payload_offset;
	*next_header = p->protocol;
	return DROP_NONE;
}

static uint32_t tfc_of(
	const struct sa_outbound *sa, uint32_t payload, uint16_t path_mtu, uint32_t outer)
{
	if (sa->tfc == 0)
		return 0;
	return esp_codec_tfc_padding(payload, sa->tfc == UINT16_MAX ? UINT32_MAX : sa->tfc,
		esp_codec_inner_mtu(sa->suite, path_mtu, outer));
}

/* MOB-12: the packet as it will be on the wire; its tail is there already. */
static bool is_allowed(struct worker *worker, const struct work *w)
{
	const struct sa_outbound *sa = w->sa;

	return atomic_load_explicit(&sa->allowance, memory_order_relaxed) == SA_PROVED ||
	       sa_table_allowance_take(tables_sas(worker->tables), sa,
		       rte_pktmbuf_pkt_len(w->packet) + sa->header_length + 4 + sa->iv_length);
}

/* TUN-12. */
static void tell_nesting(
	struct worker *worker, struct rte_mbuf *packet, const struct sa_outbound *sa)
{
	sa_event_rejected(worker, packet,
		&(struct sa_rejected){.sa_id = sa->sa_id,
			.spi = sa->spi,
			.reason = DROP_ipsec_nesting,
			.outbound = true,
			.judged = true});
}

/* All that may stop the packet, then room for what is added. DROP_NONE, or *result says why not. */
static bool admit(
	struct worker *worker, struct rte_mbuf **packet, struct work *w, step_result *result)
{
	struct packet *p = packet_get(*packet);
	const struct sa_outbound *sa = w->sa;
	bool transport;
	struct esp_path path;
	uint32_t payload, tfc = 0;
	uint8_t next_header = packet_is_ipv6(p) ? ESP_NEXT_HEADER_IPV6 : ESP_NEXT_HEADER_IPV4;
	enum drop_reason reason = DROP_NONE;

	if (sa == NULL)
		reason = DROP_policy_no_sa;
	else if (unlikely(sa->flags & SA_STANDBY)) /* HA-04 */
		reason = DROP_ipsec_standby;
	else if (p->tunnel_count >= DEPTH_MAX || esp_path_is_too_deep(worker, p))
		reason = DROP_ipsec_nesting;
	else if (source_route_is_there(*packet, p))
		reason = DROP_ipsec_option_reject;
	else if (sa->flags & SA_TRANSPORT)
		reason = check_transport(*packet, w, &next_header);
	*result = STEP_DROP(reason);
	if (unlikely(reason == DROP_ipsec_nesting))
		tell_nesting(worker, *packet, sa);
	if (reason != DROP_NONE)
		return false;
	if (unlikely(p->flags & PACKET_DUMMY)) /* ESP-FMT-12 */
		next_header = ESP_NEXT_HEADER_NONE;
	transport = sa->flags & SA_TRANSPORT;
	path = transport ? esp_path_transport(worker, sa, p) : esp_path_find(worker, sa);
	if (path.mtu == 0) {
		icmp_error_send(worker, *packet, ICMP_ERROR_HOST_UNREACHABLE, 0);
		*result = STEP_DROP(DROP_no_route);
		return false;
	}
	switch (esp_path_fit(worker, *packet, sa, path.mtu, result)) {
	case ESP_DROPPED:
		return false;
	case ESP_FITS_CUT:
		w->cut = true;
		break;
	case ESP_FITS:
		break;
	}
	w->route = path.route;
	w->path_mtu = path.mtu;
	w->inner = outer_inner(*packet, p);
	w->is_tunnel = p->flags & PACKET_TUNNELLED;
	payload = rte_pktmbuf_pkt_len(*packet);
	if (transport) {
		payload -= w->at;
	} else {
		w->at = sa->ip_length;
		tfc = w->cut ? 0 : tfc_of(sa, payload, path.mtu, sa->header_length - 4u);
	}
	if (!packet_own(worker, packet, (uint16_t)(sa->header_length + 4 + sa->iv_length)) ||
		!append_tail(worker, *packet, sa->suite, payload, tfc, next_header)) {
		*result = STEP_DROP(DROP_ipsec_no_buffer);
		return false;
	}
	w->packet = *packet;
	w->text = esp_codec_text_length(sa->suite, payload + tfc);
	if (unlikely(!is_allowed(worker, w))) {
		*result = STEP_DROP(DROP_ipsec_rr_limit);
		return false;
	}
	return true;
}

/* ---- numbers ---- */

/* ESP-SEQ-03, -04: near the end and at the end, each told once. */
static void tell_sequence(struct worker *worker, const struct sa_outbound *sa,
	struct sa_outbound_state *state, uint64_t number, bool over)
{
	uint64_t soft = sa->flags & SA_ESN ? SA_SEQUENCE_SOFT_ESN : SA_SEQUENCE_SOFT;
	uint32_t bits = (uint32_t)(number >= soft) << SA_EXPIRED_SOFT_SEQUENCE |
			(uint32_t)over << SA_EXPIRED_HARD_SEQUENCE;

	if (bits == 0 ||
		(atomic_load_explicit(&state->expired, memory_order_relaxed) & bits) == bits)
		return;
	sa_event_expired(worker, SA_OUTBOUND, sa->sa_id,
		bits & ~atomic_fetch_or_explicit(&state->expired, bits, memory_order_relaxed));
}

/* True when the whole run passes no limit; then *bytes are its octets. The usual case. */
static bool is_far_from_limits(struct worker *worker, const struct sa_outbound_state *state,
	const struct work *works, uint32_t count, uint64_t *bytes)
{
	struct sa_use use = {
		.packets = atomic_load_explicit(&state->packets, memory_order_relaxed) + count,
		.now_tsc = worker->now_tsc};
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += works[i].text;
	use.bytes = atomic_load_explicit(&state->bytes, memory_order_relaxed) + sum;
	*bytes = sum;
	return !sa_watch_passed(&works[0].sa->watch, &use);
}

/* How many of a run of packets of one SA its limits leave (LIFE-03). */
static uint32_t within_limits(struct worker *worker, const struct sa_table *sas,
	struct sa_outbound_state *state, const struct work *works, uint32_t count, uint64_t *bytes)
{
	const struct sa_outbound *sa = works[0].sa;
	struct sa_use use = {.packets = atomic_load_explicit(&state->packets, memory_order_relaxed),
		.bytes = atomic_load_explicit(&state->bytes, memory_order_relaxed),
		.now_tsc = worker->now_tsc};

	*bytes = 0;
	for (uint32_t i = 0; i < count; i++) {
		use.packets++;
		use.bytes += works[i].text;
		if (sa_watch_passed(&sa->watch, &use)) {
			uint32_t fresh, bits = sa_table_outbound_expired(sas, sa, &use, &fresh);
			sa_event_expired(worker, SA_OUTBOUND, sa->sa_id, fresh);
			if (bits & SA_EXPIRED_HARD)
				return i;
		}
		*bytes += works[i].text;
	}
	return count;
}

/* Gives numbers to a run of packets of one SA; returns how many got one. */
static uint32_t number_run(struct worker *worker, const struct sa_table *sas, struct work *works,
	uint32_t count, step_result *next)
{
	const struct sa_outbound *sa = works[0].sa;
	struct sa_outbound_state *state = sa_outbound_state(sas, sa->sa_id);
	uint64_t last = sa->flags & SA_ESN ? SA_SEQUENCE_LAST_ESN : SA_SEQUENCE_LAST, first = 0;
	uint64_t bytes;
	uint32_t allowed = count, got = 0;

	if (unlikely(!is_far_from_limits(worker, state, works, count, &bytes)))
		allowed = within_limits(worker, sas, state, works, count, &bytes);

	for (uint32_t i = allowed; i < count; i++)
		next[works[i].index] = STEP_DROP(DROP_ipsec_out_expired);
	if (allowed > 0)
		got = sa_sequence_take(state, allowed, last, sas->shared, &first);
	for (uint32_t i = 0; i < got; i++)
		works[i].number = first + i;
	for (uint32_t i = got; i < allowed; i++) {
		bytes -= works[i].text;
		next[works[i].index] = STEP_DROP(DROP_ipsec_seq_overflow);
		sa_event_rejected(worker, works[i].packet,
			&(struct sa_rejected){.sa_id = sa->sa_id,
				.spi = sa->spi,
				.number = (uint32_t)last,
				.reason = DROP_ipsec_seq_overflow,
				.outbound = true,
				.judged = true});
	}
	sa_lane_passed(sa, state);
	tell_sequence(worker, sa, state, first + got, got < allowed);
	if (got > 0)
		sa_sequence_count(state, got, bytes, worker->now_ns, sas->shared);
	return got;
}

/* Runs of one SA take their numbers together. What got none leaves the list. */
static uint32_t number_all(struct worker *worker, const struct sa_table *sas, struct work *works,
	uint32_t count, step_result *next)
{
	uint32_t kept = 0, run;

	for (uint32_t i = 0; i < count; i += run) {
		for (run = 1; i + run < count && works[i + run].sa == works[i].sa; run++)
			;
		uint32_t got = number_run(worker, sas, &works[i], run, next);
		if (kept != i)
			memmove(&works[kept], &works[i], got * sizeof(works[0]));
		kept += got;
	}
	return kept;
}

/* ---- headers and cipher ---- */

/*
 * The template of a tunnel. Over IPv4, the usual case, that is 24 or 32 octets: two plain stores
 * instead of a call; what they put too much is of the number and the IV, which are written after.
 */
static inline void template_copy(uint8_t *start, const struct sa_outbound *sa)
{
	if (likely(sa->ip_length == sizeof(struct rte_ipv4_hdr) &&
		    sa->header_length + 4 + sa->iv_length >= 32))
		memcpy(start, sa->header, 32);
	else
		memcpy(start, sa->header, sa->header_length);
}

/* Puts the headers before the packet; returns where ESP begins. */
static uint8_t *put_headers(const struct work *w)
{
	const struct sa_outbound *sa = w->sa;
	uint16_t added = (uint16_t)(sa->header_length + 4 + sa->iv_length);
	uint8_t *start, *esp;
	be32 low = rte_cpu_to_be_32((uint32_t)w->number);

	if (sa->flags & SA_TRANSPORT) {
		start = (uint8_t *)rte_pktmbuf_prepend(w->packet, added);
		memmove(start, start + added, w->at);
		memcpy(start + w->at, sa->header, sa->header_length);
		esp = start + w->at + sa->header_length - 4;
	} else {
		start = (uint8_t *)rte_pktmbuf_prepend(w->packet, added);
		template_copy(start, sa);
		esp = start + sa->header_length - 4;
	}
	memcpy(esp + 4, &low, sizeof(low));
	return esp;
}

static void encrypt(struct work *works, uint32_t count, struct esp_cipher *cipher)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct work *w = &works[i];
		uint8_t *esp = put_headers(w);

		esp_cipher_add(cipher, w->packet,
			(uint16_t)(esp - rte_pktmbuf_mtod(w->packet, uint8_t *)), w->sa->suite,
			w->sa->key, w->number, w->text, w->sa->flags & SA_ESN);
	}
	esp_cipher_run(cipher);
}

/* ---- the outer header ---- */

/* NAT-04, NAT-06. */
static void fill_udp(struct rte_mbuf *packet, struct packet *p, uint16_t at, bool zero)
{
	struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(packet, struct rte_udp_hdr *, at);
	uint32_t length = rte_pktmbuf_pkt_len(packet) - at;
	uint16_t sum = 0;
	uint32_t total;

	udp->dgram_len = rte_cpu_to_be_16((uint16_t)length);
	udp->dgram_cksum = 0;
	if (!packet_is_ipv6(p) || zero || !packet_sum(packet, at, length, &sum))
		return;
	total = (uint32_t)sum + rte_cpu_to_be_16(IPPROTO_UDP) + rte_cpu_to_be_16((uint16_t)length) +
		rte_raw_cksum(p->source.bytes, 16) + rte_raw_cksum(p->destination.bytes, 16);
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	udp->dgram_cksum = (uint16_t)~total;
	if (udp->dgram_cksum == 0)
		udp->dgram_cksum = 0xffff;
}

/* TUN-06: copied, set or cleared; over an IPv6 packet set, unless it has to be cut. */
static bool outer_df(const struct work *w)
{
	if (w->cut)
		return false;
	if (w->sa->flags & SA_DF_SET || w->inner.is_ipv6)
		return true;
	/* HA4-MTU-17: the tunnel's path MTU discovery needs its DF. */
	return w->inner.df && (w->is_tunnel || !(w->sa->flags & SA_DF_CLEAR));
}

static void finish_ipv4(struct worker *worker, const struct work *w, struct packet *p)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(w->packet, struct rte_ipv4_hdr *);

	ip->type_of_service = p->tos = outer_esp_tos(w->sa, w->inner.tos);
	ip->total_length = rte_cpu_to_be_16((uint16_t)rte_pktmbuf_pkt_len(w->packet));
	ip->fragment_offset = outer_df(w) ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0;
	ip->packet_id = outer_df(w) ? 0 /* TUN-07 */
				    : rte_cpu_to_be_16(outer_identification(worker, ip->dst_addr));
	p->source = ip_address_from_v4(ip->src_addr);
	p->destination = ip_address_from_v4(ip->dst_addr);
	p->flags &= ~(uint32_t)PACKET_IPV6;
	outer_checksum(worker, w->packet);
}

static void finish_ipv6(const struct work *w, struct packet *p)
{
	struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(w->packet, struct rte_ipv6_hdr *);

	p->tos = outer_esp_tos(w->sa, w->inner.tos);
	ipv6_tos_set(ip, p->tos);
	ip->payload_len =
		rte_cpu_to_be_16((uint16_t)(rte_pktmbuf_pkt_len(w->packet) - sizeof(*ip)));
	p->source = ip_address_from_v6(w->sa->header + 8);
	p->destination = ip_address_from_v6(w->sa->header + 24);
	p->flags |= PACKET_IPV6;
}

/* ECN-11: the packet's own header stays, but for what follows and how much. */
static void finish_transport(const struct work *w, struct packet *p)
{
	uint8_t *start = rte_pktmbuf_mtod(w->packet, uint8_t *);
	uint8_t protocol = w->sa->flags & SA_UDP ? IPPROTO_UDP : IPPROTO_ESP;
	uint32_t length = rte_pktmbuf_pkt_len(w->packet);

	if (packet_is_ipv6(p)) {
		struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)start;
		start[w->next_at] = protocol;
		ip->payload_len = rte_cpu_to_be_16((uint16_t)(length - sizeof(*ip)));
		return;
	}
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)start;
	ip->next_proto_id = protocol;
	ip->total_length = rte_cpu_to_be_16((uint16_t)length);
	ipv4_checksum_set(ip);
}

/* Nobody cuts IPv6 but who sends it, and we do not where extension headers stand before ESP. */
static bool may_cut(const struct work *w, const struct packet *p)
{
	bool ipv6 = w->sa->flags & SA_TRANSPORT ? packet_is_ipv6(p)
						: w->sa->ip_length == sizeof(struct rte_ipv6_hdr);

	return w->cut && (!ipv6 || w->at == sizeof(struct rte_ipv6_hdr));
}

static step_result finish(struct worker *worker, const struct work *w)
{
	const uint32_t gone = PACKET_FRAGMENT | PACKET_FRAGMENT_LATER | PACKET_VIA_TUNNEL |
			      PACKET_IP_BROADCAST | PACKET_LINK_BROADCAST | PACKET_KERNEL |
			      PACKET_UDP_TUNNEL | PACKET_AS_IT_CAME | PACKET_NEEDS_PROTECTION |
			      PACKET_DUMMY | PACKET_MAY_CUT;
	struct packet *p = packet_get(w->packet);
	const struct sa_outbound *sa = w->sa;

	p->flags &= ~gone;
	p->flags += UINT32_C(1) << PACKET_ESP_PASSES;
	p->flags |= PACKET_LOCAL | PACKET_TUNNELLED | PACKET_PROTECTED |
		    (sa->flags & SA_UDP && !w->cut ? PACKET_UDP_TUNNEL : 0) |
		    (may_cut(w, p) ? PACKET_MAY_CUT : 0);
	p->path_mtu = w->path_mtu;
	p->nested = NULL;
	p->route = w->route;
	p->care_of_port = 0;
	if (sa->flags & SA_TRANSPORT)
		finish_transport(w, p);
	else if (sa->ip_length == sizeof(struct rte_ipv4_hdr))
		finish_ipv4(worker, w, p);
	else
		finish_ipv6(w, p);
	if (sa->flags & SA_UDP)
		fill_udp(w->packet, p, w->at, sa->flags & SA_UDP_ZERO_CHECKSUM);
	p->protocol = sa->flags & SA_UDP ? IPPROTO_UDP : IPPROTO_ESP;
	p->payload_offset = w->at;
	p->tunnel_count++;
	worker->counters->esp_encrypted++;
	if (sa->flags & SA_TRANSPORT)
		return step_outbound(worker, p); /* the way that was found for it */
	p->ttl = sa->ip_length == sizeof(struct rte_ipv4_hdr) ? sa->header[8] : sa->header[7];
	p->tunnel = NULL;
	return w->route != NULL ? STEP_ROUTE : STEP_DESTINATION;
}

/* ---- the burst ---- */

static void find_all(const struct sa_table *sas, struct rte_mbuf **packets, unsigned count,
	const struct sa_outbound **found)
{
	for (unsigned i = 0; i < count; i++) { /* the slots were asked for by forward/policy.c */
		found[i] = sa_outbound_get(sas, packet_get(packets[i])->sa_id);
		if (found[i] == NULL)
			continue;
		rte_prefetch0(found[i]);
		rte_prefetch0(&found[i]->suite);
		rte_prefetch0(sa_outbound_state(sas, packet_get(packets[i])->sa_id));
	}
}

/* The lines of short packets' keys come in while the burst is admitted; long packets take so long
 * to cipher that the engine's own asking is early enough, but for the first ones. */
static void key_prefetch(const struct work *w, uint32_t place)
{
	if (w->text <= KEY_SHORT || place <= KEY_FIRST)
		crypto_key_prefetch(w->sa->suite, w->sa->key, w->text);
}

void esp_encap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	const struct sa_table *sas = tables_sas(worker->tables);
	const struct sa_outbound *found[BURST_SIZE];
	struct esp_cipher cipher;
	struct work works[BURST_SIZE];
	uint32_t used = 0;

	find_all(sas, packets, count, found);
	for (unsigned i = 0; i < count; i++) {
		struct work *w = &works[used];
		w->sa = found[i];
		w->index = (uint8_t)i;
		w->cut = false;
		if (unlikely(worker->handover != NULL) && found[i] != NULL &&
			handover_take(worker, packets[i], SA_OUTBOUND, found[i]->sa_id)) {
			next[i] = STEP_DONE;
			continue;
		}
		if (!admit(worker, &packets[i], w, &next[i]))
			continue;
		if (used++ == 0 || w[-1].sa != w->sa)
			key_prefetch(w, used);
	}
	used = number_all(worker, sas, works, used, next);
	esp_cipher_begin(&cipher, worker->crypto, crypto_engine_encrypt_burst);
	encrypt(works, used, &cipher);
	for (uint32_t i = 0; i < used; i++)
		next[works[i].index] = cipher.operations[i].status == CRYPTO_DONE
					       ? finish(worker, &works[i])
					       : STEP_DROP(DROP_ipsec_crypto_error);
}

step_result esp_encap(struct worker *worker, struct rte_mbuf **packet)
{
	step_result next;

	esp_encap_burst(worker, packet, 1, &next);
	return next;
}
