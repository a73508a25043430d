#include "dataplane/fragment.h"

#include "dataplane/header.h"

#define FRAGMENTS_MAX   128
#define FRAGMENT_HEADER 8 /* of IPv6 */
#define OPTION_COPY     0x80
#define OPTION_END      0
#define OPTION_NOP      1

/* The header of the fragments after the first: only options that go along. Returns its length. */
static uint16_t later_header(const struct rte_ipv4_hdr *ip, uint8_t header[60])
{
	const uint8_t *options = (const uint8_t *)(ip + 1);
	uint16_t length = (uint16_t)(rte_ipv4_hdr_len(ip) - sizeof(*ip)), used = sizeof(*ip);

	memcpy(header, ip, sizeof(*ip));
	for (uint16_t at = 0; at < length && options[at] != OPTION_END;) {
		uint16_t size = 1;
		if (options[at] != OPTION_NOP) {
			if (at + 1 >= length || options[at + 1] < 2 ||
				at + options[at + 1] > length)
				break;
			size = options[at + 1];
			if (options[at] & OPTION_COPY) {
				memcpy(header + used, options + at, size);
				used = (uint16_t)(used + size);
			}
		}
		at = (uint16_t)(at + size);
	}
	while (used % 4 != 0)
		header[used++] = OPTION_END;
	((struct rte_ipv4_hdr *)header)->version_ihl = (uint8_t)(0x40 | used / 4);
	return used;
}

static struct rte_mbuf *make(struct worker *worker, struct rte_mbuf *packet, const void *header,
	uint16_t header_length, uint32_t offset, uint16_t length)
{
	struct rte_mbuf *fragment = rte_pktmbuf_alloc(worker->pool);
	const struct packet *p = packet_get(packet);
	char *data;
	const char *from;

	if (fragment == NULL)
		return NULL;
	data = rte_pktmbuf_append(fragment, (uint16_t)(header_length + length));
	if (data == NULL) {
		rte_pktmbuf_free(fragment);
		return NULL;
	}
	memcpy(data, header, header_length);
	from = rte_pktmbuf_read(packet, offset, length, data + header_length);
	if (from != data + header_length)
		memcpy(data + header_length, from, length);
	*packet_get(fragment) = *p;
	packet_get(fragment)->flags &= ~(uint32_t)PACKET_AS_IT_CAME;
	return fragment;
}

static void finish(
	struct rte_mbuf *fragment, const struct rte_ipv4_hdr *original, uint32_t offset, bool more)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(fragment, struct rte_ipv4_hdr *);
	uint16_t field = rte_be_to_cpu_16(original->fragment_offset);

	field = (uint16_t)((field & ~RTE_IPV4_HDR_MF_FLAG) +
			   offset / 8); /* a fragment may be cut again */
	if (more || original->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG))
		field |= RTE_IPV4_HDR_MF_FLAG;
	ip->fragment_offset = rte_cpu_to_be_16(field);
	ip->total_length = rte_cpu_to_be_16((uint16_t)rte_pktmbuf_pkt_len(fragment));
	ipv4_checksum_set(ip);
	packet_parse(fragment, packet_get(fragment));
}

/* All fragments there are, in order, or none. */
static step_result give(struct worker *worker, struct rte_mbuf *packet, struct rte_mbuf **fragments,
	uint16_t count, bool complete, enum step next)
{
	if (!complete) {
		for (uint16_t i = 0; i < count; i++)
			rte_pktmbuf_free(fragments[i]);
		return STEP_DROP(DROP_fragment);
	}
	worker->counters->created += count - 1u; /* the first stands for the packet itself */
	worker->counters->fragments_made += count;
	rte_pktmbuf_free(packet);
	for (uint16_t i = 0; i < count; i++)
		pipeline_emit(worker, fragments[i], next);
	return STEP_DONE;
}

step_result fragment_ipv4(
	struct worker *worker, struct rte_mbuf *packet, uint16_t mtu, enum step next)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, const struct rte_ipv4_hdr *);
	struct rte_mbuf *fragments[FRAGMENTS_MAX];
	uint16_t first_length = rte_ipv4_hdr_len(ip), count = 0;
	uint32_t payload = rte_pktmbuf_pkt_len(packet) - first_length, done = 0;
	uint8_t later[60];
	uint16_t later_length = later_header(ip, later);

	if (mtu < first_length + 8)
		return STEP_DROP(DROP_fragment);
	while (done < payload && count < FRAGMENTS_MAX) {
		uint16_t header_length = count == 0 ? first_length : later_length;
		uint16_t room = (uint16_t)(mtu - header_length);
		uint16_t length = (uint16_t)(payload - done <= room ? payload - done : room & ~7u);
		struct rte_mbuf *fragment =
			make(worker, packet, count == 0 ? (const void *)ip : later, header_length,
				first_length + done, length);

		if (fragment == NULL)
			break;
		finish(fragment, ip, done, done + length < payload);
		fragments[count++] = fragment;
		done += length;
	}
	return give(worker, packet, fragments, count, done == payload, next);
}

step_result fragment_ipv6(
	struct worker *worker, struct rte_mbuf *packet, uint16_t mtu, enum step next)
{
	static _Atomic uint32_t identification;
	uint8_t header[sizeof(struct rte_ipv6_hdr) + FRAGMENT_HEADER];
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)header;
	struct rte_mbuf *fragments[FRAGMENTS_MAX];
	uint32_t payload = rte_pktmbuf_pkt_len(packet) - (uint32_t)sizeof(*ip), done = 0;
	rte_be32_t id = rte_cpu_to_be_32(++identification);
	uint16_t room = (uint16_t)((mtu - sizeof(header)) & ~7u), count = 0;

	if (mtu < sizeof(header) + 8)
		return STEP_DROP(DROP_fragment);
	memcpy(header, rte_pktmbuf_mtod(packet, const void *), sizeof(*ip));
	memset(header + sizeof(*ip), 0, FRAGMENT_HEADER);
	header[sizeof(*ip)] = ip->proto;
	memcpy(header + sizeof(*ip) + 4, &id, sizeof(id));
	ip->proto = IPPROTO_FRAGMENT;
	while (done < payload && count < FRAGMENTS_MAX) {
		uint16_t length = (uint16_t)RTE_MIN(payload - done, (uint32_t)room);
		be16 offset = rte_cpu_to_be_16((uint16_t)(done | (done + length < payload)));
		struct rte_mbuf *fragment;

		ip->payload_len = rte_cpu_to_be_16((uint16_t)(FRAGMENT_HEADER + length));
		memcpy(header + sizeof(*ip) + 2, &offset, sizeof(offset));
		fragment = make(worker, packet, header, sizeof(header),
			(uint32_t)sizeof(*ip) + done, length);
		if (fragment == NULL)
			break;
		fragments[count++] = fragment;
		done += length;
	}
	return give(worker, packet, fragments, count, done == payload, next);
}
