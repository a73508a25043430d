#include "dataplane/tunnel_mtu.h"

#include "dataplane/crypto/esp_codec.h"
#include "dataplane/table/policy_table.h"
#include "dataplane/table/sa_lane.h"
#include "dataplane/table/tables.h"

#include <netinet/in.h>
#include <rte_common.h>
#include <rte_ip.h>
#include <rte_udp.h>

#define PATH_MTU_TIMEOUT_S 600 /* HA4-MTU-07 */

uint16_t tunnel_mtu_overhead(const struct tunnel *t, bool fragments)
{
	if (t->encapsulation != ENCAPSULATION_MINIMAL)
		return t->outer_length;
	return (uint16_t)(t->outer_length - (fragments ? 12 : 20));
}

static uint16_t learned_mtu(struct worker *worker, const struct tunnel *t)
{
	struct tunnel_path *path = tables_path_learned(worker->tables, t);
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
	const struct ip_address care_of = tunnel_care_of_address(t);
	const struct tunnel *n = NULL;

	if (!(tables_near(worker->tables, t->vrf, &care_of) &
		    (VICINITY_HOME_NETWORK | VICINITY_PREFIX)))
		return NULL;
	if (tables_home_network_lookup(worker->tables, t->vrf, &care_of) != NULL)
		n = tables_home_lookup(worker->tables, t->vrf, &care_of);
	if (n == NULL)
		n = tables_prefix_lookup(worker->tables, t->vrf, &care_of);
	while (n != NULL && !tables_tunnel_live(n, worker->now_tsc))
		n = tables_tunnel_next(worker->tables, n);
	return n;
}

/* The SA that policy sends the tunnel's outer datagrams through (RFC 5266 mode mc), or NULL. */
static const struct sa_outbound *protecting_sa(struct worker *worker, const struct tunnel *t)
{
	bool udp = t->flags & BINDING_UDP;
	struct policy_key key = {.local = tunnel_agent_address(t),
		.remote = tunnel_care_of_address(t),
		.local_port = udp ? rte_be_to_cpu_16(tunnel_agent_port(t)) : POLICY_PORT_HIDDEN,
		.remote_port = udp ? rte_be_to_cpu_16(tunnel_care_of_port(t)) : POLICY_PORT_HIDDEN,
		.protocol = udp ? IPPROTO_UDP : t->encapsulation,
		.vrf = t->vrf,
		.direction = SA_OUTBOUND};
	struct policy_verdict verdict;

	tables_policy_lookup_burst(worker->tables, &key, 1, &verdict);
	return verdict.action == POLICY_PROTECT
		       ? sa_outbound_get(tables_sas(worker->tables), verdict.sa_id)
		       : NULL;
}

/* As a packet that took the steps, or one that took the lane, found it; 0 when it may be another by
 * now. */
static uint16_t way_mtu(const struct worker *worker, const struct sa_outbound *sa)
{
	uint64_t way;

	if (atomic_load_explicit(&sa->way_change, memory_order_relaxed) ==
		tables_change(worker->tables))
		return atomic_load_explicit(&sa->way_mtu, memory_order_relaxed);
	if (sa->ip_length != sizeof(struct rte_ipv4_hdr))
		return 0;
	way = atomic_load_explicit(&sa_lane_of(sa)->way, memory_order_relaxed);
	return way >> 32 == tables_ground(worker->tables) ? sa_lane_way_mtu(way) : 0;
}

/*
 * What fits the link after protection. The way to the SA's peer is taken as the SA found it last;
 * an SA that was not used since anything changed is judged by the link, and corrects that with its
 * first packet.
 */
static uint16_t protected_mtu(struct worker *worker, const struct tunnel *t, uint16_t link)
{
	const struct sa_outbound *sa = protecting_sa(worker, t);
	uint16_t way, learned;
	uint32_t outer, mtu = link;

	if (sa == NULL)
		return link;
	way = way_mtu(worker, sa);
	if (way != 0)
		mtu = way;
	if (sa->path_mtu != 0)
		mtu = RTE_MIN(mtu, sa->path_mtu);
	learned = atomic_load_explicit(&sa->learned_mtu, memory_order_relaxed);
	if (learned != 0)
		mtu = RTE_MIN(mtu, learned);
	outer = sa->ip_length + (uint32_t)(sa->flags & SA_UDP ? sizeof(struct rte_udp_hdr) : 0);
	if (!(sa->flags & SA_TRANSPORT))
		return (uint16_t)esp_codec_inner_mtu(sa->suite, mtu, outer);
	/* Transport mode keeps the tunnel's own IP header (RFC 3884 3.1). */
	outer += tunnel_is_over_ipv4(t) ? 20u : 40u;
	return (uint16_t)(esp_codec_inner_mtu(sa->suite, mtu, outer) +
			  (tunnel_is_over_ipv4(t) ? 20u : 40u));
}

struct tunnel_way tunnel_mtu_way(struct worker *worker, const struct tunnel *t)
{
	struct tunnel_way way = {.nested = nested_tunnel(worker, t), .mtu = UINT16_MAX};
	const struct tunnel *last = t;
	uint16_t inside = 0; /* octets that the tunnels between t and last add */

	for (unsigned depth = 1;; depth++) {
		const struct tunnel *n = depth == 1 ? way.nested : nested_tunnel(worker, last);
		const struct ip_address care_of = tunnel_care_of_address(last);
		uint16_t cap = last->path_mtu != 0 ? last->path_mtu : UINT16_MAX;
		cap = RTE_MIN(cap, learned_mtu(worker, last));
		way.mtu = RTE_MIN(way.mtu, (uint16_t)(cap > inside ? cap - inside : 0));
		if (n == NULL)
			break;
		if (depth == TUNNEL_MTU_DEPTH) {
			way.too_deep = true;
			return way;
		}
		inside = (uint16_t)(inside + tunnel_mtu_overhead(n, false) +
				    (tunnel_mtu_is_double(n, &care_of) ? TUNNEL_MTU_HOME_HEADER
								       : 0));
		last = n;
	}
	const struct ip_address end = tunnel_care_of_address(last);
	const struct route *route = tables_route_lookup(worker->tables, last->vrf, &end);
	if (route == NULL || route->port >= worker->port_count) {
		way.mtu = 0;
		return way;
	}
	uint16_t link = worker->ports[route->port].mtu;
	link = route->mtu != 0 ? RTE_MIN(route->mtu, link) : link;
	if (worker->ports[route->port].zone == ZONE_EXTERNAL &&
		tables_policies_used(worker->tables, last->vrf))
		link = protected_mtu(worker, last, link);
	way.mtu = RTE_MIN(way.mtu, (uint16_t)(link > inside ? link - inside : 0));
	way.route = way.nested == NULL ? route : NULL;
	return way;
}
