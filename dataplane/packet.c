#include "dataplane/packet.h"

#include "dataplane/compatibility.h"

#include <rte_ether.h>
#include <rte_ip.h>

#define EXTENSIONS_MAX 8 /* IPv6 extension headers that we step over */

bool packet_pull_segments(struct rte_mbuf *mbuf, uint32_t length)
{
	if (rte_pktmbuf_pkt_len(mbuf) < length ||
		length - rte_pktmbuf_data_len(mbuf) > rte_pktmbuf_tailroom(mbuf))
		return false;
	while (rte_pktmbuf_data_len(mbuf) < length) {
		struct rte_mbuf *second = mbuf->next;
		uint16_t want = (uint16_t)(length - mbuf->data_len);
		uint16_t take = second->data_len < want ? second->data_len : want;
		memcpy(rte_pktmbuf_mtod_offset(mbuf, char *, mbuf->data_len),
			rte_pktmbuf_mtod(second, char *), take);
		mbuf->data_len = (uint16_t)(mbuf->data_len + take);
		second->data_off = (uint16_t)(second->data_off + take);
		second->data_len = (uint16_t)(second->data_len - take);
		if (second->data_len == 0) {
			mbuf->next = second->next;
			mbuf->nb_segs--;
			second->next = NULL;
			second->nb_segs = 1;
			rte_pktmbuf_free_seg(second);
		}
	}
	return true;
}

bool packet_sum(const struct rte_mbuf *mbuf, uint32_t offset, uint32_t length, uint16_t *sum)
{
	uint32_t total = 0, done = 0;

	if (offset > rte_pktmbuf_pkt_len(mbuf) || length > rte_pktmbuf_pkt_len(mbuf) - offset)
		return false;
	for (; offset >= mbuf->data_len && mbuf->next != NULL; mbuf = mbuf->next)
		offset -= mbuf->data_len;
	for (; done < length && mbuf != NULL; mbuf = mbuf->next, offset = 0) {
		uint32_t part = RTE_MIN(mbuf->data_len - offset, length - done);
		uint16_t here =
			rte_raw_cksum(rte_pktmbuf_mtod_offset(mbuf, const char *, offset), part);
		total += done & 1 ? rte_bswap16(here) : here;
		done += part;
	}
	total = (total & 0xffff) + (total >> 16);
	*sum = (uint16_t)((total & 0xffff) + (total >> 16));
	return true;
}

void packet_trim_segments(struct rte_mbuf *mbuf, uint32_t length)
{
	struct rte_mbuf *last = mbuf;
	uint32_t before = 0;

	for (; last->next != NULL && before + last->data_len < length; last = last->next)
		before += last->data_len;
	for (struct rte_mbuf *rest = last->next, *next; rest != NULL; rest = next) {
		next = rest->next;
		rest->next = NULL;
		rest->nb_segs = 1;
		rte_pktmbuf_free_seg(rest);
		mbuf->nb_segs--;
	}
	last->next = NULL;
	last->data_len = (uint16_t)(length - before);
	mbuf->pkt_len = length;
}

static bool parse_ipv4(struct rte_mbuf *mbuf, struct packet *p)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(mbuf, const struct rte_ipv4_hdr *);
	uint16_t header_length = rte_ipv4_hdr_len(ip);
	uint16_t total_length = rte_be_to_cpu_16(ip->total_length);

	if (header_length < sizeof(*ip) || total_length < header_length ||
		total_length > rte_pktmbuf_pkt_len(mbuf) || !packet_pull(mbuf, header_length))
		return false;
	ip = rte_pktmbuf_mtod(mbuf, const struct rte_ipv4_hdr *);
	packet_note_ipv4(p, ip);
	return true;
}

static bool is_extension(uint16_t protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT;
}

/* Steps over extension headers up to a fragment header or what is none; false when one is cut off.
 */
static bool skip_extensions(struct rte_mbuf *mbuf, struct packet *p)
{
	for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
		uint16_t at = p->payload_offset;
		const uint8_t *header;

		if (!is_extension(p->protocol))
			return true;
		if (!packet_pull(mbuf, at + 8u))
			return false;
		header = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, at);
		if (p->protocol == IPPROTO_FRAGMENT) {
			uint16_t fragment = (uint16_t)(header[2] << 8 | header[3]);
			if (fragment & 0xfff9)
				p->flags |= PACKET_FRAGMENT;
			if (fragment & 0xfff8) {
				p->flags |= PACKET_FRAGMENT_LATER;
				return true; /* what follows is no header */
			}
			if (p->flags & PACKET_FRAGMENT)
				return true;
			p->payload_offset = (uint16_t)(at + 8);
		} else {
			p->payload_offset = (uint16_t)(at + 8 + 8 * header[1]);
			if (p->payload_offset > rte_pktmbuf_pkt_len(mbuf))
				return false;
		}
		p->protocol = header[0];
	}
	return true;
}

struct packet_upper packet_upper_ipv6(struct rte_mbuf *mbuf, const struct packet *p)
{
	struct packet_upper upper = {.offset = p->payload_offset,
		.protocol = p->protocol,
		.later = p->flags & PACKET_FRAGMENT_LATER};
	unsigned steps = 0; /* packet_parse went as far as it may, but for a fragment header */

	if (p->protocol == IPPROTO_FRAGMENT)
		steps = upper.later ? 1 : EXTENSIONS_MAX;
	for (; steps > 0 && is_extension(upper.protocol) && packet_pull(mbuf, upper.offset + 8);
		steps--) {
		const uint8_t *header =
			rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, upper.offset);
		upper.offset += upper.protocol == IPPROTO_FRAGMENT ? 8 : 8 + 8u * header[1];
		upper.protocol = header[0];
	}
	if (is_extension(upper.protocol))
		upper.protocol = PACKET_PROTOCOL_HIDDEN;
	return upper;
}

static bool parse_ipv6(struct rte_mbuf *mbuf, struct packet *p)
{
	const struct rte_ipv6_hdr *ip;

	if (!packet_pull(mbuf, sizeof(*ip)))
		return false;
	ip = rte_pktmbuf_mtod(mbuf, const struct rte_ipv6_hdr *);
	if (rte_be_to_cpu_16(ip->payload_len) + sizeof(*ip) > rte_pktmbuf_pkt_len(mbuf))
		return false;
	p->source = ipv6_source(ip);
	p->destination = ipv6_destination(ip);
	p->protocol = ip->proto;
	p->payload_offset = sizeof(*ip);
	p->ttl = ip->hop_limits;
	p->tos = (uint8_t)(rte_be_to_cpu_32(ip->vtc_flow) >> 20);
	return skip_extensions(mbuf, p);
}

bool packet_parse(struct rte_mbuf *mbuf, struct packet *p)
{
	p->flags &= ~(uint32_t)(PACKET_FRAGMENT | PACKET_FRAGMENT_LATER | PACKET_IPV6);
	if (!packet_pull(mbuf, sizeof(struct rte_ipv4_hdr)))
		return false;
	switch (*rte_pktmbuf_mtod(mbuf, const uint8_t *) >> 4) {
	case 4:
		return parse_ipv4(mbuf, p);
	case 6:
		p->flags |= PACKET_IPV6;
		return parse_ipv6(mbuf, p);
	default:
		return false;
	}
}

bool packet_restore_frame(struct worker *worker, struct rte_mbuf *mbuf)
{
	struct packet *p = packet_get(mbuf);
	struct rte_ether_hdr *ether;

	if (p->flags & PACKET_AS_IT_CAME && p->link_length > 0)
		return rte_pktmbuf_prepend(mbuf, p->link_length) != NULL;
	ether = (struct rte_ether_hdr *)rte_pktmbuf_prepend(mbuf, sizeof(*ether));
	if (ether == NULL)
		return false;
	memcpy(ether->dst_addr.addr_bytes, worker->ports[p->port].mac, 6);
	memcpy(ether->src_addr.addr_bytes, p->source_mac, 6);
	ether->ether_type =
		rte_cpu_to_be_16(packet_is_ipv6(p) ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	return true;
}

struct rte_mbuf *packet_copy(struct worker *worker, struct rte_mbuf *mbuf)
{
	struct rte_mbuf *copy = rte_pktmbuf_copy(mbuf, worker->pool, 0, UINT32_MAX);

	if (copy == NULL)
		return NULL;
	*packet_get(copy) = *packet_get(mbuf);
	packet_get(copy)->flags &= ~(uint32_t)PACKET_AS_IT_CAME;
	worker->counters->created++;
	return copy;
}

static bool is_ours_alone(const struct rte_mbuf *packet)
{
	if (packet->nb_segs > PACKET_PIECES_MAX)
		return false;
	for (; packet != NULL; packet = packet->next)
		if (rte_mbuf_refcnt_read(packet) != 1 || !RTE_MBUF_DIRECT(packet))
			return false;
	return true;
}

bool packet_own_copied(struct worker *worker, struct rte_mbuf **packet, uint16_t headroom)
{
	struct rte_mbuf *copy;

	if (rte_pktmbuf_headroom(*packet) >= headroom && is_ours_alone(*packet))
		return true;
	copy = packet_copy(worker, *packet);
	if (copy == NULL)
		return false;
	worker->counters->created--; /* the same packet as before */
	if (rte_pktmbuf_headroom(copy) < headroom) {
		rte_pktmbuf_free(copy);
		return false;
	}
	rte_pktmbuf_free(*packet);
	*packet = copy;
	return true;
}

struct rte_mbuf *packet_new(struct worker *worker, const struct port *port)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(worker->pool);

	if (mbuf == NULL)
		return NULL;
	packet_init(mbuf, port);
	worker->counters->created++;
	return mbuf;
}
