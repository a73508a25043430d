#include "dataplane/lane/esp_out.h"

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/encap/outer.h"
#include "dataplane/handover.h"
#include "dataplane/header.h"
#include "dataplane/table/policy_entry.h"
#include "dataplane/table/sa_sequence.h"
#include "dataplane/table/sa_table.h"

#include <rte_udp.h>

#define FAR       (UINT64_C(1) << 20) /* numbers: more than all workers take at one moment */
#define TAIL_ROOM 16 /* more than padding and trailer, which are written in one piece */
#define KEY_FIRST                                                                                  \
	8 /* keys that the engine would ask for too late; it is that far ahead of the rest */

struct work { /* a packet that may be taken */
	struct rte_mbuf *frame;
	const struct sa_outbound *sa;
	struct policy_entry *policy;
	const struct neighbor *neighbor;
	uint64_t number;
	uint32_t text;    /* octets given to the cipher */
	uint32_t mtu;     /* of the outer datagram */
	uint16_t payload; /* octets of the packet */
	uint8_t index;    /* in the burst */
};

struct works {
	unsigned count;
	struct work of[BURST_SIZE];
};

/* ---- found once, as long as tables_ground is the same ---- */

/* Nothing but a route and the policy has to do with this destination, and the route leaves for
 * outside, where the policy is asked. */
static __attribute__((noinline)) bool learn_destination(
	const struct lane_burst *burst, struct policy_entry *policy)
{
	const struct worker *worker = burst->worker;
	const struct ip_address *destination = &policy->remote_first;
	unsigned near = tables_near(worker->tables, policy->vrf, destination);
	const struct route *route;

	if (near & (VICINITY_HOME | VICINITY_PREFIX | VICINITY_HOME_NETWORK) ||
		tables_local_lookup(worker->tables, policy->vrf, destination).kind != LOCAL_NONE)
		return false;
	route = tables_route_lookup(worker->tables, policy->vrf, destination);
	if (route == NULL || route->flags != 0 || route->port >= worker->port_count ||
		worker->ports[route->port].zone != ZONE_EXTERNAL)
		return false;
	atomic_store_explicit(&policy->ground, burst->ground, memory_order_relaxed);
	return true;
}

/* The neighbour that the SA's packets go to, and what fits there; number 0 when the lane has no
 * business with them. */
static uint32_t way_of(const struct worker *worker, const struct sa_outbound *sa, uint16_t *mtu)
{
	struct ip_address peer = sa_table_build_peer(sa).remote;
	const struct neighbor *neighbor;
	const struct route *route;
	const struct port *port;

	if (sa->flags & (SA_TRANSPORT | SA_STANDBY) || sa->tfc != 0 ||
		tables_near(worker->tables, sa->vrf, &peer) & (VICINITY_HOME | VICINITY_PREFIX))
		return 0;
	route = tables_route_lookup(worker->tables, sa->vrf, &peer);
	if (route == NULL || route->flags != 0 || route->port >= worker->port_count)
		return 0;
	port = &worker->ports[route->port];
	*mtu = route->mtu != 0 ? RTE_MIN(route->mtu, port->mtu) : port->mtu;
	if (sa->path_mtu != 0)
		*mtu = RTE_MIN(*mtu, sa->path_mtu);
	neighbor = tables_neighbor_lookup(worker->tables, route->port,
		ip_address_is_unspecified(&route->next_hop) ? &peer : &route->next_hop);
	return neighbor != NULL ? tables_neighbor_number(worker->tables, neighbor) : 0;
}

static __attribute__((noinline)) void learn_way(
	const struct lane_burst *burst, const struct sa_outbound *sa)
{
	uint64_t ground = (uint64_t)burst->ground << 32;
	uint16_t mtu = 0;
	uint32_t neighbor = way_of(burst->worker, sa, &mtu);

	/* Two words, each true at this ground whoever else writes them now. */
	atomic_store_explicit(
		sa_outbound_lane(sa, SA_LANE_MTU), ground | mtu, memory_order_relaxed);
	atomic_store_explicit(
		sa_outbound_lane(sa, SA_LANE_NEIGHBOR), ground | neighbor, memory_order_relaxed);
}

/* ---- look up and fetch ---- */

static void policies_find(const struct lane_burst *burst, struct works *works)
{
	be32 sources[BURST_SIZE], destinations[BURST_SIZE];
	struct policy_entry *found[BURST_SIZE];

	for (unsigned i = 0; i < works->count; i++) {
		const struct rte_ipv4_hdr *ip = lane_ip(works->of[i].frame);
		sources[i] = ip->src_addr;
		destinations[i] = ip->dst_addr;
	}
	tables_policy_host_burst(burst->worker->tables, burst->from->vrf, sources, destinations,
		works->count, found);
	for (unsigned i = 0; i < works->count; i++)
		works->of[i].policy = found[i];
}

static void sas_find(const struct lane_burst *burst, struct works *works)
{
	const struct worker *worker = burst->worker;
	const struct sa_table *sas = tables_sas(worker->tables);

	for (unsigned i = 0; i < works->count; i++) {
		const struct policy_entry *policy = works->of[i].policy;
		if (policy == NULL || (i > 0 && policy == works->of[i - 1].policy))
			continue;
		if (policy->action != POLICY_PROTECT || policy->sa_id >= sas->count) {
			works->of[i].policy = NULL;
			continue;
		}
		rte_prefetch0(&sas->outbound_of[policy->sa_id]);
		rte_prefetch0(sa_outbound_state(sas, policy->sa_id));
		if (worker->policy_hits != NULL)
			rte_prefetch0(&worker->policy_hits[policy->policy_id]);
	}
	for (unsigned i = 0; i < works->count; i++) {
		struct work *w = &works->of[i];
		w->sa = w->policy != NULL ? sa_outbound_get(sas, w->policy->sa_id) : NULL;
		if (w->sa == NULL || (i > 0 && w->sa == works->of[i - 1].sa))
			continue;
		rte_prefetch0(w->sa);
		rte_prefetch0(&w->sa->suite);
	}
}

/* ---- check ---- */

/* No packet of this burst, of any number of workers, can reach a limit or an end that has to be
 * told. */
static inline bool is_far(
	const struct worker *worker, const struct sa_table *sas, const struct sa_outbound *sa)
{
	const struct sa_outbound_state *state = sa_outbound_state(sas, sa->sa_id);
	uint64_t soft = sa->flags & SA_ESN ? SA_SEQUENCE_SOFT_ESN : SA_SEQUENCE_SOFT;
	struct sa_use use = {
		.packets = atomic_load_explicit(&state->packets, memory_order_relaxed) + BURST_SIZE,
		.bytes = atomic_load_explicit(&state->bytes, memory_order_relaxed) +
			 BURST_SIZE * (UINT16_MAX + UINT64_C(1)),
		.now_tsc = worker->now_tsc};

	return !sa_watch_passed(&sa->watch, &use) &&
	       atomic_load_explicit(&state->sequence, memory_order_relaxed) < soft - FAR;
}

/* The way to the peer, when it is the lane's. */
static inline bool has_way(struct lane_burst *burst, struct work *w)
{
	const struct sa_outbound *sa = w->sa;
	uint64_t neighbor =
		atomic_load_explicit(sa_outbound_lane(sa, SA_LANE_NEIGHBOR), memory_order_relaxed);
	uint64_t mtu;

	if (unlikely(neighbor >> 32 != burst->ground)) {
		learn_way(burst, sa);
		neighbor = atomic_load_explicit(
			sa_outbound_lane(sa, SA_LANE_NEIGHBOR), memory_order_relaxed);
	}
	mtu = atomic_load_explicit(sa_outbound_lane(sa, SA_LANE_MTU), memory_order_relaxed);
	/* What errors taught is forgotten after a time: the steps do so. */
	if (neighbor >> 32 != burst->ground || mtu >> 32 != burst->ground ||
		(uint32_t)neighbor == 0 ||
		atomic_load_explicit(&sa->learned_mtu, memory_order_relaxed) != 0 ||
		atomic_load_explicit(&sa->allowance, memory_order_relaxed) != SA_PROVED)
		return false;
	w->mtu = (uint32_t)mtu;
	w->neighbor = tables_neighbor_at(burst->worker->tables, (uint32_t)neighbor);
	return !lane_is_awaited(burst, w->neighbor);
}

/* What is the same for all packets of one policy in a burst. `before`: the last one taken. */
static inline bool is_open_for(struct lane_burst *burst, struct work *w, const struct work *before)
{
	const struct sa_outbound *sa = w->sa;

	if (sa == NULL)
		return false;
	if (before != NULL && before->policy == w->policy && before->sa == sa) {
		w->mtu = before->mtu;
		w->neighbor = before->neighbor;
		return true;
	}
	if (sa->ip_length != sizeof(struct rte_ipv4_hdr) ||
		!handover_is_here(burst->worker, SA_OUTBOUND, sa->sa_id) || /* MP-04 */
		!is_far(burst->worker, tables_sas(burst->worker->tables), sa))
		return false;
	if (unlikely(atomic_load_explicit(&w->policy->ground, memory_order_relaxed) !=
		     burst->ground) &&
		!learn_destination(burst, w->policy))
		return false;
	return has_way(burst, w);
}

static inline bool is_straight(
	struct lane_burst *burst, struct work *w, const struct work *before, uint32_t asked)
{
	const struct sa_outbound *sa = w->sa;
	const struct rte_ipv4_hdr *ip = lane_ip(w->frame);
	uint32_t head, tail;

	if (ip->time_to_live <= 1 || !is_open_for(burst, w, before))
		return false;
	if (unlikely(asked != 0)) { /* HA4-REV-17 */
		struct ip_address source = ip_address_from_v4(ip->src_addr);
		if (tables_near(burst->worker->tables, burst->from->vrf, &source) & VICINITY_HOME)
			return false;
	}
	w->payload = rte_be_to_cpu_16(ip->total_length);
	w->text = esp_codec_text_length(sa->suite, w->payload);
	head = sa->header_length + 4u + sa->iv_length;
	tail = w->text - w->payload + sa->icv_length;
	return head + w->payload + tail <= w->mtu && rte_pktmbuf_headroom(w->frame) >= head &&
	       (uint32_t)(w->frame->buf_len - w->frame->data_off) >=
		       sizeof(struct rte_ether_hdr) + w->payload + tail + TAIL_ROOM;
}

/* Those that go, in order; what is left is left with all of its flow behind it. */
static void check_all(struct lane_burst *burst, struct works *works)
{
	uint32_t asked = tables_agent_flags(burst->worker->tables) &
			 (AGENT_AWAY_SOURCE_DROP | AGENT_AWAY_SOURCE_LOG);
	struct lane_left left = {0};
	unsigned kept = 0, next = 0;

	for (unsigned i = 0; i < burst->count; i++) {
		struct work *w = &works->of[next];
		const struct work *before = kept > 0 ? &works->of[kept - 1] : NULL;

		if (next == works->count || w->index != i) {
			if (!(burst->taken >> i & 1))
				lane_leave(&left, burst->frames[i]);
			continue;
		}
		next++;
		if (unlikely(left.destinations & lane_flow(lane_ip(w->frame)->dst_addr)) ||
			unlikely(!is_straight(burst, w, before, asked))) {
			lane_leave(&left, w->frame);
			continue;
		}
		if (kept < KEY_FIRST && (before == NULL || before->sa != w->sa))
			crypto_key_prefetch(w->sa->suite, w->sa->key, w->text);
		burst->taken |= UINT32_C(1) << i;
		if (w != &works->of[kept])
			works->of[kept] = *w;
		kept++;
	}
	works->count = kept;
}

/* ---- number, headers ---- */

/* A run of packets of one policy takes its numbers together. They are far from any end: all get
 * one. */
static void number_all(const struct lane_burst *burst, struct works *works)
{
	const struct sa_table *sas = tables_sas(burst->worker->tables);
	uint64_t *hits = burst->worker->policy_hits;
	unsigned run;

	for (unsigned i = 0; i < works->count; i += run) {
		struct work *w = &works->of[i];
		struct sa_outbound_state *state = sa_outbound_state(sas, w->sa->sa_id);
		uint64_t bytes = 0, first = 0;

		for (run = 0; i + run < works->count && w[run].policy == w->policy; run++)
			bytes += w[run].text;
		if (hits != NULL)
			hits[w->policy->policy_id] += run;
		sa_sequence_take(state, run,
			w->sa->flags & SA_ESN ? SA_SEQUENCE_LAST_ESN : SA_SEQUENCE_LAST,
			sas->shared, &first);
		sa_sequence_count(state, run, bytes, burst->worker->now_ns, sas->shared);
		for (unsigned k = 0; k < run; k++)
			w[k].number = first + k;
	}
}

/* ECN-01, -02, -08. */
static inline uint8_t outer_tos(const struct sa_outbound *sa, uint8_t inner)
{
	uint8_t dscp =
		sa->dscp == DSCP_COPY ? inner & (uint8_t)~ECN_MASK : (uint8_t)(sa->dscp << 2);

	return (uint8_t)(dscp | (sa->flags & SA_ECN_OFF ? ECN_NOT_ECT : inner & ECN_MASK));
}

/* What changes with each packet in the outer IPv4 header. `length`: of the outer datagram. */
static inline void outer_fill(const struct worker *worker, const struct work *w,
	struct rte_ipv4_hdr *outer, const struct rte_ipv4_hdr *inner, uint16_t length)
{
	bool df = w->sa->flags & SA_DF_SET || /* TUN-06 */
		  (inner->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG) &&
			  !(w->sa->flags & SA_DF_CLEAR));

	outer->type_of_service = outer_tos(w->sa, inner->type_of_service);
	outer->total_length = rte_cpu_to_be_16(length);
	outer->fragment_offset = df ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0;
	outer->packet_id =
		df ? 0
		   : rte_cpu_to_be_16(outer_identification(worker, outer->dst_addr)); /* TUN-07 */
	if (likely(!worker->ports[w->neighbor->port].tx_ipv4_checksum)) {
		ipv4_checksum_set(outer);
		return;
	}
	outer->hdr_checksum = 0;
	w->frame->l2_len = sizeof(struct rte_ether_hdr);
	w->frame->l3_len = sizeof(*outer);
	w->frame->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
}

/* Headers before the packet, trailer behind it; returns where ESP begins. */
static inline uint8_t *seal(const struct worker *worker, const struct work *w)
{
	static const uint8_t padding[TAIL_ROOM] = {
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	const struct sa_outbound *sa = w->sa;
	const struct port *port = &worker->ports[w->neighbor->port];
	struct rte_ipv4_hdr *inner = lane_ip(w->frame);
	uint16_t added = (uint16_t)(sa->header_length + 4 + sa->iv_length);
	uint8_t *outer = (uint8_t *)inner - added, *esp = outer + sa->header_length - 4;
	uint8_t *end = (uint8_t *)inner + w->payload;
	uint32_t pad = w->text - w->payload - ESP_TRAILER_LENGTH;
	uint16_t length = (uint16_t)(added + w->text + sa->icv_length);
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)outer - 1;
	be32 low = rte_cpu_to_be_32((uint32_t)w->number);

	memcpy(outer, sa->header, 24);
	if (sa->header_length > 24)
		memcpy(outer + 24, sa->header + 24, 8);
	memcpy(esp + 4, &low, sizeof(low));
	memcpy(end, padding, sizeof(padding));
	end[pad] = (uint8_t)pad;
	end[pad + 1] = ESP_NEXT_HEADER_IPV4;
	ipv4_ttl_decrement(inner);
	outer_fill(worker, w, (struct rte_ipv4_hdr *)outer, inner, length);
	if (sa->flags & SA_UDP) {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(outer + 20);
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)(length - 20)); /* NAT-04, -06 */
		udp->dgram_cksum = 0;
	}
	memcpy(ether->dst_addr.addr_bytes, w->neighbor->mac, 6);
	memcpy(ether->src_addr.addr_bytes, port->mac, 6);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	w->frame->data_off = (uint16_t)(w->frame->data_off - added);
	w->frame->data_len = (uint16_t)(sizeof(*ether) + length);
	w->frame->pkt_len = w->frame->data_len;
	return esp;
}

/* ---- the burst ---- */

static void send_all(
	struct worker *worker, const struct works *works, const struct crypto_operation *operations)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < works->count; i++) {
		const struct work *w = &works->of[i];
		if (unlikely(operations[i].status != CRYPTO_DONE)) {
			drop_packet(worker, w->frame, DROP_ipsec_crypto_error);
			failed++;
			continue;
		}
		lane_send(worker, w->neighbor->port, w->frame);
	}
	worker->counters->esp_encrypted += works->count - failed;
}

/* Nothing of a packet of this port and vrf is asked that the lane does not know of. */
static bool is_open(const struct lane_burst *burst)
{
	const struct worker *worker = burst->worker;
	const struct home_network *network =
		tables_home_network_of_port(worker->tables, burst->from->index);

	return burst->from->zone != ZONE_EXTERNAL && worker->crypto != NULL &&
	       tables_sas(worker->tables)->count != 0 &&
	       tables_policies_used(worker->tables, burst->from->vrf) &&
	       (network == NULL || network->vrf == burst->from->vrf);
}

void esp_out_lane(struct lane_burst *burst)
{
	struct crypto_operation operations[BURST_SIZE];
	struct worker *worker = burst->worker;
	struct works works;

	if (!is_open(burst))
		return;
	works.count = 0;
	for (uint32_t bits = burst->usual & ~burst->taken; bits != 0; bits &= bits - 1) {
		struct work *w = &works.of[works.count++];
		w->index = (uint8_t)__builtin_ctz(bits);
		w->frame = burst->frames[w->index];
	}
	policies_find(burst, &works);
	sas_find(burst, &works);
	check_all(burst, &works);
	if (works.count == 0)
		return;
	number_all(burst, &works);
	for (unsigned i = 0; i < works.count; i++) {
		const struct work *w = &works.of[i];
		operations[i] = (struct crypto_operation){.suite = w->sa->suite,
			.key = w->sa->key,
			.esp = seal(worker, w),
			.sequence = w->number,
			.length = w->text,
			.flags = w->sa->flags & SA_ESN ? CRYPTO_ESN : 0};
	}
	crypto_engine_encrypt_burst(worker->crypto, operations, works.count);
	send_all(worker, &works, operations);
	worker->lane_taken[LANE_ESP_OUT] += works.count;
}
