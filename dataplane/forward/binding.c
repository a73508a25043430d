#include "dataplane/forward/binding.h"

#include "dataplane/icmp_error.h"
#include "dataplane/tunnel_mtu.h"

#define UNREACHABLE_S 60 /* HA4-MTU-11 */

/* HA4-FWD-11, N35: IP-in-IP from the care-of address to the home address, with the home address
 * inside again. */
static bool is_encapsulated_loop(struct rte_mbuf *packet, const struct packet *p,
	const struct tunnel *t, const struct ip_address *care_of)
{
	const struct rte_ipv4_hdr *inner;

	if (p->protocol != IPPROTO_IPIP || packet_is_ipv6(p) || p->flags & PACKET_FRAGMENT_LATER ||
		!ip_address_equal(&p->destination, &t->home_address) ||
		!(ip_address_equal(&p->source, care_of) ||
			(t->care_of_field != 0 && ip_address_v4(&p->source) == t->care_of_field)) ||
		!packet_pull(packet, p->payload_offset + (uint32_t)sizeof(*inner)))
		return false;
	inner = rte_pktmbuf_mtod_offset(packet, const struct rte_ipv4_hdr *, p->payload_offset);
	return inner->version_ihl >> 4 == 4 && inner->dst_addr == ip_address_v4(&p->destination);
}

/* RFC 2003 3.2, HA4-FWD-10: only what arrived to be forwarded. */
static enum drop_reason check_loop(
	struct worker *worker, struct rte_mbuf *packet, const struct tunnel *t)
{
	const struct packet *p = packet_get(packet);
	const struct ip_address care_of = tunnel_care_of_address(t);

	if (p->flags & PACKET_LOCAL)
		return DROP_NONE;
	if (is_encapsulated_loop(packet, p, t, &care_of))
		return DROP_fwd_encapsulated_loop;
	if (ip_address_equal(&p->source, &care_of))
		return DROP_fwd_loop;
	if (tables_near(worker->tables, p->vrf, &p->source) & VICINITY_LOCAL &&
		tables_local_lookup(worker->tables, p->vrf, &p->source).kind != LOCAL_NONE)
		return DROP_fwd_loop;
	return DROP_NONE;
}

static enum drop_reason check_state(const struct packet *p, const struct tunnel *t)
{
	if (t->flags & BINDING_SUSPENDED)
		return DROP_fwd_suspended;
	if (t->flags & BINDING_STALE_NAT)
		return DROP_fwd_stale_nat;
	if (t->flags & BINDING_HALF_BOUND &&
		!(p->flags & PACKET_VIA_TUNNEL && p->care_of_port != 0))
		return DROP_fwd_half_bound;
	return DROP_NONE;
}

/* HA4-MTU-11: the packet still goes; its sender learns that errors came back. */
static void tell_unreachable(struct worker *worker, struct rte_mbuf *packet, const struct tunnel *t)
{
	struct tunnel_path *path = tables_path_learned(worker->tables, t);
	uint32_t changed_s, now_s = (uint32_t)(worker->now_ns / CLOCK_NS_PER_S);

	if (path == NULL ||
		atomic_load_explicit(&path->unreachable_code, memory_order_relaxed) == 0)
		return;
	changed_s = atomic_load_explicit(&path->changed_s, memory_order_relaxed);
	if (now_s - changed_s >= UNREACHABLE_S)
		atomic_store_explicit(&path->unreachable_code, 0, memory_order_relaxed);
	else
		icmp_error_send(worker, packet, ICMP_ERROR_HOST_UNREACHABLE, 0);
}

static step_result tunnel_send(
	struct worker *worker, struct rte_mbuf *packet, const struct tunnel *t)
{
	struct packet *p = packet_get(packet);
	struct binding_counters *counters = &worker->binding_counters[t->binding_id];

	p->tunnel = t;
	if (t->flags & BINDING_REQUIRES_IPSEC) /* HA4-MODE-06: link_mtu sees to it */
		p->flags |= PACKET_NEEDS_PROTECTION;
	tell_unreachable(worker, packet, t);
	counters->forward_packets++;
	counters->forward_bytes += rte_pktmbuf_pkt_len(packet);
	/* A broadcast's destination is not the home address either (HA4-BCM-03). */
	if (tunnel_mtu_is_double(t, &p->destination))
		p->flags |= PACKET_TO_HOME_ADDRESS;
	return STEP_MTU_CHECK;
}

static const struct tunnel *next_tunnel(
	const struct worker *worker, const struct packet *p, const struct tunnel *t)
{
	if (p->flags & (PACKET_VIA_TUNNEL | PACKET_IP_BROADCAST)) /* for this one tunnel alone */
		return NULL;
	return tables_tunnel_next(worker->tables, t);
}

step_result binding_forward(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	const struct tunnel *last = NULL;
	enum drop_reason reason = DROP_NONE, first_reason = DROP_NONE;

	for (const struct tunnel *t = p->tunnel; t != NULL; t = next_tunnel(worker, p, t)) {
		struct rte_mbuf *copy;

		if (t->expires_tsc <= worker->now_tsc)
			continue;
		reason = check_loop(worker, packet, t);
		if (reason == DROP_NONE)
			reason = check_state(p, t);
		if (reason != DROP_NONE) {
			first_reason = first_reason == DROP_NONE ? reason : first_reason;
			continue;
		}
		if (last != NULL && (copy = packet_copy(worker, packet)) != NULL)
			pipeline_emit(worker, copy, tunnel_send(worker, copy, last));
		last = t;
	}
	if (last != NULL)
		return tunnel_send(worker, packet, last);
	return STEP_DROP(first_reason != DROP_NONE ? first_reason : DROP_home_unreachable);
}

void binding_forward_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	for (unsigned i = 0; i < count; i++)
		next[i] = binding_forward(worker, packets[i]);
}
