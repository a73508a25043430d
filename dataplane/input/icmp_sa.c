#include "dataplane/input/icmp_sa.h"

#include "dataplane/compatibility.h"
#include "dataplane/input/icmp_tunnel.h"
#include "dataplane/table/sa_lane.h"

#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_udp.h>

#define TYPE_UNREACHABLE 3
#define CODE_TOO_BIG     4
#define TYPE6_TOO_BIG    2
#define MTU_LEAST        68 /* RFC 791: less is a lie */
#define FLOOR_IPV4       576
#define FLOOR_IPV6       1280
#define RECENT           (1u << 16) /* numbers back from the last (MTU-08) */
#define ESP_QUOTE        8          /* SPI and number */

struct quote { /* of a datagram that is said to be ours */
	struct sa_peer peer;
	uint32_t mtu, number;
	bool has_number;
	bool is_esp; /* or UDP that may carry it */
};

static bool is_checksum_right(struct rte_mbuf *packet, const struct packet *p)
{
	uint32_t length = rte_pktmbuf_pkt_len(packet) - p->payload_offset, total;
	uint16_t sum;

	if (!packet_sum(packet, p->payload_offset, length, &sum))
		return false;
	if (!packet_is_ipv6(p))
		return sum == 0xffff;
	total = (uint32_t)sum + rte_cpu_to_be_16(IPPROTO_ICMPV6) +
		rte_cpu_to_be_16((uint16_t)length) + rte_raw_cksum(p->source.bytes, 16) +
		rte_raw_cksum(p->destination.bytes, 16);
	return total % 0xffff == 0;
}

/* SPI, number and ports from `at`, where ESP or UDP begins. */
static void read_esp(struct rte_mbuf *packet, uint32_t at, uint8_t protocol, struct quote *quote)
{
	uint32_t words[2];

	if (protocol == IPPROTO_UDP) {
		if (!packet_pull(packet, at + (uint32_t)sizeof(struct rte_udp_hdr)))
			return;
		memcpy(&quote->peer.local_port,
			rte_pktmbuf_mtod_offset(packet, const uint8_t *, at), 2);
		memcpy(&quote->peer.remote_port,
			rte_pktmbuf_mtod_offset(packet, const uint8_t *, at + 2), 2);
		at += (uint32_t)sizeof(struct rte_udp_hdr);
	} else if (protocol != IPPROTO_ESP) {
		return;
	}
	quote->is_esp = packet_pull(packet, at + 4);
	if (!quote->is_esp)
		return;
	quote->has_number = packet_pull(packet, at + ESP_QUOTE);
	memcpy(words, rte_pktmbuf_mtod_offset(packet, const uint8_t *, at),
		quote->has_number ? 8 : 4);
	quote->peer.spi = words[0];
	if (quote->has_number)
		quote->number = rte_be_to_cpu_32(words[1]);
}

static void read_ipv4(struct rte_mbuf *packet, uint16_t mtu, struct quote *quote)
{
	uint32_t at = packet_get(packet)->payload_offset + (uint32_t)sizeof(struct rte_icmp_hdr);
	struct rte_ipv4_hdr ip;

	if (!packet_pull(packet, at + (uint32_t)sizeof(ip)))
		return;
	memcpy(&ip, rte_pktmbuf_mtod_offset(packet, const void *, at), sizeof(ip));
	if (ip.version_ihl != 0x45 || ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
		return;
	quote->peer.local = ip_address_from_v4(ip.src_addr);
	quote->peer.remote = ip_address_from_v4(ip.dst_addr);
	quote->mtu = mtu != 0 ? mtu : icmp_tunnel_plateau(rte_be_to_cpu_16(ip.total_length));
	read_esp(packet, at + (uint32_t)sizeof(ip), ip.next_proto_id, quote);
}

static void read_ipv6(struct rte_mbuf *packet, uint32_t mtu, struct quote *quote)
{
	uint32_t at = packet_get(packet)->payload_offset + (uint32_t)sizeof(struct rte_icmp_hdr);
	struct rte_ipv6_hdr ip;

	if (!packet_pull(packet, at + (uint32_t)sizeof(ip)))
		return;
	memcpy(&ip, rte_pktmbuf_mtod_offset(packet, const void *, at), sizeof(ip));
	quote->peer.local = ipv6_source(&ip);
	quote->peer.remote = ipv6_destination(&ip);
	quote->mtu = mtu;
	read_esp(packet, at + (uint32_t)sizeof(ip), ip.proto, quote);
}

/* The number was sent a short while ago. */
static bool is_recent(const struct sa_table *sas, const struct sa_outbound *sa, uint32_t number)
{
	uint64_t last = atomic_load_explicit(
		&sa_outbound_state(sas, sa->sa_id)->sequence, memory_order_relaxed);

	return (uint32_t)last - number < RECENT && last > (uint32_t)last - number;
}

static void lower(struct worker *worker, const struct sa_outbound *sa, uint32_t mtu, bool ipv6)
{
	uint32_t floor = worker->settings != NULL ? worker->settings->path_mtu_floor : 0;
	uint16_t now = atomic_load_explicit(&sa->learned_mtu, memory_order_relaxed);

	floor = ipv6 ? FLOOR_IPV6 : floor >= MTU_LEAST ? floor : FLOOR_IPV4;
	mtu = RTE_MIN(RTE_MAX(mtu, floor), (uint32_t)UINT16_MAX);
	if (now != 0 && mtu >= now) /* MTU-09: it never rises */
		return;
	sa_lane_mtu_learned(sa, (uint16_t)mtu, (uint32_t)(worker->now_ns / CLOCK_NS_PER_S));
}

void icmp_sa_note(struct worker *worker, struct rte_mbuf *packet)
{
	const struct packet *p = packet_get(packet);
	const struct sa_table *sas = tables_sas(worker->tables);
	const struct sa_outbound *sa = NULL;
	struct quote quote = {.is_esp = false};
	struct rte_icmp_hdr icmp;
	bool ipv6 = packet_is_ipv6(p);
	uint16_t low;

	if (!packet_pull(packet, p->payload_offset + (uint32_t)sizeof(icmp)))
		return;
	memcpy(&icmp, rte_pktmbuf_mtod_offset(packet, const void *, p->payload_offset),
		sizeof(icmp));
	if (ipv6 ? icmp.icmp_type != TYPE6_TOO_BIG
		 : icmp.icmp_type != TYPE_UNREACHABLE || icmp.icmp_code != CODE_TOO_BIG)
		return;
	low = rte_be_to_cpu_16(icmp.icmp_seq_nb);
	if (ipv6)
		read_ipv6(packet, (uint32_t)rte_be_to_cpu_16(icmp.icmp_ident) << 16 | low, &quote);
	else
		read_ipv4(packet, low, &quote);
	if (!quote.is_esp)
		return;
	if (is_checksum_right(packet, p))
		sa = sa_table_find_outbound(sas, &quote.peer);
	if (sa == NULL || sa->vrf != p->vrf || !quote.has_number ||
		!is_recent(sas, sa, quote.number) || quote.mtu < (ipv6 ? FLOOR_IPV6 : MTU_LEAST)) {
		/* UDP to anywhere but our ESP port is not about us at all. */
		worker->counters->ipsec_ptb_reject += quote.peer.remote_port == 0 || sa != NULL;
		return;
	}
	lower(worker, sa, quote.mtu, ipv6);
}
