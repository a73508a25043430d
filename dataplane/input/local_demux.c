/*
 * An agent's address serves tunnels and UDP 434; a kernel address serves nothing here. A broadcast
 * or multicast is ours on a home link as far as Mobile IP goes (registration with dynamic home
 * agent discovery, agent solicitation); the kernel gets it otherwise, and nodes that asked for
 * broadcasts (B bit) get copies before.
 */
#include "dataplane/input/local_demux.h"

#include "dataplane/input/esp_port.h"
#include "dataplane/input/icmp_sa.h"
#include "dataplane/table/sa_table.h"
#include "lib/wire/icmpv6.h"

#include <rte_ip.h>
#include <rte_udp.h>

#define MOBILE_IP_PORT 434
#define IKE_PORT       500
#define BROADCAST_KEY  (UINT64_C(1) << 63)  /* beside binding ids */
#define ALL_AGENTS     RTE_BE32(0xe000000b) /* 224.0.0.11 */
#define ALL_ROUTERS    RTE_BE32(0xe0000002)

/* What came out of a tunnel enters the kernel where the node would be at home, or where the address
 * is. */
static step_result to_kernel(struct packet *p, const struct local *local)
{
	if (p->origin != NULL && p->origin->home_port != PORT_NONE)
		p->port = p->origin->home_port;
	else if (p->layer_count > 0 && local->port != PORT_NONE)
		p->port = local->port;
	return STEP_EXCEPTION;
}

static step_result demux_agent(struct packet *p, const struct local *local)
{
	const struct agent *agent = local->agent;

	switch (p->protocol) {
	case IPPROTO_UDP:
		return STEP_UDP;
	case IPPROTO_IPIP:
		return STEP_DECAP_IPIP;
	case IPPROTO_IPV6:
		return agent->flags & AGENT_IPV6_IN_TUNNEL ? STEP_DECAP_IPIP
							   : STEP_DROP(DROP_tunnel_protocol);
	case IPPROTO_GRE:
		return agent->flags & AGENT_GRE ? STEP_DECAP_GRE : STEP_DROP(DROP_tunnel_protocol);
	case ENCAPSULATION_MINIMAL:
		return agent->flags & AGENT_MINIMAL && !packet_is_ipv6(p)
			       ? STEP_DECAP_MINIMAL
			       : STEP_DROP(DROP_tunnel_protocol);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return STEP_ICMP;
	default:
		return to_kernel(p, local);
	}
}

static bool is_tunnel_or_udp(uint8_t protocol)
{
	return protocol == IPPROTO_UDP || protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 ||
	       protocol == IPPROTO_GRE || protocol == IPPROTO_ESP ||
	       protocol == ENCAPSULATION_MINIMAL || protocol == IPPROTO_FRAGMENT;
}

/* UDP destination port of an unfragmented datagram, 0 when there is none. */
static uint16_t udp_port(struct rte_mbuf *packet, const struct packet *p)
{
	if (p->protocol != IPPROTO_UDP || p->flags & PACKET_FRAGMENT_LATER ||
		!packet_pull(packet, p->payload_offset + (uint32_t)sizeof(struct rte_udp_hdr)))
		return 0;
	return rte_be_to_cpu_16(
		rte_pktmbuf_mtod_offset(packet, struct rte_udp_hdr *, p->payload_offset)->dst_port);
}

static bool is_wanted(const struct home_network *network, uint16_t port)
{
	if (network->broadcast_ports[0] == 0xffff)
		return true;
	for (unsigned i = 0; i < RTE_DIM(network->broadcast_ports); i++)
		if (port != 0 && network->broadcast_ports[i] == port)
			return true;
	return false;
}

/* HA4-BCM-02, -03: a copy for every node of this link that is away and asked for broadcasts;
 * multicast is not served (-04). */
static void copy_to_bindings(struct worker *worker, struct rte_mbuf *packet,
	const struct home_network *network, uint16_t port)
{
	struct packet *p = packet_get(packet);
	const struct tunnel *t;
	uint32_t cursor = 0;

	if (!(network->flags & HOME_NETWORK_BROADCAST_FORWARD) || !is_wanted(network, port))
		return;
	while ((t = tables_broadcast_next(worker->tables, p->port, &cursor)) != NULL) {
		struct rte_mbuf *copy;

		if (t->expires_tsc <= worker->now_tsc || t->vrf != p->vrf ||
			(network->broadcast_rate != 0 &&
				!pipeline_limit(worker, BROADCAST_KEY | t->binding_id,
					network->broadcast_rate, network->broadcast_rate)))
			continue;
		copy = packet_copy(worker, packet);
		if (copy == NULL)
			return;
		packet_get(copy)->tunnel = t;
		pipeline_emit(worker, copy, STEP_BINDING);
	}
}

static step_result demux_broadcast(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	const struct home_network *network = tables_home_network_of_port(worker->tables, p->port);
	be32 destination = ip_address_v4(&p->destination);
	bool multicast = (destination & RTE_BE32(0xf0000000)) == RTE_BE32(0xe0000000);
	uint16_t port;

	if (p->layer_count > 0)
		return STEP_DROP(DROP_rt_inner_multicast);
	if (network == NULL || packet_is_ipv6(p))
		return STEP_EXCEPTION;
	port = udp_port(packet, p);
	if (port == MOBILE_IP_PORT && (!multicast || destination == ALL_AGENTS))
		return STEP_UDP;
	if (p->protocol == IPPROTO_ICMP &&
		(!multicast || destination == ALL_AGENTS || destination == ALL_ROUTERS))
		return STEP_ICMP;
	if (!multicast && !(p->flags & PACKET_FRAGMENT))
		copy_to_bindings(worker, packet, network, port);
	return STEP_EXCEPTION;
}

/* RFC 4861: types 133 to 137, from the link alone, which a hop limit of 255 shows. */
static bool is_neighbor_discovery(struct rte_mbuf *packet, const struct packet *p)
{
	uint8_t type;

	if (p->protocol != IPPROTO_ICMPV6 || p->layer_count > 0 || p->flags & PACKET_FRAGMENT ||
		!packet_pull(packet, p->payload_offset + 1u) ||
		rte_pktmbuf_mtod(packet, const struct rte_ipv6_hdr *)->hop_limits != 255)
		return false;
	type = *rte_pktmbuf_mtod_offset(packet, const uint8_t *, p->payload_offset);
	return type >= ICMPV6_ROUTER_SOLICITATION && type <= ICMPV6_REDIRECT;
}

/*
 * What is not judged by policy: how protection comes about, what ARP does for IPv4 (SPD-15), and
 * fragments of what will be whole.
 */
static bool is_before_policy(
	const struct worker *worker, struct rte_mbuf *packet, const struct packet *p)
{
	uint16_t port;

	if (packet_is_ipv6(p) && is_neighbor_discovery(packet, p))
		return true;
	if (p->flags & PACKET_FRAGMENT && is_tunnel_or_udp(p->protocol))
		return true;
	if (p->protocol == IPPROTO_ESP || p->protocol == IPPROTO_AH)
		return true;
	port = udp_port(packet, p);
	return port == IKE_PORT || esp_port_is(worker, port);
}

/* What the packet is, or the datagram that it is a fragment of; 0 when that cannot be seen. */
static uint8_t whole_protocol(struct rte_mbuf *packet, const struct packet *p)
{
	if (p->protocol != IPPROTO_FRAGMENT)
		return p->protocol;
	if (!packet_pull(packet, p->payload_offset + 1u))
		return 0;
	return *rte_pktmbuf_mtod_offset(packet, const uint8_t *, p->payload_offset);
}

/*
 * ESP, AH and ESP-in-UDP to any address of ours, the kernel's too (MTU-12: reassembled first);
 * STEP_COUNT for all else. Other UDP fragments to the kernel stay fragments while there is no SA.
 */
static step_result demux_ipsec(struct worker *worker, struct rte_mbuf *packet)
{
	const struct packet *p = packet_get(packet);
	const struct sa_table *sas = tables_sas(worker->tables);
	uint8_t protocol;
	uint16_t port;

	if (sas->count == 0)
		return STEP_COUNT;
	protocol = whole_protocol(packet, p);
	if (protocol == IPPROTO_ESP)
		return p->flags & PACKET_FRAGMENT ? STEP_REASSEMBLY : STEP_DECAP_ESP;
	if (protocol == IPPROTO_AH)
		return STEP_DROP(DROP_ipsec_ah_unsupported); /* ESP-IN-15 */
	if ((protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) &&
		!(p->flags & PACKET_FRAGMENT) && sas->used[SA_OUTBOUND] > 0)
		icmp_sa_note(worker, packet); /* and then as ever */
	if (protocol != IPPROTO_UDP)
		return STEP_COUNT;
	if (p->flags & PACKET_FRAGMENT)
		return sas->used[SA_INBOUND] > 0 ? STEP_REASSEMBLY : STEP_COUNT;
	port = udp_port(packet, p);
	return port == IKE_PORT || esp_port_is(worker, port) ? STEP_UDP : STEP_COUNT;
}

/* The address that was looked up last: mostly the packet after wants the same. */
struct memo {
	const struct packet *of;
	struct local local;
};

static step_result demux(struct worker *worker, struct rte_mbuf *packet, struct memo *memo)
{
	struct packet *p = packet_get(packet);
	const struct local *local = &memo->local;

	if (!(p->flags & PACKET_POLICY_PASSED) && step_policy_asked(worker, p, p->port) &&
		!is_before_policy(worker, packet, p)) {
		step_result next = step_inbound(worker, p, STEP_LOCAL_DEMUX);
		if (next != STEP_LOCAL_DEMUX)
			return next;
	}
	if (p->flags & PACKET_IP_BROADCAST)
		return demux_broadcast(worker, packet);
	if (memo->of == NULL || memo->of->vrf != p->vrf ||
		!ip_address_equal(&memo->of->destination, &p->destination))
		memo->local = tables_local_lookup(worker->tables, p->vrf, &p->destination);
	memo->of = p;
	if (local->kind != LOCAL_NONE) {
		step_result next = demux_ipsec(worker, packet);
		if (next != STEP_COUNT)
			return next;
	}
	if (local->kind != LOCAL_AGENT)
		return to_kernel(p, local);
	if (p->flags & PACKET_FRAGMENT)
		return is_tunnel_or_udp(p->protocol) ? STEP_REASSEMBLY : to_kernel(p, local);
	return demux_agent(p, local);
}

step_result local_demux(struct worker *worker, struct rte_mbuf *packet)
{
	struct memo memo = {0};

	return demux(worker, packet, &memo);
}

void local_demux_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	struct memo memo = {0};

	for (unsigned i = 0; i < count; i++)
		next[i] = demux(worker, packets[i], &memo);
}
