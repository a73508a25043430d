#include "lib/base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

bool ip_address_is_unicast(const struct ip_address *a)
{
	if (ip_address_is_unspecified(a))
		return false;
	if (ip_address_is_v4(a)) {
		uint8_t first = a->bytes[12];
		return first != 0 && first != 127 && first < 224;
	}
	static const struct ip_address loopback = {.bytes = {[15] = 1}};
	return a->bytes[0] != 0xff && !ip_address_equal(a, &loopback);
}

static uint8_t prefix_mask_octet(unsigned length, unsigned octet)
{
	if (length >= 8 * octet + 8)
		return 0xff;
	return (uint8_t)(length <= 8 * octet ? 0 : 0xff00u >> (length - 8 * octet));
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *a)
{
	for (unsigned i = 0; i < 16; i++)
		if ((a->bytes[i] ^ prefix->address.bytes[i]) & prefix_mask_octet(prefix->length, i))
			return false;
	return true;
}

bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->length == b->length && ip_address_equal(&a->address, &b->address);
}

struct ip_prefix ip_prefix_make(const struct ip_address *a, uint8_t length_128)
{
	struct ip_prefix p = {.length = length_128};
	for (unsigned i = 0; i < 16; i++)
		p.address.bytes[i] = a->bytes[i] & prefix_mask_octet(length_128, i);
	return p;
}

int ip_address_parse(const char *text, struct ip_address *out)
{
	be32 v4;
	uint8_t v6[16];

	if (inet_pton(AF_INET, text, &v4) == 1)
		*out = ip_address_from_v4(v4);
	else if (inet_pton(AF_INET6, text, v6) == 1)
		*out = ip_address_from_v6(v6);
	else
		return -EINVAL;
	return 0;
}

int ip_prefix_parse(const char *text, struct ip_prefix *out)
{
	char address[IP_ADDRESS_TEXT_SIZE];
	const char *slash = strchr(text, '/');
	struct ip_address a;
	char *end;

	if (!slash || (size_t)(slash - text) >= sizeof(address) || slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (ip_address_parse(address, &a))
		return -EINVAL;
	unsigned long base = strchr(address, ':') ? 0 : 96;
	unsigned long length = strtoul(slash + 1, &end, 10);
	if (*end || length > 128 - base)
		return -EINVAL;
	*out = ip_prefix_make(&a, (uint8_t)(base + length));
	return ip_address_equal(&out->address, &a) ? 0 : -EINVAL;
}

char *ip_address_format(const struct ip_address *a, char buffer[IP_ADDRESS_TEXT_SIZE])
{
	if (ip_address_is_v4(a))
		inet_ntop(AF_INET, &a->words[3], buffer, IP_ADDRESS_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, a->bytes, buffer, IP_ADDRESS_TEXT_SIZE);
	return buffer;
}

char *ip_prefix_format(const struct ip_prefix *p, char buffer[IP_PREFIX_TEXT_SIZE])
{
	bool v4 = p->length >= 96 && ip_address_is_v4(&p->address);
	char text[IP_ADDRESS_TEXT_SIZE];

	snprintf(buffer, IP_PREFIX_TEXT_SIZE, "%s/%u", ip_address_format(&p->address, text),
		v4 ? p->length - 96u : p->length);
	return buffer;
}
