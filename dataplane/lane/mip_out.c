#include "dataplane/lane/mip_out.h"

#include "dataplane/encap/outer.h"
#include "dataplane/header.h"

#include <rte_udp.h>

#define LEAST 68 /* octets that every way lets pass (RFC 791) */

static bool is_local(const struct forward_burst *f, be32 address, unsigned near)
{
	const struct ip_address a = ip_address_from_v4(address);

	return near & VICINITY_LOCAL &&
	       tables_local_lookup(f->tables, f->burst->from->vrf, &a).kind != LOCAL_NONE;
}

bool mip_out_parse(const struct forward_burst *f, const struct forward_work *w, unsigned near)
{
	const struct rte_ipv4_hdr *ip = w->ip;

	/* HA4-FWD-11 asks what is inside IP-in-IP. */
	return near & VICINITY_HOME && ip->next_proto_id != IPPROTO_IPIP &&
	       ip->dst_addr != f->broadcast && !is_local(f, ip->dst_addr, near) &&
	       !is_local(f, ip->src_addr, forward_near(f, ip->src_addr));
}

static inline be32 care_of(const struct tunnel *t)
{
	be32 address;

	memcpy(&address, t->outer + offsetof(struct rte_ipv4_hdr, dst_addr), sizeof(address));
	return address;
}

bool mip_out_check(const struct forward_burst *f, struct forward_work *w)
{
	const struct tunnel *t = w->tunnel;
	uint32_t agent_flags = tables_agent_of(f->tables, t)->flags;

	w->target = care_of(t);
	return t->usual & TUNNEL_USUAL_OUT && tables_tunnel_live(t, f->burst->worker->now_tsc) &&
	       __atomic_load_n(&t->next, __ATOMIC_RELAXED) == TUNNEL_NONE &&
	       forward_path_is_plain(f, t) && w->ip->src_addr != w->target &&
	       !(forward_near(f, w->target) & (VICINITY_HOME_NETWORK | VICINITY_PREFIX)) &&
	       !(agent_flags & AGENT_UDP_CHECKSUM && t->flags & BINDING_UDP) &&
	       !(agent_flags & AGENT_MSS_CLAMP && forward_is_syn(w->ip, w->length));
}

static inline uint16_t outer_length(const struct tunnel *t)
{
	return t->flags & BINDING_UDP ? OUTER_UDP_LENGTH : sizeof(struct rte_ipv4_hdr);
}

bool mip_out_fits(const struct forward_work *w, uint16_t mtu)
{
	uint16_t added = outer_length(w->tunnel);

	if (w->tunnel->path_mtu != 0)
		mtu = RTE_MIN(mtu, w->tunnel->path_mtu);
	return mtu >= added + LEAST && w->length + added <= mtu &&
	       rte_pktmbuf_headroom(w->frame) >= added;
}

uint8_t *mip_out_write(
	const struct forward_burst *f, const struct forward_work *w, const struct lane_way *way)
{
	const struct tunnel *t = w->tunnel;
	struct binding_counters *counters = &f->burst->worker->binding_counters[t->binding_id];
	uint16_t added = outer_length(t), length = (uint16_t)(w->length + added);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)((uint8_t *)w->ip - added);
	be16 df = w->ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG);

	memcpy(ip, t->outer, sizeof(*ip));
	if (t->flags & BINDING_UDP) {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
		memcpy(udp, t->outer + sizeof(*ip), OUTER_UDP_LENGTH - sizeof(*ip));
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)(length - sizeof(*ip)));
		df = RTE_BE16(RTE_IPV4_HDR_DF_FLAG); /* HA4-MTU-05 */
	}
	ip->type_of_service = outer_tunnel_tos(
		t, tables_agent_of(f->tables, t), w->ip->type_of_service, ip->type_of_service);
	ip->total_length = rte_cpu_to_be_16(length);
	ip->fragment_offset |= df; /* HA4-FWD-08 */
	if (!(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)))
		ip->packet_id =
			rte_cpu_to_be_16(outer_identification(f->burst->worker, ip->dst_addr));
	if (likely(!way->tx_checksum)) {
		ipv4_checksum_set(ip);
	} else {
		w->frame->l2_len = sizeof(struct rte_ether_hdr);
		w->frame->l3_len = sizeof(*ip);
		w->frame->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	}
	counters->forward_packets++;
	counters->forward_bytes += w->length;
	return (uint8_t *)ip;
}
