#include "dataplane/lane/esp_in.h"

#include "dataplane/crypto/esp_codec.h"
#include "dataplane/decap/ecn.h"
#include "dataplane/decap/esp.h"
#include "dataplane/handover.h"
#include "dataplane/header.h"
#include "dataplane/input/esp_port.h"

#include <rte_ether.h>
#include <rte_udp.h>

#define ETHER    ((uint16_t)sizeof(struct rte_ether_hdr))
#define IPV4     ((uint16_t)sizeof(struct rte_ipv4_hdr))
#define UDP      ((uint16_t)sizeof(struct rte_udp_hdr))
#define HEADERS  (ETHER + IPV4 + UDP + ESP_HEADER_LENGTH)
#define FRAGMENT RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)
#define ANY_SA   UINT64_MAX
#define PLAIN    7   /* octets of padding: AES-GCM and the like pad by up to 3 */
#define SHORT    512 /* octets of text: the keys of a whole burst fit the first cache */
#define FIRST    8   /* else those that the engine would ask for too late */

/* A packet that may be inbound ESP. */
struct candidate {
	struct esp_work work;
	uint64_t bars; /* SAs that the lane leaves alone in this burst when it leaves this packet */
	uint32_t slot;
	uint32_t low; /* half of its number */
	be32 spi, source, destination;
	be16 source_port;
	bool is_esp;
};

/* Where frames go and what they begin with. */
struct way {
	const struct route *route;
	be32 destination; /* of the packet that it was found for */
	uint16_t port, mtu;
	bool usable, on_link;
	uint8_t ether[sizeof(struct rte_ether_hdr)];
};

struct opened {
	const struct esp_work *work;
	struct rte_ipv4_hdr *ip; /* NULL: not the usual thing */
	const struct way *way;
	uint16_t length;
	uint8_t tos;
	uint8_t status; /* enum crypto_status */
};

struct lane { /* one burst */
	struct lane_burst *burst;
	struct worker *worker;
	const struct sa_table *sas;
	const struct port *port;
	be32 ours; /* an outer destination that is an address of ours */
	unsigned way_count;
	struct way *ways; /* [BURST_SIZE] */
};

static uint64_t sa_bar(uint32_t slot)
{
	return UINT64_C(1) << (slot & 63);
}

static uint64_t spi_bar(const struct lane *lane, const uint8_t *spi)
{
	return sa_bar(sa_spi_slot(esp_codec_spi(spi), lane->sas->count));
}

/* ---- parse ---- */

/* Whose number may a packet carry that stays? What is surely neither ESP nor a part of it:
 * nobody's.
 */
static __attribute__((noinline)) uint64_t bars_of(
	const struct lane *lane, const struct rte_mbuf *packet)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(frame + ETHER);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	uint16_t type;

	if (packet->data_len < HEADERS)
		return packet->nb_segs > 1 ? ANY_SA : 0;
	memcpy(&type, frame + 12, sizeof(type));
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6) || type == RTE_BE16(RTE_ETHER_TYPE_VLAN))
		return ANY_SA;
	if (type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		(ip->next_proto_id != IPPROTO_ESP && ip->next_proto_id != IPPROTO_UDP))
		return 0;
	if (ip->version_ihl != 0x45 || ip->fragment_offset & FRAGMENT)
		return ANY_SA;
	if (ip->next_proto_id == IPPROTO_ESP)
		return spi_bar(lane, (const uint8_t *)udp);
	return esp_port_is(lane->worker, rte_be_to_cpu_16(udp->dst_port))
		       ? spi_bar(lane, (const uint8_t *)(udp + 1))
		       : 0;
}

/* Up to the SPI, of what is usual and may be ESP: what udp asks besides. */
static bool parse(struct rte_mbuf *frame, struct candidate *c)
{
	const struct rte_ipv4_hdr *ip = lane_ip(frame);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	uint16_t at = IPV4, end = rte_be_to_cpu_16(ip->total_length);
	uint32_t words[2];

	if (unlikely(frame->data_len < HEADERS))
		return false;
	c->work.udp = ip->next_proto_id == IPPROTO_UDP;
	if (c->work.udp) {
		uint16_t length = rte_be_to_cpu_16(udp->dgram_len);
		if (udp->dgram_cksum != 0 || end < IPV4 + length)
			return false;
		end = (uint16_t)(IPV4 + length);
		at = (uint16_t)(IPV4 + UDP);
		c->source_port = udp->src_port;
	}
	if (end < at + ESP_HEADER_LENGTH)
		return false;
	memcpy(words, (const uint8_t *)ip + at, sizeof(words));
	c->spi = words[0];
	c->low = rte_be_to_cpu_32(words[1]);
	c->source = ip->src_addr;
	c->destination = ip->dst_addr;
	c->work.at = at;
	c->work.text = (uint32_t)(end - at); /* for now: all of it */
	return c->spi != 0;
}

static void parse_all(const struct lane *lane, struct candidate *candidates)
{
	const struct lane_burst *burst = lane->burst;

	for (unsigned i = 0; i < burst->count; i++) {
		struct candidate *c = &candidates[i];
		c->work.packet = burst->frames[i];
		c->work.index = (uint8_t)i;
		c->work.sa = NULL;
		c->is_esp = burst->esp >> i & 1 && parse(burst->frames[i], c);
		if (likely(c->is_esp)) {
			c->slot = sa_spi_slot(rte_be_to_cpu_32(c->spi), lane->sas->count);
			c->bars = sa_bar(c->slot);
			rte_prefetch0(&lane->sas->inbound_of[c->slot]);
		} else {
			c->bars = bars_of(lane, burst->frames[i]);
		}
	}
}

/* ---- before the cipher ---- */

static void sas_prefetch(const struct lane *lane, struct candidate *candidates)
{
	const struct sa_table *sas = lane->sas;

	for (unsigned i = 0; i < lane->burst->count; i++) {
		struct candidate *c = &candidates[i];
		if (!c->is_esp)
			continue;
		c->work.sa = sa_inbound_get(sas, c->slot);
		if (c->work.sa == NULL)
			continue;
		rte_prefetch0(c->work.sa);
		rte_prefetch0(&c->work.sa->local);
		rte_prefetch0(sa_inbound_state(sas, c->slot));
	}
}

/* An address of ours, and not the broadcast address of the link. */
static bool is_ours(struct lane *lane, be32 destination)
{
	const struct tables *tables = lane->worker->tables;
	const struct ip_address address = ip_address_from_v4(destination);
	const struct home_network *network;

	if (likely(destination == lane->ours))
		return true;
	network = tables_home_network_of_port(tables, lane->port->index);
	if ((network != NULL && ip_prefix_contains(&network->prefix, &address)) ||
		tables_local_lookup(tables, lane->port->vrf, &address).kind == LOCAL_NONE)
		return false;
	lane->ours = destination;
	return true;
}

/* No packet of this burst comes near what is to be told or stopped. */
static bool is_far_from_limits(const struct lane *lane, const struct sa_inbound *sa)
{
	const struct sa_inbound_state *state = sa_inbound_state(lane->sas, sa->sa_id);
	const struct sa_use use = {
		.packets = atomic_load_explicit(&state->packets, memory_order_relaxed) + BURST_SIZE,
		.bytes = atomic_load_explicit(&state->bytes, memory_order_relaxed) +
			 BURST_SIZE * UINT16_MAX,
		.now_tsc = lane->worker->now_tsc};

	return !sa_watch_passed(&sa->watch, &use);
}

static bool is_from_peer(const struct candidate *c, const struct sa_inbound *sa)
{
	return ip_address_v4(&sa->remote) == c->source &&
	       ip_address_v4(&sa->local) == c->destination && ip_address_is_v4(&sa->remote) &&
	       !!(sa->flags & SA_UDP) == c->work.udp &&
	       (!c->work.udp || sa->remote_port == c->source_port) &&
	       atomic_load_explicit(&sa->failures, memory_order_relaxed) + BURST_SIZE <
		       ESP_FAILURES_MAX;
}

/* Right of all before it, nearly always; asks for the word that it will be marked in. */
static bool is_new(const struct lane *lane, struct candidate *c)
{
	const struct sa_inbound *sa = c->work.sa;
	const struct replay_window window = sa_inbound_window(lane->sas, sa);

	if (likely(!(sa->flags & SA_ESN) && sa->window != 0 &&
		    c->low > atomic_load_explicit(window.highest, memory_order_relaxed))) {
		rte_prefetch0(&window.words[c->low / SA_WINDOW_WORD_PACKETS & window.mask]);
		c->work.number = c->low;
		return true;
	}
	replay_window_prefetch(&window, c->low);
	return replay_window_infer(&window, c->low, &c->work.number) == REPLAY_NEW &&
	       replay_window_check(&window, c->work.number) == REPLAY_NEW;
}

/* Octets before the text. */
static uint16_t text_at(const struct esp_work *w)
{
	return (uint16_t)(w->at + ESP_HEADER_LENGTH + w->sa->iv_length);
}

/* decap/esp's questions; yes when all of them have the usual answer. */
static bool admit(struct lane *lane, struct candidate *c)
{
	const struct sa_inbound *sa = c->work.sa;
	uint32_t fixed;

	if (sa == NULL || sa->spi != c->spi ||
		__atomic_load_n(&sa->state, __ATOMIC_ACQUIRE) != SA_STATE_LIVE ||
		sa->vrf != lane->port->vrf || sa->flags & SA_TRANSPORT || sa->host == 0 ||
		!is_from_peer(c, sa) || !is_ours(lane, c->destination))
		return false;
	if (!handover_is_here(lane->worker, SA_INBOUND, sa->sa_id)) /* MP-04 */
		return false;
	fixed = ESP_HEADER_LENGTH + sa->iv_length + sa->icv_length;
	if (c->work.text < fixed + sa->alignment || (c->work.text - fixed) & (sa->alignment - 1u) ||
		!is_far_from_limits(lane, sa) || !is_new(lane, c))
		return false;
	c->work.text -= fixed;
	return true;
}

/* Its key's lines and the packet's last one. */
static void work_prefetch(const struct esp_work *w, const struct esp_work *before, unsigned place)
{
	rte_prefetch0(
		rte_pktmbuf_mtod_offset(w->packet, const uint8_t *, ETHER + text_at(w) + w->text));
	if ((before == NULL || before->sa != w->sa) && (w->text <= SHORT || place < FIRST))
		crypto_key_prefetch(w->sa->suite, w->sa->key, w->text);
}

/* All packets of an SA, or none of them: in a burst the steps ask all before they judge any. */
static unsigned admit_all(
	struct lane *lane, struct candidate *candidates, const struct esp_work **works)
{
	uint64_t barred = 0;
	unsigned used = 0;

	for (unsigned i = 0; i < lane->burst->count; i++) {
		struct candidate *c = &candidates[i];
		if (unlikely(!c->is_esp || !admit(lane, c))) {
			c->is_esp = false;
			barred |= c->bars;
		}
	}
	for (unsigned i = 0; i < lane->burst->count; i++) {
		const struct candidate *c = &candidates[i];
		if (unlikely(!c->is_esp || barred & c->bars))
			continue;
		works[used] = &c->work;
		work_prefetch(&c->work, used > 0 ? works[used - 1] : NULL, used);
		used++;
	}
	return used;
}

/* ---- the cipher ---- */

static void decrypt(struct worker *worker, const struct esp_work *const *works, unsigned count,
	struct opened *opened)
{
	struct crypto_operation operations[BURST_SIZE];

	for (unsigned i = 0; i < count; i++) {
		const struct esp_work *w = works[i];
		struct crypto_operation *o = &operations[i];
		o->suite = w->sa->suite;
		o->key = w->sa->key;
		o->esp = rte_pktmbuf_mtod_offset(w->packet, uint8_t *, ETHER + w->at);
		o->sequence = w->number;
		o->length = w->text;
		o->flags = w->sa->flags & SA_ESN ? CRYPTO_ESN : 0;
		o->segment_count = 0;
	}
	crypto_engine_decrypt_burst(worker->crypto, operations, count);
	for (unsigned i = 0; i < count; i++) {
		opened[i].work = works[i];
		opened[i].status = operations[i].status;
	}
}

/* ---- after it ---- */

/* The usual trailer: little padding, which is right, around an IPv4 packet. */
static bool is_plain_trailer(const uint8_t *end)
{
	uint64_t padding = 0;
	uint8_t count = end[-2];

	if (unlikely(count > PLAIN || end[-1] != ESP_NEXT_HEADER_IPV4))
		return false;
	/* There are as many octets: text, mostly, which is shifted out. */
	memcpy(&padding, end - 2 - sizeof(padding), sizeof(padding));
	padding = rte_le_to_cpu_64(padding);
	return count == 0 ||
	       padding >> (64 - 8 * count) ==
		       (UINT64_C(0x0007060504030201) & (UINT64_MAX >> (64 - 8 * count)));
}

/* RFC 6040: the inner field stays, or becomes what is no reason to count or drop anything. */
static bool tos_of(const struct sa_inbound *sa, uint8_t inner, uint8_t outer, uint8_t *tos)
{
	uint8_t ecn = (uint8_t)(inner & ECN_MASK), outer_ecn = (uint8_t)(outer & ECN_MASK);

	*tos = inner;
	if (likely(!(sa->flags & SA_DSCP_COPY_IN) &&
		    (outer_ecn == ECN_NOT_ECT || outer_ecn == ecn)))
		return true;
	if (sa->flags & SA_DSCP_COPY_IN)
		*tos = outer;
	ecn = ecn_decapsulate(inner, outer);
	*tos = (uint8_t)((*tos & ~ECN_MASK) | ecn);
	return ecn != ECN_DROP && !ecn_is_anomalous(inner, outer);
}

static bool is_near(const struct lane *lane, be32 address, unsigned bits)
{
	return tables_near_v4(lane->worker->tables, lane->port->vrf, address) & bits;
}

/* What esp_inner and destination ask of an IPv4 packet, when the answer is that it is forwarded
 * along a route. */
static bool open_usual(const struct lane *lane, const struct esp_work *w, struct opened *o)
{
	uint8_t *outer = rte_pktmbuf_mtod_offset(w->packet, uint8_t *, ETHER);
	uint8_t *text = outer + text_at(w);
	const uint8_t *end = text + w->text;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)text;
	uint32_t payload = w->text - ESP_TRAILER_LENGTH;

	if (w->text < IPV4 + ESP_TRAILER_LENGTH || !is_plain_trailer(end))
		return false;
	payload -= end[-2];
	o->length = rte_be_to_cpu_16(ip->total_length);
	if (unlikely(ip->version_ihl != 0x45 || o->length < IPV4 || o->length > payload ||
		     !ipv4_checksum_right(ip) || ip->fragment_offset & FRAGMENT ||
		     ip->src_addr != w->sa->host || ip->time_to_live <= 1))
		return false;
	if (!ipv4_is_plain(ip->src_addr) || !ipv4_is_plain(ip->dst_addr) ||
		is_near(lane, ip->src_addr, VICINITY_LOCAL) || is_near(lane, ip->dst_addr, ~0u) ||
		!tos_of(w->sa, ip->type_of_service, outer[1], &o->tos))
		return false;
	o->ip = ip;
	return true;
}

/* forward/route, link_mtu and neighbor, when nothing is in the way. */
static void way_find(
	const struct lane *lane, struct way *way, const struct route *route, be32 destination)
{
	struct worker *worker = lane->worker;
	const struct neighbor *neighbor;
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)way->ether;
	struct ip_address next_hop;
	const struct port *port;

	*way = (struct way){.route = route, .destination = destination};
	if (route == NULL || route->flags != 0 || route->port >= worker->port_count)
		return;
	port = &worker->ports[route->port];
	way->port = route->port;
	way->mtu = route->mtu != 0 && route->mtu < port->mtu ? route->mtu : port->mtu;
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
	way->usable = true;
}

static const struct way *way_of(struct lane *lane, const struct route *route, be32 destination)
{
	struct way *way = &lane->ways[lane->way_count];

	if (lane->way_count > 0 && way[-1].route == route &&
		(!way[-1].on_link || way[-1].destination == destination))
		return &way[-1];
	way_find(lane, way, route, destination);
	lane->way_count++;
	return way;
}

/* The routes of destinations that differ. */
static __attribute__((noinline)) void routes_find(const struct lane *lane,
	const struct opened *opened, unsigned count, const struct route **routes)
{
	struct ip_address destinations[BURST_SIZE];
	const struct ip_address *places[BURST_SIZE];
	uint16_t vrfs[BURST_SIZE];

	for (unsigned i = 0; i < count; i++) {
		be32 destination = opened[i].ip != NULL ? opened[i].ip->dst_addr : 0;
		destinations[i] = ip_address_from_v4(destination);
		places[i] = &destinations[i];
		vrfs[i] = lane->port->vrf;
	}
	tables_route_lookup_burst(lane->worker->tables, vrfs, places, count, routes);
}

static void ways_find(struct lane *lane, struct opened *opened, unsigned count)
{
	const struct route *routes[BURST_SIZE];
	be32 first = 0, differ = 0;

	for (unsigned i = 0; i < count; i++) {
		if (opened[i].ip == NULL)
			continue;
		first = first == 0 ? opened[i].ip->dst_addr : first;
		differ |= opened[i].ip->dst_addr ^ first;
	}
	if (differ != 0) {
		routes_find(lane, opened, count, routes);
	} else {
		const struct ip_address only = ip_address_from_v4(first);
		routes[0] = tables_route_lookup(lane->worker->tables, lane->port->vrf, &only);
	}
	for (unsigned i = 0; i < count; i++) {
		struct opened *o = &opened[i];
		if (o->ip == NULL)
			continue;
		o->way = way_of(lane, routes[differ != 0 ? i : 0], o->ip->dst_addr);
		if (!o->way->usable || o->length > o->way->mtu)
			o->ip = NULL;
	}
}

static void count_use(const struct lane *lane, const struct esp_work *w)
{
	struct sa_inbound *sa = (struct sa_inbound *)w->sa; /* soft state alone */
	struct sa_inbound_state *state = sa_inbound_state(lane->sas, sa->sa_id);

	if (!atomic_load_explicit(&sa->proved, memory_order_relaxed))
		atomic_store_explicit(&sa->proved, true, memory_order_relaxed); /* MOB-12 */
	if (atomic_load_explicit(&sa->failures, memory_order_relaxed) != 0)
		atomic_store_explicit(&sa->failures, 0, memory_order_relaxed);
	if (lane->sas->shared) {
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
	atomic_store_explicit(&state->last_use_ns, lane->worker->now_ns, memory_order_relaxed);
	lane->worker->counters->esp_decrypted++;
}

/* The inner packet as a frame. */
static void frame_make(const struct opened *o)
{
	struct rte_mbuf *packet = o->work->packet;
	uint8_t *ether = (uint8_t *)o->ip - ETHER;

	if (unlikely(o->tos != o->ip->type_of_service))
		ipv4_tos_set(o->ip, o->tos);
	ipv4_ttl_decrement(o->ip);
	memcpy(ether, o->way->ether, ETHER);
	packet->data_off = (uint16_t)(ether - (uint8_t *)packet->buf_addr);
	packet->data_len = (uint16_t)(ETHER + o->length);
	packet->pkt_len = packet->data_len;
	/* ESP-IN-16: what the device said was about the outer packet. */
	packet->ol_flags = 0;
	packet->packet_type = 0;
}

/* The packet as decap/esp would have met it. */
static void describe(const struct lane *lane, const struct esp_work *w)
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

/* Authentic and usual so far. True when it is a frame that may leave. */
static bool commit(const struct lane *lane, const struct opened *o)
{
	const struct esp_work *w = o->work;
	const struct replay_window window = sa_inbound_window(lane->sas, w->sa);
	enum replay_verdict verdict = REPLAY_NEW;
	bool newest;

	if (!replay_window_advance(&window, w->number))
		verdict = replay_window_commit(&window, w->number, &newest);
	if (unlikely(verdict != REPLAY_NEW)) {
		describe(lane, w);
		pipeline_emit(
			lane->worker, w->packet, esp_decap_replayed(lane->worker, w, verdict));
		return false;
	}
	count_use(lane, w);
	frame_make(o);
	return true;
}

static void judge(const struct lane *lane, const struct opened *o)
{
	describe(lane, o->work);
	pipeline_emit(lane->worker, o->work->packet,
		esp_decap_judge(lane->worker, o->work, (enum crypto_status)o->status));
}

static void finish(struct lane *lane, const struct opened *opened, unsigned count)
{
	uint64_t judged = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct opened *o = &opened[i];
		uint64_t bar = sa_bar(o->work->sa->sa_id);
		if (unlikely(o->ip == NULL || judged & bar ||
			     (lane->sas->shared && !is_far_from_limits(lane, o->work->sa)))) {
			judged |= bar;
			judge(lane, o);
		} else if (likely(commit(lane, o))) {
			lane_send(lane->worker, o->way->port, o->work->packet);
		}
	}
}

void esp_in_lane(struct lane_burst *burst)
{
	struct worker *worker = burst->worker;
	struct lane lane = {.burst = burst,
		.worker = worker,
		.sas = tables_sas(worker->tables),
		.port = burst->from};
	struct way ways[BURST_SIZE];
	struct candidate candidates[BURST_SIZE];
	const struct esp_work *works[BURST_SIZE];
	struct opened opened[BURST_SIZE];
	unsigned count;

	if (lane.sas->count == 0)
		return;
	lane.ways = ways;
	parse_all(&lane, candidates);
	sas_prefetch(&lane, candidates);
	count = admit_all(&lane, candidates, works);
	if (count == 0)
		return;
	decrypt(worker, works, count, opened);
	for (unsigned i = 0; i < count; i++) {
		opened[i].ip = NULL;
		if (likely(opened[i].status == CRYPTO_DONE))
			open_usual(&lane, works[i], &opened[i]);
		burst->taken |= UINT32_C(1) << works[i]->index;
	}
	worker->lane_taken[LANE_ESP_IN] += count;
	ways_find(&lane, opened, count);
	finish(&lane, opened, count);
}
