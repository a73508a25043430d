#include "dataplane/mss_clamp.h"

#include "dataplane/header.h"

#include <rte_tcp.h>

#define OPTION_END      0
#define OPTION_NOP      1
#define OPTION_MSS      2
#define TCP_OVERHEAD_V4 40
#define TCP_OVERHEAD_V6 60

/* Checksum words start at even offsets from the TCP header; the option may lie at an odd one. */
static void set(struct rte_tcp_hdr *tcp, uint8_t *value, uint16_t mss)
{
	for (unsigned i = 0; i < 2; i++) {
		size_t at = (size_t)(value + i - (uint8_t *)tcp);
		uint8_t octet = (uint8_t)(i == 0 ? mss >> 8 : mss);
		uint16_t before, after;
		memcpy(&before, (uint8_t *)tcp + (at & ~(size_t)1), 2);
		value[i] = octet;
		memcpy(&after, (uint8_t *)tcp + (at & ~(size_t)1), 2);
		tcp->cksum = checksum_adjust(tcp->cksum, before, after);
	}
}

bool mss_clamp_applies(struct rte_mbuf *packet, const struct packet *p)
{
	if (p->protocol != IPPROTO_TCP || p->flags & PACKET_FRAGMENT ||
		!packet_pull(packet, p->payload_offset + (uint32_t)sizeof(struct rte_tcp_hdr)))
		return false;
	return rte_pktmbuf_mtod_offset(packet, const struct rte_tcp_hdr *, p->payload_offset)
		       ->tcp_flags &
	       RTE_TCP_SYN_FLAG;
}

void mss_clamp(struct rte_mbuf *packet, const struct packet *p, uint16_t mtu)
{
	uint16_t overhead = packet_is_ipv6(p) ? TCP_OVERHEAD_V6 : TCP_OVERHEAD_V4;
	struct rte_tcp_hdr *tcp;
	uint16_t length, mss;
	uint8_t *option;

	if (mtu <= overhead || !mss_clamp_applies(packet, p))
		return;
	tcp = rte_pktmbuf_mtod_offset(packet, struct rte_tcp_hdr *, p->payload_offset);
	length = (uint16_t)((tcp->data_off >> 4) * 4);
	if (length <= sizeof(*tcp) || !packet_pull(packet, p->payload_offset + (uint32_t)length))
		return;
	tcp = rte_pktmbuf_mtod_offset(packet, struct rte_tcp_hdr *, p->payload_offset);
	option = (uint8_t *)tcp;
	for (uint16_t at = sizeof(*tcp); at + 1 < length && option[at] != OPTION_END;) {
		uint8_t size = option[at] == OPTION_NOP ? 1 : option[at + 1];
		if (size == 0 || at + size > length)
			return;
		if (option[at] == OPTION_MSS && size == 4) {
			mss = (uint16_t)(option[at + 2] << 8 | option[at + 3]);
			if (mss > mtu - overhead)
				set(tcp, &option[at + 2], (uint16_t)(mtu - overhead));
			return;
		}
		at = (uint16_t)(at + size);
	}
}
