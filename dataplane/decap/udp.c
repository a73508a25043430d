#include "dataplane/decap/udp.h"

#include "dataplane/decap/outer.h"
#include "dataplane/header.h"

#include <rte_udp.h>

#define MIP_HEADER_LENGTH 4
#define SHIM_LENGTH       (sizeof(struct rte_udp_hdr) + MIP_HEADER_LENGTH)

step_result udp_decap(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	uint16_t at = p->payload_offset;
	uint8_t next;

	if (!packet_pull(packet, at + (uint32_t)SHIM_LENGTH))
		return STEP_DROP(DROP_rx_short);
	next = *rte_pktmbuf_mtod_offset(
		packet, const uint8_t *, at + sizeof(struct rte_udp_hdr) + 1);
	outer_note(p, DECAP_UDP, next);
	p->outer_source_port = p->source_port;
	p->outer_destination_port = p->destination_port;
	switch (next) {
	case ENCAPSULATION_IPIP:
		rte_pktmbuf_adj(packet, (uint16_t)(at + SHIM_LENGTH));
		return STEP_INNER_CHECK;
	case ENCAPSULATION_GRE:
		rte_pktmbuf_adj(packet, (uint16_t)(at + SHIM_LENGTH));
		p->payload_offset = 0;
		return STEP_DECAP_GRE;
	case ENCAPSULATION_MINIMAL: {
		/* The minimal header stands on an IP header of its own: the outer one, moved up to
		 * it. */
		uint8_t *ip = rte_pktmbuf_mtod(packet, uint8_t *);
		memmove(ip + SHIM_LENGTH, ip, at);
		rte_pktmbuf_adj(packet, SHIM_LENGTH);
		return STEP_DECAP_MINIMAL;
	}
	default:
		return STEP_DROP(DROP_udp_tun_nh_mismatch);
	}
}

void udp_decap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	step_burst(udp_decap, worker, packets, count, next);
}
