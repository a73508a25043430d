#include "dataplane/lane/esp_out.h"

#include "dataplane/crypto/esp_codec.h"
#include "dataplane/crypto/key.h"
#include "dataplane/handover.h"
#include "dataplane/lane/esp_out_private.h"
#include "dataplane/lane/mip_out.h"
#include "dataplane/table/policy_host.h"

/* What a way lets pass at least: for less the steps have their own words. */
#define TUNNELLED_MTU_LEAST 512

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

/* The word as it is now, noted or not. */
static __attribute__((noinline)) uint64_t learn_way(
	const struct lane_burst *burst, const struct sa_outbound *sa)
{
	uint16_t mtu = 0;
	uint32_t neighbor = way_of(burst->worker, sa, &mtu);
	uint64_t way = sa_lane_way(burst->ground, neighbor, mtu);

	return sa_lane_way_note(sa, way) ? way : 0;
}

/* ---- look up and fetch ---- */

/* A home address, perhaps: its bucket is asked for. */
static __attribute__((noinline)) bool tunnel_want(
	struct esp_out *lane, struct esp_out_work *w, unsigned near)
{
	struct esp_out_tunnelled *tunnelled = &lane->tunnelled;
	struct forward_work *inside = &tunnelled->works[tunnelled->count];

	if (tunnelled->burst.burst == NULL)
		tunnelled->burst = forward_begin(lane->burst);
	inside->frame = w->frame;
	inside->ip = lane_ip(w->frame);
	inside->length = rte_be_to_cpu_16(inside->ip->total_length);
	if (!mip_out_parse(&tunnelled->burst, inside->ip, near))
		return false;
	tunnelled->hashes[tunnelled->count] = binding_table_ask_v4(
		tunnelled->burst.bindings, tunnelled->burst.vrf, inside->ip->dst_addr);
	tunnelled->of[tunnelled->count++] = (uint8_t)(w - lane->works);
	return true;
}

/* From now on these packets are the tunnel's: from the home agent to the care-of address. What has
 * no usual tunnel keeps a destination that no policy leads the lane to. */
static __attribute__((noinline)) void tunnels_find(
	struct esp_out *lane, const struct policy_hosts *hosts)
{
	const struct forward_burst *burst = &lane->tunnelled.burst;

	for (unsigned i = 0; i < lane->count; i++)
		lane->works[i].inside = NULL;
	for (unsigned i = 0; i < lane->tunnelled.count; i++)
		lane->tunnelled.works[i].tunnel =
			binding_table_candidate(burst->bindings, lane->tunnelled.hashes[i]);
	for (unsigned i = 0; i < lane->tunnelled.count; i++) {
		struct forward_work *inside = &lane->tunnelled.works[i];
		struct esp_out_work *w = &lane->works[lane->tunnelled.of[i]];
		const struct tunnel *t =
			forward_tunnel(burst, inside->tunnel, inside->ip->dst_addr);

		w->inside = inside;
		inside->tunnel = t;
		if (t != NULL && mip_out_check(burst, inside, &w->destination)) {
			memcpy(&w->source, t->outer + offsetof(struct rte_ipv4_hdr, src_addr),
				sizeof(w->source));
			__builtin_prefetch(&lane->worker->binding_counters[t->binding_id], 1);
		} else {
			w->destination = inside->ip->dst_addr;
		}
		w->hash = policy_host_hash(hosts, w->destination);
	}
}

/* Two packets of one destination in a row have one hash, and so one policy. */
static void works_begin(struct esp_out *lane, const struct policy_hosts *hosts)
{
	const struct lane_burst *burst = lane->burst;
	const uint8_t *parts = lane->near;
	struct esp_out_work *w = lane->works;
	uint64_t before = UINT64_MAX; /* no packet's */

	for (uint64_t bits = burst->usual & ~burst->taken; bits != 0; bits &= bits - 1, w++) {
		const struct rte_ipv4_hdr *ip;
		unsigned near;
		be32 destination;

		w->index = (uint8_t)__builtin_ctzll(bits);
		w->frame = burst->frames[w->index];
		ip = lane_ip(w->frame);
		destination = ip->dst_addr;
		w->source = ip->src_addr;
		w->destination = destination;
		near = vicinity_part_v4(parts, destination);
		if (unlikely(near & VICINITY_HOME) && tunnel_want(lane, w, near)) {
			before = UINT64_MAX;
			continue;
		}
		w->hash = destination == before ? w[-1].hash : policy_host_hash(hosts, destination);
		before = destination;
	}
	lane->count = (unsigned)(w - lane->works);
	if (unlikely(lane->tunnelled.count > 0))
		tunnels_find(lane, hosts);
	for (unsigned i = 0; i < lane->count; i++) {
		struct esp_out_work *work = &lane->works[i];
		work->policy = i > 0 && work->hash == work[-1].hash
				       ? work[-1].policy
				       : policy_host_entry(hosts, work->hash);
	}
}

/* Leaves a run only to those that a policy sends through an SA, whatever else is in the packet. */
static void policies_judge(struct esp_out *lane, const struct policy_hosts *hosts)
{
	const struct sa_table *sas = lane->sas;
	struct esp_out_run *run = lane->runs;

	for (unsigned i = 0; i < lane->count; i++) {
		struct esp_out_work *w = &lane->works[i];
		struct policy_entry *policy = w->policy;
		bool again = i > 0 && policy == w[-1].policy;

		w->run = again ? w[-1].run : NULL;
		if (policy == NULL || (again && policy->any && w[-1].destination == w->destination))
			continue;
		if (!policy_host_decides(hosts, policy, w->source, w->destination) ||
			policy->action != POLICY_PROTECT || policy->sa_id >= sas->count) {
			w->run = NULL;
			continue;
		}
		if (w->run != NULL)
			continue;
		run->policy = policy;
		run->sa = sa_outbound_at(
			sas, atomic_load_explicit(&policy->sa_object, memory_order_relaxed));
		run->state = sa_outbound_state(sas, policy->sa_id);
		run->bytes = run->count = 0;
		run->opening = ESP_OUT_UNASKED;
		if (handover_may_fetch(lane->worker, SA_OUTBOUND, policy->sa_id)) {
			rte_prefetch0(run->sa);
			rte_prefetch0(run->state);
		}
		w->run = run++;
	}
}

/* ---- check ---- */

/* The way to the peer, when it is the lane's. */
static __rte_always_inline bool has_way(struct esp_out *lane, struct esp_out_run *run)
{
	struct lane_burst *burst = lane->burst;
	uint64_t way = atomic_load_explicit(&sa_lane_of(run->sa)->way, memory_order_relaxed);

	if (unlikely(way >> 32 != burst->ground))
		way = learn_way(burst, run->sa);
	if (unlikely(sa_lane_way_neighbor(way) == 0))
		return false;
	run->mtu = sa_lane_way_mtu(way);
	run->neighbor = tables_neighbor_at(lane->worker->tables, sa_lane_way_neighbor(way));
	return !lane_is_awaited(burst, run->neighbor);
}

/* The policy's SA when its object is another one than the policy noted, which it does now. NULL:
 * there is none, or none for the lane. */
static __attribute__((noinline)) const struct sa_outbound *sa_find_anew(
	const struct sa_table *sas, struct policy_entry *policy)
{
	uint32_t number = sa_outbound_number(sas, policy->sa_id);
	const struct sa_outbound *sa = sa_outbound_at(sas, number);

	atomic_store_explicit(&policy->sa_object, number, memory_order_relaxed);
	return sa_lane_is_of(sa, policy->sa_id) ? sa : NULL;
}

/* May the lane send what its policy lets pass? */
static __rte_always_inline bool run_opens(struct esp_out *lane, struct esp_out_run *run)
{
	struct policy_entry *policy = run->policy;
	const struct sa_outbound *sa = run->sa;

	if (unlikely(!sa_lane_is_of(sa, policy->sa_id)))
		sa = run->sa = sa_find_anew(lane->sas, policy);
	if (sa == NULL || !handover_is_here(lane->worker, SA_OUTBOUND, sa->sa_id)) /* MP-04 */
		return false;
	if (unlikely(!sa_lane_is_far(sa, run->state, lane->time)) &&
		!sa_lane_look(lane->sas, sa, lane->worker->now_tsc))
		return false;
	if (unlikely(atomic_load_explicit(&policy->ground, memory_order_relaxed) !=
		     lane->burst->ground) &&
		!learn_destination(lane->burst, policy))
		return false;
	if (lane->sas->shared && lane->worker->policy_hits != NULL) /* policy_hits.h: not there */
		rte_prefetch0(&lane->worker->policy_hits[policy->policy_id]);
	run->suite = suite_at(sa->suite_row);
	run->key = sa_outbound_key(sa);
	lane->direct &= suite_is_direct(run->suite);
	return has_way(lane, run);
}

static __rte_always_inline bool is_straight(
	struct esp_out *lane, struct esp_out_work *w, uint32_t asked, bool tunnels)
{
	const struct rte_ipv4_hdr *ip = lane_ip(w->frame);
	uint32_t head, tail, length = rte_be_to_cpu_16(ip->total_length), added = 0;
	struct esp_out_run *run = w->run;

	if (run == NULL || ip->time_to_live <= 1)
		return false;
	if (run->opening != ESP_OUT_OPEN) {
		if (run->opening == ESP_OUT_CLOSED)
			return false;
		run->opening = ESP_OUT_CLOSED;
		if (!run_opens(lane, run))
			return false;
		run->opening = ESP_OUT_OPEN;
	}
	if (unlikely(asked != 0)) { /* HA4-REV-17 */
		struct ip_address source = ip_address_from_v4(ip->src_addr);
		if (tables_near(lane->worker->tables, lane->burst->from->vrf, &source) &
			VICINITY_HOME)
			return false;
	}
	if (tunnels && w->inside != NULL) {
		added = w->inside->added;
		if (run->mtu < TUNNELLED_MTU_LEAST || !mip_out_fits(w->inside, (uint16_t)run->mtu))
			return false;
	}
	w->payload = (uint16_t)(length + added);
	w->text = esp_codec_text_length(run->suite, w->payload);
	head = run->sa->header_length + 4u + run->suite->iv_length;
	tail = w->text - w->payload + run->suite->icv_length;
	return head + w->payload + tail <= run->mtu &&
	       rte_pktmbuf_headroom(w->frame) >= head + added &&
	       (uint32_t)(w->frame->buf_len - w->frame->data_off) >=
		       sizeof(struct rte_ether_hdr) + length + tail + ESP_OUT_TAIL_ROOM;
}

/*
 * Packets that a key is asked for ahead of the cipher, by the first one of a burst. A short packet
 * reads five to eight lines of its key. Longer ones read up to sixteen: those of more than six are
 * more than the first cache keeps until their turn, beside the packets themselves.
 */
static inline unsigned key_ahead(uint32_t text)
{
	return text <= 256 ? 10 : 6;
}

/* MP-04: to the worker that owns its SA, as it came. */
static __attribute__((noinline)) bool hand_over(
	const struct esp_out *lane, const struct esp_out_work *w)
{
	unsigned owner;

	if (w->run == NULL ||
		!handover_is_elsewhere(lane->worker, SA_OUTBOUND, w->policy->sa_id, &owner))
		return false;
	handover_frame(lane->worker, w->frame, lane->burst->from, SA_OUTBOUND, owner);
	return true;
}

/* Those that go, in order; what is left is left with all of its flow behind it. There are two of
 * it, and of seal_all: a burst without `tunnels` is not asked for them packet by packet. */
static __rte_always_inline void check_all(struct esp_out *lane, bool tunnels)
{
	struct lane_burst *burst = lane->burst;
	uint32_t asked = tables_agent_flags(lane->worker->tables) &
			 (AGENT_AWAY_SOURCE_DROP | AGENT_AWAY_SOURCE_LOG);
	uint64_t others = ~(burst->usual | burst->taken) & lane_all(burst->count);
	struct lane_left left = {0};
	unsigned kept = 0;

	for (unsigned i = 0; i < lane->count; i++) {
		struct esp_out_work *w = &lane->works[i];
		uint64_t place = UINT64_C(1) << w->index;

		for (; unlikely((others & (place - 1)) != 0); others &= others - 1)
			lane_leave(&left, burst->frames[__builtin_ctzll(others)]);
		if (unlikely(left.destinations & lane_flow(lane_ip(w->frame)->dst_addr))) {
			lane_leave(&left, w->frame);
			continue;
		}
		if (unlikely(lane->worker->handover != NULL) && hand_over(lane, w)) {
			burst->taken |= place;
			continue;
		}
		if (unlikely(!is_straight(lane, w, asked, tunnels))) {
			lane_leave(&left, w->frame);
			continue;
		}
		if (kept == 0)
			lane->key_ahead = key_ahead(w->text);
		if (kept < lane->key_ahead && w->run->count == 0)
			crypto_key_prefetch(w->run->suite, w->run->key, w->text);
		w->run->count++;
		w->run->bytes += w->text;
		burst->taken |= place;
		if (unlikely(kept != i))
			lane->works[kept] = *w;
		kept++;
	}
	lane->count = kept;
}

/* ---- the burst ---- */

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
	struct worker *worker = burst->worker;
	struct policy_hosts hosts;
	struct esp_out lane;

	if (!is_open(burst))
		return;
	lane.burst = burst;
	lane.worker = worker;
	lane.sas = tables_sas(worker->tables);
	lane.time = sa_lane_time(worker->now_tsc);
	lane.near = tables_near_v4_parts(worker->tables, burst->from->vrf);
	lane.direct = true;
	lane.count = 0;
	lane.tunnelled.count = 0;
	lane.tunnelled.burst.burst = NULL;
	if (lane.near == NULL)
		return;
	lane.policies = tables_policies(worker->tables);
	hosts = policy_hosts_begin(lane.policies, burst->from->vrf);
	works_begin(&lane, &hosts);
	policies_judge(&lane, &hosts);
	if (likely(lane.tunnelled.count == 0))
		check_all(&lane, false);
	else
		check_all(&lane, true);
	if (lane.count == 0)
		return;
	worker->lane_taken[LANE_ESP_OUT] += lane.count;
	esp_out_seal(&lane);
}
