#include "lib/base/traffic_selector.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PORT_ANY_LAST 65535

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {{"any", 0}, {"icmp", 1}, {"ipip", 4}, {"tcp", 6}, {"udp", 17}, {"ipv6", 41},
	{"gre", 47}, {"esp", 50}, {"minimal", 55}, {"icmpv6", 58}, {"ospf", 89}, {"sctp", 132},
	{"mh", 135}};
#define PROTOCOL_COUNT (sizeof(protocols) / sizeof(protocols[0]))

/* Those with a type in the upper octet of the port field. */
static bool has_type(uint8_t protocol)
{
	return protocol == 1 || protocol == 58 || protocol == 135;
}

/* A decimal number up to `last` at *text, which moves behind it. */
static bool take_number(const char **text, unsigned long last, unsigned long *out)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	*out = strtoul(*text, &end, 10);
	*text = end;
	return *out <= last;
}

static int parse_protocol(const char *text, uint8_t *out)
{
	unsigned long number;

	for (size_t i = 0; i < PROTOCOL_COUNT; i++)
		if (strcmp(protocols[i].name, text) == 0) {
			*out = protocols[i].number;
			return 0;
		}
	if (!take_number(&text, 255, &number) || *text)
		return -EINVAL;
	*out = (uint8_t)number;
	return 0;
}

/* "8", "8:0" or "8-13" */
static int parse_types(const char *text, struct traffic_selector *out)
{
	unsigned long type, last;

	if (!take_number(&text, 255, &type))
		return -EINVAL;
	out->port_first = (uint16_t)(type * 256);
	out->port_last = (uint16_t)(type * 256 + 255);
	if (*text == ':') {
		text++;
		if (!take_number(&text, 255, &last))
			return -EINVAL;
		out->port_first = out->port_last = (uint16_t)(type * 256 + last);
	} else if (*text == '-') {
		text++;
		if (!take_number(&text, 255, &last) || last < type)
			return -EINVAL;
		out->port_last = (uint16_t)(last * 256 + 255);
	}
	return *text ? -EINVAL : 0;
}

static int parse_ports(const char *text, struct traffic_selector *out)
{
	unsigned long first, last;

	if (strcmp(text, "any") == 0)
		return 0;
	if (strcmp(text, "opaque") == 0) {
		out->port_first = PORT_ANY_LAST;
		out->port_last = 0;
		return 0;
	}
	if (has_type(out->protocol))
		return parse_types(text, out);
	if (!take_number(&text, PORT_ANY_LAST, &first))
		return -EINVAL;
	last = first;
	if (*text == '-') {
		text++;
		if (!take_number(&text, PORT_ANY_LAST, &last) || last < first)
			return -EINVAL;
	}
	out->port_first = (uint16_t)first;
	out->port_last = (uint16_t)last;
	return *text ? -EINVAL : 0;
}

/* What stands in the brackets, without them. */
static int parse_upper(char *text, struct traffic_selector *out)
{
	char *slash = strchr(text, '/');

	if (slash)
		*slash = '\0';
	if (parse_protocol(text, &out->protocol))
		return -EINVAL;
	if (!slash)
		return 0;
	return out->protocol ? parse_ports(slash + 1, out) : -EINVAL;
}

static struct ip_address last_of(const struct ip_prefix *prefix)
{
	struct ip_address last = prefix->address;

	for (unsigned bit = prefix->length; bit < 128; bit++)
		last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return last;
}

static int parse_addresses(char *text, struct traffic_selector *out)
{
	struct ip_prefix prefix;
	char *dash = strchr(text, '-');

	if (strcmp(text, "any") == 0)
		text = "0.0.0.0/0";
	else if (strcmp(text, "any6") == 0)
		text = "::/0";
	if (dash) {
		*dash = '\0';
		if (ip_address_parse(text, &out->first) || ip_address_parse(dash + 1, &out->last))
			return -EINVAL;
		return ip_address_is_v4(&out->first) == ip_address_is_v4(&out->last) &&
				       memcmp(&out->first, &out->last, sizeof(out->first)) <= 0
			       ? 0
			       : -EINVAL;
	}
	if (!strchr(text, '/')) {
		if (ip_address_parse(text, &out->first))
			return -EINVAL;
		out->last = out->first;
		return 0;
	}
	if (ip_prefix_parse(text, &prefix))
		return -EINVAL;
	out->first = prefix.address;
	out->last = last_of(&prefix);
	return 0;
}

int traffic_selector_parse(const char *text, struct traffic_selector *out)
{
	char copy[TRAFFIC_SELECTOR_TEXT_SIZE];
	size_t length = strlen(text);

	memset(out, 0, sizeof(*out));
	out->port_last = PORT_ANY_LAST;
	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, length + 1);
	char *bracket = strchr(copy, '[');
	if (bracket) {
		if (copy[length - 1] != ']')
			return -EINVAL;
		copy[length - 1] = '\0';
		*bracket++ = '\0';
		if (parse_upper(bracket, out))
			return -EINVAL;
	}
	return parse_addresses(copy, out);
}

/* Length of the prefix that the range is, -1 when it is none. */
static int prefix_length(const struct traffic_selector *s)
{
	int length = 128;

	while (length > 0) {
		struct ip_prefix shorter = ip_prefix_make(&s->first, (uint8_t)(length - 1));
		struct ip_address last = last_of(&shorter);
		if (!ip_address_equal(&shorter.address, &s->first) ||
			memcmp(&last, &s->last, sizeof(last)) > 0)
			break;
		length--;
	}
	struct ip_prefix prefix = ip_prefix_make(&s->first, (uint8_t)length);
	struct ip_address last = last_of(&prefix);
	return ip_address_equal(&last, &s->last) ? length : -1;
}

static void format_addresses(const struct traffic_selector *s, char *out, size_t size)
{
	char first[IP_ADDRESS_TEXT_SIZE], last[IP_ADDRESS_TEXT_SIZE];
	bool v4 = ip_address_is_v4(&s->first);
	int length = prefix_length(s);

	ip_address_format(&s->first, first);
	if (length == 128)
		snprintf(out, size, "%s", first);
	else if (length >= 0 && (!v4 || length >= 96))
		snprintf(out, size, "%s/%d", first, v4 ? length - 96 : length);
	else
		snprintf(out, size, "%s-%s", first, ip_address_format(&s->last, last));
}

static void format_ports(const struct traffic_selector *s, char *out, size_t size)
{
	unsigned first = s->port_first, last = s->port_last;

	if (first == 0 && last == PORT_ANY_LAST)
		out[0] = '\0';
	else if (first > last)
		snprintf(out, size, "/opaque");
	else if (has_type(s->protocol) && first == last)
		snprintf(out, size, "/%u:%u", first / 256, first % 256);
	else if (has_type(s->protocol) && first / 256 == last / 256)
		snprintf(out, size, "/%u", first / 256);
	else if (has_type(s->protocol))
		snprintf(out, size, "/%u-%u", first / 256, last / 256);
	else if (first == last)
		snprintf(out, size, "/%u", first);
	else
		snprintf(out, size, "/%u-%u", first, last);
}

char *traffic_selector_format(
	const struct traffic_selector *selector, char buffer[TRAFFIC_SELECTOR_TEXT_SIZE])
{
	char addresses[2 * IP_ADDRESS_TEXT_SIZE], ports[16], number[4];
	const char *protocol = number;

	format_addresses(selector, addresses, sizeof(addresses));
	if (!selector->protocol) {
		snprintf(buffer, TRAFFIC_SELECTOR_TEXT_SIZE, "%s", addresses);
		return buffer;
	}
	snprintf(number, sizeof(number), "%u", selector->protocol);
	for (size_t i = 0; i < PROTOCOL_COUNT; i++)
		if (protocols[i].number == selector->protocol)
			protocol = protocols[i].name;
	format_ports(selector, ports, sizeof(ports));
	snprintf(buffer, TRAFFIC_SELECTOR_TEXT_SIZE, "%s[%s%s]", addresses, protocol, ports);
	return buffer;
}

bool traffic_selector_fits(
	const struct traffic_selector *local, const struct traffic_selector *remote)
{
	return ip_address_is_v4(&local->first) == ip_address_is_v4(&remote->first) &&
	       (local->protocol == remote->protocol || !local->protocol || !remote->protocol);
}

bool traffic_selector_contains(
	const struct traffic_selector *selector, const struct ip_address *address)
{
	return memcmp(address, &selector->first, sizeof(*address)) >= 0 &&
	       memcmp(address, &selector->last, sizeof(*address)) <= 0;
}

struct traffic_selector traffic_selector_host(const struct ip_address *address)
{
	struct traffic_selector selector;

	memset(&selector, 0, sizeof(selector));
	selector.first = selector.last = *address;
	selector.port_last = PORT_ANY_LAST;
	return selector;
}
