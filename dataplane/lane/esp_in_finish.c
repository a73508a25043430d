/* After the cipher: what is usual inside leaves, everything else is judged by the steps. */
#include "dataplane/header.h"
#include "dataplane/lane/esp_in_private.h"
#include "dataplane/lane/mip_in.h"

#define ETHER    ESP_IN_ETHER
#define IPV4     ESP_IN_IPV4
#define FRAGMENT RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)
#define PLAIN    14 /* octets of padding */

/* Where frames go and what they begin with. */
struct way {
	const struct route *route;
	be32 destination; /* of the packet that it was found for */
	uint16_t mtu;     /* 0: not a way for the lane */
	bool on_link;
	struct rte_ether_hdr ether;
	struct tx_buffer *tx;
};

struct opened {
	struct rte_ipv4_hdr *ip; /* NULL: not the usual thing */
	const struct way *way;
	const struct forward_work *inside; /* out of a mobile node's tunnel, too; else NULL */
	uint16_t length;
	uint8_t tos;
};

/* Packets out of ESP that are tunnels of mobile nodes (RFC 5266, mode mc), as the lane that takes
 * them bare has them. */
struct tunnelled {
	unsigned count, sent;
	struct forward_burst burst; /* from the first one on */
	uint64_t hashes[BURST_SIZE];
	uint8_t of[BURST_SIZE]; /* place in `opened` */
	struct forward_work works[BURST_SIZE];
};

struct finish { /* one burst */
	const struct esp_in *lane;
	be32 first, differ; /* a destination, and how the others differ from it */
	unsigned way_count;
	unsigned sent;
	struct way ways[BURST_SIZE];
	struct opened opened[BURST_SIZE];
	struct tunnelled tunnelled;
};

typedef int8_t tail __attribute__((vector_size(16), aligned(1)));

/*
 * The usual trailer as the last sixteen octets of the text: padding as it has to be, up to fourteen
 * octets, which is all that the blocks of AES-CBC need, around an IPv4 packet. The padding counts
 * up to its number; where it would be zero or less, there is none.
 */
static inline bool is_plain_trailer(const uint8_t *end)
{
	const tail from_last = {
		-13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 0, -PLAIN};
	const tail right = from_last + (int8_t)end[-2];
	uint64_t wrong[2];

	if (unlikely(end[-2] > PLAIN || end[-1] != ESP_NEXT_HEADER_IPV4))
		return false;
	const tail differ = (*(const tail *)(end - sizeof(tail)) ^ right) & (right > 0);
	memcpy(wrong, &differ, sizeof(wrong));
	return (wrong[0] | wrong[1]) == 0;
}

/* Of the first selector; another one of the SA is the steps' to find. */
static inline bool is_local_right(const struct sa_inbound *sa, be32 destination)
{
	const struct sa_selector *selector = &sa->selector;
	const struct ip_address address = ip_address_from_v4(destination);
	uint64_t number[2];

	if (likely(!(sa->flags & SA_ASKS_LOCAL)))
		return true;
	sa_selector_address(&address, number);
	return selector->local_first[0] == number[0] && selector->local_last[0] == number[0] &&
	       selector->local_first[1] <= number[1] && number[1] <= selector->local_last[1];
}

static inline void destination_note(struct finish *f, be32 destination)
{
	if (f->first == 0)
		f->first = destination;
	f->differ |= destination ^ f->first;
}

/* To an address of ours: perhaps the tunnel of a mobile node, whose bucket is asked for. What ESP's
 * end changes of its header is the steps' to change. */
static __attribute__((noinline)) bool tunnel_want(
	struct finish *f, struct opened *o, struct rte_mbuf *frame, struct rte_ipv4_hdr *ip)
{
	struct tunnelled *tunnelled = &f->tunnelled;
	struct forward_work *w = &tunnelled->works[tunnelled->count];

	if (tunnelled->burst.burst == NULL)
		tunnelled->burst = forward_begin(f->lane->burst);
	w->frame = frame;
	if (o->tos != ip->type_of_service || !mip_in_parse(&tunnelled->burst, w, ip))
		return false;
	tunnelled->hashes[tunnelled->count] = binding_table_ask_v4(
		tunnelled->burst.bindings, tunnelled->burst.vrf, w->ip->src_addr);
	tunnelled->of[tunnelled->count++] = (uint8_t)(o - f->opened);
	o->ip = ip; /* tunnels_find */
	return true;
}

/* What esp_inner and destination ask of an IPv4 packet, when the answer is that it is forwarded
 * along a route, or may be a mobile node's tunnel. */
static inline bool open_usual(struct finish *f, const struct arrival *a, struct opened *o)
{
	const struct sa_inbound *sa = a->work.sa;
	uint8_t *text = (uint8_t *)a->outer + esp_in_text_at(&a->work);
	const uint8_t *end = text + a->work.text;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)text;

	if (unlikely(a->work.text < IPV4 + ESP_TRAILER_LENGTH || !is_plain_trailer(end)))
		return false;
	o->length = rte_be_to_cpu_16(ip->total_length);
	if (unlikely(ip->version_ihl != 0x45 || o->length < IPV4 ||
		     (uint32_t)o->length + ESP_TRAILER_LENGTH + end[-2] > a->work.text ||
		     !ipv4_checksum_right(ip) || ip->fragment_offset & FRAGMENT ||
		     ip->src_addr != sa->host || !is_local_right(sa, ip->dst_addr) ||
		     ip->time_to_live <= 1 ||
		     vicinity_part_v4(f->lane->near, sa->host) & VICINITY_LOCAL ||
		     !lane_tos(sa->flags & SA_DSCP_COPY_IN, ip->type_of_service,
			     a->outer->type_of_service, &o->tos)))
		return false;
	if (ip->dst_addr != f->first) {
		unsigned near = vicinity_part_v4(f->lane->near, ip->dst_addr);
		if (!ipv4_is_plain(ip->dst_addr))
			return false;
		if (unlikely(near != 0))
			return near & VICINITY_LOCAL && tunnel_want(f, o, a->work.packet, ip);
		destination_note(f, ip->dst_addr);
	}
	o->ip = ip;
	return true;
}

static void open_all(struct finish *f)
{
	const struct esp_in *lane = f->lane;

	for (unsigned i = 0; i < lane->count; i++)
		if (unlikely(lane->status[i] != CRYPTO_DONE ||
			     !open_usual(f, &lane->arrivals[i], &f->opened[i])))
			f->opened[i].ip = NULL;
}

/* Out of the tunnel, or to the steps as what came out of ESP. */
static __attribute__((noinline)) void tunnels_find(struct finish *f)
{
	const struct forward_burst *burst = &f->tunnelled.burst;

	for (unsigned i = 0; i < f->lane->count; i++)
		f->opened[i].inside = NULL;
	for (unsigned i = 0; i < f->tunnelled.count; i++)
		f->tunnelled.works[i].tunnel =
			binding_table_candidate(burst->bindings, f->tunnelled.hashes[i]);
	for (unsigned i = 0; i < f->tunnelled.count; i++) {
		struct forward_work *w = &f->tunnelled.works[i];
		struct opened *o = &f->opened[f->tunnelled.of[i]];

		o->inside = w;
		w->tunnel = forward_tunnel(burst, w->tunnel, w->ip->src_addr);
		if (w->tunnel == NULL || !mip_in_check(burst, w, o->ip)) {
			o->ip = NULL;
			continue;
		}
		__builtin_prefetch(&f->lane->worker->binding_counters[w->tunnel->binding_id], 1);
		o->ip = w->ip;
		o->length = w->length;
		o->tos = w->tos;
		destination_note(f, w->ip->dst_addr);
	}
}

/* ---- the way on ---- */

/* forward/route, link_mtu and neighbor, when nothing is in the way. */
static void way_find(
	const struct esp_in *lane, struct way *way, const struct route *route, be32 destination)
{
	struct worker *worker = lane->worker;
	const struct neighbor *neighbor;
	struct rte_ether_hdr *ether = &way->ether;
	struct ip_address next_hop;
	const struct port *port;

	*way = (struct way){.route = route, .destination = destination};
	if (route == NULL || route->flags != 0 || route->port >= worker->port_count)
		return;
	port = &worker->ports[route->port];
	way->on_link = ip_address_is_unspecified(&route->next_hop);
	next_hop = way->on_link ? ip_address_from_v4(destination) : route->next_hop;
	if (!ip_address_is_v4(&next_hop) || !ipv4_is_plain(ip_address_v4(&next_hop)))
		return;
	neighbor = tables_neighbor_lookup(worker->tables, route->port, &next_hop);
	if (neighbor == NULL || lane_is_awaited(lane->burst, neighbor) ||
		!atomic_load_explicit(&port->up, memory_order_relaxed) ||
		(port->zone == ZONE_EXTERNAL &&
			tables_policies_used(worker->tables, lane->port->vrf)))
		return;
	memcpy(ether->dst_addr.addr_bytes, neighbor->mac, 6);
	memcpy(ether->src_addr.addr_bytes, port->mac, 6);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	way->tx = &worker->tx[route->port];
	way->mtu = route->mtu != 0 && route->mtu < port->mtu ? route->mtu : port->mtu;
}

static inline const struct way *way_of(
	struct finish *f, const struct route *route, be32 destination)
{
	struct way *way = &f->ways[f->way_count];

	if (f->way_count > 0 && way[-1].route == route &&
		(!way[-1].on_link || way[-1].destination == destination))
		return &way[-1];
	way_find(f->lane, way, route, destination);
	f->way_count++;
	return way;
}

/* Destinations that differ. */
static __attribute__((noinline)) void ways_find_burst(struct finish *f)
{
	const struct worker *worker = f->lane->worker;
	struct ip_address destinations[BURST_SIZE];
	const struct ip_address *places[BURST_SIZE];
	const struct route *routes[BURST_SIZE];
	uint16_t vrfs[BURST_SIZE];

	for (unsigned i = 0; i < f->lane->count; i++) {
		const struct opened *o = &f->opened[i];
		destinations[i] = ip_address_from_v4(o->ip != NULL ? o->ip->dst_addr : 0);
		places[i] = &destinations[i];
		vrfs[i] = f->lane->port->vrf;
	}
	tables_route_lookup_burst(worker->tables, vrfs, places, f->lane->count, routes);
	for (unsigned i = 0; i < f->lane->count; i++)
		if (f->opened[i].ip != NULL)
			f->opened[i].way = way_of(f, routes[i], f->opened[i].ip->dst_addr);
}

static void ways_find(struct finish *f)
{
	const struct ip_address only = ip_address_from_v4(f->first);
	const struct way *way;

	if (f->differ != 0) {
		ways_find_burst(f);
		return;
	}
	if (f->first == 0)
		return;
	way = way_of(f, tables_route_lookup(f->lane->worker->tables, f->lane->port->vrf, &only),
		f->first);
	for (unsigned i = 0; i < f->lane->count; i++)
		f->opened[i].way = way;
}

/* ---- the end ---- */

static inline void count_use(const struct esp_in *lane, const struct arrival *a)
{
	struct sa_inbound *sa = (struct sa_inbound *)a->work.sa; /* soft state alone */
	struct sa_inbound_state *state = a->state;

	if (unlikely(atomic_load_explicit(&sa->failures, memory_order_relaxed) != 0))
		atomic_store_explicit(&sa->failures, 0, memory_order_relaxed);
	atomic_store_explicit(&state->packets,
		atomic_load_explicit(&state->packets, memory_order_relaxed) + 1,
		memory_order_relaxed);
	atomic_store_explicit(&state->bytes,
		atomic_load_explicit(&state->bytes, memory_order_relaxed) + a->work.text,
		memory_order_relaxed);
	atomic_store_explicit(&state->last_use_ns, lane->worker->now_ns, memory_order_relaxed);
}

/* The inner packet as a frame. */
static inline void frame_make(struct rte_mbuf *packet, const struct opened *o)
{
	uint8_t *ether = (uint8_t *)o->ip - ETHER;

	if (unlikely(o->tos != o->ip->type_of_service))
		ipv4_tos_set(o->ip, o->tos);
	ipv4_ttl_decrement(o->ip);
	memcpy(ether, &o->way->ether, ETHER);
	packet->data_off = (uint16_t)(ether - (uint8_t *)packet->buf_addr);
	packet->data_len = (uint16_t)(ETHER + o->length);
	packet->pkt_len = packet->data_len;
	/* ESP-IN-16: what the device said was about the outer packet. */
	packet->ol_flags = 0;
	packet->packet_type = 0;
}

/* The packet as decap/esp would have met it. */
static void describe(const struct esp_in *lane, const struct esp_work *w)
{
	struct rte_mbuf *packet = w->packet;
	struct packet *p = packet_init(packet, lane->port);
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(packet, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(ether + 1);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);

	p->order = (uint16_t)(w->index + 1);
	memcpy(p->source_mac, ether->src_addr.addr_bytes, 6);
	p->link_length = sizeof(*ether);
	p->flags |= PACKET_AS_IT_CAME;
	rte_pktmbuf_adj(packet, sizeof(*ether));
	packet_note_ipv4(p, ip);
	if (w->udp) {
		p->source_port = udp->src_port;
		p->destination_port = udp->dst_port;
		p->flags |= PACKET_UDP_ZERO_CHECKSUM;
	}
	packet_trim(packet,
		w->at + esp_codec_text_offset(w->sa->suite) + w->text + w->sa->suite->icv_length);
}

static __attribute__((noinline)) void judge(
	const struct esp_in *lane, const struct esp_work *w, uint8_t status)
{
	lane->worker->lane_taken[LANE_ESP_IN_JUDGED]++;
	describe(lane, w);
	pipeline_emit(lane->worker, w->packet,
		esp_decap_judge(lane->worker, w, (enum crypto_status)status));
}

static __attribute__((noinline)) void refuse(
	const struct esp_in *lane, const struct esp_work *w, enum replay_verdict verdict)
{
	lane->worker->lane_taken[LANE_ESP_IN_JUDGED]++;
	describe(lane, w);
	pipeline_emit(lane->worker, w->packet, esp_decap_replayed(lane->worker, w, verdict));
}

/* One worker's SA: the window and the counters. */
static inline enum replay_verdict commit(const struct esp_in *lane, const struct arrival *a)
{
	const enum replay_verdict verdict = esp_in_commit(lane, a);

	if (likely(verdict == REPLAY_NEW))
		count_use(lane, a);
	return verdict;
}

static inline bool is_usual(const struct opened *o)
{
	return o->ip != NULL && o->length <= o->way->mtu;
}

/* Where workers share their SAs, before any packet goes on. What the lane does not go on with is no
 * usual thing any more. */
static __attribute__((noinline)) void commit_runs(struct finish *f, enum replay_verdict *verdicts)
{
	uint64_t usual = 0, taken;

	for (unsigned i = 0; i < f->lane->count; i++)
		usual |= (uint64_t)is_usual(&f->opened[i]) << i;
	taken = esp_in_run_commit(f->lane, usual, verdicts);
	for (unsigned i = 0; i < f->lane->count; i++)
		if (unlikely(!(taken >> i & 1)))
			f->opened[i].ip = NULL;
}

/* There are two of it: a burst without `tunnels` is not asked for them packet by packet. */
static __rte_always_inline void finish_all(struct finish *f, bool tunnels)
{
	const struct esp_in *lane = f->lane;
	const bool shared = lane->sas->shared;
	enum replay_verdict verdicts[BURST_SIZE], verdict;
	uint64_t judged = 0;

	if (shared)
		commit_runs(f, verdicts);
	for (unsigned i = 0; i < lane->count; i++) {
		const struct arrival *a = &lane->arrivals[i];
		const struct opened *o = &f->opened[i];

		if (unlikely(!is_usual(o) || judged & esp_in_bar(a->slot))) {
			judged |= esp_in_bar(a->slot);
			judge(lane, &a->work, lane->status[i]);
			continue;
		}
		verdict = shared ? verdicts[i] : commit(lane, a);
		if (unlikely(verdict != REPLAY_NEW)) {
			refuse(lane, &a->work, verdict);
			continue;
		}
		if (tunnels && o->inside != NULL) {
			mip_in_take(&f->tunnelled.burst, o->inside);
			f->tunnelled.sent++;
		}
		frame_make(a->work.packet, o);
		lane_put(lane->worker, o->way->tx, a->work.packet);
		f->sent++;
	}
	lane->worker->counters->esp_decrypted += f->sent;
	lane->worker->lane_taken[LANE_ESP_IN] += f->sent;
	lane->worker->counters->decapsulated += f->tunnelled.sent;
	lane->worker->lane_taken[LANE_MIP_IN] += f->tunnelled.sent;
}

void esp_in_finish(struct esp_in *lane)
{
	struct finish f;

	f.lane = lane;
	f.first = f.differ = 0;
	f.way_count = f.sent = 0;
	f.tunnelled.count = f.tunnelled.sent = 0;
	f.tunnelled.burst.burst = NULL;
	open_all(&f);
	if (likely(f.tunnelled.count == 0)) {
		ways_find(&f);
		finish_all(&f, false);
		return;
	}
	tunnels_find(&f);
	ways_find(&f);
	finish_all(&f, true);
}
