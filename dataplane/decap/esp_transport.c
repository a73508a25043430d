#include "dataplane/decap/esp_transport.h"

#include "dataplane/decap/esp_inner.h"
#include "dataplane/header.h"

#include <rte_tcp.h>
#include <rte_udp.h>

/* The octet that named ESP or UDP: of the fixed header or of the last extension header. */
static uint16_t next_header_at(struct rte_mbuf *packet, const struct packet *p)
{
	uint16_t found = offsetof(struct rte_ipv6_hdr, proto);

	for (uint16_t at = sizeof(struct rte_ipv6_hdr); at < p->payload_offset;) {
		const uint8_t *header;
		uint8_t kind = *rte_pktmbuf_mtod_offset(packet, const uint8_t *, found);
		if (!packet_pull(packet, at + 8u))
			break;
		header = rte_pktmbuf_mtod_offset(packet, const uint8_t *, at);
		found = at;
		at = (uint16_t)(at + (kind == IPPROTO_FRAGMENT ? 8 : 8 + 8 * header[1]));
	}
	return found;
}

static bool is_tunnel(uint8_t protocol)
{
	return protocol == ENCAPSULATION_IPIP || protocol == ENCAPSULATION_IPV6 ||
	       protocol == ENCAPSULATION_GRE || protocol == ENCAPSULATION_MINIMAL;
}

/*
 * TRN-06: a tunnel under transport mode ends at a home agent's address, where its binding is
 * checked. GRE may also end in the kernel, behind the TAP: it names the tunnel by itself, and what
 * comes out of it there is judged as any other packet of the kernel's.
 */
static bool ends_here(struct worker *worker, const struct packet *p)
{
	enum local_kind kind;

	if (!is_tunnel(p->protocol))
		return true;
	kind = tables_local_lookup(worker->tables, p->vrf, &p->destination).kind;
	return kind == LOCAL_AGENT || (kind == LOCAL_KERNEL && p->protocol == ENCAPSULATION_GRE);
}

static uint16_t pseudo_sum(const struct packet *p, uint32_t length)
{
	unsigned octets = packet_is_ipv6(p) ? 16 : 4;
	uint32_t sum = rte_cpu_to_be_16(p->protocol) + rte_cpu_to_be_16((uint16_t)length);

	sum += rte_raw_cksum(&p->source.bytes[16 - octets], octets);
	sum += rte_raw_cksum(&p->destination.bytes[16 - octets], octets);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* TRN-08: the sender summed over addresses that a NAT has changed since. */
static void repair_checksum(struct rte_mbuf *packet, const struct packet *p)
{
	uint32_t at = p->payload_offset, length = rte_pktmbuf_pkt_len(packet) - at, total;
	bool udp = p->protocol == IPPROTO_UDP;
	uint16_t sum = 0;
	uint8_t *header, *field;

	if ((!udp && p->protocol != IPPROTO_TCP) ||
		!packet_pull(packet, at + (uint32_t)(udp ? sizeof(struct rte_udp_hdr)
							 : sizeof(struct rte_tcp_hdr))))
		return;
	header = rte_pktmbuf_mtod_offset(packet, uint8_t *, at);
	field = header + (udp ? offsetof(struct rte_udp_hdr, dgram_cksum)
			      : offsetof(struct rte_tcp_hdr, cksum));
	if (udp) {
		if (field[0] == 0 && field[1] == 0 && !packet_is_ipv6(p))
			return; /* the sender wanted none */
		length = RTE_MIN(length,
			(uint32_t)rte_be_to_cpu_16(((struct rte_udp_hdr *)header)->dgram_len));
	}
	memcpy(field, &sum, sizeof(sum));
	if (!packet_sum(packet, at, length, &sum))
		return;
	total = (uint32_t)sum + pseudo_sum(p, length);
	total = (total & 0xffff) + (total >> 16);
	sum = (uint16_t)~total;
	if (sum == 0 && udp)
		sum = 0xffff;
	memcpy(field, &sum, sizeof(sum));
}

enum drop_reason esp_transport_open(struct worker *worker, struct rte_mbuf *packet,
	const struct sa_inbound *sa, uint16_t payload_at, uint8_t next_header)
{
	struct packet *p = packet_get(packet);
	uint16_t header = p->payload_offset, gap = (uint16_t)(payload_at - header);
	bool udp = p->protocol == IPPROTO_UDP;
	uint8_t *start = rte_pktmbuf_mtod(packet, uint8_t *);
	enum drop_reason reason;

	if (packet_is_ipv6(p)) {
		start[next_header_at(packet, p)] = next_header;
		((struct rte_ipv6_hdr *)start)->payload_len = rte_cpu_to_be_16((
			uint16_t)(rte_pktmbuf_pkt_len(packet) - gap - sizeof(struct rte_ipv6_hdr)));
	} else {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)start;
		ip->next_proto_id = next_header;
		ip->total_length = rte_cpu_to_be_16((uint16_t)(rte_pktmbuf_pkt_len(packet) - gap));
		ipv4_checksum_set(ip);
	}
	memmove(start + gap, start, header);
	rte_pktmbuf_adj(packet, gap);
	if (!packet_parse(packet, p))
		return DROP_ipsec_inner_malformed;
	if (p->flags & PACKET_FRAGMENT) /* TRN-04: an extension header inside says so */
		return DROP_ipsec_esp_fragment;
	reason = esp_inner_check(worker, packet, sa);
	if (reason != DROP_NONE)
		return reason;
	if (!ends_here(worker, p))
		return DROP_ipsec_no_tunnel;
	if (udp)
		repair_checksum(packet, p);
	return DROP_NONE;
}
