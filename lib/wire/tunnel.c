#include "lib/wire/tunnel.h"

#include "lib/wire/checksum.h"
#include "lib/wire/ethernet.h"
#include "lib/wire/mip4.h"

#define GRE_CHECKSUM  0x8000
#define GRE_FORBIDDEN 0x7c00 /* bits 1-5: RFC 2784 2.3 */
#define GRE_VERSION   0x0007
#define MINIMAL_S     0x80

enum tunnel_status tunnel_gre_parse(struct tunnel_gre *gre, const void *data, size_t length)
{
	struct reader r = reader_make(data, length);
	uint16_t flags = reader_u16(&r);

	gre->protocol = reader_u16(&r);
	gre->header_length = flags & GRE_CHECKSUM ? TUNNEL_GRE_CHECKSUM_SIZE : TUNNEL_GRE_SIZE;
	if (r.short_read)
		return TUNNEL_SHORT;
	if (flags & (GRE_FORBIDDEN | GRE_VERSION))
		return TUNNEL_BAD_VERSION;
	if (length < gre->header_length)
		return TUNNEL_SHORT;
	if (flags & GRE_CHECKSUM && !checksum_verify(checksum_add(0, data, length)))
		return TUNNEL_BAD_CHECKSUM;
	if (gre->protocol != ETHERNET_IPV4 && gre->protocol != ETHERNET_IPV6)
		return TUNNEL_BAD_TYPE;
	return TUNNEL_OK;
}

void tunnel_gre_write(struct writer *w, uint16_t protocol)
{
	writer_u16(w, 0);
	writer_u16(w, protocol);
}

enum tunnel_status tunnel_minimal_parse(
	struct tunnel_minimal *minimal, const void *data, size_t length)
{
	struct reader r = reader_make(data, length);

	memset(minimal, 0, sizeof(*minimal));
	minimal->protocol = reader_u8(&r);
	minimal->has_source = (reader_u8(&r) & MINIMAL_S) != 0;
	minimal->header_length = minimal->has_source ? TUNNEL_MINIMAL_SIZE : 8;
	reader_u16(&r);
	minimal->destination = reader_be32(&r);
	if (minimal->has_source)
		minimal->source = reader_be32(&r);
	if (r.short_read)
		return TUNNEL_SHORT;
	if (!checksum_verify(checksum_add(0, data, minimal->header_length)))
		return TUNNEL_BAD_CHECKSUM;
	return TUNNEL_OK;
}

void tunnel_minimal_write(struct writer *w, const struct tunnel_minimal *minimal)
{
	uint8_t *header = w->at;

	writer_u8(w, minimal->protocol);
	writer_u8(w, minimal->has_source ? MINIMAL_S : 0);
	writer_u16(w, 0);
	writer_be32(w, minimal->destination);
	if (minimal->has_source)
		writer_be32(w, minimal->source);
	if (w->overflow)
		return;
	be16 sum = checksum(header, (size_t)(w->at - header));
	memcpy(header + 2, &sum, 2);
}

bool tunnel_mip_parse(struct tunnel_mip *tunnel, const void *payload, size_t length)
{
	struct reader r = reader_make(payload, length);
	uint8_t type = reader_u8(&r);

	tunnel->next_header = reader_u8(&r);
	reader_u16(&r); /* Reserved */
	tunnel->packet = r.at;
	tunnel->packet_length = reader_left(&r);
	return !r.short_read && type == MIP4_TUNNEL_DATA;
}

void tunnel_mip_write(struct writer *w, uint8_t next_header)
{
	writer_u8(w, MIP4_TUNNEL_DATA);
	writer_u8(w, next_header);
	writer_u16(w, 0);
}
