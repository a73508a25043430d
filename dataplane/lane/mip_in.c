#include "dataplane/lane/mip_in.h"

#include "dataplane/encap/outer.h"
#include "dataplane/header.h"
#include "dataplane/input/esp_port.h"
#include "dataplane/table/sa_table.h"

#include <rte_udp.h>

#define MOBILE_IP_PORT 434
#define TUNNEL_DATA    4
#define FRAGMENT       RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)
#define IPV4           ((uint16_t)sizeof(struct rte_ipv4_hdr))

static __rte_noinline bool find_agent(struct forward_burst *f, be32 address)
{
	const struct ip_address a = ip_address_from_v4(address);

	if (address == f->broadcast ||
		tables_local_lookup(f->tables, f->vrf, &a).kind != LOCAL_AGENT)
		return false;
	f->here = address;
	return true;
}

static inline bool is_agent(struct forward_burst *f, be32 address)
{
	return likely(address == f->here) || find_agent(f, address);
}

/* Tunnel data, with IP-in-IP inside and without a checksum, that fills its datagram. */
static bool is_tunnel_data(const struct forward_burst *f, const struct rte_ipv4_hdr *outer)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(outer + 1);
	const uint8_t *data = (const uint8_t *)(udp + 1);

	return rte_be_to_cpu_16(outer->total_length) >= OUTER_UDP_LENGTH &&
	       udp->dst_port == RTE_BE16(MOBILE_IP_PORT) && udp->dgram_cksum == 0 &&
	       rte_be_to_cpu_16(udp->dgram_len) == rte_be_to_cpu_16(outer->total_length) - IPV4 &&
	       data[0] == TUNNEL_DATA && data[1] == ENCAPSULATION_IPIP &&
	       (tables_sas(f->tables)->count == 0 ||
		       !esp_port_is(f->burst->worker, MOBILE_IP_PORT));
}

/* A node's own registration, perhaps (HA4-REV-12). */
static bool may_be_signalling(const struct rte_ipv4_hdr *ip, uint16_t length)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);

	return ip->next_proto_id == IPPROTO_UDP && length > IPV4 + sizeof(*udp) &&
	       udp->dst_port == RTE_BE16(MOBILE_IP_PORT);
}

bool mip_in_parse(struct forward_burst *f, struct forward_work *w, struct rte_ipv4_hdr *outer)
{
	uint16_t added = outer->next_proto_id == IPPROTO_UDP ? OUTER_UDP_LENGTH : IPV4;
	uint16_t room = rte_be_to_cpu_16(outer->total_length), length;
	struct rte_ipv4_hdr *ip;

	if (outer->next_proto_id != IPPROTO_IPIP &&
		(outer->next_proto_id != IPPROTO_UDP || !is_tunnel_data(f, outer)))
		return false;
	if (room < added + IPV4 || !is_agent(f, outer->dst_addr))
		return false;
	ip = (struct rte_ipv4_hdr *)((uint8_t *)outer + added);
	length = rte_be_to_cpu_16(ip->total_length);
	w->length = length;
	w->ip = ip;
	return ip->version_ihl == 0x45 && length >= IPV4 && length <= room - added &&
	       !(ip->fragment_offset & FRAGMENT) && ip->time_to_live > 1 &&
	       ipv4_is_plain(ip->src_addr) && ipv4_is_plain(ip->dst_addr) &&
	       forward_near(f, ip->dst_addr) == 0 &&
	       forward_near(f, ip->src_addr) & VICINITY_HOME && !may_be_signalling(ip, length) &&
	       ipv4_checksum_right(ip);
}

/* From where the tunnel's own header leads, through its ports. */
static inline bool is_through(const struct tunnel *t, const struct rte_ipv4_hdr *outer)
{
	uint64_t ours, theirs; /* source, destination */
	uint32_t ports, their_ports;

	memcpy(&ours, t->outer + offsetof(struct rte_ipv4_hdr, src_addr), sizeof(ours));
	memcpy(&theirs, &outer->src_addr, sizeof(theirs));
	if (theirs != (ours >> 32 | ours << 32))
		return false;
	if (!(t->flags & BINDING_UDP))
		return outer->next_proto_id == IPPROTO_IPIP;
	memcpy(&ports, t->outer + IPV4, sizeof(ports));
	memcpy(&their_ports, outer + 1, sizeof(their_ports));
	return outer->next_proto_id == IPPROTO_UDP && their_ports == (ports >> 16 | ports << 16);
}

bool mip_in_check(
	const struct forward_burst *f, struct forward_work *w, const struct rte_ipv4_hdr *outer)
{
	const struct tunnel *t = w->tunnel;
	uint32_t agent_flags = tables_agent_of(f->tables, t)->flags;

	return forward_is_usual(f, t, TUNNEL_USUAL_IN) && is_through(t, outer) &&
	       tables_tunnel_live(t, f->burst->worker->now_tsc) &&
	       (t->flags & BINDING_REVERSE || !(agent_flags & AGENT_REQUIRE_T)) &&
	       forward_path_is_plain(f, t) &&
	       !(agent_flags & AGENT_MSS_CLAMP && forward_is_syn(w->ip, w->length)) &&
	       lane_tos(agent_flags & AGENT_DSCP_COPY_IN, w->ip->type_of_service,
		       outer->type_of_service, &w->tos);
}

void mip_in_take(const struct forward_burst *f, const struct forward_work *w)
{
	struct binding_counters *counters =
		&f->burst->worker->binding_counters[w->tunnel->binding_id];

	counters->reverse_packets++;
	counters->reverse_bytes += w->length;
	if (unlikely(w->tos != w->ip->type_of_service))
		ipv4_tos_set(w->ip, w->tos);
}
