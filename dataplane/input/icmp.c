/*
 * Errors about our own outer datagrams only ever change soft state of the tunnel that they quote
 * (tunnel_path): a lowered path MTU, or "unreachable". The next datagram of the tunnel tells its
 * sender. The message goes on to the kernel, which counts and ignores it.
 */
#include "dataplane/input/icmp.h"

#include "dataplane/header.h"

#include <rte_icmp.h>
#include <rte_udp.h>

#define TYPE_UNREACHABLE   3
#define TYPE_ECHO_REQUEST  8
#define TYPE_SOLICITATION  10
#define TYPE_TIME_EXCEEDED 11
#define CODE_TOO_BIG       4
#define TYPE6_ECHO_REQUEST 128
#define PATH_MTU_FLOOR     576
#define REPLY_TTL          64

uint16_t icmp_plateau(uint16_t total_length)
{
	static const uint16_t plateaus[] = {
		65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};

	for (unsigned i = 0; i < RTE_DIM(plateaus); i++)
		if (plateaus[i] < total_length)
			return plateaus[i];
	return 68;
}

static bool is_checksum_right(struct rte_mbuf *packet, const struct packet *p)
{
	uint16_t sum;
	uint32_t length = rte_pktmbuf_pkt_len(packet) - p->payload_offset;

	return packet_sum(packet, p->payload_offset, length, &sum) && sum == 0xffff;
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
		memcpy(ip->src_addr, p->destination.bytes, 16);
		memcpy(ip->dst_addr, source.bytes, 16);
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

static uint16_t floor_mtu(const struct worker *worker)
{
	uint32_t floor = worker->settings != NULL ? worker->settings->path_mtu_floor : 0;

	return (uint16_t)(floor >= 68 ? floor : PATH_MTU_FLOOR);
}

/* HA4-MTU-06: an MTU that is not lower than the present one is ignored. */
static void lower_path_mtu(struct worker *worker, struct tunnel_path *path, uint16_t mtu)
{
	uint16_t now = atomic_load_explicit(&path->path_mtu, memory_order_relaxed);

	if (mtu < floor_mtu(worker))
		mtu = floor_mtu(worker);
	if (now != 0 && mtu >= now)
		return;
	atomic_store_explicit(&path->path_mtu, mtu, memory_order_relaxed);
	atomic_store_explicit(&path->changed_s, (uint32_t)(worker->now_ns / CLOCK_NS_PER_S),
		memory_order_relaxed);
}

static void mark_unreachable(struct worker *worker, struct tunnel_path *path, uint8_t type)
{
	atomic_store_explicit(&path->unreachable_code, type, memory_order_relaxed);
	atomic_store_explicit(&path->changed_s, (uint32_t)(worker->now_ns / CLOCK_NS_PER_S),
		memory_order_relaxed);
}

static uint8_t protocol_of(const struct tunnel *t)
{
	return t->flags & BINDING_UDP ? IPPROTO_UDP : t->encapsulation;
}

/* The tunnel whose outer datagram an ICMPv4 error quotes, and the quoted Total Length; NULL when it
 * is none of ours. */
static const struct tunnel *quoted_tunnel(
	struct worker *worker, struct rte_mbuf *packet, uint16_t *quoted_length)
{
	const struct packet *p = packet_get(packet);
	uint32_t at = p->payload_offset + (uint32_t)sizeof(struct rte_icmp_hdr);
	struct ip_address agent, care_of;
	const struct rte_ipv4_hdr *ip;
	const struct tunnel *t;
	be16 port = 0;

	if (!packet_pull(packet, at + sizeof(*ip)))
		return NULL;
	ip = rte_pktmbuf_mtod_offset(packet, const struct rte_ipv4_hdr *, at);
	if (ip->version_ihl != 0x45) /* our outer headers have no options */
		return NULL;
	if (ip->next_proto_id == IPPROTO_UDP) {
		if (!packet_pull(packet, at + sizeof(*ip) + 4))
			return NULL;
		ip = rte_pktmbuf_mtod_offset(packet, const struct rte_ipv4_hdr *, at);
		port = ((const struct rte_udp_hdr *)(ip + 1))->dst_port;
	}
	agent = ip_address_from_v4(ip->src_addr);
	care_of = ip_address_from_v4(ip->dst_addr);
	*quoted_length = rte_be_to_cpu_16(ip->total_length);
	t = tables_care_of_lookup(worker->tables, p->vrf, &agent, &care_of, port);
	if (t == NULL || (protocol_of(t) != ip->next_proto_id &&
				 !(t->encapsulation == ENCAPSULATION_MINIMAL &&
					 ip->next_proto_id == IPPROTO_IPIP)))
		return NULL;
	if (t->flags & BINDING_UDP &&
		((const struct rte_udp_hdr *)(ip + 1))->src_port != t->agent_port)
		return NULL;
	return t;
}

static void note_error(struct worker *worker, struct rte_mbuf *packet)
{
	const struct packet *p = packet_get(packet);
	uint16_t quoted_length = 0;
	const struct tunnel *t = quoted_tunnel(worker, packet, &quoted_length);
	const struct rte_icmp_hdr *icmp =
		rte_pktmbuf_mtod_offset(packet, const struct rte_icmp_hdr *, p->payload_offset);
	struct tunnel_path *path;

	if (t == NULL)
		return;
	path = tables_tunnel_path(worker->tables, t->binding_id);
	if (icmp->icmp_type == TYPE_UNREACHABLE && icmp->icmp_code == CODE_TOO_BIG) {
		uint16_t mtu = rte_be_to_cpu_16(icmp->icmp_seq_nb); /* RFC 1191 4 */
		lower_path_mtu(worker, path, mtu != 0 ? mtu : icmp_plateau(quoted_length));
	} else if (icmp->icmp_type == TYPE_TIME_EXCEEDED ||
		   (icmp->icmp_type == TYPE_UNREACHABLE && icmp->icmp_code <= 3)) {
		/* HA4-MTU-09, -10: a closed port is told to control alone, never to a sender. */
		if (icmp->icmp_code != 3 || icmp->icmp_type == TYPE_TIME_EXCEEDED)
			mark_unreachable(worker, path, icmp->icmp_type);
		pipeline_event(
			worker, &(struct event){.type = EVENT_TUNNEL_UNREACHABLE,
					.port = p->port,
					.vrf = p->vrf,
					.address = t->home_address,
					.id = t->binding_id,
					.value = (uint64_t)icmp->icmp_type << 8 | icmp->icmp_code});
	}
}

static bool is_solicitation(
	const struct worker *worker, const struct packet *p, const struct rte_icmp_hdr *icmp)
{
	return icmp->icmp_type == TYPE_SOLICITATION && icmp->icmp_code == 0 &&
	       p->layer_count == 0 && tables_home_network_of_port(worker->tables, p->port) != NULL;
}

step_result icmp_input(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	struct rte_icmp_hdr *icmp;

	if (!packet_pull(packet, p->payload_offset + (uint32_t)sizeof(*icmp)))
		return STEP_EXCEPTION;
	icmp = rte_pktmbuf_mtod_offset(packet, struct rte_icmp_hdr *, p->payload_offset);
	if (packet_is_ipv6(p))
		return p->protocol == IPPROTO_ICMPV6 && icmp->icmp_type == TYPE6_ECHO_REQUEST &&
				       p->origin != NULL
			       ? answer_echo(worker, packet, icmp)
			       : STEP_EXCEPTION;
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
	if (icmp->icmp_type == TYPE_UNREACHABLE || icmp->icmp_type == TYPE_TIME_EXCEEDED)
		note_error(worker, packet);
	return STEP_EXCEPTION;
}

void icmp_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(icmp_input, worker, packets, count, next);
}
