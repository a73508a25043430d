/*
 * IPv6 header (RFC 8200 3). Any thread, no allocation.
 */
#ifndef LIB_WIRE_IPV6_H
#define LIB_WIRE_IPV6_H

#include "lib/wire/cursor.h"

#define IPV6_HEADER_SIZE 40

enum ipv6_next_header {
	IPV6_HOP_BY_HOP = 0,
	IPV6_ROUTING = 43,
	IPV6_FRAGMENT = 44,
	IPV6_NO_NEXT_HEADER = 59,
	IPV6_DESTINATION_OPTIONS = 60,
	IPV6_MOBILITY = 135,
};

struct ipv6_wire { /* as it lies on the wire */
	be32 version_class_flow;
	be16 payload_length;
	uint8_t next_header;
	uint8_t hop_limit;
	uint8_t source[16];
	uint8_t destination[16];
};
_Static_assert(sizeof(struct ipv6_wire) == IPV6_HEADER_SIZE, "wire size");
_Static_assert(offsetof(struct ipv6_wire, source) == 8, "wire offset");

struct ipv6_header {           /* host order but for addresses */
	uint8_t traffic_class; /* DSCP 6 bits, ECN 2 */
	uint32_t flow_label;
	uint16_t payload_length;
	uint8_t next_header;
	uint8_t hop_limit;
	uint8_t source[16], destination[16];
	const uint8_t *payload; /* parse only; borrowed */
};

enum ipv6_status {
	IPV6_OK = 0,
	IPV6_SHORT,
	IPV6_BAD_VERSION,
	IPV6_BAD_LENGTH, /* payload length is more than the link layer gave */
};

enum ipv6_status ipv6_parse(struct ipv6_header *ip, const void *data, size_t length);
void ipv6_write(struct writer *w, const struct ipv6_header *ip);

#endif
