/*
 * IPv4 header (RFC 791), checks of RFC 1812 5.2.2. Any thread, no allocation.
 */
#ifndef LIB_WIRE_IPV4_H
#define LIB_WIRE_IPV4_H

#include "lib/wire/cursor.h"

#define IPV4_HEADER_SIZE     20
#define IPV4_HEADER_SIZE_MAX 60

enum ip_protocol {
	IP_PROTOCOL_ICMP = 1,
	IP_PROTOCOL_IPV4 = 4,
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_UDP = 17,
	IP_PROTOCOL_IPV6 = 41,
	IP_PROTOCOL_GRE = 47,
	IP_PROTOCOL_ESP = 50,
	IP_PROTOCOL_MINIMAL = 55,
	IP_PROTOCOL_ICMPV6 = 58,
};

enum ipv4_flag { /* of the 16-bit fragment word */
	IPV4_DONT_FRAGMENT = 0x4000,
	IPV4_MORE_FRAGMENTS = 0x2000,
	IPV4_FRAGMENT_OFFSET = 0x1fff,
};

struct ipv4_wire { /* as it lies on the wire */
	uint8_t version_ihl;
	uint8_t tos;
	be16 total_length;
	be16 identification;
	be16 fragment;
	uint8_t ttl;
	uint8_t protocol;
	be16 checksum;
	be32 source;
	be32 destination;
};
_Static_assert(sizeof(struct ipv4_wire) == IPV4_HEADER_SIZE, "wire size");
_Static_assert(offsetof(struct ipv4_wire, ttl) == 8, "wire offset");
_Static_assert(offsetof(struct ipv4_wire, source) == 12, "wire offset");

struct ipv4_header {           /* host order but for addresses */
	uint8_t header_length; /* octets, 20..60 */
	uint8_t tos;           /* DSCP 6 bits, ECN 2 */
	uint16_t total_length; /* octets, header included */
	uint16_t identification;
	uint16_t fragment; /* flags and offset in units of 8 octets */
	uint8_t ttl;
	uint8_t protocol;
	be32 source, destination;
	const uint8_t *payload; /* parse only; borrowed */
	uint16_t payload_length;
};

enum ipv4_status { /* in the order of RFC 1812 5.2.2 */
	IPV4_OK = 0,
	IPV4_SHORT, /* the link layer gave less than 20 octets */
	IPV4_BAD_CHECKSUM,
	IPV4_BAD_VERSION,
	IPV4_BAD_IHL,
	IPV4_BAD_LENGTH, /* total length less than the header or more than the link layer gave */
};

/* Octets behind the total length (link padding) are ignored. */
enum ipv4_status ipv4_parse(struct ipv4_header *ip, const void *data, size_t length);
/* Writes a header without options, checksum included. header->header_length and payload are not
 * read. */
void ipv4_write(struct writer *w, const struct ipv4_header *ip);
/* Recomputes the checksum of a header of `header_length` octets in place. */
void ipv4_checksum_set(uint8_t *header, size_t header_length);

static inline bool ipv4_is_fragment(const struct ipv4_header *ip)
{
	return (ip->fragment & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) != 0;
}

#endif
