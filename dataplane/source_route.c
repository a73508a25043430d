#include "dataplane/source_route.h"

#include <rte_ip.h>

#define OPTION_END   0
#define OPTION_NOP   1
#define OPTION_LSRR  131
#define OPTION_SSRR  137
#define ROUTING_TYPE 2 /* octet of a routing header */

static bool is_in_options(const uint8_t *ip, uint16_t length)
{
	for (uint16_t at = sizeof(struct rte_ipv4_hdr); at < length && ip[at] != OPTION_END;) {
		if (ip[at] == OPTION_LSRR || ip[at] == OPTION_SSRR)
			return true;
		if (ip[at] == OPTION_NOP)
			at++;
		else if (at + 1 < length && ip[at + 1] >= 2)
			at = (uint16_t)(at + ip[at + 1]);
		else
			return false;
	}
	return false;
}

/* From the fixed header to what packet_parse found behind the extension headers. */
static bool is_in_extensions(struct rte_mbuf *packet, uint16_t end)
{
	uint8_t next = rte_pktmbuf_mtod(packet, const struct rte_ipv6_hdr *)->proto;

	for (uint32_t at = sizeof(struct rte_ipv6_hdr); at < end;) {
		if (!packet_pull(packet, at + 8))
			return false;
		const uint8_t *header = rte_pktmbuf_mtod_offset(packet, const uint8_t *, at);
		if (next == IPPROTO_ROUTING && header[ROUTING_TYPE] == 0)
			return true;
		at += next == IPPROTO_FRAGMENT ? 8 : 8 + 8u * header[1];
		next = header[0];
	}
	return false;
}

bool source_route_is_there(struct rte_mbuf *packet, const struct packet *p)
{
	if (packet_is_ipv6(p))
		return p->payload_offset > sizeof(struct rte_ipv6_hdr) &&
		       is_in_extensions(packet, p->payload_offset);
	return p->payload_offset > sizeof(struct rte_ipv4_hdr) &&
	       is_in_options(rte_pktmbuf_mtod(packet, const uint8_t *), p->payload_offset);
}
