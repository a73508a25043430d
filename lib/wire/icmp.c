#include "lib/wire/icmp.h"

#include "lib/wire/checksum.h"

#define AGENT_EXTENSION_MOBILITY 16
#define AGENT_EXTENSION_PREFIXES 19

bool icmp_parse(struct icmp_message *icmp, const void *data, size_t length)
{
	struct reader r = reader_make(data, length);

	memset(icmp, 0, sizeof(*icmp));
	if (length < ICMP_HEADER_SIZE || !checksum_verify(checksum_add(0, data, length)))
		return false;
	icmp->type = reader_u8(&r);
	icmp->code = reader_u8(&r);
	reader_u16(&r);
	icmp->rest = reader_u32(&r);
	icmp->data = r.at;
	icmp->data_length = reader_left(&r);
	return true;
}

static void checksum_put(struct writer *w, uint8_t *message)
{
	if (w->overflow)
		return;
	be16 sum = checksum(message, (size_t)(w->at - message));
	memcpy(message + 2, &sum, 2);
}

void icmp_write(struct writer *w, const struct icmp_message *icmp)
{
	uint8_t *message = w->at;

	writer_u8(w, icmp->type);
	writer_u8(w, icmp->code);
	writer_u16(w, 0);
	writer_u32(w, icmp->rest);
	writer_bytes(w, icmp->data, icmp->data_length);
	checksum_put(w, message);
}

void icmp_error_write(struct writer *w, uint8_t type, uint8_t code, uint32_t rest,
	const void *original, size_t original_length)
{
	if (original_length > ICMP_ERROR_QUOTE_MAX)
		original_length = ICMP_ERROR_QUOTE_MAX;
	const struct icmp_message error = {.type = type,
		.code = code,
		.rest = rest,
		.data = original,
		.data_length = original_length};
	icmp_write(w, &error);
}

static bool names_one_host(be32 address)
{
	struct ip_address a = ip_address_from_v4(address);
	return ip_address_is_unicast(&a);
}

bool icmp_error_allowed(const struct ipv4_header *original)
{
	if (original->fragment & IPV4_FRAGMENT_OFFSET)
		return false;
	if (!names_one_host(original->source) || !names_one_host(original->destination))
		return false;
	if (original->protocol != IP_PROTOCOL_ICMP)
		return true;
	if (original->payload_length < 1)
		return false;
	uint8_t type = original->payload[0];
	return type == ICMP_ECHO_REPLY || type == ICMP_ECHO_REQUEST;
}

void icmp_agent_advertisement_write(
	struct writer *w, const struct icmp_agent_advertisement *advertisement)
{
	uint8_t *message = w->at;
	unsigned count = advertisement->router_count;

	if (count > ICMP_AGENT_ROUTERS_MAX) {
		w->overflow = true;
		return;
	}
	writer_u8(w, ICMP_ROUTER_ADVERTISEMENT);
	writer_u8(w, advertisement->code);
	writer_u16(w, 0);
	writer_u8(w, (uint8_t)count);
	writer_u8(w, 2); /* Addr Entry Size in 32-bit words */
	writer_u16(w, advertisement->router_lifetime_s);
	for (unsigned i = 0; i < count; i++) {
		writer_be32(w, advertisement->routers[i]);
		writer_u32(w, 0);
	}
	writer_u8(w, AGENT_EXTENSION_MOBILITY);
	writer_u8(w, advertisement->care_of_address ? 10 : 6);
	writer_u16(w, advertisement->sequence);
	writer_u16(w, advertisement->registration_lifetime_s);
	writer_u16(w, advertisement->flags);
	if (advertisement->care_of_address)
		writer_be32(w, advertisement->care_of_address);
	if (advertisement->prefix_lengths && count) {
		writer_u8(w, AGENT_EXTENSION_PREFIXES);
		writer_u8(w, (uint8_t)count);
		writer_bytes(w, advertisement->prefix_lengths, count);
	}
	checksum_put(w, message);
}

/* The mobility agent's extension among those behind the router addresses; a lone 0 is padding. */
static bool mobility_extension_find(struct reader *r, struct reader *extension)
{
	while (reader_left(r) && !r->short_read) {
		uint8_t type = reader_u8(r);
		if (type == 0)
			continue;
		*extension = reader_nested(r, reader_u8(r));
		if (type == AGENT_EXTENSION_MOBILITY)
			return !r->short_read;
	}
	return false;
}

bool icmp_agent_advertisement_parse(
	struct icmp_agent_advertisement *advertisement, const struct icmp_message *icmp)
{
	struct reader r = reader_make(icmp->data, icmp->data_length), extension;
	uint32_t routers = icmp->rest >> 24, words = icmp->rest >> 16 & 0xff;

	if (icmp->type != ICMP_ROUTER_ADVERTISEMENT)
		return false;
	reader_take(&r, (size_t)routers * words * 4);
	if (r.short_read || !mobility_extension_find(&r, &extension))
		return false;
	*advertisement = (struct icmp_agent_advertisement){
		.code = icmp->code, .router_lifetime_s = (uint16_t)icmp->rest};
	advertisement->sequence = reader_u16(&extension);
	advertisement->registration_lifetime_s = reader_u16(&extension);
	advertisement->flags = reader_u16(&extension);
	if (reader_left(&extension) >= sizeof(be32))
		advertisement->care_of_address = reader_be32(&extension);
	return !extension.short_read;
}

uint16_t icmp_agent_sequence_next(uint16_t sequence)
{
	return sequence == 0xffff ? 256 : (uint16_t)(sequence + 1);
}
