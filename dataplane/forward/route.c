#include "dataplane/forward/route.h"

#include "dataplane/icmp_error.h"

step_result route_forward(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	const struct route *route = p->route;
	const struct port *port;

	p->route = NULL;
	if (route == NULL)
		route = tables_route_lookup(worker->tables, p->vrf, &p->destination);
	if (route != NULL && route->flags & ROUTE_BLACKHOLE)
		return STEP_DROP(DROP_route_blackhole);
	if (route == NULL || route->flags & ROUTE_UNREACHABLE ||
		route->port >= worker->port_count) {
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

void route_forward_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	for (unsigned i = 0; i < count; i++)
		next[i] = route_forward(worker, packets[i]);
}
