#include "dataplane/lane/way.h"

#include "dataplane/header.h"

#include <stdlib.h>

struct lane_way *way_table_new(void)
{
	struct lane_way *ways = aligned_alloc(_Alignof(struct lane_way), LANE_WAYS * sizeof(*ways));

	if (ways != NULL)
		memset(ways, 0, LANE_WAYS * sizeof(*ways));
	return ways;
}

void way_table_free(struct lane_way *ways)
{
	free(ways);
}

/* A group has its own address on the link. */
static bool is_group(const struct ip_address *address)
{
	return ip_address_is_v4(address) ? !ipv4_is_plain(ip_address_v4(address))
					 : address->bytes[0] == 0xff;
}

void way_learn(const struct lane_burst *burst, struct lane_way *way, uint16_t port,
	const struct ip_address *next_hop)
{
	const struct worker *worker = burst->worker;
	const struct port *out = &worker->ports[port];
	const bool v4 = ip_address_is_v4(next_hop);
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)way->ether;

	*way = (struct lane_way){.ground = burst->ground,
		.next_hop = v4 ? ip_address_v4(next_hop) : 0,
		.address = *next_hop,
		.port = port,
		.mtu = out->mtu,
		.is_external = out->zone == ZONE_EXTERNAL,
		.tx_checksum = out->tx_ipv4_checksum};
	if (is_group(next_hop))
		return;
	way->neighbor = tables_neighbor_lookup(worker->tables, port, next_hop);
	if (way->neighbor == NULL)
		return;
	memcpy(ether->dst_addr.addr_bytes, way->neighbor->mac, 6);
	memcpy(ether->src_addr.addr_bytes, out->mac, 6);
	ether->ether_type = v4 ? RTE_BE16(RTE_ETHER_TYPE_IPV4) : RTE_BE16(RTE_ETHER_TYPE_IPV6);
}
