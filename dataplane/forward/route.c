#include "dataplane/forward/route.h"

#include "dataplane/icmp_error.h"

static step_result forward(
	struct worker *worker, struct rte_mbuf *packet, const struct route *route)
{
	struct packet *p = packet_get(packet);
	const struct port *port;

	p->route = NULL;
	if (unlikely(route == NULL || route->flags != 0 || route->port >= worker->port_count)) {
		if (route != NULL && route->flags & ROUTE_BLACKHOLE)
			return STEP_DROP(DROP_route_blackhole);
		icmp_error_send(worker, packet,
			route == NULL ? ICMP_ERROR_NET_UNREACHABLE : ICMP_ERROR_HOST_UNREACHABLE,
			0);
		return STEP_DROP(DROP_no_route);
	}
	port = &worker->ports[route->port];
	p->out_port = route->port;
	p->out_mtu = route->mtu != 0 && route->mtu < port->mtu ? route->mtu : port->mtu;
	p->next_hop =
		ip_address_is_unspecified(&route->next_hop) ? p->destination : route->next_hop;
	return step_outbound(worker, p);
}

step_result route_forward(struct worker *worker, struct rte_mbuf *packet)
{
	const struct packet *p = packet_get(packet);
	const struct route *route = p->route;

	if (route == NULL)
		route = tables_route_lookup(worker->tables, p->vrf, &p->destination);
	return forward(worker, packet, route);
}

void route_forward_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	const struct ip_address *destinations[BURST_SIZE];
	const struct route *routes[BURST_SIZE];
	uint16_t vrfs[BURST_SIZE];
	bool known = false;

	if (count == 0)
		return;
	for (unsigned i = 0; i < count; i++) {
		const struct packet *p = packet_get(packets[i]);
		destinations[i] = &p->destination;
		vrfs[i] = p->vrf;
		known |= p->route != NULL; /* by the step that asked for the MTU */
	}
	if (known) {
		for (unsigned i = 0; i < count; i++)
			next[i] = route_forward(worker, packets[i]);
		return;
	}
	tables_route_lookup_burst(worker->tables, vrfs, destinations, count, routes);
	for (unsigned i = 0; i < count; i++)
		next[i] = forward(worker, packets[i], routes[i]);
}
