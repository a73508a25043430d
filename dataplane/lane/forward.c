#include "dataplane/lane/forward.h"

#include "dataplane/header.h"
#include "dataplane/lane/mip_in.h"
#include "dataplane/lane/mip_out.h"

#define ETHER ((uint16_t)sizeof(struct rte_ether_hdr))

struct works {
	unsigned count, tunnelled; /* all, and those of them with a tunnel */
	bool any_left;
	struct lane_left left; /* flows of this burst that the steps have to themselves */
	struct forward_exit exit;
	unsigned taken[LANE_COUNT];
	struct home { /* home addresses whose tunnels are wanted */
		uint64_t hash;
		be32 address;
		uint8_t of; /* place in `of` */
	} homes[BURST_SIZE];
	be32 targets[BURST_SIZE]; /* whose route each takes */
	const struct route *routes[BURST_SIZE];
	struct forward_work of[BURST_SIZE];
};

/* ---- parse ---- */

/* HA4-REV-17: may the source be a home address that has to come through its tunnel? */
static inline bool is_away_source(const struct forward_burst *f, be32 source)
{
	return unlikely(f->away_source != 0) && forward_near(f, source) & VICINITY_HOME;
}

/* Where its way leads, by what its destination is near to; false: to the steps. */
static inline bool parse(struct forward_burst *f, struct forward_work *w)
{
	struct rte_ipv4_hdr *ip = lane_ip(w->frame);
	unsigned near = forward_near(f, ip->dst_addr);

	w->refused = false;
	if (near & VICINITY_LOCAL && mip_in_parse(f, w, ip)) {
		w->kind = LANE_MIP_IN;
		return true;
	}
	w->ip = ip;
	w->length = rte_be_to_cpu_16(ip->total_length);
	w->kind = near == 0 ? LANE_FORWARD : LANE_MIP_OUT;
	return ip->time_to_live > 1 && !is_away_source(f, ip->src_addr) &&
	       (near == 0 || mip_out_parse(f, ip, near));
}

static inline void tunnel_want(
	const struct forward_burst *f, struct works *works, const struct forward_work *w)
{
	struct home *home = &works->homes[works->tunnelled++];

	home->address = w->kind == LANE_MIP_OUT ? w->ip->dst_addr : w->ip->src_addr;
	home->hash = binding_table_ask_v4(f->bindings, f->vrf, home->address);
	home->of = (uint8_t)works->count;
}

static void leave_frame(struct works *works, const struct rte_mbuf *frame)
{
	lane_leave(&works->left, frame);
	works->any_left = true;
}

/* What none of the three can take belongs to the steps, and its flow. */
static void parse_all(struct forward_burst *f, struct works *works)
{
	const struct lane_burst *burst = f->burst;
	uint64_t open = lane_all(burst->count) & ~burst->taken;

	for (uint64_t bits = open & ~burst->usual; unlikely(bits != 0); bits &= bits - 1)
		leave_frame(works, burst->frames[__builtin_ctzll(bits)]);
	for (uint64_t bits = open & burst->usual; bits != 0; bits &= bits - 1) {
		struct forward_work *w = &works->of[works->count];

		w->index = (uint8_t)__builtin_ctzll(bits);
		w->frame = burst->frames[w->index];
		if (unlikely(!parse(f, w))) {
			leave_frame(works, w->frame);
			continue;
		}
		works->targets[works->count] = w->ip->dst_addr; /* until a tunnel is found */
		if (w->kind != LANE_FORWARD)
			tunnel_want(f, works, w);
		works->count++;
	}
}

/* ---- tunnels ---- */

/* Seldom: another home address with its fingerprint, or a full bucket; or none there. */
__rte_noinline const struct tunnel *forward_tunnel_elsewhere(
	const struct forward_burst *f, be32 home)
{
	const struct ip_address address = ip_address_from_v4(home);

	return tables_home_lookup(f->tables, f->vrf, &address);
}

/* Flat, as send_all: the lanes of ESP call mip_out.c and mip_in.c, too, and it would be a call a
 * packet here. */
static __attribute__((flatten)) void tunnels_find(
	const struct forward_burst *f, struct works *works)
{
	const struct worker *worker = f->burst->worker;

	for (unsigned i = 0; i < works->tunnelled; i++)
		works->of[works->homes[i].of].tunnel =
			binding_table_candidate(f->bindings, works->homes[i].hash);
	for (unsigned i = 0; i < works->tunnelled; i++) {
		const struct home *home = &works->homes[i];
		struct forward_work *w = &works->of[home->of];

		w->tunnel = forward_tunnel(f, w->tunnel, home->address);
		if (w->tunnel == NULL) {
			w->refused = true;
			continue;
		}
		__builtin_prefetch(&worker->binding_counters[w->tunnel->binding_id], 1);
		if (w->kind == LANE_MIP_OUT)
			w->refused = !mip_out_check(f, w, &works->targets[home->of]);
		else
			w->refused = !mip_in_check(f, w, lane_ip(w->frame));
	}
}

/* ---- route, send ---- */

/* What comes out of a tunnel is of a flow from inside it, too. */
static bool is_flow_left(const struct works *works, const struct forward_work *w)
{
	if (w->kind != LANE_MIP_IN)
		return works->left.destinations & lane_flow(w->ip->dst_addr);
	return works->left.sources &
	       (lane_flow(w->ip->src_addr) | lane_flow(lane_ip(w->frame)->src_addr));
}

static void leave(struct works *works, const struct forward_work *w)
{
	leave_frame(works, w->frame);
	if (w->kind == LANE_MIP_IN)
		works->left.sources |= lane_flow(w->ip->src_addr);
}

static void exit_find(const struct forward_burst *f, struct forward_exit *exit,
	const struct route *route, be32 target)
{
	struct worker *worker = f->burst->worker;
	const struct lane_way *way = way_get(f->burst, route, target, &exit->mtu);

	if (unlikely(way == NULL || (f->policies && way->is_external) ||
		     lane_is_awaited(f->burst, way->neighbor))) {
		*exit = (struct forward_exit){0};
		return;
	}
	exit->route = way_is_shared(route) ? route : NULL;
	exit->way = way;
	exit->tx = lane_is_up(worker, way->port) ? &worker->tx[way->port] : NULL;
}

/* Does the packet take the way that works->exit has then? */
static inline bool is_taken(const struct forward_burst *f, struct works *works, unsigned i)
{
	const struct forward_work *w = &works->of[i];
	struct forward_exit *exit = &works->exit;

	if (unlikely(w->refused || (works->any_left && is_flow_left(works, w))))
		return false;
	if (unlikely(works->routes[i] != exit->route || exit->route == NULL))
		exit_find(f, exit, works->routes[i], works->targets[i]);
	if (unlikely(exit->way == NULL))
		return false;
	return w->kind == LANE_MIP_OUT ? mip_out_fits(w, exit->mtu) : w->length <= exit->mtu;
}

static inline void finish(
	const struct forward_burst *f, const struct forward_work *w, const struct lane_way *way)
{
	struct rte_mbuf *frame = w->frame;
	uint8_t *begin = (uint8_t *)w->ip;
	uint16_t length = (uint16_t)(ETHER + w->length);

	if (w->kind == LANE_MIP_IN)
		mip_in_take(f, w);
	ipv4_ttl_decrement(w->ip);
	if (w->kind == LANE_MIP_OUT) {
		begin -= w->added;
		length = (uint16_t)(length + w->added);
		mip_out_write(f, w, way->tx_checksum, begin);
	}
	frame->data_len = length;
	frame->pkt_len = length;
	begin -= ETHER;
	memcpy(begin, way->ether, ETHER);
	frame->data_off = (uint16_t)(begin - (uint8_t *)frame->buf_addr);
}

static __attribute__((flatten)) void send_all(const struct forward_burst *f, struct works *works)
{
	struct worker *worker = f->burst->worker;
	uint64_t taken = 0;

	for (unsigned i = 0; i < works->count; i++) {
		const struct forward_work *w = &works->of[i];

		if (unlikely(!is_taken(f, works, i))) {
			leave(works, w);
			continue;
		}
		finish(f, w, works->exit.way);
		if (likely(works->exit.tx != NULL))
			lane_put(worker, works->exit.tx, w->frame);
		else
			drop_packet(worker, w->frame, DROP_port_down);
		taken |= UINT64_C(1) << w->index;
		works->taken[w->kind]++;
	}
	f->burst->taken |= taken;
	for (unsigned i = LANE_FORWARD; i < LANE_COUNT; i++)
		worker->lane_taken[i] += works->taken[i];
	worker->counters->encapsulated += works->taken[LANE_MIP_OUT];
	worker->counters->decapsulated += works->taken[LANE_MIP_IN];
}

/* The broadcast address of the home link that the port is on (input/ipv4's is_broadcast). */
static be32 broadcast_of(const struct lane_burst *burst)
{
	const struct home_network *network =
		tables_home_network_of_port(burst->worker->tables, burst->from->index);

	if (likely(network == NULL) || network->prefix.length < 96 || network->prefix.length >= 127)
		return 0;
	return ip_address_v4(&network->prefix.address) |
	       rte_cpu_to_be_32(UINT32_MAX >> (network->prefix.length - 96));
}

struct forward_burst forward_begin(struct lane_burst *burst)
{
	const struct tables *tables = burst->worker->tables;

	return (struct forward_burst){.burst = burst,
		.tables = tables,
		.bindings = tables_bindings(tables),
		.vrf = burst->from->vrf,
		.near = tables_near_v4_parts(tables, burst->from->vrf),
		.away_source = tables_agent_flags(tables) &
			       (AGENT_AWAY_SOURCE_DROP | AGENT_AWAY_SOURCE_LOG),
		.broadcast = broadcast_of(burst),
		.policies = tables_policies_used(tables, burst->from->vrf)};
}

void forward_lane(struct lane_burst *burst)
{
	struct forward_burst f = forward_begin(burst);
	struct works works;

	if (f.near == NULL || (f.policies && burst->from->zone == ZONE_EXTERNAL))
		return;
	f.usual = TUNNEL_USUAL_BARE;
	works.count = works.tunnelled = 0;
	works.any_left = false;
	works.left = (struct lane_left){0};
	works.exit = (struct forward_exit){0};
	memset(works.taken, 0, sizeof(works.taken));
	parse_all(&f, &works);
	if (works.count == 0)
		return;
	if (works.tunnelled > 0)
		tunnels_find(&f, &works);
	tables_route_v4_burst(f.tables, f.vrf, works.targets, works.count, works.routes);
	send_all(&f, &works);
}
