#include "dataplane/input/ipv6.h"

#include "dataplane/header.h"

static bool is_loopback(const struct ip_address *a)
{
	static const uint8_t loopback[16] = {[15] = 1};
	return memcmp(a->bytes, loopback, 16) == 0;
}

static bool is_link_local(const struct ip_address *a)
{
	return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static step_result classify(struct worker *worker, struct packet *p)
{
	/* A mapped address on the wire would stand for an IPv4 address in every table (RFC 6890:
	 * not forwardable). */
	if (p->source.bytes[0] == 0xff || is_loopback(&p->source) || ip_address_is_v4(&p->source))
		return STEP_DROP(DROP_source_invalid);
	if (ip_address_is_unspecified(&p->destination) || is_loopback(&p->destination) ||
		ip_address_is_v4(&p->destination))
		return STEP_DROP(DROP_destination_invalid);
	if (p->destination.bytes[0] == 0xff) {
		p->flags |= PACKET_IP_BROADCAST;
		return STEP_LOCAL_DEMUX;
	}
	if (p->flags & PACKET_LINK_BROADCAST)
		return STEP_DROP(DROP_link_broadcast_unicast);
	if (tables_local_lookup(worker->tables, p->vrf, &p->destination).kind != LOCAL_NONE)
		return STEP_LOCAL_DEMUX;
	if (is_link_local(&p->destination))
		return STEP_EXCEPTION; /* the kernel knows the port's link-local address */
	if (ip_address_is_unspecified(&p->source) || is_link_local(&p->source))
		return STEP_DROP(DROP_source_invalid); /* RFC 4291 2.5.2, 2.5.6: never forwarded */
	return step_inbound(worker, p, STEP_DESTINATION);
}

step_result ipv6_input(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	const struct rte_ipv6_hdr *ip;
	uint32_t length;

	if (!packet_pull(packet, sizeof(*ip)))
		return STEP_DROP(DROP_ipv6_header);
	ip = rte_pktmbuf_mtod(packet, const struct rte_ipv6_hdr *);
	length = rte_be_to_cpu_16(ip->payload_len) + (uint32_t)sizeof(*ip);
	if ((*(const uint8_t *)ip) >> 4 != 6 || length > rte_pktmbuf_pkt_len(packet))
		return STEP_DROP(DROP_ipv6_header);
	packet_trim(packet, length);
	if (!packet_parse(packet, p))
		return STEP_DROP(DROP_ipv6_header);
	return classify(worker, p);
}

void ipv6_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(ipv6_input, worker, packets, count, next);
}
