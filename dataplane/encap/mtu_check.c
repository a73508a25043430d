/*
 * Path MTU towards a care-of address: the smallest of the egress route's, the binding's configured
 * cap, what ICMP errors taught (soft state, forgotten after some minutes) and, when that address is
 * itself away, of the tunnel that leads there.
 */
#include "dataplane/encap/mtu_check.h"

#include "dataplane/encap/mss_clamp.h"
#include "dataplane/fragment.h"
#include "dataplane/header.h"
#include "dataplane/icmp_error.h"

#define TUNNELS_MAX        4   /* HA4-FWD-12 */
#define PATH_MTU_TIMEOUT_S 600 /* HA4-MTU-07 */
#define IPV6_MTU_LEAST     1280

static step_result encapsulation_step(const struct tunnel *t)
{
	if (t->flags & BINDING_UDP)
		return STEP_ENCAP_UDP;
	switch (t->encapsulation) {
	case ENCAPSULATION_GRE:
		return STEP_ENCAP_GRE;
	case ENCAPSULATION_MINIMAL:
		return STEP_ENCAP_MINIMAL;
	default:
		return STEP_ENCAP_IPIP;
	}
}

/* Octets that the tunnel adds. Minimal encapsulation replaces the header, but a fragment goes
 * IP-in-IP. */
static uint16_t overhead(const struct tunnel *t, bool fragments)
{
	if (t->encapsulation != ENCAPSULATION_MINIMAL)
		return t->outer_length;
	return (uint16_t)(t->outer_length - (fragments ? 12 : 20));
}

static uint16_t learned_mtu(struct worker *worker, const struct tunnel *t)
{
	struct tunnel_path *path = tables_path_of(worker->tables, t);
	uint16_t mtu =
		path != NULL ? atomic_load_explicit(&path->path_mtu, memory_order_relaxed) : 0;
	uint32_t timeout_s = worker->settings != NULL && worker->settings->path_mtu_timeout_s != 0
				     ? worker->settings->path_mtu_timeout_s
				     : PATH_MTU_TIMEOUT_S;

	if (mtu == 0)
		return UINT16_MAX;
	if ((uint32_t)(worker->now_ns / CLOCK_NS_PER_S) -
			atomic_load_explicit(&path->changed_s, memory_order_relaxed) >=
		timeout_s) {
		atomic_store_explicit(&path->path_mtu, 0, memory_order_relaxed);
		return UINT16_MAX;
	}
	return mtu;
}

/* The tunnel that leads to a care-of address which is itself away, or NULL. */
static const struct tunnel *nested_tunnel(struct worker *worker, const struct tunnel *t)
{
	const struct tunnel *n = NULL;

	if (tables_home_network_lookup(worker->tables, t->vrf, &t->care_of_address) != NULL)
		n = tables_home_lookup(worker->tables, t->vrf, &t->care_of_address);
	if (n == NULL)
		n = tables_prefix_lookup(worker->tables, t->vrf, &t->care_of_address);
	while (n != NULL && !tables_tunnel_live(n, worker->now_tsc))
		n = tables_tunnel_next(worker->tables, n);
	return n;
}

struct path {
	const struct tunnel *nested;
	const struct route *route; /* NULL with nested */
	uint16_t mtu;              /* of the outer datagram; 0: no way there */
	bool too_deep;
};

static struct path find_path(struct worker *worker, const struct tunnel *t)
{
	struct path path = {.nested = nested_tunnel(worker, t), .mtu = UINT16_MAX};
	const struct tunnel *last = t;
	uint16_t inside = 0; /* octets that the tunnels between t and last add */

	for (unsigned depth = 1;; depth++) {
		const struct tunnel *n = depth == 1 ? path.nested : nested_tunnel(worker, last);
		uint16_t cap = last->path_mtu != 0 ? last->path_mtu : UINT16_MAX;
		cap = RTE_MIN(cap, learned_mtu(worker, last));
		path.mtu = RTE_MIN(path.mtu, (uint16_t)(cap > inside ? cap - inside : 0));
		if (n == NULL)
			break;
		if (depth == TUNNELS_MAX) {
			path.too_deep = true;
			return path;
		}
		inside = (uint16_t)(inside + overhead(n, false));
		last = n;
	}
	const struct route *route =
		tables_route_lookup(worker->tables, last->vrf, &last->care_of_address);
	if (route == NULL || route->port >= worker->port_count) {
		path.mtu = 0;
		return path;
	}
	uint16_t link = worker->ports[route->port].mtu;
	link = route->mtu != 0 ? RTE_MIN(route->mtu, link) : link;
	path.mtu = RTE_MIN(path.mtu, (uint16_t)(link > inside ? link - inside : 0));
	path.route = path.nested == NULL ? route : NULL;
	return path;
}

static bool has_df(struct rte_mbuf *packet, const struct packet *p)
{
	return packet_is_ipv6(p) ||
	       rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *)->fragment_offset &
		       RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
}

/* HA4-MTU-04's option: the outer datagram is cut at the egress, when its DF is not set. */
static bool may_fragment_after(const struct tunnel *t)
{
	const uint32_t asked = AGENT_FRAGMENT_AFTER | AGENT_DF_COPY;
	return !(t->flags & BINDING_UDP) && t->agent != NULL && (t->agent->flags & asked) == asked;
}

static step_result too_big(struct worker *worker, struct rte_mbuf *packet, uint16_t path_mtu)
{
	struct packet *p = packet_get(packet);
	const struct tunnel *t = p->tunnel;
	uint16_t mtu = (uint16_t)(path_mtu - overhead(t, p->flags & PACKET_FRAGMENT));

	if (has_df(packet, p)) {
		icmp_error_send(worker, packet, ICMP_ERROR_TOO_BIG,
			packet_is_ipv6(p) ? (uint16_t)RTE_MAX(mtu, IPV6_MTU_LEAST) : mtu);
		return STEP_DROP(DROP_mtu_df);
	}
	if (may_fragment_after(t) && p->nested == NULL)
		return encapsulation_step(t);
	return fragment_ipv4(worker, packet, (uint16_t)(path_mtu - overhead(t, true)),
		(enum step)encapsulation_step(t));
}

step_result mtu_check(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	const struct tunnel *t = p->tunnel;
	struct path path;
	uint16_t added = overhead(t, p->flags & PACKET_FRAGMENT || packet_is_ipv6(p));

	if (p->tunnel_count >= TUNNELS_MAX)
		return STEP_DROP(DROP_fwd_nest);
	path = find_path(worker, t);
	if (path.too_deep)
		return STEP_DROP(DROP_fwd_nest);
	if (path.mtu < added + 68u) {
		icmp_error_send(worker, packet, ICMP_ERROR_HOST_UNREACHABLE, 0);
		return STEP_DROP(DROP_no_route);
	}
	p->nested = path.nested;
	p->route = path.route;
	if (t->agent != NULL && t->agent->flags & AGENT_MSS_CLAMP)
		mss_clamp(packet, p, (uint16_t)(path.mtu - added));
	if (rte_pktmbuf_pkt_len(packet) + added > path.mtu)
		return too_big(worker, packet, path.mtu);
	return encapsulation_step(t);
}

void mtu_check_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	for (unsigned i = 0; i < count; i++) {
		rte_prefetch0(packet_get(packets[i])->tunnel->outer);
		rte_prefetch0(&packet_get(packets[i])->tunnel->care_of_field);
	}
	for (unsigned i = 0; i < count; i++)
		next[i] = mtu_check(worker, packets[i]);
}
