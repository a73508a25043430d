#include "dataplane/input/udp.h"

#include "dataplane/header.h"
#include "dataplane/input/esp_port.h"
#include "dataplane/input/ike.h"

#include <rte_udp.h>

#define MOBILE_IP_PORT RTE_BE16(434)
#define IKE_PORT       RTE_BE16(500)
#define IKE_MARKER     4 /* octets of zero (RFC 3948 2.2) */

/* Sum of the pseudo header, not complemented (RFC 768). */
static uint16_t pseudo_header_sum(const struct packet *p, uint16_t udp_length)
{
	uint32_t sum = rte_cpu_to_be_16(IPPROTO_UDP) + rte_cpu_to_be_16(udp_length);

	unsigned octets = packet_is_ipv6(p) ? 16 : 4;

	sum += rte_raw_cksum(&p->source.bytes[16 - octets], octets);
	sum += rte_raw_cksum(&p->destination.bytes[16 - octets], octets);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* HA4-MSG-05, -06, HA4-NAT-25, NAT-05, NAT-06. */
static bool is_checksum_right(struct worker *worker, struct rte_mbuf *packet, struct packet *p,
	const struct rte_udp_hdr *udp, uint16_t length)
{
	uint16_t pseudo, sum;

	if (udp->dgram_cksum == 0) {
		p->flags |= PACKET_UDP_ZERO_CHECKSUM;
		return !packet_is_ipv6(p);
	}
	if (p->layer_count == 0 && !(p->flags & PACKET_REASSEMBLED) && device_verified_udp(packet))
		return true;
	pseudo = pseudo_header_sum(p, length);
	if (!packet_sum(packet, p->payload_offset, length, &sum))
		return false;
	if (((uint32_t)sum + pseudo) % 0xffff == 0)
		return true;
	/*
	 * A veth peer leaves exactly the pseudo header's sum there for hardware to finish. Only
	 * this one value, and only on a port whose configuration says so.
	 */
	if (!worker->ports[p->port].checksum_check && udp->dgram_cksum == pseudo) {
		p->flags |= PACKET_CHECKSUM_UNFINISHED;
		return true;
	}
	return false;
}

/* HA4-BAD-13: no registration comes from such an address. */
static bool is_source_bad(struct worker *worker, const struct packet *p)
{
	if (ip_address_is_unspecified(&p->source))
		return tables_home_network_of_port(worker->tables, p->port) == NULL;
	return !ip_address_is_unicast(&p->source) ||
	       tables_local_lookup(worker->tables, p->vrf, &p->source).kind != LOCAL_NONE;
}

static step_result punt(
	struct worker *worker, struct rte_mbuf *packet, uint16_t length, uint16_t least)
{
	struct packet *p = packet_get(packet);

	if (length < least)
		return STEP_DROP(DROP_rx_short);
	if (p->source_port == 0)
		return STEP_DROP(DROP_rx_source_port);
	if (is_source_bad(worker, p))
		return STEP_DROP(DROP_rx_source_address);
	rte_pktmbuf_adj(packet, (uint16_t)(p->payload_offset + sizeof(struct rte_udp_hdr)));
	p->punt_kind = PUNT_MOBILE_IPV4;
	return STEP_PUNT;
}

/* By the first octet of the message (HA4-MSG-02); `length` octets of it there are. */
static step_result demux(struct worker *worker, struct rte_mbuf *packet, uint16_t length)
{
	const struct packet *p = packet_get(packet);
	uint32_t at = p->payload_offset + (uint32_t)sizeof(struct rte_udp_hdr);

	if (length < 1 || !packet_pull(packet, at + 1))
		return STEP_DROP(DROP_rx_short);
	switch (*rte_pktmbuf_mtod_offset(packet, const uint8_t *, at)) {
	case 1:
		return punt(worker, packet, length, 24);
	case 3:
		return STEP_DROP(DROP_rx_unexpected_rrp);
	case 4:
		return length < 4 ? STEP_DROP(DROP_rx_short) : STEP_DECAP_UDP;
	case 7:
		return punt(worker, packet, length, 20);
	case 15:
		return punt(worker, packet, length, 12);
	default:
		return STEP_DROP(DROP_rx_unknown_type);
	}
}

/* RFC 3948 2.2, 2.3: keepalive, IKE behind a marker of zeros, or ESP. */
static step_result demux_nat_traversal(struct rte_mbuf *packet, uint16_t length)
{
	const struct packet *p = packet_get(packet);
	uint32_t at = p->payload_offset + (uint32_t)sizeof(struct rte_udp_hdr);
	const uint8_t *octets;
	uint32_t marker;

	if (length == 0 || !packet_pull(packet, at + RTE_MIN(length, (uint16_t)sizeof(marker))))
		return STEP_DROP(DROP_ipsec_natt_short);
	octets = rte_pktmbuf_mtod_offset(packet, const uint8_t *, at);
	if (length < sizeof(marker))
		return STEP_DROP(length == 1 && octets[0] == 0xff ? DROP_ipsec_natt_keepalive
								  : DROP_ipsec_natt_short);
	memcpy(&marker, octets, sizeof(marker));
	return marker == 0 ? STEP_EXCEPTION : STEP_DECAP_ESP;
}

/* To the kernel's side, within its budget; `marker` octets stand before the IKE header. */
static step_result ike_input(struct worker *worker, struct rte_mbuf *packet, uint32_t marker)
{
	enum drop_reason reason = ike_police_pass(worker, packet,
		packet_get(packet)->payload_offset + (uint32_t)sizeof(struct rte_udp_hdr) + marker);

	return reason == DROP_NONE ? STEP_EXCEPTION : STEP_DROP(reason);
}

/* A datagram to an ESP-in-UDP port, of either family (NAT-01..06). Whether an SA takes checksum 0
 * over IPv6 is for decap/esp to say; keepalives and IKE never come so (RFC 6936 5). */
static step_result nat_traversal_input(
	struct worker *worker, struct rte_mbuf *packet, const struct rte_udp_hdr *udp)
{
	struct packet *p = packet_get(packet);
	uint16_t length = rte_be_to_cpu_16(udp->dgram_len);
	step_result next;
	bool unproved;

	if (length < sizeof(*udp) || length > rte_pktmbuf_pkt_len(packet) - p->payload_offset)
		return STEP_DROP(DROP_ipsec_bad_length);
	p->source_port = udp->src_port;
	p->destination_port = udp->dst_port;
	unproved = udp->dgram_cksum == 0 && packet_is_ipv6(p);
	if (!is_checksum_right(worker, packet, p, udp, length) && !unproved)
		return STEP_DROP(DROP_ipsec_udp_csum);
	next = demux_nat_traversal(packet, (uint16_t)(length - sizeof(*udp)));
	if (unproved && next != STEP_DECAP_ESP)
		return STEP_DROP(DROP_ipsec_udp_csum);
	if (next == STEP_EXCEPTION)
		return ike_input(worker, packet, IKE_MARKER);
	if (next == STEP_DECAP_ESP) /* NAT-03 */
		packet_trim(packet, (uint32_t)p->payload_offset + length);
	return next;
}

step_result udp_input(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	uint32_t payload = rte_pktmbuf_pkt_len(packet) - p->payload_offset;
	const struct rte_udp_hdr *udp;
	uint16_t length;

	if (!packet_pull(packet, p->payload_offset + (uint32_t)sizeof(*udp)))
		return STEP_DROP(DROP_udp_short);
	udp = rte_pktmbuf_mtod_offset(packet, const struct rte_udp_hdr *, p->payload_offset);
	if (esp_port_is(worker, rte_be_to_cpu_16(udp->dst_port)))
		return nat_traversal_input(worker, packet, udp);
	if (udp->dst_port == IKE_PORT)
		return ike_input(worker, packet, 0);
	if (udp->dst_port != MOBILE_IP_PORT || packet_is_ipv6(p))
		return STEP_EXCEPTION;
	length = rte_be_to_cpu_16(udp->dgram_len);
	if (length < sizeof(*udp) || length > payload)
		return STEP_DROP(DROP_udp_short);
	p->source_port = udp->src_port;
	p->destination_port = udp->dst_port;
	if (!is_checksum_right(worker, packet, p, udp, length))
		return STEP_DROP(DROP_udp_badsum);
	if (length < payload) { /* HA4-MSG-08 */
		worker->counters->udp_trailing++;
		packet_trim(packet, (uint32_t)p->payload_offset + length);
	}
	return demux(worker, packet, (uint16_t)(length - sizeof(*udp)));
}

void udp_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(udp_input, worker, packets, count, next);
}
