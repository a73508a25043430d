#include "lib/wire/icmpv6.h"

#include "lib/wire/checksum.h"
#include "lib/wire/ipv4.h"

bool icmpv6_parse(struct icmpv6_message *icmp, const uint8_t source[16],
	const uint8_t destination[16], const void *data, size_t length)
{
	struct reader r = reader_make(data, length);

	memset(icmp, 0, sizeof(*icmp));
	if (length < ICMPV6_HEADER_SIZE || length > UINT16_MAX)
		return false;
	uint64_t sum =
		checksum_pseudo_v6(source, destination, IP_PROTOCOL_ICMPV6, (uint32_t)length);
	if (!checksum_verify(checksum_add(sum, data, length)))
		return false;
	icmp->type = reader_u8(&r);
	icmp->code = reader_u8(&r);
	reader_u16(&r);
	icmp->rest = reader_u32(&r);
	icmp->data = r.at;
	icmp->data_length = reader_left(&r);
	return true;
}

void icmpv6_write(struct writer *w, const uint8_t source[16], const uint8_t destination[16],
	const struct icmpv6_message *icmp)
{
	uint8_t *message = w->at;

	writer_u8(w, icmp->type);
	writer_u8(w, icmp->code);
	writer_u16(w, 0);
	writer_u32(w, icmp->rest);
	writer_bytes(w, icmp->data, icmp->data_length);
	if (w->overflow)
		return;
	size_t length = (size_t)(w->at - message);
	uint64_t pseudo =
		checksum_pseudo_v6(source, destination, IP_PROTOCOL_ICMPV6, (uint32_t)length);
	be16 sum = checksum_finish(checksum_add(pseudo, message, length));
	memcpy(message + 2, &sum, 2);
}

// NOLINTNEXTLINE(readability-function-size): the fields of the message, each by its name
void icmpv6_error_write(struct writer *w, const uint8_t source[16], const uint8_t destination[16],
	uint8_t type, uint8_t code, uint32_t rest, const void *original, size_t original_length)
{
	if (original_length > ICMPV6_ERROR_QUOTE_MAX)
		original_length = ICMPV6_ERROR_QUOTE_MAX;
	const struct icmpv6_message error = {.type = type,
		.code = code,
		.rest = rest,
		.data = original,
		.data_length = original_length};
	icmpv6_write(w, source, destination, &error);
}
