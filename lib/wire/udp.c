#include "lib/wire/udp.h"

#include "lib/wire/checksum.h"

enum udp_status udp_parse_v4(struct udp_datagram *udp, const struct ipv4_header *ip)
{
	struct reader r = reader_make(ip->payload, ip->payload_length);

	memset(udp, 0, sizeof(*udp));
	if (ip->payload_length < UDP_HEADER_SIZE)
		return UDP_SHORT;
	udp->source_port = reader_u16(&r);
	udp->destination_port = reader_u16(&r);
	uint16_t length = reader_u16(&r);
	udp->has_checksum = reader_u16(&r) != 0;
	if (length < UDP_HEADER_SIZE || length > ip->payload_length)
		return UDP_BAD_LENGTH;
	if (udp->has_checksum) {
		uint64_t sum =
			checksum_pseudo_v4(ip->source, ip->destination, IP_PROTOCOL_UDP, length);
		if (!checksum_verify(checksum_add(sum, ip->payload, length)))
			return UDP_BAD_CHECKSUM;
	}
	udp->payload = r.at;
	udp->payload_length = (uint16_t)(length - UDP_HEADER_SIZE);
	udp->trailing = (uint16_t)(ip->payload_length - length);
	return UDP_OK;
}

static void checksum_put(uint8_t *datagram, uint16_t length, uint64_t pseudo)
{
	memset(datagram + 6, 0, 2);
	be16 sum = checksum_finish(checksum_add(pseudo, datagram, length));
	if (sum == 0)
		sum = 0xffff; // RFC 768: zero means no checksum
	memcpy(datagram + 6, &sum, 2);
}

void udp_checksum_set_v4(uint8_t *datagram, uint16_t length, be32 source, be32 destination)
{
	checksum_put(
		datagram, length, checksum_pseudo_v4(source, destination, IP_PROTOCOL_UDP, length));
}

void udp_checksum_set_v6(
	uint8_t *datagram, uint16_t length, const uint8_t source[16], const uint8_t destination[16])
{
	checksum_put(
		datagram, length, checksum_pseudo_v6(source, destination, IP_PROTOCOL_UDP, length));
}

// NOLINTNEXTLINE(readability-function-size): the fields of both headers, each by its name
void udp_write_v4(struct writer *w, be32 source, be32 destination, uint16_t source_port,
	uint16_t destination_port, const void *payload, uint16_t length)
{
	uint8_t *datagram = w->at;

	if (length > UINT16_MAX - UDP_HEADER_SIZE) {
		w->overflow = true;
		return;
	}
	writer_u16(w, source_port);
	writer_u16(w, destination_port);
	writer_u16(w, (uint16_t)(length + UDP_HEADER_SIZE));
	writer_u16(w, 0);
	writer_bytes(w, payload, length);
	if (!w->overflow)
		udp_checksum_set_v4(
			datagram, (uint16_t)(length + UDP_HEADER_SIZE), source, destination);
}
