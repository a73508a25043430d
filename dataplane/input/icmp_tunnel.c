#include "dataplane/input/icmp_tunnel.h"
#include "dataplane/compatibility.h"

#include "dataplane/icmp_error.h"

#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_udp.h>

#define TYPE_UNREACHABLE    3
#define TYPE_TIME_EXCEEDED  11
#define TYPE_PARAMETER      12
#define CODE_PORT           3
#define CODE_TOO_BIG        4
#define TYPE6_UNREACHABLE   1
#define TYPE6_TOO_BIG       2
#define TYPE6_TIME_EXCEEDED 3
#define CODE6_PORT          4
#define PATH_MTU_FLOOR      576
#define IPV6_MTU_LEAST      1280
#define TOS_OFFSET          1 /* in an IPv4 header */
#define UDP_SHIM_LENGTH     12
#define GRE_LENGTH          4
#define QUOTE_LEAST         8 /* octets behind the inner header (RFC 792) */

struct quote { /* of one of our outer datagrams */
	const struct tunnel *tunnel;
	uint16_t length; /* of the whole datagram, as it says */
	uint16_t at;     /* of its header, from the data start */
};

bool icmp_tunnel_is_error(uint8_t type, bool ipv6)
{
	if (ipv6)
		return type >= TYPE6_UNREACHABLE && type <= TYPE6_TIME_EXCEEDED;
	return type == TYPE_UNREACHABLE || type == TYPE_TIME_EXCEEDED || type == TYPE_PARAMETER;
}

uint16_t icmp_tunnel_plateau(uint16_t total_length)
{
	static const uint16_t plateaus[] = {
		65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};

	for (unsigned i = 0; i < RTE_DIM(plateaus); i++)
		if (plateaus[i] < total_length)
			return plateaus[i];
	return 68;
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

/* HA4-MTU-09..11. A closed port is told to control alone, never to a sender. Type and code are
 * ICMPv4's. */
static void unreachable(struct worker *worker, const struct packet *p, const struct tunnel *t,
	uint8_t type, uint8_t code)
{
	struct tunnel_path *path = tables_path_write(worker->tables, t);

	if (type != TYPE_UNREACHABLE || code != CODE_PORT) {
		atomic_store_explicit(&path->unreachable_code, type, memory_order_relaxed);
		atomic_store_explicit(&path->changed_s, (uint32_t)(worker->now_ns / CLOCK_NS_PER_S),
			memory_order_relaxed);
	}
	pipeline_event(worker, &(struct event){.type = EVENT_TUNNEL_UNREACHABLE,
				       .port = p->port,
				       .vrf = p->vrf,
				       .address = t->home_address,
				       .id = t->binding_id,
				       .value = (uint64_t)type << 8 | code});
}

static bool is_protocol_right(const struct tunnel *t, uint8_t protocol)
{
	if (t->flags & BINDING_UDP)
		return protocol == IPPROTO_UDP;
	switch (t->encapsulation) {
	case ENCAPSULATION_GRE:
		return protocol == IPPROTO_GRE;
	case ENCAPSULATION_MINIMAL: /* fragments go IP-in-IP (HA4-ALT-08) */
		return protocol == ENCAPSULATION_MINIMAL || protocol == IPPROTO_IPIP;
	default:
		return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6;
	}
}

/* The tunnel between these ends, when the quoted octets behind the IP header fit it. */
static const struct tunnel *find_tunnel(struct worker *worker, struct rte_mbuf *packet,
	const struct ip_address *agent, const struct ip_address *care_of, uint8_t protocol,
	uint32_t behind)
{
	const struct packet *p = packet_get(packet);
	const struct tunnel *t;
	struct rte_udp_hdr udp = {.dst_port = 0};

	if (protocol == IPPROTO_UDP) {
		if (!packet_pull(packet, behind + 4))
			return NULL;
		memcpy(&udp, rte_pktmbuf_mtod_offset(packet, const void *, behind), 4);
	}
	t = tables_care_of_lookup(worker->tables, p->vrf, agent, care_of, udp.dst_port);
	if (t == NULL || !is_protocol_right(t, protocol) ||
		(protocol == IPPROTO_UDP && udp.src_port != tunnel_agent_port(t)))
		return NULL;
	return t;
}

/* The tunnel is NULL when the error is about none of our datagrams. */
static struct quote read_ipv4(struct worker *worker, struct rte_mbuf *packet)
{
	const struct packet *p = packet_get(packet);
	struct quote quote = {.at = (uint16_t)(p->payload_offset + sizeof(struct rte_icmp_hdr))};
	struct ip_address agent, care_of;
	struct rte_ipv4_hdr ip;

	if (!packet_pull(packet, quote.at + (uint32_t)sizeof(ip)))
		return quote;
	memcpy(&ip, rte_pktmbuf_mtod_offset(packet, const void *, quote.at), sizeof(ip));
	/* Our outer headers have no options; a fragment behind the first has no ports. */
	if (ip.version_ihl != 0x45 || ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
		return quote;
	agent = ip_address_from_v4(ip.src_addr);
	care_of = ip_address_from_v4(ip.dst_addr);
	quote.length = rte_be_to_cpu_16(ip.total_length);
	quote.tunnel = find_tunnel(worker, packet, &agent, &care_of, ip.next_proto_id,
		quote.at + (uint32_t)sizeof(ip));
	return quote;
}

static struct quote read_ipv6(struct worker *worker, struct rte_mbuf *packet)
{
	const struct packet *p = packet_get(packet);
	struct quote quote = {.at = (uint16_t)(p->payload_offset + sizeof(struct rte_icmp_hdr))};
	struct ip_address agent, care_of;
	struct rte_ipv6_hdr ip;

	if (!packet_pull(packet, quote.at + (uint32_t)sizeof(ip)))
		return quote;
	memcpy(&ip, rte_pktmbuf_mtod_offset(packet, const void *, quote.at), sizeof(ip));
	agent = ipv6_source(&ip);
	care_of = ipv6_destination(&ip);
	if (rte_be_to_cpu_32(ip.vtc_flow) >> 28 == 6)
		quote.tunnel = find_tunnel(worker, packet, &agent, &care_of, ip.proto,
			quote.at + (uint32_t)sizeof(ip));
	return quote;
}

/* Where the inner header begins in a quoted IPv4 outer datagram, from the data start; 0 when the
 * tunnel rewrites it. */
static uint16_t inner_offset(const struct quote *quote)
{
	const struct tunnel *t = quote->tunnel;
	uint16_t at = (uint16_t)(quote->at + sizeof(struct rte_ipv4_hdr));

	if (t->encapsulation == ENCAPSULATION_MINIMAL)
		return 0;
	if (t->flags & BINDING_UDP)
		at = (uint16_t)(at + UDP_SHIM_LENGTH);
	return (uint16_t)(at + (t->encapsulation == ENCAPSULATION_GRE ? GRE_LENGTH : 0));
}

/* The destination is one that this tunnel serves. */
static bool is_served(
	struct worker *worker, const struct tunnel *tunnel, const struct ip_address *to)
{
	const struct tunnel *t = tables_home_lookup(worker->tables, tunnel->vrf, to);

	if (t == NULL)
		t = tables_prefix_lookup(worker->tables, tunnel->vrf, to);
	for (; t != NULL; t = tables_tunnel_next(worker->tables, t))
		if (tables_path_of(worker->tables, t) == tables_path_of(worker->tables, tunnel))
			return true;
	return false;
}

/* The first of two tunnels, which we put on ourselves (HA4-NEMO-07). */
static bool is_home_header(const struct tunnel *t, const struct rte_ipv4_hdr *ip)
{
	const struct ip_address agent = tunnel_agent_address(t);

	return !(t->flags & BINDING_COLOCATED) && ip->version_ihl == 0x45 &&
	       ip->next_proto_id == IPPROTO_IPIP && ip->src_addr == ip_address_v4(&agent) &&
	       ip->dst_addr == ip_address_v4(&t->home_address);
}

/*
 * HA4-MTU-09: only the TOS octet is copied, and only where DSCP is. The quoted inner datagram
 * stands for the one that was sent: the error about it is made with the packet's start moved there,
 * and moved back.
 */
static void relay_parameter_problem(
	struct worker *worker, struct rte_mbuf *packet, const struct quote *quote, uint8_t pointer)
{
	struct packet *p = packet_get(packet), saved = *p;
	const struct tunnel *t = quote->tunnel;
	uint16_t at = inner_offset(quote);
	struct rte_ipv4_hdr ip;

	if (pointer != TOS_OFFSET || at == 0 ||
		tables_agent_of(worker->tables, t)->dscp != DSCP_COPY ||
		!packet_pull(packet, at + (uint32_t)sizeof(ip)))
		return;
	memcpy(&ip, rte_pktmbuf_mtod_offset(packet, const void *, at), sizeof(ip));
	if (is_home_header(t, &ip)) {
		at = (uint16_t)(at + sizeof(ip));
		if (!packet_pull(packet, at + (uint32_t)sizeof(ip)))
			return;
		memcpy(&ip, rte_pktmbuf_mtod_offset(packet, const void *, at), sizeof(ip));
	}
	if (ip.version_ihl >> 4 != 4 || rte_ipv4_hdr_len(&ip) < sizeof(ip) ||
		!packet_pull(packet, (uint32_t)at + rte_ipv4_hdr_len(&ip) + QUOTE_LEAST))
		return;
	*p = (struct packet){.port = saved.port,
		.out_port = saved.out_port,
		.vrf = saved.vrf,
		.protocol = ip.next_proto_id,
		.payload_offset = rte_ipv4_hdr_len(&ip),
		.source = ip_address_from_v4(ip.src_addr),
		.destination = ip_address_from_v4(ip.dst_addr),
		.tunnel = t};
	if (ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
		p->flags = PACKET_FRAGMENT | PACKET_FRAGMENT_LATER;
	if (is_served(worker, t, &p->destination)) {
		rte_pktmbuf_adj(packet, at);
		icmp_error_send(worker, packet, ICMP_ERROR_PARAMETER, pointer);
		rte_pktmbuf_prepend(packet, at);
	}
	*p = saved;
}

static void note_ipv4(struct worker *worker, struct rte_mbuf *packet, struct rte_icmp_hdr icmp)
{
	const struct quote quote = read_ipv4(worker, packet);
	uint16_t mtu = rte_be_to_cpu_16(icmp.icmp_seq_nb); /* RFC 1191 4 */

	if (quote.tunnel == NULL)
		return;
	if (icmp.icmp_type == TYPE_PARAMETER) {
		if (icmp.icmp_code == 0)
			relay_parameter_problem(worker, packet, &quote,
				(uint8_t)(rte_be_to_cpu_16(icmp.icmp_ident) >> 8));
	} else if (icmp.icmp_type == TYPE_UNREACHABLE && icmp.icmp_code == CODE_TOO_BIG) {
		lower_path_mtu(worker, tables_path_write(worker->tables, quote.tunnel),
			mtu != 0 ? mtu : icmp_tunnel_plateau(quote.length));
	} else if (icmp.icmp_type == TYPE_TIME_EXCEEDED || icmp.icmp_code <= CODE_PORT) {
		unreachable(
			worker, packet_get(packet), quote.tunnel, icmp.icmp_type, icmp.icmp_code);
	}
}

static void note_ipv6(struct worker *worker, struct rte_mbuf *packet, struct rte_icmp_hdr icmp)
{
	const struct quote quote = read_ipv6(worker, packet);
	uint32_t mtu = (uint32_t)rte_be_to_cpu_16(icmp.icmp_ident) << 16 |
		       rte_be_to_cpu_16(icmp.icmp_seq_nb);

	if (quote.tunnel == NULL)
		return;
	if (icmp.icmp_type == TYPE6_TOO_BIG) {
		if (mtu >= IPV6_MTU_LEAST) /* RFC 8201 4: else discarded */
			lower_path_mtu(worker, tables_path_write(worker->tables, quote.tunnel),
				(uint16_t)RTE_MIN(mtu, (uint32_t)UINT16_MAX));
	} else if (icmp.icmp_type == TYPE6_TIME_EXCEEDED) {
		unreachable(worker, packet_get(packet), quote.tunnel, TYPE_TIME_EXCEEDED, 0);
	} else { /* no route and the rest: host; a closed port */
		unreachable(worker, packet_get(packet), quote.tunnel, TYPE_UNREACHABLE,
			icmp.icmp_code == CODE6_PORT ? CODE_PORT
			: icmp.icmp_code == 0        ? 0
						     : 1);
	}
}

void icmp_tunnel_note(struct worker *worker, struct rte_mbuf *packet)
{
	const struct packet *p = packet_get(packet);
	struct rte_icmp_hdr icmp;

	memcpy(&icmp, rte_pktmbuf_mtod_offset(packet, const void *, p->payload_offset),
		sizeof(icmp));
	if (packet_is_ipv6(p))
		note_ipv6(worker, packet, icmp);
	else
		note_ipv4(worker, packet, icmp);
}
