#include "dataplane/input/icmp.h"

#include "dataplane/header.h"
#include "dataplane/input/icmp_tunnel.h"

#include <rte_icmp.h>

#define TYPE_ECHO_REQUEST  8
#define TYPE_SOLICITATION  10
#define TYPE6_ECHO_REQUEST 128
#define REPLY_TTL          64

static bool is_checksum_right(struct rte_mbuf *packet, const struct packet *p)
{
	uint16_t sum;
	uint32_t length = rte_pktmbuf_pkt_len(packet) - p->payload_offset, total = 0;

	if (!packet_sum(packet, p->payload_offset, length, &sum))
		return false;
	if (packet_is_ipv6(p)) { /* RFC 4443 2.3 */
		struct rte_ipv6_hdr pseudo = {
			.payload_len = rte_cpu_to_be_16((uint16_t)length), .proto = IPPROTO_ICMPV6};
		memcpy(&pseudo.src_addr, p->source.bytes, 16);
		memcpy(&pseudo.dst_addr, p->destination.bytes, 16);
		total = rte_ipv6_phdr_cksum(&pseudo, 0);
	}
	return (sum + total) % 0xffff == 0;
}

/*
 * HA4-NAT-20: the same packet, ends swapped, goes back through the tunnel that it came from. Type
 * and address changes are followed in the checksum by their difference; a wrong one stays wrong.
 */
static step_result answer_echo(
	struct worker *worker, struct rte_mbuf *packet, struct rte_icmp_hdr *icmp)
{
	struct packet *p = packet_get(packet);
	struct ip_address source = p->source;
	uint16_t before, after; /* type and code */

	memcpy(&before, icmp, 2);
	icmp->icmp_type = packet_is_ipv6(p) ? 129 : 0;
	memcpy(&after, icmp, 2);
	icmp->icmp_cksum = checksum_adjust(icmp->icmp_cksum, before, after);
	if (packet_is_ipv6(p)) {
		struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv6_hdr *);
		memcpy(&ip->src_addr, p->destination.bytes, 16);
		memcpy(&ip->dst_addr, source.bytes, 16);
		ip->hop_limits = REPLY_TTL;
	} else {
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);
		ip->src_addr = ip_address_v4(&p->destination);
		ip->dst_addr = ip_address_v4(&source);
		ip->packet_id = (uint16_t)(ip->packet_id + rte_cpu_to_be_16(1));
		ip->time_to_live = REPLY_TTL;
		ipv4_checksum_set(ip);
	}
	p->source = p->destination;
	p->destination = source;
	p->ttl = REPLY_TTL;
	p->tunnel = p->origin;
	p->flags |= PACKET_LOCAL | PACKET_VIA_TUNNEL;
	worker->counters->keepalives_answered++;
	return STEP_BINDING;
}

static bool is_solicitation(
	const struct worker *worker, const struct packet *p, const struct rte_icmp_hdr *icmp)
{
	return icmp->icmp_type == TYPE_SOLICITATION && icmp->icmp_code == 0 &&
	       p->layer_count == 0 && tables_home_network_of_port(worker->tables, p->port) != NULL;
}

static step_result ipv6_input(
	struct worker *worker, struct rte_mbuf *packet, struct rte_icmp_hdr *icmp)
{
	const struct packet *p = packet_get(packet);

	if (p->protocol != IPPROTO_ICMPV6 || p->flags & PACKET_IP_BROADCAST)
		return STEP_EXCEPTION;
	if (icmp->icmp_type == TYPE6_ECHO_REQUEST && p->origin != NULL)
		return answer_echo(worker, packet, icmp);
	if (icmp_tunnel_is_error(icmp->icmp_type, true) && is_checksum_right(packet, p))
		icmp_tunnel_note(worker, packet);
	return STEP_EXCEPTION;
}

step_result icmp_input(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	struct rte_icmp_hdr *icmp;

	if (!packet_pull(packet, p->payload_offset + (uint32_t)sizeof(*icmp)))
		return STEP_EXCEPTION;
	icmp = rte_pktmbuf_mtod_offset(packet, struct rte_icmp_hdr *, p->payload_offset);
	if (packet_is_ipv6(p))
		return ipv6_input(worker, packet, icmp);
	if (p->protocol != IPPROTO_ICMP || !is_checksum_right(packet, p))
		return STEP_EXCEPTION;
	if (is_solicitation(worker, p, icmp)) {
		p->punt_kind = PUNT_AGENT_SOLICITATION;
		return STEP_PUNT;
	}
	if (p->flags & PACKET_IP_BROADCAST)
		return STEP_EXCEPTION;
	if (icmp->icmp_type == TYPE_ECHO_REQUEST && icmp->icmp_code == 0 && p->origin != NULL)
		return answer_echo(worker, packet, icmp);
	if (icmp_tunnel_is_error(icmp->icmp_type, false))
		icmp_tunnel_note(worker, packet);
	return STEP_EXCEPTION;
}

void icmp_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(icmp_input, worker, packets, count, next);
}
