/*
 * ICMP for IPv4: echo, errors (RFC 792, RFC 1191, RFC 1812 4.3), router discovery (RFC 1256) with
 * the Mobility Agent Advertisement extension (RFC 5944 2.1.1). Messages without the IPv4 header
 * around them. Any thread, no allocation.
 */
#ifndef LIB_WIRE_ICMP_H
#define LIB_WIRE_ICMP_H

#include "lib/wire/ipv4.h"

#define ICMP_HEADER_SIZE 8
/* RFC 1812 4.3.2.3: as much of the original datagram as fits without the error exceeding 576
 * octets. */
#define ICMP_ERROR_QUOTE_MAX (576 - IPV4_HEADER_SIZE - ICMP_HEADER_SIZE)

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_DESTINATION_UNREACHABLE = 3,
	ICMP_ECHO_REQUEST = 8,
	ICMP_ROUTER_ADVERTISEMENT = 9,
	ICMP_ROUTER_SOLICITATION = 10,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
};

enum icmp_unreachable_code {
	ICMP_NET_UNREACHABLE = 0,
	ICMP_HOST_UNREACHABLE = 1,
	ICMP_PROTOCOL_UNREACHABLE = 2,
	ICMP_PORT_UNREACHABLE = 3,
	ICMP_FRAGMENTATION_NEEDED = 4,
	ICMP_ADMINISTRATIVELY_PROHIBITED = 13,
};

struct icmp_wire { /* as it lies on the wire */
	uint8_t type, code;
	be16 checksum;
	be32 rest;
};
_Static_assert(sizeof(struct icmp_wire) == ICMP_HEADER_SIZE, "wire size");

struct icmp_message {
	uint8_t type, code;
	uint32_t rest; /* host order: identifier << 16 | sequence; next-hop MTU in the low half of
			  3/4 */
	const uint8_t *data; /* behind the 8 octets; borrowed */
	size_t data_length;
};

/* False when shorter than 8 octets or the checksum is wrong. */
bool icmp_parse(struct icmp_message *icmp, const void *data, size_t length);
/* Appends a message with its checksum; `data` may be NULL when data_length is 0. */
void icmp_write(struct writer *w, const struct icmp_message *icmp);
/* An error that quotes at most ICMP_ERROR_QUOTE_MAX octets of `original` (its IPv4 header first).
 */
void icmp_error_write(struct writer *w, uint8_t type, uint8_t code, uint32_t rest,
	const void *original, size_t original_length);
/* May a datagram be answered with an error at all? RFC 1812 4.3.2.7: no error about errors, later
 * fragments, group addresses. */
bool icmp_error_allowed(const struct ipv4_header *original);

enum icmp_agent_flag { /* HA4-HOME-16 */
	ICMP_AGENT_R = 0x8000,
	ICMP_AGENT_B = 0x4000,
	ICMP_AGENT_H = 0x2000,
	ICMP_AGENT_F = 0x1000,
	ICMP_AGENT_M = 0x0800,
	ICMP_AGENT_G = 0x0400,
	ICMP_AGENT_T = 0x0100,
	ICMP_AGENT_U = 0x0080,
	ICMP_AGENT_X = 0x0040,
	ICMP_AGENT_I = 0x0020,
};
#define ICMP_AGENT_ROUTERS_MAX 63

struct icmp_agent_advertisement { /* HA4-HOME-15..17 */
	uint8_t code;             /* 0 routes common traffic, 16 does not */
	uint16_t router_lifetime_s;
	const be32 *routers; /* addresses with preference 0 */
	unsigned router_count;
	uint16_t sequence;
	uint16_t registration_lifetime_s;
	uint16_t flags;
	be32 care_of_address; /* of a foreign agent; 0: none. More than one are not written */
	const uint8_t
		*prefix_lengths; /* one per router address: extension 19; NULL leaves it out */
};
void icmp_agent_advertisement_write(
	struct writer *w, const struct icmp_agent_advertisement *advertisement);
/*
 * Reads one: the first care-of address, no router addresses and no prefix lengths. False when it is
 * a router's without the mobility agent's extension, or malformed.
 */
bool icmp_agent_advertisement_parse(
	struct icmp_agent_advertisement *advertisement, const struct icmp_message *icmp);
/* 0 after boot, +1 each, 0xffff is followed by 256 (RFC 5944 2.3.2). */
uint16_t icmp_agent_sequence_next(uint16_t sequence);

#endif
