#include "dataplane/encap/mtu_check.h"

#include "dataplane/encap/outer.h"
#include "dataplane/fragment.h"
#include "dataplane/header.h"
#include "dataplane/icmp_error.h"
#include "dataplane/mss_clamp.h"
#include "dataplane/tunnel_mtu.h"

#define IPV6_MTU_LEAST 1280

static enum step encapsulation_step(const struct packet *p)
{
	return p->flags & PACKET_TO_HOME_ADDRESS ? STEP_ENCAP_HOME
						 : outer_encapsulation_step(p->tunnel);
}

/* Octets that encapsulation adds; a fragment is whole inside a header to the home address. */
static uint16_t overhead(const struct packet *p, bool fragment)
{
	if (p->flags & PACKET_TO_HOME_ADDRESS)
		return (uint16_t)(tunnel_mtu_overhead(p->tunnel, false) + TUNNEL_MTU_HOME_HEADER);
	return tunnel_mtu_overhead(p->tunnel, fragment);
}

static bool has_df(struct rte_mbuf *packet, const struct packet *p)
{
	return packet_is_ipv6(p) ||
	       rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *)->fragment_offset &
		       RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
}

/* HA4-MTU-04's option: the outer datagram is cut at the egress, when its DF is not set. */
static bool may_fragment_after(const struct worker *worker, const struct tunnel *t)
{
	const uint32_t asked = AGENT_FRAGMENT_AFTER | AGENT_DF_COPY;
	return !(t->flags & BINDING_UDP) &&
	       (tables_agent_of(worker->tables, t)->flags & asked) == asked;
}

static step_result too_big(struct worker *worker, struct rte_mbuf *packet, uint16_t path_mtu)
{
	struct packet *p = packet_get(packet);
	const struct tunnel *t = p->tunnel;
	uint16_t mtu = (uint16_t)(path_mtu - overhead(p, p->flags & PACKET_FRAGMENT));

	if (has_df(packet, p)) {
		icmp_error_send(worker, packet, ICMP_ERROR_TOO_BIG,
			packet_is_ipv6(p) ? (uint16_t)RTE_MAX(mtu, IPV6_MTU_LEAST) : mtu);
		return STEP_DROP(DROP_mtu_df);
	}
	if (may_fragment_after(worker, t) && p->nested == NULL)
		return encapsulation_step(p);
	return fragment_ipv4(
		worker, packet, (uint16_t)(path_mtu - overhead(p, true)), encapsulation_step(p));
}

step_result mtu_check(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	const struct tunnel *t = p->tunnel;
	struct tunnel_way way;
	uint16_t added = overhead(p, p->flags & PACKET_FRAGMENT || packet_is_ipv6(p));

	if (p->tunnel_count >= TUNNEL_MTU_DEPTH)
		return STEP_DROP(DROP_fwd_nest);
	way = tunnel_mtu_way(worker, t);
	if (way.too_deep)
		return STEP_DROP(DROP_fwd_nest);
	if (way.mtu < added + 68u) {
		icmp_error_send(worker, packet, ICMP_ERROR_HOST_UNREACHABLE, 0);
		return STEP_DROP(DROP_no_route);
	}
	p->nested = way.nested;
	p->route = way.route;
	if (tables_agent_of(worker->tables, t)->flags & AGENT_MSS_CLAMP)
		mss_clamp(packet, p, (uint16_t)(way.mtu - added));
	if (rte_pktmbuf_pkt_len(packet) + added > way.mtu)
		return too_big(worker, packet, way.mtu);
	return encapsulation_step(p);
}

void mtu_check_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	for (unsigned i = 0; i < count; i++)
		next[i] = mtu_check(worker, packets[i]);
}
