/*
 * Next hops as a lane wants them: Ethernet header ready, neighbour and port known, one cache line
 * each. A small table of the worker's own, found by next hop; what is in it is believed as long as
 * tables_ground is the same (docs/decisions/0070), so nobody has to empty it.
 *
 * Not kept, but asked for each packet: whether others wait for the neighbour already
 * (lane_is_awaited) and whether a policy has to judge what leaves there. The port's state is
 * lane_send's to ask.
 */
#ifndef DATAPLANE_LANE_WAY_H
#define DATAPLANE_LANE_WAY_H

#include "dataplane/lane/lane.h"

#define LANE_WAYS 256

struct lane_way {
	_Alignas(64) uint32_t ground; /* at which it was found; 0 never */
	be32 next_hop;                /* of IPv4 */
	uint16_t port;
	uint16_t mtu;                    /* of the port */
	bool is_external;                /* policies that exist are asked */
	bool tx_checksum;                /* the device finishes the outer header's checksum */
	const struct neighbor *neighbor; /* NULL: the steps know what to do */
	struct ip_address address;       /* the next hop, of either family */
	uint8_t ether[sizeof(struct rte_ether_hdr)];
};
static_assert(sizeof(struct lane_way) == 64, "one line a next hop");

/* The table of a worker, or NULL. */
struct lane_way *way_table_new(void);
void way_table_free(struct lane_way *ways);

/* Finds anew what stands at `way`. The port is one of the worker's. */
void way_learn(const struct lane_burst *burst, struct lane_way *way, uint16_t port,
	const struct ip_address *next_hop);

static inline bool way_is_usual(const struct worker *worker, const struct route *route)
{
	return likely(route != NULL && route->flags == 0 && route->port < worker->port_count);
}

/* Does all that takes the route go to one next hop? Else each to its own target. */
static inline bool way_is_shared(const struct route *route)
{
	return ip_address_is_v4(&route->next_hop) && ip_address_v4(&route->next_hop) != 0;
}

/*
 * Where a packet to `target` goes whose route is this one; NULL when it needs the steps. *mtu: the
 * largest datagram. The worker's until the burst is through.
 */
static inline const struct lane_way *way_get(
	const struct lane_burst *burst, const struct route *route, be32 target, uint16_t *mtu)
{
	const struct worker *worker = burst->worker;
	struct lane_way *way;
	be32 next_hop;

	if (!way_is_usual(worker, route))
		return NULL;
	if (likely(ip_address_is_v4(&route->next_hop)))
		next_hop = ip_address_v4(&route->next_hop);
	else if (ip_address_is_unspecified(&route->next_hop))
		next_hop = 0;
	else
		return NULL;
	next_hop = next_hop != 0 ? next_hop : target;
	way = &worker->ways[(next_hop * 0x9e3779b1u >> 24 ^ route->port) % LANE_WAYS];
	if (unlikely(way->ground != burst->ground || way->next_hop != next_hop ||
		     way->port != route->port)) {
		const struct ip_address address = ip_address_from_v4(next_hop);
		way_learn(burst, way, route->port, &address);
	}
	*mtu = route->mtu != 0 ? RTE_MIN(route->mtu, way->mtu) : way->mtu;
	return likely(way->neighbor != NULL) ? way : NULL;
}

/* The same for IPv6. */
static inline const struct lane_way *way_get_v6(const struct lane_burst *burst,
	const struct route *route, const struct ip_address *target, uint16_t *mtu)
{
	const struct worker *worker = burst->worker;
	const struct ip_address *next_hop = target;
	struct lane_way *way;

	if (!way_is_usual(worker, route))
		return NULL;
	if (!ip_address_is_unspecified(&route->next_hop))
		next_hop = &route->next_hop;
	if (unlikely(next_hop->words[0] == 0))
		return NULL; /* an IPv4 router */
	way = &worker->ways[((next_hop->words[1] ^ next_hop->words[3]) * 0x9e3779b1u >> 24 ^
				    route->port) %
			    LANE_WAYS];
	if (unlikely(way->ground != burst->ground || way->port != route->port ||
		     !ip_address_equal(&way->address, next_hop)))
		way_learn(burst, way, route->port, next_hop);
	*mtu = route->mtu != 0 ? RTE_MIN(route->mtu, way->mtu) : way->mtu;
	return likely(way->neighbor != NULL) ? way : NULL;
}

#endif
