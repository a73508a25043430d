#include "lib/wire/ipv4.h"

#include "lib/wire/checksum.h"

enum ipv4_status ipv4_parse(struct ipv4_header *ip, const void *data, size_t length)
{
	struct reader r = reader_make(data, length);

	memset(ip, 0, sizeof(*ip));
	if (length < IPV4_HEADER_SIZE)
		return IPV4_SHORT;
	uint8_t version_ihl = reader_u8(&r);
	ip->header_length = (uint8_t)((version_ihl & 0xf) * 4);
	ip->tos = reader_u8(&r);
	ip->total_length = reader_u16(&r);
	ip->identification = reader_u16(&r);
	ip->fragment = reader_u16(&r);
	ip->ttl = reader_u8(&r);
	ip->protocol = reader_u8(&r);
	reader_u16(&r); /* checksum: summed below with the rest */
	ip->source = reader_be32(&r);
	ip->destination = reader_be32(&r);

	bool summable = ip->header_length >= IPV4_HEADER_SIZE && ip->header_length <= length;
	if (summable && !checksum_verify(checksum_add(0, data, ip->header_length)))
		return IPV4_BAD_CHECKSUM;
	if (version_ihl >> 4 != 4)
		return IPV4_BAD_VERSION;
	if (!summable)
		return IPV4_BAD_IHL;
	if (ip->total_length < ip->header_length || ip->total_length > length)
		return IPV4_BAD_LENGTH;
	ip->payload = (const uint8_t *)data + ip->header_length;
	ip->payload_length = (uint16_t)(ip->total_length - ip->header_length);
	return IPV4_OK;
}

void ipv4_write(struct writer *w, const struct ipv4_header *ip)
{
	uint8_t *header = w->at;

	writer_u8(w, 0x45);
	writer_u8(w, ip->tos);
	writer_u16(w, ip->total_length);
	writer_u16(w, ip->identification);
	writer_u16(w, ip->fragment);
	writer_u8(w, ip->ttl);
	writer_u8(w, ip->protocol);
	writer_u16(w, 0);
	writer_be32(w, ip->source);
	writer_be32(w, ip->destination);
	if (!w->overflow)
		ipv4_checksum_set(header, IPV4_HEADER_SIZE);
}

void ipv4_checksum_set(uint8_t *header, size_t header_length)
{
	memset(header + 10, 0, 2);
	be16 sum = checksum(header, header_length);
	memcpy(header + 10, &sum, 2);
}
