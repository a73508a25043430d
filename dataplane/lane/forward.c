#include "dataplane/lane/forward.h"

#include "dataplane/header.h"
#include "dataplane/lane/mip_in.h"
#include "dataplane/lane/mip_out.h"

#define ETHER ((uint16_t)sizeof(struct rte_ether_hdr))

struct works {
	unsigned count, tunnelled; /* all, and those of them with a tunnel */
	struct lane_left left;     /* flows of this burst that the steps have to themselves */
	unsigned taken[LANE_COUNT];
	struct home { /* home addresses whose tunnels are wanted */
		uint64_t hash;
		be32 address;
		uint8_t of; /* place in `of` */
	} homes[BURST_SIZE];
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
	unsigned near = forward_near(f, w->ip->dst_addr);

	w->length = rte_be_to_cpu_16(w->ip->total_length);
	w->refused = false;
	if (near & VICINITY_LOCAL && mip_in_parse(f, w)) {
		w->kind = LANE_MIP_IN;
		return true;
	}
	w->ip = lane_ip(w->frame);
	w->target = w->ip->dst_addr;
	if (w->ip->time_to_live <= 1 || is_away_source(f, w->ip->src_addr))
		return false;
	w->kind = near == 0 ? LANE_FORWARD : LANE_MIP_OUT;
	w->length = rte_be_to_cpu_16(w->ip->total_length);
	return near == 0 || mip_out_parse(f, w, near);
}

static inline void tunnel_want(
	const struct forward_burst *f, struct works *works, const struct forward_work *w)
{
	struct home *home = &works->homes[works->tunnelled++];

	home->address = w->kind == LANE_MIP_OUT ? w->ip->dst_addr : w->ip->src_addr;
	home->hash = binding_table_ask_v4(f->bindings, f->burst->from->vrf, home->address);
	home->of = (uint8_t)works->count;
}

/* What none of the three can take belongs to the steps, and its flow. */
static void parse_all(struct forward_burst *f, struct works *works)
{
	const struct lane_burst *burst = f->burst;

	for (unsigned i = 0; i < burst->count; i++) {
		struct forward_work *w = &works->of[works->count];

		if (burst->taken >> i & 1)
			continue;
		w->frame = burst->frames[i];
		w->ip = lane_ip(w->frame);
		w->index = (uint8_t)i;
		if (unlikely(!(burst->usual >> i & 1)) || !parse(f, w)) {
			lane_leave(&works->left, w->frame);
			continue;
		}
		if (w->kind != LANE_FORWARD)
			tunnel_want(f, works, w);
		works->count++;
	}
}

/* ---- tunnels ---- */

/* Seldom: another home address with its fingerprint, or a full bucket; or none there. */
static __rte_noinline const struct tunnel *tunnel_elsewhere(
	const struct forward_burst *f, be32 home)
{
	const struct ip_address address = ip_address_from_v4(home);

	return tables_home_lookup(f->tables, f->burst->from->vrf, &address);
}

static void tunnels_find(const struct forward_burst *f, struct works *works)
{
	const struct worker *worker = f->burst->worker;
	uint16_t vrf = f->burst->from->vrf;

	for (unsigned i = 0; i < works->tunnelled; i++)
		works->of[works->homes[i].of].tunnel =
			binding_table_candidate(f->bindings, works->homes[i].hash);
	for (unsigned i = 0; i < works->tunnelled; i++) {
		const struct home *home = &works->homes[i];
		struct forward_work *w = &works->of[home->of];

		w->tunnel = binding_table_confirm_v4(w->tunnel, vrf, home->address);
		if (unlikely(w->tunnel == NULL))
			w->tunnel = tunnel_elsewhere(f, home->address);
		if (w->tunnel == NULL) {
			w->refused = true;
			continue;
		}
		__builtin_prefetch(&worker->binding_counters[w->tunnel->binding_id], 1);
		w->refused = !(w->kind == LANE_MIP_OUT ? mip_out_check(f, w) : mip_in_check(f, w));
	}
}

/* ---- route, send ---- */

static void routes_find(const struct forward_burst *f, struct works *works)
{
	be32 targets[BURST_SIZE];

	for (unsigned i = 0; i < works->count; i++)
		targets[i] = works->of[i].target;
	tables_route_v4_burst(f->tables, f->burst->from->vrf, targets, works->count, works->routes);
}

/* What comes out of a tunnel is of a flow from inside it, too. */
static inline bool is_left(const struct works *works, const struct forward_work *w)
{
	if (w->kind != LANE_MIP_IN)
		return works->left.destinations & lane_flow(w->ip->dst_addr);
	return works->left.sources &
	       (lane_flow(w->ip->src_addr) | lane_flow(lane_ip(w->frame)->src_addr));
}

static void leave(struct works *works, const struct forward_work *w)
{
	lane_leave(&works->left, w->frame);
	if (w->kind == LANE_MIP_IN)
		works->left.sources |= lane_flow(w->ip->src_addr);
}

/* The way of a packet that the lane takes, else NULL. */
static inline const struct lane_way *way_of(
	const struct forward_burst *f, const struct works *works, unsigned i)
{
	const struct forward_work *w = &works->of[i];
	const struct lane_way *way;
	uint16_t mtu;

	if (unlikely(w->refused || is_left(works, w)))
		return NULL;
	way = way_get(f->burst, works->routes[i], w->target, &mtu);
	if (unlikely(way == NULL || (f->policies && way->is_external) ||
		     lane_is_awaited(f->burst, way->neighbor)))
		return NULL;
	if (w->kind == LANE_MIP_OUT ? !mip_out_fits(w, mtu) : w->length > mtu)
		return NULL;
	return way;
}

static inline void finish(
	const struct forward_burst *f, const struct forward_work *w, const struct lane_way *way)
{
	struct rte_mbuf *frame = w->frame;
	uint8_t *begin = (uint8_t *)w->ip;

	if (w->kind == LANE_MIP_IN)
		mip_in_take(f, w);
	ipv4_ttl_decrement(w->ip);
	if (w->kind == LANE_MIP_OUT)
		begin = mip_out_write(f, w, way);
	frame->data_len = (uint16_t)((uint8_t *)w->ip - begin + ETHER + w->length);
	frame->pkt_len = frame->data_len;
	begin -= ETHER;
	memcpy(begin, way->ether, ETHER);
	frame->data_off = (uint16_t)(begin - (uint8_t *)frame->buf_addr);
}

static void send_all(const struct forward_burst *f, struct works *works)
{
	struct worker *worker = f->burst->worker;

	for (unsigned i = 0; i < works->count; i++) {
		const struct forward_work *w = &works->of[i];
		const struct lane_way *way = way_of(f, works, i);

		if (unlikely(way == NULL)) {
			leave(works, w);
			continue;
		}
		finish(f, w, way);
		lane_send(worker, way->port, w->frame);
		f->burst->taken |= UINT64_C(1) << w->index;
		works->taken[w->kind]++;
	}
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

void forward_lane(struct lane_burst *burst)
{
	const struct tables *tables = burst->worker->tables;
	struct forward_burst f = {.burst = burst,
		.tables = tables,
		.bindings = tables_bindings(tables),
		.near = tables_near_v4_parts(tables, burst->from->vrf),
		.away_source = tables_agent_flags(tables) &
			       (AGENT_AWAY_SOURCE_DROP | AGENT_AWAY_SOURCE_LOG),
		.policies = tables_policies_used(tables, burst->from->vrf)};
	struct works works;

	if (f.near == NULL || (f.policies && burst->from->zone == ZONE_EXTERNAL))
		return;
	f.broadcast = broadcast_of(burst);
	works.count = works.tunnelled = 0;
	works.left = (struct lane_left){0};
	memset(works.taken, 0, sizeof(works.taken));
	parse_all(&f, &works);
	if (works.count == 0)
		return;
	if (works.tunnelled > 0)
		tunnels_find(&f, &works);
	routes_find(&f, &works);
	send_all(&f, &works);
}
