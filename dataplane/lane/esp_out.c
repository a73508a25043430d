#include "dataplane/lane/esp_out.h"

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/encap/outer.h"
#include "dataplane/handover.h"
#include "dataplane/header.h"
#include "dataplane/table/policy_host.h"
#include "dataplane/table/sa_sequence.h"
#include "dataplane/table/sa_table.h"

#include <rte_udp.h>

#define FAR       (UINT64_C(1) << 20) /* numbers: more than all workers take at one moment */
#define TAIL_ROOM 16 /* more than padding and trailer, which are written in one piece */
#define KEY_FIRST                                                                                  \
	8 /* keys that the engine would ask for too late; it is that far ahead of the rest */

struct work { /* a packet that may be taken */
	struct rte_mbuf *frame;
	uint64_t hash; /* of its destination, for the policy */
	struct policy_entry *policy;
	const struct sa_outbound *sa;
	const struct neighbor *neighbor;
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

/* Two packets of one destination in a row have one hash, and so one policy. */
static void works_begin(
	const struct lane_burst *burst, const struct policy_hosts *hosts, struct works *works)
{
	be32 before = 0; /* no packet's */

	works->count = 0;
	for (uint64_t bits = burst->usual & ~burst->taken; bits != 0; bits &= bits - 1) {
		struct work *w = &works->of[works->count++];
		be32 destination;

		w->index = (uint8_t)__builtin_ctzll(bits);
		w->frame = burst->frames[w->index];
		destination = lane_ip(w->frame)->dst_addr;
		w->hash = destination == before ? w[-1].hash : policy_host_hash(hosts, destination);
		before = destination;
	}
	for (unsigned i = 0; i < works->count; i++) {
		struct work *w = &works->of[i];
		w->policy = i > 0 && w->hash == w[-1].hash ? w[-1].policy
							   : policy_host_entry(hosts, w->hash);
	}
}

static void sa_prefetch(const struct worker *worker, const struct policy_entry *policy)
{
	const struct sa_table *sas = tables_sas(worker->tables);
	const struct sa_outbound *sa =
		sa_outbound_at(sas, atomic_load_explicit(&policy->sa_object, memory_order_relaxed));

	rte_prefetch0(&sas->outbound_of[policy->sa_id]);
	rte_prefetch0(sa_outbound_state(sas, policy->sa_id));
	rte_prefetch0(sa);
	rte_prefetch0(&sa->suite);
	if (worker->policy_hits != NULL)
		rte_prefetch0(&worker->policy_hits[policy->policy_id]);
}

/* Leaves a policy only to those that it sends through an SA, whatever else is in the packet. */
static void policies_judge(
	const struct lane_burst *burst, const struct policy_hosts *hosts, struct works *works)
{
	uint32_t sas = tables_sas(burst->worker->tables)->count;

	for (unsigned i = 0; i < works->count; i++) {
		struct work *w = &works->of[i];
		const struct rte_ipv4_hdr *ip = lane_ip(w->frame);
		const struct policy_entry *policy = w->policy;
		bool again = i > 0 && policy == w[-1].policy;

		if (policy == NULL ||
			(again && policy->any && lane_ip(w[-1].frame)->dst_addr == ip->dst_addr))
			continue;
		if (!policy_host_decides(hosts, policy, ip->src_addr, ip->dst_addr) ||
			policy->action != POLICY_PROTECT || policy->sa_id >= sas)
			w->policy = NULL;
		else if (!again)
			sa_prefetch(burst->worker, policy);
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

/* The policy's SA; its object is noted, to be fetched before its number is known. */
static inline const struct sa_outbound *sa_of(
	const struct sa_table *sas, struct policy_entry *policy)
{
	uint32_t number = sa_outbound_number(sas, policy->sa_id);

	if (unlikely(atomic_load_explicit(&policy->sa_object, memory_order_relaxed) != number))
		atomic_store_explicit(&policy->sa_object, number, memory_order_relaxed);
	return number != 0 ? sa_outbound_at(sas, number) : NULL;
}

/* What is the same for all packets of one policy in a burst. `before`: the last one taken. */
static inline bool is_open_for(struct lane_burst *burst, struct work *w, const struct work *before)
{
	const struct worker *worker = burst->worker;
	const struct sa_table *sas = tables_sas(worker->tables);

	if (before != NULL && before->policy == w->policy) {
		w->sa = before->sa;
		w->mtu = before->mtu;
		w->neighbor = before->neighbor;
		return true;
	}
	w->sa = sa_of(sas, w->policy);
	if (w->sa == NULL || w->sa->ip_length != sizeof(struct rte_ipv4_hdr) ||
		!handover_is_here(worker, SA_OUTBOUND, w->sa->sa_id) || /* MP-04 */
		!is_far(worker, sas, w->sa))
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
	const struct rte_ipv4_hdr *ip = lane_ip(w->frame);
	const struct sa_outbound *sa;
	uint32_t head, tail;

	if (w->policy == NULL || ip->time_to_live <= 1 || !is_open_for(burst, w, before))
		return false;
	sa = w->sa;
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
	uint64_t others = ~(burst->usual | burst->taken) & lane_all(burst->count);
	struct lane_left left = {0};
	unsigned kept = 0;

	for (unsigned i = 0; i < works->count; i++) {
		struct work *w = &works->of[i];
		const struct work *before = kept > 0 ? &works->of[kept - 1] : NULL;
		uint64_t place = UINT64_C(1) << w->index;

		for (; unlikely((others & (place - 1)) != 0); others &= others - 1)
			lane_leave(&left, burst->frames[__builtin_ctzll(others)]);
		if (unlikely(left.destinations & lane_flow(lane_ip(w->frame)->dst_addr)) ||
			unlikely(!is_straight(burst, w, before, asked))) {
			lane_leave(&left, w->frame);
			continue;
		}
		if (kept < KEY_FIRST && (before == NULL || before->sa != w->sa))
			crypto_key_prefetch(w->sa->suite, w->sa->key, w->text);
		burst->taken |= place;
		if (kept++ != i)
			works->of[kept - 1] = *w;
	}
	works->count = kept;
}

/* ---- number, headers ---- */

/*
 * The outer IPv4 header around a packet of `inner`. Its first eight octets are all that changes
 * from packet to packet: one word, whose halves are added to what the SA has summed of the rest.
 */
static inline void outer_write(const struct worker *worker, const struct work *w, uint8_t *outer,
	const struct rte_ipv4_hdr *inner, uint16_t length)
{
	const struct sa_outbound *sa = w->sa;
	const struct rte_ipv4_hdr *template = (const void *)sa->header;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)outer;
	bool df = sa->flags & SA_DF_SET || /* TUN-06 */
		  (inner->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG) &&
			  !(sa->flags & SA_DF_CLEAR));
	uint64_t word = ipv4_first_word(outer_esp_tos(sa, inner->type_of_service), length,
		df ? 0 : outer_identification(worker, template->dst_addr), /* TUN-07 */
		df ? RTE_IPV4_HDR_DF_FLAG : 0);

	memcpy(outer, &word, sizeof(word));
	memcpy(outer + sizeof(word), sa->header + sizeof(word), 16);
	if (sa->header_length > 24)
		memcpy(outer + 24, sa->header + 24, 8);
	if (likely(!worker->ports[w->neighbor->port].tx_ipv4_checksum)) {
		ip->hdr_checksum = ipv4_checksum_of(word, template->hdr_checksum);
		return;
	}
	ip->hdr_checksum = 0;
	w->frame->l2_len = sizeof(struct rte_ether_hdr);
	w->frame->l3_len = sizeof(*inner);
	w->frame->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
}

/* Headers before the packet, trailer behind it; returns where ESP begins. */
static inline uint8_t *seal(const struct worker *worker, const struct work *w, uint64_t number)
{
	static const uint8_t padding[TAIL_ROOM] = {
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	const struct sa_outbound *sa = w->sa;
	const struct port *port = &worker->ports[w->neighbor->port];
	struct rte_ipv4_hdr *inner = lane_ip(w->frame);
	uint32_t added = sa->header_length + 4u + sa->iv_length;
	uint8_t *outer = (uint8_t *)inner - added, *esp = outer + sa->header_length - 4;
	uint8_t *end = (uint8_t *)inner + w->payload;
	uint32_t pad = w->text - w->payload - ESP_TRAILER_LENGTH;
	uint32_t length = added + w->text + sa->icv_length;
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)outer - 1;
	be32 low = rte_cpu_to_be_32((uint32_t)number);

	outer_write(worker, w, outer, inner, (uint16_t)length);
	memcpy(esp + 4, &low, sizeof(low));
	memcpy(end, padding, sizeof(padding));
	end[pad] = (uint8_t)pad;
	end[pad + 1] = ESP_NEXT_HEADER_IPV4;
	ipv4_ttl_decrement(inner);
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

/* A run of packets of one policy takes its numbers together. They are far from any end: all get
 * one. */
static void seal_all(
	struct worker *worker, const struct works *works, struct crypto_operation *operations)
{
	const struct sa_table *sas = tables_sas(worker->tables);
	unsigned run;

	for (unsigned i = 0; i < works->count; i += run) {
		const struct work *w = &works->of[i];
		const struct sa_outbound *sa = w->sa;
		struct sa_outbound_state *state = sa_outbound_state(sas, w->policy->sa_id);
		uint64_t bytes = w->text, number = 0;

		for (run = 1; i + run < works->count && w[run].policy == w->policy; run++)
			bytes += w[run].text;
		if (worker->policy_hits != NULL)
			worker->policy_hits[w->policy->policy_id] += run;
		sa_sequence_take(state, run,
			sa->flags & SA_ESN ? SA_SEQUENCE_LAST_ESN : SA_SEQUENCE_LAST, sas->shared,
			&number);
		sa_sequence_count(state, run, bytes, worker->now_ns, sas->shared);
		for (unsigned k = i; k < i + run; k++, number++) {
			struct crypto_operation *o = &operations[k];
			o->suite = sa->suite;
			o->key = sa->key;
			o->esp = seal(worker, &works->of[k], number);
			o->sequence = number;
			o->length = works->of[k].text;
			o->flags = sa->flags & SA_ESN ? CRYPTO_ESN : 0;
			o->segment_count = 0;
		}
	}
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
	       !tables_policies_nested(worker->tables) &&
	       (network == NULL || network->vrf == burst->from->vrf);
}

void esp_out_lane(struct lane_burst *burst)
{
	struct crypto_operation operations[BURST_SIZE];
	struct worker *worker = burst->worker;
	struct policy_hosts hosts;
	struct works works;

	if (!is_open(burst))
		return;
	hosts = policy_hosts_begin(tables_policies(worker->tables), burst->from->vrf);
	works_begin(burst, &hosts, &works);
	policies_judge(burst, &hosts, &works);
	check_all(burst, &works);
	if (works.count == 0)
		return;
	seal_all(worker, &works, operations);
	crypto_engine_encrypt_burst(worker->crypto, operations, works.count);
	send_all(worker, &works, operations);
	worker->lane_taken[LANE_ESP_OUT] += works.count;
}
