#include "dataplane/lane/mip_out.h"

#include "dataplane/encap/outer.h"
#include "dataplane/header.h"

#include <rte_udp.h>

#define OUTER_LEAST (OUTER_UDP_LENGTH + 68) /* 68 octets fit each way (RFC 791) */

static __rte_noinline bool find_local(const struct forward_burst *f, be32 address)
{
	const struct ip_address a = ip_address_from_v4(address);

	return tables_local_lookup(f->tables, f->vrf, &a).kind != LOCAL_NONE;
}

static inline bool is_local(const struct forward_burst *f, be32 address, unsigned near)
{
	return unlikely(near & VICINITY_LOCAL) && find_local(f, address);
}

bool mip_out_parse(const struct forward_burst *f, const struct rte_ipv4_hdr *ip, unsigned near)
{
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

bool mip_out_check(const struct forward_burst *f, struct forward_work *w, be32 *target)
{
	const struct tunnel *t = w->tunnel;
	uint32_t agent_flags = tables_agent_of(f->tables, t)->flags;
	be32 there = care_of(t);

	*target = there;
	w->added = t->flags & BINDING_UDP ? OUTER_UDP_LENGTH : sizeof(struct rte_ipv4_hdr);
	return forward_is_usual(f, t, TUNNEL_USUAL_OUT) &&
	       tables_tunnel_live(t, f->burst->worker->now_tsc) &&
	       __atomic_load_n(&t->next, __ATOMIC_RELAXED) == TUNNEL_NONE &&
	       forward_path_is_plain(f, t) && w->ip->src_addr != there &&
	       !(forward_near(f, there) & (VICINITY_HOME_NETWORK | VICINITY_PREFIX)) &&
	       !(agent_flags & AGENT_UDP_CHECKSUM && t->flags & BINDING_UDP) &&
	       !(agent_flags & AGENT_MSS_CLAMP && forward_is_syn(w->ip, w->length));
}

bool mip_out_fits(const struct forward_work *w, uint16_t mtu)
{
	uint32_t length = (uint32_t)w->length + w->added, cap = w->tunnel->path_mtu;

	return mtu >= OUTER_LEAST && length <= mtu &&
	       (cap == 0 || (cap >= OUTER_LEAST && length <= cap)) &&
	       rte_pktmbuf_headroom(w->frame) >= w->added;
}

/* HA4-MTU-05 */
static inline bool is_df(const struct tunnel *t, const struct rte_ipv4_hdr *inner)
{
	const uint8_t df = RTE_IPV4_HDR_DF_FLAG >> 8;
	uint8_t inner_flags = *(const uint8_t *)&inner->fragment_offset;

	return (t->outer[offsetof(struct rte_ipv4_hdr, fragment_offset)] | inner_flags) & df ||
	       t->flags & BINDING_UDP;
}

/* The header in three words: built in registers, its sum taken there. */
static inline void ip_write(const struct forward_burst *f, const struct forward_work *w,
	bool offload, struct rte_ipv4_hdr *ip)
{
	const struct tunnel *t = w->tunnel;
	uint16_t length = (uint16_t)(w->length + w->added);
	uint8_t tos = outer_tunnel_tos(t, tables_agent_of(f->tables, t), w->ip->type_of_service,
		t->outer[offsetof(struct rte_ipv4_hdr, type_of_service)]);
	uint64_t first, second; /* then TTL, protocol, no checksum yet, source */
	be32 destination = care_of(t);

	if (is_df(t, w->ip)) /* HA4-FWD-08 */
		first = ipv4_first_word(tos, length, 0, RTE_IPV4_HDR_DF_FLAG);
	else
		first = ipv4_first_word(
			tos, length, outer_identification(f->burst->worker, destination), 0);
	memcpy(&second, t->outer + sizeof(first), sizeof(second));
	memcpy(ip, &first, sizeof(first));
	memcpy((uint8_t *)ip + sizeof(first), &second, sizeof(second));
	ip->dst_addr = destination;
	if (likely(!offload)) {
		ip->hdr_checksum = (uint16_t)~ipv4_words_sum(first, second, destination);
	} else {
		w->frame->l2_len = sizeof(struct rte_ether_hdr);
		w->frame->l3_len = sizeof(*ip);
		w->frame->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	}
}

void mip_out_write(
	const struct forward_burst *f, const struct forward_work *w, bool offload, uint8_t *outer)
{
	const struct tunnel *t = w->tunnel;
	struct binding_counters *counters = &f->burst->worker->binding_counters[t->binding_id];
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)outer;

	if (w->added == OUTER_UDP_LENGTH) {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
		memcpy(udp, t->outer + sizeof(*ip), OUTER_UDP_LENGTH - sizeof(*ip));
		udp->dgram_len =
			rte_cpu_to_be_16((uint16_t)(w->length + OUTER_UDP_LENGTH - sizeof(*ip)));
	}
	ip_write(f, w, offload, ip);
	counters->forward_packets++;
	counters->forward_bytes += w->length;
}
