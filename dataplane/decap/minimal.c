#include "dataplane/decap/minimal.h"

#include "dataplane/decap/outer.h"
#include "dataplane/header.h"

#define SHORT_LENGTH   8 /* without the original source address */
#define LONG_LENGTH    12
#define SOURCE_PRESENT 0x80

struct minimal_header {
	uint8_t protocol;
	uint8_t flags;
	be16 checksum;
	be32 destination;
	be32 source;       /* when SOURCE_PRESENT */
} __attribute__((packed)); /* at any octet of a buffer */
static_assert(sizeof(struct minimal_header) == LONG_LENGTH, "RFC 2004 3");

step_result minimal_decap(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	uint16_t at = p->payload_offset, length = SHORT_LENGTH;
	struct minimal_header header;
	struct rte_ipv4_hdr *ip;

	if (!packet_pull(packet, at + SHORT_LENGTH))
		return STEP_DROP(DROP_minimal_header);
	if (rte_pktmbuf_mtod_offset(packet, const struct minimal_header *, at)->flags &
		SOURCE_PRESENT)
		length = LONG_LENGTH;
	if (!packet_pull(packet, (uint32_t)at + length))
		return STEP_DROP(DROP_minimal_header);
	memcpy(&header, rte_pktmbuf_mtod_offset(packet, const void *, at), length);
	if (rte_raw_cksum(&header, length) != 0xffff)
		return STEP_DROP(DROP_minimal_header);
	if (p->outer_kind == DECAP_UDP)
		p->outer_next = ENCAPSULATION_MINIMAL;
	else
		outer_note(p, DECAP_MINIMAL, ENCAPSULATION_MINIMAL);
	ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);
	memmove((uint8_t *)ip + length, ip, at);
	ip = (struct rte_ipv4_hdr *)rte_pktmbuf_adj(packet, length);
	ip->next_proto_id = header.protocol;
	ip->dst_addr = header.destination;
	if (length == LONG_LENGTH) /* HA4-ALT-09: else it is the outer source */
		ip->src_addr = header.source;
	ip->total_length = rte_cpu_to_be_16((uint16_t)rte_pktmbuf_pkt_len(packet));
	ipv4_checksum_set(ip);
	return STEP_INNER_CHECK;
}

void minimal_decap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	pipeline_disorder(worker); /* fragments of the same flow come IP-in-IP (HA4-ALT-10) */
	step_burst(minimal_decap, worker, packets, count, next);
}
