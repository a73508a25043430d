#include "dataplane/lane/forward6.h"

#include "dataplane/compatibility.h"
#include "dataplane/lane/way.h"

#define HEADERS (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv6_hdr))

struct work {
	struct rte_mbuf *frame;
	uint16_t length; /* octets from the IPv6 header on */
	uint8_t index;   /* in the burst */
};

struct works {
	struct lane_burst *burst;
	const struct tables *tables;
	bool away_source; /* an agent has a flag of HA4-REV-17 */
	bool policies;    /* there are some in the port's vrf */
	unsigned count;
	uint64_t left; /* destinations that the steps have to themselves in this burst */
	struct ip_address destinations[BURST_SIZE];
	const struct route *routes[BURST_SIZE];
	struct work of[BURST_SIZE];
};

/* A bit of struct works' left. */
static inline uint64_t flow_of(const struct ip_address *to)
{
	return lane_flow(to->words[0] ^ to->words[1] ^ to->words[2] ^ to->words[3]);
}

/* lane_leave of IPv6, which no flow of the other lanes is. */
static void leave(struct works *works, struct rte_mbuf *frame)
{
	const uint8_t *octets = rte_pktmbuf_mtod(frame, const uint8_t *);
	struct ip_address to;
	uint16_t type = 0;

	if (frame->data_len >= sizeof(struct rte_ether_hdr))
		memcpy(&type, octets + 12, sizeof(type));
	if (type == RTE_BE16(RTE_ETHER_TYPE_ARP) || type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		return;
	if (type != RTE_BE16(RTE_ETHER_TYPE_IPV6) || frame->data_len < HEADERS) {
		works->left = UINT64_MAX; /* nobody can say: all of them */
		return;
	}
	to = ipv6_destination(lane_ipv6(frame));
	works->left |= flow_of(&to);
}

/* HA4-REV-17: may the source be a home address that has to come through its tunnel? */
static bool is_away_source(const struct works *works, const struct rte_ipv6_hdr *ip)
{
	const struct ip_address source = ipv6_source(ip);

	return tables_near(works->tables, works->burst->from->vrf, &source) & VICINITY_HOME;
}

/* Does nobody here know the destination but by a route? */
static inline bool is_elsewhere(const struct works *works, const struct ip_address *to)
{
	uint16_t vrf = works->burst->from->vrf;
	unsigned near = tables_near(works->tables, vrf, to);

	if (likely(near == 0))
		return true;
	return near == VICINITY_LOCAL &&
	       tables_local_lookup(works->tables, vrf, to).kind == LOCAL_NONE;
}

static void parse_all(struct works *works)
{
	const struct lane_burst *burst = works->burst;

	for (unsigned i = 0; i < burst->count; i++) {
		struct ip_address *to = &works->destinations[works->count];
		struct work *w = &works->of[works->count];
		const struct rte_ipv6_hdr *ip;

		if (burst->taken >> i & 1)
			continue;
		w->frame = burst->frames[i];
		w->index = (uint8_t)i;
		if (unlikely(!(burst->usual_v6 >> i & 1))) {
			leave(works, w->frame);
			continue;
		}
		ip = lane_ipv6(w->frame);
		*to = ipv6_destination(ip);
		w->length = (uint16_t)(sizeof(*ip) + rte_be_to_cpu_16(ip->payload_len));
		if (unlikely(ip->hop_limits <= 1 || !is_elsewhere(works, to) ||
			     (works->away_source && is_away_source(works, ip)))) {
			works->left |= flow_of(to);
			continue;
		}
		works->count++;
	}
}

/* The way of a packet that the lane takes, else NULL. */
static inline const struct lane_way *way_of(struct works *works, unsigned i)
{
	const struct ip_address *to = &works->destinations[i];
	const struct lane_way *way;
	uint16_t mtu;

	if (unlikely(works->left != 0) && works->left & flow_of(to))
		return NULL;
	way = way_get_v6(works->burst, works->routes[i], to, &mtu);
	if (unlikely(way == NULL || works->of[i].length > mtu ||
		     (works->policies && way->is_external) ||
		     lane_is_awaited(works->burst, way->neighbor))) {
		works->left |= flow_of(to);
		return NULL;
	}
	return way;
}

static inline void finish(const struct work *w, const struct lane_way *way)
{
	lane_ipv6(w->frame)->hop_limits--;
	w->frame->data_len = (uint16_t)(sizeof(struct rte_ether_hdr) + w->length);
	w->frame->pkt_len = w->frame->data_len;
	memcpy(rte_pktmbuf_mtod(w->frame, uint8_t *), way->ether, sizeof(way->ether));
}

static void send_all(struct works *works)
{
	struct worker *worker = works->burst->worker;

	for (unsigned i = 0; i < works->count; i++) {
		const struct work *w = &works->of[i];
		const struct lane_way *way = way_of(works, i);

		if (unlikely(way == NULL))
			continue;
		finish(w, way);
		lane_send(worker, way->port, w->frame);
		works->burst->taken |= UINT64_C(1) << w->index;
		worker->lane_taken[LANE_FORWARD6]++;
	}
}

void forward6_lane(struct lane_burst *burst)
{
	const struct tables *tables = burst->worker->tables;
	struct works works;

	works.burst = burst;
	works.tables = tables;
	works.away_source =
		tables_agent_flags(tables) & (AGENT_AWAY_SOURCE_DROP | AGENT_AWAY_SOURCE_LOG);
	works.policies = tables_policies_used(tables, burst->from->vrf);
	works.count = 0;
	works.left = 0;
	if (works.policies && burst->from->zone == ZONE_EXTERNAL)
		return;
	parse_all(&works);
	if (works.count == 0)
		return;
	tables_route_v6_burst(
		tables, burst->from->vrf, works.destinations, works.count, works.routes);
	send_all(&works);
}
