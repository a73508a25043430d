#include "dataplane/decap/gre.h"

#include "dataplane/compatibility.h"
#include "dataplane/decap/outer.h"

#include <rte_ether.h>
#include <rte_ip.h>

#define FLAG_CHECKSUM 0x8000
#define FLAGS_MUST_BE_ZERO                                                                         \
	0x7c07 /* bits 1-5 (routing, key, sequence, ...) and the version; 6-12 are ignored */
#define HEADER_LENGTH   4
#define CHECKSUM_LENGTH 4

static uint16_t read_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* HA4-ALT-04: GRE addressed back to the end it came from. */
static bool is_loop(struct rte_mbuf *packet, const struct packet *p, uint16_t type)
{
	struct ip_address destination;

	if (type == RTE_ETHER_TYPE_IPV4) {
		if (!packet_pull(packet, sizeof(struct rte_ipv4_hdr)))
			return false;
		destination = ip_address_from_v4(
			rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *)->dst_addr);
	} else {
		if (!packet_pull(packet, sizeof(struct rte_ipv6_hdr)))
			return false;
		destination = ipv6_destination(rte_pktmbuf_mtod(packet, struct rte_ipv6_hdr *));
	}
	return ip_address_equal(&destination, &p->outer_source);
}

static bool is_ipv6_served(struct worker *worker, const struct packet *p)
{
	struct local local = tables_local_lookup(worker->tables, p->vrf, &p->outer_destination);
	return local.agent != NULL && local.agent->flags & AGENT_IPV6_IN_TUNNEL;
}

step_result gre_decap(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	uint32_t at = p->payload_offset, length = HEADER_LENGTH;
	uint16_t flags, type, sum;
	const uint8_t *header;

	if (!packet_pull(packet, at + HEADER_LENGTH))
		return STEP_DROP(DROP_gre_header);
	header = rte_pktmbuf_mtod_offset(packet, const uint8_t *, at);
	flags = read_be16(header);
	type = read_be16(header + 2);
	if (flags & FLAGS_MUST_BE_ZERO)
		return STEP_DROP(DROP_gre_header);
	if (flags & FLAG_CHECKSUM) {
		length += CHECKSUM_LENGTH;
		if (!packet_pull(packet, at + length))
			return STEP_DROP(DROP_gre_header);
		if (!packet_sum(packet, at, rte_pktmbuf_pkt_len(packet) - at, &sum) ||
			sum != 0xffff)
			return STEP_DROP(DROP_gre_checksum);
	}
	if (p->outer_kind == DECAP_UDP)
		p->outer_next = ENCAPSULATION_GRE;
	else
		outer_note(p, DECAP_GRE, ENCAPSULATION_GRE);
	if (type != RTE_ETHER_TYPE_IPV4 &&
		(type != RTE_ETHER_TYPE_IPV6 || !is_ipv6_served(worker, p)))
		return STEP_DROP(DROP_gre_protocol);
	rte_pktmbuf_adj(packet, (uint16_t)(at + length));
	if (!packet_pull(packet, 1) || *rte_pktmbuf_mtod(packet, const uint8_t *) >> 4 !=
					       (type == RTE_ETHER_TYPE_IPV4 ? 4 : 6))
		return STEP_DROP(DROP_rt_inner_bad);
	if (is_loop(packet, p, type))
		return STEP_DROP(DROP_gre_loop);
	return STEP_INNER_CHECK;
}

void gre_decap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(gre_decap, worker, packets, count, next);
}
