/*
 * ICMPv6 (RFC 4443): errors and echo. Messages without the IPv6 header, which gives the pseudo
 * header. Any thread.
 */
#ifndef LIB_WIRE_ICMPV6_H
#define LIB_WIRE_ICMPV6_H

#include "lib/wire/ipv6.h"

#define ICMPV6_HEADER_SIZE 8
/* RFC 4443 2.4 c: an error stays within the minimum MTU of 1280 octets. */
#define ICMPV6_ERROR_QUOTE_MAX (1280 - IPV6_HEADER_SIZE - ICMPV6_HEADER_SIZE)

enum icmpv6_type {
	ICMPV6_DESTINATION_UNREACHABLE = 1,
	ICMPV6_PACKET_TOO_BIG = 2,
	ICMPV6_TIME_EXCEEDED = 3,
	ICMPV6_PARAMETER_PROBLEM = 4,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_ROUTER_SOLICITATION = 133,
	ICMPV6_ROUTER_ADVERTISEMENT = 134,
	ICMPV6_NEIGHBOR_SOLICITATION = 135,
	ICMPV6_NEIGHBOR_ADVERTISEMENT = 136,
	ICMPV6_REDIRECT = 137,
};

struct icmpv6_message {
	uint8_t type, code;
	uint32_t rest; /* host order: MTU, pointer, or identifier << 16 | sequence */
	const uint8_t *data;
	size_t data_length;
};

bool icmpv6_parse(struct icmpv6_message *icmp, const uint8_t source[16],
	const uint8_t destination[16], const void *data, size_t length);
void icmpv6_write(struct writer *w, const uint8_t source[16], const uint8_t destination[16],
	const struct icmpv6_message *icmp);
void icmpv6_error_write(struct writer *w, const uint8_t source[16], const uint8_t destination[16],
	uint8_t type, uint8_t code, uint32_t rest, const void *original, size_t original_length);

#endif
