/* What the lane takes gets its numbers and headers and leaves enciphered. */
#include "dataplane/crypto/gcm_direct.h"
#include "dataplane/encap/outer.h"
#include "dataplane/lane/esp_out_private.h"
#include "dataplane/lane/mip_out.h"
#include "dataplane/table/policy_hits.h"
#include "dataplane/table/sa_sequence.h"

#include <rte_udp.h>

/* ---- headers ---- */

/*
 * The outer IPv4 header around a packet of `inner`. Its first eight octets are all that changes
 * from packet to packet: one word, whose halves are added to what the SA has summed of the rest.
 */
static __rte_always_inline void outer_write(const struct worker *worker,
	const struct esp_out_work *w, uint8_t *outer, const struct rte_ipv4_hdr *inner,
	uint16_t length, bool tunnels)
{
	const struct sa_outbound *sa = w->run->sa;
	const struct rte_ipv4_hdr *template = (const void *)sa->header;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)outer;
	bool df = sa->flags & SA_DF_SET || /* TUN-06 */
		  (inner->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG) &&
			  (!(sa->flags & SA_DF_CLEAR) ||
				  (tunnels && w->inside != NULL))); /* HA4-MTU-17 */
	uint64_t word = ipv4_first_word(outer_esp_tos(sa, inner->type_of_service), length,
		df ? 0 : outer_identification(worker, template->dst_addr), /* TUN-07 */
		df ? RTE_IPV4_HDR_DF_FLAG : 0);

	memcpy(outer, &word, sizeof(word));
	memcpy(outer + sizeof(word), sa->header + sizeof(word), 16);
	if (sa->header_length > 24)
		memcpy(outer + 24, sa->header + 24, 8);
	if (likely(!worker->ports[w->run->neighbor->port].tx_ipv4_checksum)) {
		ip->hdr_checksum = ipv4_checksum_of(word, template->hdr_checksum);
		return;
	}
	ip->hdr_checksum = 0;
	w->frame->l2_len = sizeof(struct rte_ether_hdr);
	w->frame->l3_len = sizeof(*inner);
	w->frame->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
}

/* The packet that the SA protects: forwarded, inside its tunnel if it has one. */
static __rte_always_inline struct rte_ipv4_hdr *packet_begin(
	const struct esp_out *lane, const struct esp_out_work *w, bool tunnels)
{
	struct rte_ipv4_hdr *ip = lane_ip(w->frame);
	uint8_t *outer;

	ipv4_ttl_decrement(ip);
	if (!tunnels || w->inside == NULL)
		return ip;
	lane->worker->counters->encapsulated++;
	lane->worker->lane_taken[LANE_MIP_OUT]++;
	outer = (uint8_t *)ip - w->inside->added;
	mip_out_write(&lane->tunnelled.burst, w->inside, false, outer);
	return (struct rte_ipv4_hdr *)outer;
}

/* Headers before the packet, trailer behind it. */
static __rte_always_inline void seal(
	const struct esp_out *lane, struct esp_out_work *w, bool tunnels)
{
	static const uint8_t padding[ESP_OUT_TAIL_ROOM] = {
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	const struct worker *worker = lane->worker;
	const struct esp_out_run *run = w->run;
	const struct sa_outbound *sa = run->sa;
	const struct suite *suite = run->suite;
	const struct port *port = &worker->ports[run->neighbor->port];
	struct rte_ipv4_hdr *inner = packet_begin(lane, w, tunnels);
	uint32_t added = sa->header_length + 4u + suite->iv_length;
	uint8_t *outer = (uint8_t *)inner - added, *esp = outer + sa->header_length - 4;
	uint8_t *end = (uint8_t *)inner + w->payload;
	uint32_t pad = w->text - w->payload - ESP_TRAILER_LENGTH;
	uint32_t length = added + w->text + suite->icv_length;
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)outer - 1;
	uint64_t iv = rte_cpu_to_be_64(w->number); /* before the cipher of any: gcm_direct_block */
	be32 low = rte_cpu_to_be_32((uint32_t)w->number);

	outer_write(worker, w, outer, inner, (uint16_t)length, tunnels);
	memcpy(esp + 4, &low, sizeof(low));
	if (likely(suite->iv_length != 0))
		memcpy(esp + ESP_HEADER_LENGTH, &iv, sizeof(iv));
	memcpy(end, padding, sizeof(padding));
	end[pad] = (uint8_t)pad;
	end[pad + 1] = ESP_NEXT_HEADER_IPV4;
	if (sa->flags & SA_UDP) {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(outer + 20);
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)(length - 20)); /* NAT-04, -06 */
		udp->dgram_cksum = 0;
	}
	memcpy(ether->dst_addr.addr_bytes, run->neighbor->mac, 6);
	memcpy(ether->src_addr.addr_bytes, port->mac, 6);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	w->frame->data_off = (uint16_t)((uint8_t *)ether - (uint8_t *)w->frame->buf_addr);
	w->frame->data_len = (uint16_t)(sizeof(*ether) + length);
	w->frame->pkt_len = w->frame->data_len;
	w->esp = esp;
}

static inline void count_hits(const struct esp_out *lane, const struct esp_out_run *run)
{
	struct sa_outbound_state *state = run->state;

	if (likely(policy_hits_are_there(lane->policies, run->policy, state)))
		atomic_store_explicit(&state->policy_hits,
			atomic_load_explicit(&state->policy_hits, memory_order_relaxed) +
				run->count,
			memory_order_relaxed);
	else if (lane->worker->policy_hits != NULL)
		lane->worker->policy_hits[run->policy->policy_id] += run->count;
}

/* The first of the numbers that its packets get, all of them: they are far from any end. */
static inline uint64_t numbers_take(const struct esp_out *lane, const struct esp_out_run *run)
{
	bool shared = lane->sas->shared;
	uint64_t first = sa_sequence_take_far(run->state, run->count, shared);

	count_hits(lane, run);
	sa_sequence_count(run->state, run->count, run->bytes, lane->worker->now_ns, shared);
	return first;
}

/* All packets of a run get their numbers together. */
static __rte_always_inline void seal_all(struct esp_out *lane, bool tunnels)
{
	const struct esp_out_run *run = NULL;
	uint64_t number = 0;

	for (unsigned i = 0; i < lane->count; i++) {
		struct esp_out_work *w = &lane->works[i];

		if (w->run != run) {
			run = w->run;
			number = numbers_take(lane, run);
		}
		w->number = number++;
		seal(lane, w, tunnels);
	}
}

/* ---- cipher ---- */

static CRYPTO_KEY_INLINE void key_prefetch(const struct esp_out *lane, unsigned i)
{
	const struct esp_out_work *w = &lane->works[i];

	if (w->run != w[-1].run)
		crypto_key_prefetch_gcm(w->run->key, w->run->suite->cipher_key_length, w->text);
}

static void encrypt_direct(struct esp_out *lane)
{
	struct worker *worker = lane->worker;

	for (unsigned i = 0; i < lane->count; i++) {
		const struct esp_out_work *w = &lane->works[i];
		const struct esp_out_run *run = w->run;
		const struct gcm_direct packet = {.key = run->key,
			.esp = w->esp,
			.number = w->number,
			.length = w->text,
			.key_length = run->suite->cipher_key_length,
			.icv_length = run->suite->icv_length,
			.flags = run->sa->flags & SA_ESN ? CRYPTO_ESN : 0};
		if (i + lane->key_ahead < lane->count)
			key_prefetch(lane, i + lane->key_ahead);
		gcm_direct_encrypt(worker->crypto, &packet);
		lane_send(worker, run->neighbor->port, w->frame);
	}
	worker->counters->esp_encrypted += lane->count;
}

/* All suites. */
static void encrypt(struct esp_out *lane)
{
	struct crypto_operation operations[BURST_SIZE];
	struct worker *worker = lane->worker;
	unsigned wide = 0;

	for (unsigned i = 0; i < lane->count; i++) {
		const struct esp_out_work *w = &lane->works[i];
		const struct esp_out_run *run = w->run;
		operations[i] = (struct crypto_operation){.suite = run->suite,
			.key = run->key,
			.esp = w->esp,
			.sequence = w->number,
			.length = w->text,
			.flags = run->sa->flags & SA_ESN ? CRYPTO_ESN : 0};
		wide += suite_is_wide(run->suite);
	}
	lane->burst->wide |= wide > lane->count / 2;
	crypto_engine_encrypt_burst(worker->crypto, operations, lane->count);
	for (unsigned i = 0; i < lane->count; i++) {
		const struct esp_out_work *w = &lane->works[i];
		if (unlikely(operations[i].status != CRYPTO_DONE)) {
			drop_packet(worker, w->frame, DROP_ipsec_crypto_error);
			continue;
		}
		worker->counters->esp_encrypted++;
		lane_send(worker, w->run->neighbor->port, w->frame);
	}
}

void esp_out_seal(struct esp_out *lane)
{
	if (likely(lane->tunnelled.count == 0))
		seal_all(lane, false);
	else
		seal_all(lane, true);
	if (likely(lane->direct))
		encrypt_direct(lane);
	else
		encrypt(lane);
}
