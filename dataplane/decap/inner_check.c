/*
 * The binding check. The inner source names the home address (or a mobile network's router), its
 * tunnels say who may send for it: outer addresses, ports and encapsulation must be exactly those
 * of one unexpired binding. All simultaneous bindings are tried, and a replaced one while its grace
 * lasts (HA4-REV-16). Nobody is answered when it fails (HA4-REV-03).
 */
#include "dataplane/decap/inner_check.h"

#include "dataplane/decap/tos.h"
#include "dataplane/header.h"
#include "dataplane/mss_clamp.h"
#include "dataplane/tunnel_mtu.h"

#include <rte_icmp.h>
#include <rte_udp.h>

#define ECHO_REQUEST   8
#define MOBILE_IP_PORT RTE_BE16(434)
#define BOUND_KEY      (UINT64_C(1) << 62) /* among pipeline_limit's */

/* HA4-REV-06, -10: header, source, destination. Cuts trailing octets off. */
static enum drop_reason check_ipv4(struct rte_mbuf *packet, struct packet *p)
{
	const struct rte_ipv4_hdr *ip;
	uint32_t source, destination;

	if (!packet_parse(packet, p))
		return DROP_rt_inner_bad;
	ip = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	if (unlikely(!ipv4_checksum_right(ip)))
		return DROP_rt_inner_bad;
	packet_trim(packet, rte_be_to_cpu_16(ip->total_length));
	source = rte_be_to_cpu_32(ip->src_addr);
	destination = rte_be_to_cpu_32(ip->dst_addr);
	if (source >> 24 == 0 || source >> 24 == 127 || source >> 28 >= 0xe)
		return DROP_rt_inner_source;
	if (destination >> 24 == 0 || destination >> 24 == 127 ||
		(destination >> 28 == 0xf && destination != UINT32_MAX))
		return DROP_rt_inner_destination;
	if (destination >> 28 >= 0xe)
		p->flags |= PACKET_IP_BROADCAST;
	return DROP_NONE;
}

static enum drop_reason check_ipv6(struct rte_mbuf *packet, struct packet *p)
{
	static const struct ip_address loopback = {.bytes = {[15] = 1}};

	if (!packet_parse(packet, p))
		return DROP_rt_inner_bad;
	packet_trim(packet,
		rte_be_to_cpu_16(rte_pktmbuf_mtod(packet, struct rte_ipv6_hdr *)->payload_len) +
			(uint32_t)sizeof(struct rte_ipv6_hdr));
	if (p->source.bytes[0] == 0xff || ip_address_is_unspecified(&p->source) ||
		ip_address_equal(&p->source, &loopback) || ip_address_is_v4(&p->source))
		return DROP_rt_inner_source;
	if (ip_address_is_unspecified(&p->destination) ||
		ip_address_equal(&p->destination, &loopback) || ip_address_is_v4(&p->destination))
		return DROP_rt_inner_destination;
	if (p->destination.bytes[0] == 0xff)
		p->flags |= PACKET_IP_BROADCAST;
	return DROP_NONE;
}

static enum drop_reason check_header(struct rte_mbuf *packet, struct packet *p)
{
	p->flags &= ~(uint32_t)(PACKET_IP_BROADCAST | PACKET_LINK_BROADCAST | PACKET_REASSEMBLED);
	if (!packet_pull(packet, 1))
		return DROP_rt_inner_bad;
	if (*rte_pktmbuf_mtod(packet, const uint8_t *) >> 4 == 6)
		return check_ipv6(packet, p);
	return check_ipv4(packet, p);
}

static bool is_echo_request(struct rte_mbuf *packet, const struct packet *p)
{
	return p->protocol == IPPROTO_ICMP && !packet_is_ipv6(p) && !(p->flags & PACKET_FRAGMENT) &&
	       packet_pull(packet, p->payload_offset + (uint32_t)sizeof(struct rte_icmp_hdr)) &&
	       *rte_pktmbuf_mtod_offset(packet, const uint8_t *, p->payload_offset) == ECHO_REQUEST;
}

/* HA4-NAT-20: from the home address to the agent's own. */
static bool is_keepalive(struct rte_mbuf *packet, const struct packet *p, const struct tunnel *t)
{
	const struct ip_address agent = tunnel_agent_address(t);

	return ip_address_equal(&p->source, &t->home_address) &&
	       ip_address_equal(&p->destination, &agent) && is_echo_request(packet, p);
}

static bool is_network(const struct packet *p, const struct tunnel *t)
{
	return !ip_address_equal(&p->source, &t->home_address);
}

static bool is_layer(const struct packet *p, int layer, const struct tunnel *t)
{
	return layer >= 0 && p->layers[layer].id == t->binding_id &&
	       p->layers[layer].kind != DECAP_ESP;
}

/* RFC 5177 7, HA4-NEMO-08: a mobile router's own tunnel from its home address, taken out of its
 * binding's just before. For its networks alone. */
static bool is_router_tunnel(
	const struct worker *worker, const struct packet *p, const struct tunnel *t)
{
	return p->outer_kind == DECAP_IPIP && is_network(p, t) &&
	       is_layer(p, p->layer_count - 1, t) &&
	       ip_address_equal(&p->outer_source, &t->home_address) &&
	       ip_address_equal(
		       &p->outer_destination, &tables_agent_of(worker->tables, t)->address);
}

static bool is_end_right(
	const struct worker *worker, const struct packet *p, const struct tunnel *t)
{
	const struct ip_address care_of = tunnel_care_of_address(t);

	return ip_address_equal(&p->outer_source, &care_of) &&
	       ip_address_equal(
		       &p->outer_destination, &tables_agent_of(worker->tables, t)->address);
}

/* HA4-NAT-15, -21, -22: the ports, or a keepalive that completes a half-bound tunnel. */
static enum drop_reason match_udp(struct rte_mbuf *packet, struct packet *p, const struct tunnel *t)
{
	if (p->outer_destination_port != tunnel_agent_port(t))
		return DROP_rt_no_binding;
	if (t->flags & BINDING_HALF_BOUND) {
		if (!is_keepalive(packet, p, t))
			return DROP_rt_no_binding;
	} else if (p->outer_source_port != tunnel_care_of_port(t)) {
		return DROP_rt_no_binding;
	}
	return p->outer_next == t->encapsulation ? DROP_NONE : DROP_udp_tun_nh_mismatch;
}

static enum drop_reason match(
	struct worker *worker, struct rte_mbuf *packet, struct packet *p, const struct tunnel *t)
{
	if (!is_end_right(worker, p, t))
		return is_router_tunnel(worker, p, t) ? DROP_NONE : DROP_rt_no_binding;
	if ((p->outer_kind == DECAP_UDP) != !!(t->flags & BINDING_UDP))
		return DROP_rt_encap_mismatch;
	if (p->outer_kind == DECAP_UDP)
		return match_udp(packet, p, t);
	if (p->outer_next == t->encapsulation)
		return DROP_NONE;
	/* HA4-ALT-10: minimal encapsulation cannot carry a fragment, so IP-in-IP does. */
	if (t->encapsulation == ENCAPSULATION_MINIMAL && p->outer_next == ENCAPSULATION_IPIP &&
		p->flags & PACKET_FRAGMENT)
		return DROP_NONE;
	/* An IPv6 datagram in an IPv6-capable agent's IP-in-IP binding. */
	if (t->encapsulation == ENCAPSULATION_IPIP && p->outer_next == ENCAPSULATION_IPV6)
		return DROP_NONE;
	return DROP_rt_encap_mismatch;
}

/* The binding that the packet came through, among all of one home address; else the most telling
 * reason. */
static enum drop_reason find(
	struct worker *worker, struct rte_mbuf *packet, const struct tunnel *first)
{
	struct packet *p = packet_get(packet);
	enum drop_reason reason = DROP_rt_no_binding;

	for (const struct tunnel *t = first; t != NULL; t = tables_tunnel_next(worker->tables, t)) {
		const struct tunnel *old;
		enum drop_reason r;

		if (t->expires_tsc <= worker->now_tsc)
			continue;
		r = match(worker, packet, p, t);
		if (r != DROP_NONE) {
			old = tables_tunnel_previous(worker->tables, t, worker->now_tsc);
			if (old != NULL && match(worker, packet, p, old) == DROP_NONE)
				r = DROP_NONE;
		}
		if (r == DROP_NONE) {
			p->origin = t;
			return DROP_NONE;
		}
		if (r != DROP_rt_no_binding)
			reason = r;
	}
	return reason;
}

static void report_spoof(struct worker *worker, const struct packet *p, enum drop_reason reason)
{
	pipeline_event(worker, &(struct event){.type = EVENT_TUNNEL_SPOOFED,
				       .port = p->port,
				       .vrf = p->vrf,
				       .udp_port = p->outer_source_port,
				       .address = p->outer_source,
				       .id = reason});
}

/* HA4-REV-12: a node's own registration inside its own tunnel. Of a fragmented one the first
 * fragment shows it; one that is too short to do so is not joined (reasm_tiny). */
static bool is_own_signalling(struct worker *worker, struct rte_mbuf *packet,
	const struct packet *p, const struct tunnel *t)
{
	uint32_t at = p->payload_offset + (uint32_t)sizeof(struct rte_udp_hdr);
	const struct rte_udp_hdr *udp;
	uint8_t type;

	if (p->protocol != IPPROTO_UDP || packet_is_ipv6(p) || p->flags & PACKET_FRAGMENT_LATER ||
		!ip_address_equal(&p->source, &t->home_address) || !packet_pull(packet, at + 1))
		return false;
	udp = rte_pktmbuf_mtod_offset(packet, const struct rte_udp_hdr *, p->payload_offset);
	type = *(const uint8_t *)(udp + 1);
	return udp->dst_port == MOBILE_IP_PORT && (type == 1 || type == 7 || type == 15) &&
	       tables_local_lookup(worker->tables, p->vrf, &p->destination).kind == LOCAL_AGENT;
}

/* HA4-REV-18. That it was the SA of this node's inner address is the SA's own selectors' business:
 * no other SA lets the care-of address through as a source, and a rekeyed one does (HA4-MODE-03).
 */
static bool came_through_esp(const struct packet *p)
{
	for (unsigned i = 0; i < p->layer_count; i++)
		if (p->layers[i].kind == DECAP_ESP)
			return true;
	return false;
}

static enum drop_reason check_policy(
	struct worker *worker, struct rte_mbuf *packet, const struct tunnel *t)
{
	struct packet *p = packet_get(packet);

	if (t->flags & BINDING_REQUIRES_IPSEC && !came_through_esp(p))
		return DROP_rt_needs_ipsec;
	/* HA4-NEMO-09: what T=0 leaves open to a node, it does not to networks. */
	if (!(t->flags & BINDING_REVERSE) &&
		((is_network(p, t) && ip_address_is_v4(&t->home_address)) ||
			tables_agent_of(worker->tables, t)->flags & AGENT_REQUIRE_T) &&
		!is_keepalive(packet, p, t))
		return DROP_rt_not_granted;
	if (is_own_signalling(worker, packet, p, t))
		return DROP_rt_signalling;
	return DROP_NONE;
}

/* HA4-MTU-15: what the node offers to receive must fit the tunnel to it. */
static void clamp_syn(struct worker *worker, struct rte_mbuf *packet, const struct tunnel *t)
{
	struct packet *p = packet_get(packet);
	uint16_t added =
		(uint16_t)(tunnel_mtu_overhead(t, packet_is_ipv6(p)) +
			   (tunnel_mtu_is_double(t, &p->source) ? TUNNEL_MTU_HOME_HEADER : 0));
	struct tunnel_way way = tunnel_mtu_way(worker, t);

	if (!way.too_deep && way.mtu > added)
		mss_clamp(packet, p, (uint16_t)(way.mtu - added));
}

/* HA4-NAT-21. Told at once, then once a second to each endpoint until control has bound it: an
 * event may be lost. */
static void report_bound(struct worker *worker, const struct packet *p, const struct tunnel *t)
{
	uint64_t key = BOUND_KEY | (uint64_t)t->binding_id << 16 | p->outer_source_port;

	if (!pipeline_limit(worker, key, 1, 1))
		return;
	pipeline_event(worker, &(struct event){.type = EVENT_BINDING_BOUND,
				       .port = p->port,
				       .vrf = p->vrf,
				       .udp_port = p->outer_source_port,
				       .address = p->outer_source,
				       .id = t->binding_id});
}

/* The packet is the binding's: what that changes. */
static void take_in(struct worker *worker, struct rte_mbuf *packet, const struct tunnel *t)
{
	struct packet *p = packet_get(packet);
	struct binding_counters *counters = &worker->binding_counters[t->binding_id];
	struct tunnel_path *path = tables_path_learned(worker->tables, t);

	if (!is_layer(p, p->layer_count - 2, t)) { /* else counted, with the router's header on */
		counters->reverse_packets++;
		counters->reverse_bytes += rte_pktmbuf_pkt_len(packet);
	}
	if (path != NULL &&
		atomic_load_explicit(&path->unreachable_code, memory_order_relaxed) != 0)
		atomic_store_explicit(
			&path->unreachable_code, 0, memory_order_relaxed); /* HA4-MTU-11 */
	if (tables_agent_of(worker->tables, t)->flags & AGENT_MSS_CLAMP &&
		mss_clamp_applies(packet, p))
		clamp_syn(worker, packet, t);
	if (t->flags & BINDING_HALF_BOUND) {
		p->care_of_port = p->outer_source_port;
		report_bound(worker, p, t);
	}
}

/* HA4-REV-11, HA4-BCM-05. */
static step_result next_step(struct worker *worker, struct packet *p, uint32_t agent_flags)
{
	if (p->flags & PACKET_IP_BROADCAST) {
		const struct tunnel *t = p->origin;
		if (!(agent_flags & AGENT_REVERSE_MULTICAST) || t == NULL ||
			t->home_port == PORT_NONE)
			return STEP_DROP(DROP_rt_inner_multicast);
		p->out_port = t->home_port;
		p->next_hop = p->destination;
		p->out_mtu = worker->ports[p->out_port].mtu;
		return STEP_LINK_MTU;
	}
	return STEP_DESTINATION;
}

static step_result check(struct worker *worker, struct rte_mbuf *packet, const struct tunnel *first)
{
	struct packet *p = packet_get(packet);
	uint32_t agent_flags = 0;
	enum drop_reason reason;

	p->origin = NULL;
	p->care_of_port = 0;
	reason = find(worker, packet, first);
	if (reason == DROP_NONE) {
		agent_flags = tables_agent_of(worker->tables, p->origin)->flags;
		reason = check_policy(worker, packet, p->origin);
	} else {
		struct local local =
			tables_local_lookup(worker->tables, p->vrf, &p->outer_destination);
		if (local.agent != NULL && local.agent->flags & AGENT_NO_BINDING_CHECK &&
			first == NULL) { /* HA4-REV-04: another's tunnel, never a bound address from
					    elsewhere */
			agent_flags = local.agent->flags;
			reason = DROP_NONE;
		} else {
			report_spoof(worker, p, reason);
		}
	}
	if (reason == DROP_NONE && p->ttl == 0)
		reason = DROP_ttl; /* HA4-REV-07 */
	if (reason == DROP_NONE && !tos_combine(worker, packet, agent_flags & AGENT_DSCP_COPY_IN))
		reason = DROP_ecn_drop;
	if (reason != DROP_NONE)
		return STEP_DROP(reason);
	if (p->layer_count == DECAP_LAYERS_MAX)
		return STEP_DROP(DROP_rt_nest);
	p->layers[p->layer_count++] =
		(struct decap_layer){.id = p->origin != NULL ? p->origin->binding_id : UINT32_MAX,
			.kind = p->outer_kind};
	p->outer_kind = DECAP_NONE;
	worker->counters->decapsulated++;
	if (p->origin != NULL)
		take_in(worker, packet, p->origin);
	return next_step(worker, p, agent_flags);
}

static const struct tunnel *lookup_prefix(
	struct worker *worker, const struct packet *p, const struct tunnel *t)
{
	return t != NULL ? t : tables_prefix_lookup(worker->tables, p->vrf, &p->source);
}

step_result inner_check(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	enum drop_reason reason = check_header(packet, p);

	if (reason != DROP_NONE)
		return STEP_DROP(reason);
	return check(worker, packet,
		lookup_prefix(worker, p, tables_home_lookup(worker->tables, p->vrf, &p->source)));
}

void inner_check_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	const struct tunnel *tunnels[BURST_SIZE];
	struct ip_address sources[BURST_SIZE];
	uint16_t vrfs[BURST_SIZE];

	if (count == 0)
		return;
	for (unsigned i = 0; i < count; i++)
		next[i] = STEP_DROP(check_header(packets[i], packet_get(packets[i])));
	/* Not in the loop above: its stores of the address would be waited for. */
	for (unsigned i = 0; i < count; i++) {
		const struct packet *p = packet_get(packets[i]);
		sources[i] = p->source;
		vrfs[i] = p->vrf;
	}
	tables_home_lookup_burst(worker->tables, vrfs, sources, count, tunnels);
	for (unsigned i = 0; i < count; i++)
		if (tunnels[i] != NULL)
			rte_prefetch0(&worker->binding_counters[tunnels[i]->binding_id]);
	for (unsigned i = 0; i < count; i++)
		if (next[i] == STEP_DROP(DROP_NONE))
			next[i] = check(worker, packets[i],
				lookup_prefix(worker, packet_get(packets[i]), tunnels[i]));
}
