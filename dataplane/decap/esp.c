#include "dataplane/decap/esp.h"

#include "dataplane/crypto/esp_codec.h"
#include "dataplane/decap/esp_inner.h"
#include "dataplane/decap/esp_resync.h"
#include "dataplane/decap/esp_transport.h"
#include "dataplane/decap/outer.h"
#include "dataplane/decap/tos.h"
#include "dataplane/esp_cipher.h"
#include "dataplane/handover.h"
#include "dataplane/header.h"
#include "dataplane/sa_event.h"

#include <rte_udp.h>

#define ESP_LAYERS_MAX  3   /* ESP-IN-11 */
#define KEY_SHORT       512 /* octets: key_prefetch */
#define KEY_FIRST       8
#define TAIL_MAX        257 /* longest padding and trailer */
#define HEAD_MAX        60  /* longest IPv4 header */
#define MAPPING_AGAIN_S 60  /* an event may be lost */

static const uint8_t *esp_at(const struct rte_mbuf *packet, uint16_t at)
{
	return rte_pktmbuf_mtod_offset(packet, const uint8_t *, at);
}

static be32 spi_at(const struct rte_mbuf *packet, uint16_t at)
{
	be32 spi;

	memcpy(&spi, esp_at(packet, at), sizeof(spi));
	return spi;
}

/* ---- before the cipher ---- */

static void count_replay(const struct sa_table *sas, const struct sa_inbound *sa, bool late)
{
	struct sa_inbound_state *state = sa_inbound_state(sas, sa->sa_id);

	atomic_fetch_add_explicit(
		late ? &state->replays_late : &state->replays, 1, memory_order_relaxed);
}

static enum drop_reason replay_reason(
	const struct sa_table *sas, const struct sa_inbound *sa, enum replay_verdict verdict)
{
	if (verdict == REPLAY_NEW)
		return DROP_NONE;
	count_replay(sas, sa, verdict == REPLAY_LATE);
	return verdict == REPLAY_LATE ? DROP_ipsec_replay_late : DROP_ipsec_replay;
}

static enum drop_reason check_state(struct worker *worker, const struct sa_inbound *sa)
{
	switch (__atomic_load_n(&sa->state, __ATOMIC_ACQUIRE)) {
	case SA_STATE_LIVE: /* HA-04 */
		return unlikely(sa->flags & SA_STANDBY) ? DROP_ipsec_standby : DROP_NONE;
	case SA_STATE_LARVAL:
		return DROP_ipsec_sa_larval;
	case SA_STATE_REMOVED:
		if (worker->now_tsc < sa->removed_until_tsc)
			return DROP_ipsec_no_sa_recent;
	/* fall through */
	default:
		return DROP_ipsec_no_sa;
	}
}

/* ESP-IN-13, LIFE-03; `text` octets are about to be counted. */
static bool is_expired(struct worker *worker, const struct sa_table *sas,
	const struct sa_inbound *sa, uint32_t text)
{
	struct sa_inbound_state *state = sa_inbound_state(sas, sa->sa_id);
	struct sa_use use = {
		.packets = atomic_load_explicit(&state->packets, memory_order_relaxed) + 1,
		.bytes = atomic_load_explicit(&state->bytes, memory_order_relaxed) + text,
		.now_tsc = worker->now_tsc};
	uint32_t fresh, bits;

	if (!sa_watch_passed(&sa->watch, &use))
		return false;
	bits = sa_table_inbound_expired(sas, sa, &use, &fresh);
	sa_event_expired(worker, SA_INBOUND, sa->sa_id, fresh);
	return bits & SA_EXPIRED_HARD;
}

/* What needs no counting ahead: an SA that is over. */
static bool was_expired(
	struct worker *worker, const struct sa_table *sas, const struct sa_inbound *sa)
{
	if (worker->now_tsc < atomic_load_explicit(&sa->watch.tsc, memory_order_relaxed) &&
		atomic_load_explicit(&sa->watch.packets, memory_order_relaxed) != 0)
		return false;
	return is_expired(worker, sas, sa, 0);
}

static bool is_from_peer(const struct packet *p, const struct sa_inbound *sa, bool udp)
{
	return ip_address_equal(&p->source, &sa->remote) &&
	       (!udp || p->source_port == sa->remote_port);
}

/* NAT-06: by setting, and between the SA's own ends alone, which no checksum vouches for (RFC 6936
 * 4). */
static bool may_lack_checksum(const struct packet *p, const struct sa_inbound *sa)
{
	return sa->flags & SA_UDP_ZERO_CHECKSUM && is_from_peer(p, sa, true) &&
	       ip_address_equal(&p->destination, &sa->local);
}

/* So many failures in a row that something is wrong: with who sends, or with our high half. */
static bool is_out_of_step(const struct sa_inbound *sa)
{
	return atomic_load_explicit(&sa->failures, memory_order_relaxed) >= ESP_FAILURES_MAX;
}

/* ESP-SEQ-17. */
static uint64_t resync(struct worker *worker, struct rte_mbuf *packet, const struct esp_work *w)
{
	const struct esp_resync what = {.sa = w->sa, .at = w->at, .text = w->text};

	return esp_resync_number(worker, packet, &what, w->number);
}

static enum drop_reason check_length(struct rte_mbuf *packet, struct esp_work *w)
{
	const struct suite *suite = w->sa->suite;
	uint32_t length = rte_pktmbuf_pkt_len(packet) - w->at;

	switch (esp_codec_check_length(suite, length)) {
	case ESP_ACCEPT:
		w->text = length - esp_codec_text_offset(suite) - suite->icv_length;
		return packet_pull(packet, w->at + esp_codec_text_offset(suite))
			       ? DROP_NONE
			       : DROP_ipsec_no_buffer;
	case ESP_TOO_SHORT:
		return DROP_ipsec_too_short;
	default:
		return DROP_ipsec_bad_length;
	}
}

/* The order of ESP-IN-01. */
static enum drop_reason check(struct worker *worker, const struct sa_table *sas,
	struct rte_mbuf *packet, struct esp_work *w)
{
	const struct packet *p = packet_get(packet);
	be32 spi = spi_at(packet, w->at);
	struct replay_window window;
	enum drop_reason reason;
	uint32_t low;

	if (spi == 0)
		return DROP_ipsec_spi_reserved;
	w->sa = sa_inbound_lookup(sas, spi);
	if (w->sa == NULL || w->sa->vrf != p->vrf)
		return DROP_ipsec_no_sa;
	reason = check_state(worker, w->sa);
	if (reason == DROP_NONE)
		reason = check_length(packet, w);
	if (reason != DROP_NONE)
		return reason;
	if (unlikely(p->flags & PACKET_UDP_ZERO_CHECKSUM && packet_is_ipv6(p)) &&
		!may_lack_checksum(p, w->sa))
		return DROP_ipsec_udp_csum;
	if (was_expired(worker, sas, w->sa))
		return DROP_ipsec_sa_expired;
	window = sa_inbound_window(sas, w->sa);
	low = esp_codec_sequence_low(esp_at(packet, w->at));
	reason = replay_reason(sas, w->sa, replay_window_infer(&window, low, &w->number));
	if (reason == DROP_NONE)
		reason = replay_reason(sas, w->sa, replay_window_check(&window, w->number));
	if (likely(reason != DROP_NONE || !is_out_of_step(w->sa)))
		return reason;
	if (!is_from_peer(p, w->sa, w->udp)) /* BAD-54 */
		return DROP_ipsec_icv_limit;
	if (w->sa->flags & SA_ESN)
		w->number = resync(worker, packet, w);
	return DROP_NONE;
}

static bool is_audited(enum drop_reason reason)
{
	return reason == DROP_ipsec_spi_reserved || reason == DROP_ipsec_no_sa ||
	       reason == DROP_ipsec_replay || reason == DROP_ipsec_replay_late ||
	       reason == DROP_ipsec_bad_icv || reason == DROP_ipsec_esp_fragment ||
	       reason == DROP_ipsec_selector_mismatch || reason == DROP_ipsec_frag_selector ||
	       reason == DROP_ipsec_icmp_embedded || reason == DROP_ipsec_nesting;
}

/* Of the outer header, while it stands at the data start. */
static uint32_t flow_label_at(struct rte_mbuf *packet)
{
	return packet_is_ipv6(packet_get(packet))
		       ? rte_be_to_cpu_32(
				 rte_pktmbuf_mtod(packet, const struct rte_ipv6_hdr *)->vtc_flow) &
				 RTE_IPV6_HDR_FL_MASK
		       : 0;
}

/* Before anything was opened: the ESP header, as far as it is there, still tells. */
static step_result refuse_closed(
	struct worker *worker, const struct esp_work *w, enum drop_reason reason)
{
	const bool named = w->sa != NULL && reason != DROP_ipsec_no_sa;
	uint32_t length = rte_pktmbuf_data_len(w->packet);

	if (is_audited(reason))
		sa_event_rejected(worker, w->packet,
			&(struct sa_rejected){.sa_id = named ? w->sa->sa_id : SA_NONE,
				.spi = length >= w->at + 4u ? spi_at(w->packet, w->at) : 0,
				.number = length >= (uint32_t)w->at + ESP_HEADER_LENGTH
						  ? esp_codec_sequence_low(esp_at(w->packet, w->at))
						  : 0,
				.flow_label = flow_label_at(w->packet),
				.reason = reason});
	return STEP_DROP(reason);
}

/* Authentic, and refused all the same. */
static step_result refuse_opened(struct worker *worker, const struct esp_work *w,
	uint32_t flow_label, enum drop_reason reason)
{
	if (is_audited(reason))
		sa_event_rejected(worker, w->packet,
			&(struct sa_rejected){.sa_id = w->sa->sa_id,
				.spi = w->sa->spi,
				.number = (uint32_t)w->number,
				.flow_label = flow_label,
				.reason = reason,
				.judged = true});
	return STEP_DROP(reason);
}

static unsigned esp_layers(const struct packet *p)
{
	unsigned count = 0;

	for (unsigned i = 0; i < p->layer_count; i++)
		count += p->layers[i].kind == DECAP_ESP;
	return count;
}

/* False: *result is the packet's end. */
static bool admit(struct worker *worker, const struct sa_table *sas, struct rte_mbuf **packet,
	struct esp_work *w, step_result *result)
{
	struct packet *p = packet_get(*packet);
	enum drop_reason reason = DROP_NONE;

	if (p->layer_count == DECAP_LAYERS_MAX || esp_layers(p) == ESP_LAYERS_MAX)
		reason = DROP_ipsec_nesting;
	else if (!packet_pull(*packet, w->at + ESP_HEADER_LENGTH))
		reason = DROP_ipsec_too_short;
	else if (!packet_own(worker, packet, 0))
		reason = DROP_ipsec_no_buffer;
	else
		reason = check(worker, sas, *packet, w);
	w->packet = *packet;
	if (reason == DROP_NONE)
		return true;
	*result = refuse_closed(worker, w, reason);
	return false;
}

/* ---- the cipher ---- */

static void decrypt(const struct esp_work *works, uint32_t count, struct esp_cipher *cipher)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct esp_work *w = &works[i];

		esp_cipher_add(cipher, w->packet, w->at, w->sa->suite, w->sa->key, w->number,
			w->text, w->sa->flags & SA_ESN);
	}
	esp_cipher_run(cipher);
}

/* ---- after it ---- */

static void count_use(
	struct worker *worker, const struct sa_table *sas, const struct esp_work *w, bool current)
{
	struct sa_inbound_state *state = sa_inbound_state(sas, w->sa->sa_id);

	if (sas->shared) {
		atomic_fetch_add_explicit(&state->packets, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&state->bytes, w->text, memory_order_relaxed);
	} else {
		atomic_store_explicit(&state->packets,
			atomic_load_explicit(&state->packets, memory_order_relaxed) + 1,
			memory_order_relaxed);
		atomic_store_explicit(&state->bytes,
			atomic_load_explicit(&state->bytes, memory_order_relaxed) + w->text,
			memory_order_relaxed);
	}
	if (current) /* MOB-07: from an outdated address it is no sign of life */
		atomic_store_explicit(&state->last_use_ns, worker->now_ns, memory_order_relaxed);
	worker->counters->esp_decrypted++;
}

/* NAT-09, -10: a mapping event once for each new endpoint, at most once a second. */
static void note_source(
	struct worker *worker, const struct esp_work *w, bool from_peer, bool newest)
{
	struct sa_inbound *sa = (struct sa_inbound *)w->sa; /* soft state alone */
	struct packet *p = packet_get(w->packet);
	bool wrapped = sa->flags & SA_UDP;
	uint32_t endpoint;
	uint64_t told_tsc;

	if (w->udp != wrapped || (!from_peer && !wrapped))
		worker->counters->ipsec_outer_mismatch++; /* BAD-38, NAT-12 */
	if (from_peer || !newest || !w->udp || !wrapped || sa->window == 0 ||
		sa->flags & SA_NO_MAPPING_EVENT)
		return;
	endpoint = sa_table_endpoint_hash(&p->source, p->source_port);
	told_tsc = atomic_load_explicit(&sa->mapping_told_tsc, memory_order_relaxed);
	if (told_tsc != 0 &&
		worker->now_tsc - told_tsc <
			worker->tsc_hz * (endpoint == atomic_load_explicit(&sa->mapping_told_to,
							      memory_order_relaxed)
							 ? MAPPING_AGAIN_S
							 : 1))
		return;
	atomic_store_explicit(&sa->mapping_told_tsc, worker->now_tsc, memory_order_relaxed);
	atomic_store_explicit(&sa->mapping_told_to, endpoint, memory_order_relaxed);
	sa_event_mapping(worker, p, sa->sa_id);
}

static void count_failure(const struct sa_table *sas, const struct sa_inbound *constant)
{
	struct sa_inbound *sa = (struct sa_inbound *)constant; /* soft state alone */
	struct sa_inbound_state *state = sa_inbound_state(sas, sa->sa_id);

	atomic_fetch_add_explicit(&state->bad_icv, 1, memory_order_relaxed);
	if (atomic_load_explicit(&sa->failures, memory_order_relaxed) < ESP_FAILURES_MAX)
		atomic_fetch_add_explicit(&sa->failures, 1, memory_order_relaxed);
}

/* Authentic: the window, the counters, and what its source tells. DROP_NONE when it is new. */
static enum drop_reason commit(
	struct worker *worker, const struct sa_table *sas, const struct esp_work *w)
{
	struct sa_inbound *sa = (struct sa_inbound *)w->sa; /* soft state alone */
	struct packet *p = packet_get(w->packet);
	struct replay_window window = sa_inbound_window(sas, sa);
	bool newest, from_peer = is_from_peer(p, sa, w->udp);
	enum drop_reason reason =
		replay_reason(sas, sa, replay_window_commit(&window, w->number, &newest));

	if (reason != DROP_NONE)
		return reason;
	if (is_expired(worker, sas, sa, w->text))
		return DROP_ipsec_sa_expired;
	if (from_peer && !atomic_load_explicit(&sa->proved, memory_order_relaxed))
		atomic_store_explicit(&sa->proved, true, memory_order_relaxed); /* MOB-12 */
	if (atomic_load_explicit(&sa->failures, memory_order_relaxed) != 0)
		atomic_store_explicit(&sa->failures, 0, memory_order_relaxed);
	count_use(worker, sas, w, from_peer && ip_address_equal(&p->destination, &sa->local));
	note_source(worker, w, from_peer, newest);
	return DROP_NONE;
}

/* Padding and next header; cuts ICV, padding and trailer off. */
static enum drop_reason read_trailer(
	const struct esp_work *w, uint32_t *payload, uint8_t *next_header)
{
	uint8_t copy[TAIL_MAX];
	uint32_t start = w->at + esp_codec_text_offset(w->sa->suite);
	uint32_t length = RTE_MIN(w->text, (uint32_t)TAIL_MAX);
	const uint8_t *tail = rte_pktmbuf_read(w->packet, start + w->text - length, length, copy);

	if (tail == NULL ||
		esp_codec_trailer_read(tail, length, w->text, payload, next_header) != ESP_ACCEPT)
		return DROP_ipsec_bad_pad;
	packet_trim(w->packet, start + *payload);
	return *next_header == ESP_NEXT_HEADER_NONE ? DROP_ipsec_dummy : DROP_NONE;
}

static enum drop_reason open_tunnel(
	struct worker *worker, const struct esp_work *w, uint32_t payload, uint8_t next_header)
{
	struct packet *p = packet_get(w->packet);
	uint32_t start = w->at + esp_codec_text_offset(w->sa->suite), inner;
	uint32_t head_length = RTE_MIN(payload, (uint32_t)HEAD_MAX);
	uint8_t copy[HEAD_MAX];
	const uint8_t *head =
		head_length > 0 ? rte_pktmbuf_read(w->packet, start, head_length, copy) : copy;
	enum drop_reason reason;

	if (head == NULL)
		return DROP_ipsec_inner_malformed;
	switch (esp_codec_inner_check(head, head_length, payload, next_header, &inner)) {
	case ESP_ACCEPT:
		break;
	case ESP_BAD_NEXT_HEADER:
		return DROP_ipsec_bad_next_header;
	default:
		return DROP_ipsec_inner_malformed;
	}
	rte_pktmbuf_adj(w->packet, (uint16_t)start);
	packet_trim(w->packet, inner); /* ESP-FMT-13 */
	/* Checked, and at the data start: not in the next piece. */
	if (likely(next_header == ESP_NEXT_HEADER_IPV4 && w->packet->nb_segs == 1))
		packet_note_ipv4(p, rte_pktmbuf_mtod(w->packet, const struct rte_ipv4_hdr *));
	else if (!packet_parse(w->packet, p))
		return DROP_ipsec_inner_malformed;
	reason = esp_inner_check(worker, w->packet, w->sa);
	if (reason == DROP_NONE && !tos_combine(worker, w->packet, w->sa->flags & SA_DSCP_COPY_IN))
		reason = DROP_ipsec_ecn_ce_not_ect;
	return reason;
}

static void push_layer(const struct esp_work *w)
{
	const uint32_t gone = PACKET_IP_BROADCAST | PACKET_LINK_BROADCAST | PACKET_REASSEMBLED |
			      PACKET_UDP_ZERO_CHECKSUM | PACKET_CHECKSUM_UNFINISHED;
	struct packet *p = packet_get(w->packet);

	p->layers[p->layer_count++] = (struct decap_layer){.id = w->sa->sa_id,
		.kind = DECAP_ESP,
		.transport = w->sa->flags & SA_TRANSPORT ? 1 : 0};
	p->outer_kind = DECAP_NONE;
	p->origin = NULL;
	p->flags &= ~gone;
	/* ESP-IN-16: what the device said was about the outer packet. */
	w->packet->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	w->packet->packet_type = 0;
}

static step_result finish(
	struct worker *worker, const struct sa_table *sas, const struct esp_work *w)
{
	struct packet *p = packet_get(w->packet);
	enum drop_reason reason = commit(worker, sas, w);
	uint32_t payload = 0, flow_label = flow_label_at(w->packet);
	uint8_t next_header = 0;
	bool transport = w->sa->flags & SA_TRANSPORT;

	if (reason != DROP_NONE)
		return refuse_closed(worker, w, reason);
	reason = read_trailer(w, &payload, &next_header);
	if (reason == DROP_NONE) {
		outer_note(p, DECAP_ESP, next_header);
		p->outer_source_port = w->udp ? p->source_port : 0;
		p->outer_destination_port = w->udp ? p->destination_port : 0;
		w->packet->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
		reason = transport
				 ? esp_transport_open(worker, w->packet, w->sa,
					   (uint16_t)(w->at + esp_codec_text_offset(w->sa->suite)),
					   next_header)
				 : open_tunnel(worker, w, payload, next_header);
	}
	if (reason != DROP_NONE)
		return refuse_opened(worker, w, flow_label, reason);
	push_layer(w);
	return transport ? STEP_LOCAL_DEMUX : STEP_DESTINATION;
}

step_result esp_decap_judge(
	struct worker *worker, const struct esp_work *w, enum crypto_status status)
{
	const struct sa_table *sas = tables_sas(worker->tables);

	if (likely(status == CRYPTO_DONE))
		return finish(worker, sas, w);
	if (status != CRYPTO_BAD_ICV)
		return STEP_DROP(DROP_ipsec_crypto_error);
	count_failure(sas, w->sa);
	return refuse_closed(worker, w, DROP_ipsec_bad_icv);
}

step_result esp_decap_replayed(
	struct worker *worker, const struct esp_work *w, enum replay_verdict verdict)
{
	return refuse_closed(worker, w, replay_reason(tables_sas(worker->tables), w->sa, verdict));
}

/* ---- the burst ---- */

static void find_all(const struct sa_table *sas, struct esp_work *works, unsigned count)
{
	uint32_t slots[BURST_SIZE];

	if (sas->count == 0)
		return;
	for (unsigned i = 0; i < count; i++) {
		slots[i] = 0;
		if (rte_pktmbuf_data_len(works[i].packet) >= works[i].at + 4u)
			slots[i] = sa_spi_slot(
				rte_be_to_cpu_32(spi_at(works[i].packet, works[i].at)), sas->count);
		rte_prefetch0(&sas->inbound_of[slots[i]]);
	}
	for (unsigned i = 0; i < count; i++) {
		const struct sa_inbound *sa = sa_inbound_get(sas, slots[i]);
		if (sa == NULL)
			continue;
		rte_prefetch0(sa);
		rte_prefetch0(&sa->local);
		rte_prefetch0(&sa->selector);
		rte_prefetch0(&sa->limits);
		rte_prefetch0(sa_inbound_state(sas, slots[i]));
	}
}

/* MP-04 */
static bool hand_over(struct worker *worker, const struct sa_table *sas, const struct esp_work *w)
{
	const struct sa_inbound *sa = packet_pull(w->packet, w->at + 4u)
					      ? sa_inbound_lookup(sas, spi_at(w->packet, w->at))
					      : NULL;

	return sa != NULL && handover_take(worker, w->packet, SA_INBOUND, sa->sa_id);
}

/* As the other direction does. */
static void key_prefetch(const struct esp_work *w, uint32_t place)
{
	if (w->text <= KEY_SHORT || place <= KEY_FIRST)
		crypto_key_prefetch(w->sa->suite, w->sa->key, w->text);
}

void esp_decap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	const struct sa_table *sas = tables_sas(worker->tables);
	struct esp_cipher cipher;
	struct esp_work works[BURST_SIZE];
	uint32_t used = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct packet *p = packet_get(packets[i]);
		bool udp = p->protocol == IPPROTO_UDP;
		works[i] = (struct esp_work){.packet = packets[i],
			.at = (uint16_t)(p->payload_offset +
					 (udp ? sizeof(struct rte_udp_hdr) : 0)),
			.index = (uint8_t)i,
			.udp = udp};
	}
	find_all(sas, works, count);
	for (unsigned i = 0; i < count; i++) {
		struct esp_work *w = &works[used];
		if (used != i)
			*w = works[i];
		if (unlikely(worker->handover != NULL) && hand_over(worker, sas, w)) {
			next[i] = STEP_DONE;
			continue;
		}
		if (!admit(worker, sas, &packets[i], w, &next[i]))
			continue;
		if (used++ == 0 || w[-1].sa != w->sa)
			key_prefetch(w, used);
	}
	esp_cipher_begin(&cipher, worker->crypto, crypto_engine_decrypt_burst);
	decrypt(works, used, &cipher);
	for (uint32_t i = 0; i < used; i++)
		next[works[i].index] =
			esp_decap_judge(worker, &works[i], cipher.operations[i].status);
}

step_result esp_decap(struct worker *worker, struct rte_mbuf **packet)
{
	step_result next;

	esp_decap_burst(worker, packet, 1, &next);
	return next;
}
