/*
 * One lookup decides: a home address that is away goes into its tunnels (home address first, then
 * mobile networks), one of a home network without a binding onto its link or back as unreachable,
 * anything else along a route. The TTL is decremented here, once for each packet that we forward,
 * never for our own.
 */
#include "dataplane/forward/destination.h"

#include "dataplane/header.h"
#include "dataplane/icmp_error.h"

static bool is_live(const struct worker *worker, const struct tunnel *t)
{
	for (; t != NULL; t = tables_tunnel_next(worker->tables, t))
		if (t->expires_tsc > worker->now_tsc)
			return true;
	return false;
}

static void ttl_decrement(struct rte_mbuf *packet, struct packet *p)
{
	if (packet_is_ipv6(p)) {
		rte_pktmbuf_mtod(packet, struct rte_ipv6_hdr *)->hop_limits = (uint8_t)(p->ttl - 1);
	} else {
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);
		ipv4_ttl_decrement(ip);
	}
	p->flags |= PACKET_FORWARDED;
	p->flags &= ~(uint32_t)PACKET_AS_IT_CAME;
}

/* HA4-REV-17: a datagram from an away home address that did not come through its tunnel. */
static enum drop_reason check_away_source(struct worker *worker, const struct packet *p)
{
	const uint32_t asked = AGENT_AWAY_SOURCE_DROP | AGENT_AWAY_SOURCE_LOG;
	const struct agent *agent;
	const struct tunnel *t;

	if (p->layer_count > 0 || !(tables_agent_flags(worker->tables) & asked))
		return DROP_NONE;
	t = tables_home_lookup(worker->tables, p->vrf, &p->source);
	if (t == NULL)
		return DROP_NONE;
	agent = tables_agent_of(worker->tables, t);
	if (!(agent->flags & asked) || !is_live(worker, t))
		return DROP_NONE;
	pipeline_event(worker, &(struct event){.type = EVENT_AWAY_SOURCE,
				       .port = p->port,
				       .vrf = p->vrf,
				       .address = p->source,
				       .id = t->binding_id});
	return agent->flags & AGENT_AWAY_SOURCE_DROP ? DROP_away_source : DROP_NONE;
}

static bool is_network_broadcast(const struct home_network *network, const struct ip_address *a)
{
	if (network->prefix.length < 96 || network->prefix.length >= 127)
		return false;
	be32 hosts = rte_cpu_to_be_32(UINT32_MAX >> (network->prefix.length - 96));
	return ip_address_v4(a) == (ip_address_v4(&network->prefix.address) | hosts);
}

/* HA4-HOME-10: nobody is away with this address. */
static step_result to_home_network(
	struct worker *worker, struct rte_mbuf *packet, const struct home_network *network)
{
	struct packet *p = packet_get(packet);

	if (is_network_broadcast(network, &p->destination)) /* RFC 2644: not from elsewhere */
		return STEP_DROP(DROP_broadcast);
	if (network->flags & HOME_NETWORK_VIRTUAL || network->port >= worker->port_count) {
		icmp_error_send(worker, packet, ICMP_ERROR_HOST_UNREACHABLE, 0);
		return STEP_DROP(DROP_home_unreachable);
	}
	p->out_port = network->port;
	p->out_mtu = worker->ports[network->port].mtu;
	p->next_hop = p->destination;
	return step_outbound(worker, p);
}

/* Of our own packets only those that answer our own kernel end here. */
static step_result to_local(struct packet *p, const struct local *local)
{
	if (!(p->flags & PACKET_LOCAL))
		return STEP_LOCAL_DEMUX;
	if (local->kind == LOCAL_KERNEL && local->port != PORT_NONE)
		p->port = local->port;
	return STEP_EXCEPTION;
}

/* `t` is the destination's first tunnel as a home address; `near` says what else it may be. */
static step_result decide(
	struct worker *worker, struct rte_mbuf *packet, const struct tunnel *t, unsigned near)
{
	struct packet *p = packet_get(packet);
	const struct home_network *network;
	enum drop_reason reason;

	if (t == NULL && near & VICINITY_LOCAL && (p->layer_count > 0 || p->flags & PACKET_LOCAL)) {
		struct local local = tables_local_lookup(worker->tables, p->vrf, &p->destination);
		if (local.kind != LOCAL_NONE)
			return to_local(p, &local);
	}
	if (!(p->flags & (PACKET_LOCAL | PACKET_FORWARDED))) {
		reason = check_away_source(worker, p);
		if (reason != DROP_NONE)
			return STEP_DROP(reason);
		if (p->ttl <= 1) {
			icmp_error_send(worker, packet, ICMP_ERROR_TIME_EXCEEDED, 0);
			return STEP_DROP(DROP_ttl);
		}
		ttl_decrement(packet, p);
	}
	if (near == 0)
		return STEP_ROUTE;
	if (!(p->flags & PACKET_BYPASS_BINDING)) {
		if (!is_live(worker, t))
			t = tables_prefix_lookup(worker->tables, p->vrf, &p->destination);
		if (is_live(worker, t)) {
			p->tunnel = t;
			return STEP_BINDING;
		}
	}
	network = tables_home_network_lookup(worker->tables, p->vrf, &p->destination);
	if (network != NULL)
		return to_home_network(worker, packet, network);
	return STEP_ROUTE;
}

step_result destination_forward(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);

	return decide(worker, packet, tables_home_lookup(worker->tables, p->vrf, &p->destination),
		tables_near(worker->tables, p->vrf, &p->destination));
}

static void find_tunnels(struct worker *worker, struct rte_mbuf **packets, unsigned count,
	const struct tunnel **tunnels)
{
	struct ip_address destinations[BURST_SIZE];
	uint16_t vrfs[BURST_SIZE];

	for (unsigned i = 0; i < count; i++) {
		const struct packet *p = packet_get(packets[i]);
		destinations[i] = p->destination;
		vrfs[i] = p->vrf;
	}
	tables_home_lookup_burst(worker->tables, vrfs, destinations, count, tunnels);
	for (unsigned i = 0; i < count; i++) {
		if (tunnels[i] == NULL)
			continue;
		rte_prefetch0(&worker->binding_counters[tunnels[i]->binding_id]);
	}
}

void destination_forward_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	const struct tunnel *tunnels[BURST_SIZE];
	unsigned near[BURST_SIZE], any = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct packet *p = packet_get(packets[i]);
		near[i] = tables_near(worker->tables, p->vrf, &p->destination);
		tunnels[i] = NULL;
		any |= near[i];
	}
	if (any & VICINITY_HOME)
		find_tunnels(worker, packets, count, tunnels);
	for (unsigned i = 0; i < count; i++)
		next[i] = decide(worker, packets[i], tunnels[i], near[i]);
}
