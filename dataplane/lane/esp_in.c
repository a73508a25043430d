#include "dataplane/lane/esp_in.h"

#include "dataplane/input/esp_port.h"
#include "dataplane/lane/esp_in_private.h"

#define ETHER    ESP_IN_ETHER
#define IPV4     ESP_IN_IPV4
#define UDP      ESP_IN_UDP
#define HEADERS  (ETHER + IPV4 + UDP + ESP_HEADER_LENGTH)
#define FRAGMENT RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)
#define ANY_SA   UINT64_MAX

static uint64_t spi_bar(const struct esp_in *lane, const uint8_t *spi)
{
	return esp_in_bar(sa_spi_slot(esp_codec_spi(spi), lane->sas->count));
}

/* Whose number may a packet carry that stays? What is surely neither ESP nor a part of it:
 * nobody's.
 */
static __attribute__((noinline)) uint64_t bars_of(
	const struct esp_in *lane, const struct rte_mbuf *packet)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(frame + ETHER);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	uint16_t type;

	if (packet->data_len < HEADERS)
		return packet->nb_segs > 1 ? ANY_SA : 0;
	memcpy(&type, frame + 12, sizeof(type));
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6) || type == RTE_BE16(RTE_ETHER_TYPE_VLAN))
		return ANY_SA;
	if (type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		(ip->next_proto_id != IPPROTO_ESP && ip->next_proto_id != IPPROTO_UDP))
		return 0;
	if (ip->version_ihl != 0x45 || ip->fragment_offset & FRAGMENT)
		return ANY_SA;
	if (ip->next_proto_id == IPPROTO_ESP)
		return spi_bar(lane, (const uint8_t *)udp);
	return esp_port_is(lane->worker, rte_be_to_cpu_16(udp->dst_port))
		       ? spi_bar(lane, (const uint8_t *)(udp + 1))
		       : 0;
}

/* What udp asks. Returns where ESP ends, from the IP header on; 0: no usual thing. */
static inline uint32_t udp_end(const struct rte_ipv4_hdr *ip, uint32_t end)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	uint32_t length = rte_be_to_cpu_16(udp->dgram_len);

	return udp->dgram_cksum == 0 && udp->src_port != 0 && end >= IPV4 + length ? IPV4 + length
										   : 0;
}

/* Up to the SPI, of what is usual and may be ESP. */
static inline bool parse(const struct esp_in *lane, struct rte_mbuf *frame, struct arrival *a)
{
	struct rte_ipv4_hdr *ip = lane_ip(frame);
	uint32_t at = IPV4, end = rte_be_to_cpu_16(ip->total_length), words[2];
	be16 port = 0;

	if (unlikely(frame->data_len < HEADERS))
		return false;
	a->work.udp = ip->next_proto_id == IPPROTO_UDP;
	if (a->work.udp) {
		port = ((const struct rte_udp_hdr *)(ip + 1))->src_port;
		end = udp_end(ip, end);
		at = IPV4 + UDP;
	}
	if (unlikely(end < at + ESP_HEADER_LENGTH))
		return false;
	rte_prefetch0((const uint8_t *)ip + end - 1); /* the ICV */
	memcpy(words, (const uint8_t *)ip + at, sizeof(words));
	memcpy(&a->usual[0], &ip->src_addr, sizeof(a->usual[0]));
	a->usual[1] = sa_usual_word(words[0], port, lane->port->vrf);
	a->slot = a->sa_id = sa_spi_slot(rte_be_to_cpu_32(words[0]), lane->sas->count);
	a->low = rte_be_to_cpu_32(words[1]);
	a->outer = ip;
	a->work.at = (uint16_t)at;
	a->work.text = end - at; /* for now: all of it */
	return words[0] != 0;
}

static void parse_all(struct esp_in *lane)
{
	const struct lane_burst *burst = lane->burst;

	for (unsigned i = 0; i < burst->count; i++) {
		struct arrival *a = &lane->arrivals[lane->count];
		if (unlikely(!(burst->esp >> i & 1) || !parse(lane, burst->frames[i], a))) {
			lane->barred |= bars_of(lane, burst->frames[i]);
			continue;
		}
		a->work.packet = burst->frames[i];
		a->work.index = (uint8_t)i;
		lane->count++;
		rte_prefetch0(&lane->sas->inbound_of[a->slot]);
	}
}

void esp_in_lane(struct lane_burst *burst)
{
	struct worker *worker = burst->worker;
	struct esp_in lane;

	lane.burst = burst;
	lane.worker = worker;
	lane.sas = tables_sas(worker->tables);
	lane.port = burst->from;
	lane.near = tables_near_v4_parts(worker->tables, lane.port->vrf);
	lane.admitted = NULL;
	lane.ours = 0;
	lane.barred = 0;
	lane.under_way = (uint64_t)BURST_SIZE * (lane.sas->shared ? REGION_WORKERS_MAX : 1);
	lane.direct = true;
	lane.count = 0;
	if (lane.sas->count == 0 || lane.near == NULL)
		return;
	parse_all(&lane);
	esp_in_admit(&lane);
	if (lane.count == 0)
		return;
	for (unsigned i = 0; i < lane.count; i++)
		burst->taken |= UINT64_C(1) << lane.arrivals[i].work.index;
	esp_in_open(&lane);
	esp_in_finish(&lane);
}
