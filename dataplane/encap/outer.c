#include "dataplane/encap/outer.h"

#include "dataplane/compatibility.h"
#include "dataplane/header.h"

#include <rte_ether.h>
#include <rte_rcu_qsbr.h>

#include <stdlib.h>

struct outer_identifications *outer_identifications_new(const struct worker *worker)
{
	struct outer_identifications *made = calloc(1, sizeof(*made));
	uint32_t workers = tables_qsbr(worker->tables)->max_threads;

	if (made == NULL)
		return NULL;
	while (UINT32_C(1) << made->shift < workers)
		made->shift++;
	made->worker = (uint16_t)(worker->index & ((UINT32_C(1) << made->shift) - 1));
	return made;
}

void outer_checksum(struct worker *worker, struct rte_mbuf *packet)
{
	const struct port *port = outer_port(worker, packet_get(packet));
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);

	if (port == NULL || !port->tx_ipv4_checksum) {
		ipv4_checksum_set(ip);
		return;
	}
	ip->hdr_checksum = 0;
	packet->l2_len = sizeof(struct rte_ether_hdr);
	packet->l3_len = rte_ipv4_hdr_len(ip);
	packet->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
}

/* All but the checksum. */
static inline void fill_ipv4(const struct worker *worker, struct rte_mbuf *packet,
	struct rte_ipv4_hdr *ip, const struct agent *agent, const struct inner *inner)
{
	struct packet *p = packet_get(packet);

	ip->type_of_service = p->tos =
		outer_tunnel_tos(p->tunnel, agent, inner->tos, ip->type_of_service);
	ip->total_length = rte_cpu_to_be_16((uint16_t)rte_pktmbuf_pkt_len(packet));
	if (inner->df)
		ip->fragment_offset |= RTE_BE16(RTE_IPV4_HDR_DF_FLAG); /* HA4-FWD-08 */
	ip->packet_id = ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)
				? 0
				: rte_cpu_to_be_16(outer_identification(worker, ip->dst_addr));
}

/* struct packet says what the header at the data start says. */
static inline void note_ipv4(struct packet *p, const struct rte_ipv4_hdr *ip)
{
	p->source = ip_address_from_v4(ip->src_addr);
	p->destination = ip_address_from_v4(ip->dst_addr);
	p->protocol = ip->next_proto_id;
	p->payload_offset = rte_ipv4_hdr_len(ip);
	p->ttl = ip->time_to_live;
	p->flags &= ~(uint32_t)PACKET_IPV6;
}

static void finish_ipv4(struct worker *worker, struct rte_mbuf *packet, const struct agent *agent,
	const struct inner *inner)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);

	fill_ipv4(worker, packet, ip, agent, inner);
	outer_checksum(worker, packet);
	note_ipv4(packet_get(packet), ip);
}

static void finish_ipv6(struct rte_mbuf *packet, struct packet *p, const struct agent *agent,
	const struct inner *inner)
{
	struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv6_hdr *);

	p->tos = outer_tunnel_tos(
		p->tunnel, agent, inner->tos, (uint8_t)(rte_be_to_cpu_32(ip->vtc_flow) >> 20));
	ipv6_tos_set(ip, p->tos);
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(rte_pktmbuf_pkt_len(packet) - sizeof(*ip)));
	p->source = ipv6_source(ip);
	p->destination = ipv6_destination(ip);
	p->protocol = ip->proto;
	p->payload_offset = sizeof(*ip);
	p->ttl = ip->hop_limits;
	p->flags |= PACKET_IPV6;
}

step_result outer_finish(struct worker *worker, struct rte_mbuf *packet, const struct inner *inner)
{
	const uint32_t gone = PACKET_FRAGMENT | PACKET_FRAGMENT_LATER | PACKET_VIA_TUNNEL |
			      PACKET_IP_BROADCAST | PACKET_LINK_BROADCAST | PACKET_KERNEL |
			      PACKET_UDP_TUNNEL | PACKET_AS_IT_CAME | PACKET_PROTECTED;
	struct packet *p = packet_get(packet);
	const struct agent *agent = tables_agent_of(worker->tables, p->tunnel);
	bool udp = p->tunnel->flags & BINDING_UDP;

	if (*rte_pktmbuf_mtod(packet, const uint8_t *) >> 4 == 4)
		finish_ipv4(worker, packet, agent, inner);
	else
		finish_ipv6(packet, p, agent, inner);
	p->flags &= ~gone;
	p->flags |= PACKET_LOCAL | PACKET_TUNNELLED | (udp ? PACKET_UDP_TUNNEL : 0);
	p->care_of_port = 0;
	p->tunnel_count++;
	worker->counters->encapsulated++;
	if (p->nested == NULL)
		return STEP_ROUTE;
	p->tunnel = p->nested;
	p->nested = NULL;
	return STEP_BINDING;
}

step_result outer_ipip(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	struct inner inner = outer_inner(packet, p);
	bool v4 = tunnel_is_over_ipv4(p->tunnel);
	uint8_t *outer;

	outer = outer_prepend(
		packet, p->tunnel, v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr));
	if (outer == NULL)
		return STEP_DROP(DROP_no_headroom);
	if (v4)
		((struct rte_ipv4_hdr *)outer)->next_proto_id =
			inner.is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	else
		((struct rte_ipv6_hdr *)outer)->proto = inner.is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	return outer_finish(worker, packet, &inner);
}

bool outer_home(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	const struct tunnel *t = p->tunnel;
	struct inner inner = outer_inner(packet, p);
	struct rte_ipv4_hdr *ip =
		(struct rte_ipv4_hdr *)outer_prepend(packet, t, sizeof(struct rte_ipv4_hdr));

	if (ip == NULL)
		return false;
	ip->next_proto_id = inner.is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	ip->dst_addr = ip_address_v4(&t->home_address);
	fill_ipv4(worker, packet, ip, tables_agent_of(worker->tables, t), &inner);
	ipv4_checksum_set(ip); /* a device finishes the outermost header alone */
	note_ipv4(p, ip);
	p->flags &= ~(uint32_t)(PACKET_FRAGMENT | PACKET_FRAGMENT_LATER | PACKET_TO_HOME_ADDRESS);
	worker->counters->encapsulated++;
	return true;
}
