#include "dataplane/home_address.h"

#include <rte_ip.h>

#define MOBILITY_HEADER 135
#define BINDING_UPDATE  5
#define OPTION_PAD1     0
#define OPTION_HOME     201 /* RFC 6275 6.3: octets 16 */
#define ROUTING_TYPE2   2   /* RFC 6275 6.4: length 2, one segment left */

static bool is_usable(const struct ip_address *address)
{
	return ip_address_is_unicast(address) && !ip_address_is_v4(address);
}

/* Options of one header; `length` octets behind its first two. */
static void read_options(const uint8_t *options, uint32_t length, struct home_addresses *out)
{
	for (uint32_t at = 0; at < length;) {
		if (options[at] == OPTION_PAD1) {
			at++;
			continue;
		}
		if (length - at < 2 || length - at - 2 < options[at + 1])
			return;
		if (options[at] == OPTION_HOME) {
			out->refused |= options[at + 1] != 16 || out->option;
			if (options[at + 1] == 16)
				out->source = ip_address_from_v6(options + at + 2);
			out->refused |= !is_usable(&out->source);
			out->option = true;
		}
		at += 2u + options[at + 1];
	}
}

static void read_routing(const uint8_t *header, struct home_addresses *out)
{
	struct ip_address last;

	if (header[1] != 2 || header[2] != ROUTING_TYPE2 || header[3] != 1)
		return;
	last = ip_address_from_v6(header + 8);
	if (is_usable(&last))
		out->destination = last;
}

struct home_addresses home_address_read(struct rte_mbuf *packet, const struct packet *p)
{
	struct home_addresses found = {.source = p->source, .destination = p->destination};
	uint32_t at = sizeof(struct rte_ipv6_hdr);
	uint8_t kind;

	if (likely(!packet_is_ipv6(p) || p->payload_offset <= at))
		return found;
	if (!packet_pull(packet, p->payload_offset))
		return found;
	kind = rte_pktmbuf_mtod(packet, const struct rte_ipv6_hdr *)->proto;
	while (at + 8 <= p->payload_offset) {
		const uint8_t *header = rte_pktmbuf_mtod_offset(packet, const uint8_t *, at);
		uint32_t length = kind == IPPROTO_FRAGMENT ? 8 : 8 + 8u * header[1];

		if (length > p->payload_offset - at)
			break;
		if (kind == IPPROTO_DSTOPTS)
			read_options(header + 2, length - 2, &found);
		else if (kind == IPPROTO_ROUTING)
			read_routing(header, &found);
		kind = header[0];
		at += length;
	}
	return found;
}

bool home_address_is_update(struct rte_mbuf *packet, const struct packet *p)
{
	return p->protocol == MOBILITY_HEADER && packet_pull(packet, p->payload_offset + 3u) &&
	       rte_pktmbuf_mtod_offset(packet, const uint8_t *, p->payload_offset)[2] ==
		       BINDING_UPDATE;
}
