#include "lib/wire/ipv6.h"

enum ipv6_status ipv6_parse(struct ipv6_header *ip, const void *data, size_t length)
{
	struct reader r = reader_make(data, length);

	memset(ip, 0, sizeof(*ip));
	if (length < IPV6_HEADER_SIZE)
		return IPV6_SHORT;
	uint32_t first = reader_u32(&r);
	if (first >> 28 != 6)
		return IPV6_BAD_VERSION;
	ip->traffic_class = (uint8_t)(first >> 20);
	ip->flow_label = first & 0xfffff;
	ip->payload_length = reader_u16(&r);
	ip->next_header = reader_u8(&r);
	ip->hop_limit = reader_u8(&r);
	memcpy(ip->source, reader_take(&r, 16), 16);
	memcpy(ip->destination, reader_take(&r, 16), 16);
	if (ip->payload_length > reader_left(&r))
		return IPV6_BAD_LENGTH;
	ip->payload = r.at;
	return IPV6_OK;
}

void ipv6_write(struct writer *w, const struct ipv6_header *ip)
{
	writer_u32(w, 6u << 28 | (uint32_t)ip->traffic_class << 20 | (ip->flow_label & 0xfffff));
	writer_u16(w, ip->payload_length);
	writer_u8(w, ip->next_header);
	writer_u8(w, ip->hop_limit);
	writer_bytes(w, ip->source, 16);
	writer_bytes(w, ip->destination, 16);
}
