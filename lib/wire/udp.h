/*
 * UDP (RFC 768) over IPv4 and IPv6. Any thread, no allocation.
 */
#ifndef LIB_WIRE_UDP_H
#define LIB_WIRE_UDP_H

#include "lib/wire/ipv4.h"

#define UDP_HEADER_SIZE 8

struct udp_wire { /* as it lies on the wire */
	be16 source_port, destination_port, length, checksum;
};
_Static_assert(sizeof(struct udp_wire) == UDP_HEADER_SIZE, "wire size");

struct udp_datagram { /* host order */
	uint16_t source_port, destination_port;
	bool has_checksum;      /* the field was not zero */
	const uint8_t *payload; /* ends where the UDP Length says (HA4-MSG-08); borrowed */
	uint16_t payload_length;
	uint16_t trailing; /* octets of the IP payload behind the UDP Length */
};

enum udp_status {
	UDP_OK = 0,
	UDP_SHORT,
	UDP_BAD_LENGTH,   /* less than 8 or more than the IP payload */
	UDP_BAD_CHECKSUM, /* not zero and wrong: HA4-MSG-05 */
};

/* `data` is the payload of `ip`, which gives the pseudo header. */
enum udp_status udp_parse_v4(struct udp_datagram *udp, const struct ipv4_header *ip);
/*
 * Appends header and payload with a checksum, 0 sent as 0xffff. The IPv4 header before it is the
 * caller's.
 */
void udp_write_v4(struct writer *w, be32 source, be32 destination, uint16_t source_port,
	uint16_t destination_port, const void *payload, uint16_t length);
/* Sets the checksum of a datagram of `length` octets in place; its field is overwritten. */
void udp_checksum_set_v4(uint8_t *datagram, uint16_t length, be32 source, be32 destination);
void udp_checksum_set_v6(uint8_t *datagram, uint16_t length, const uint8_t source[16],
	const uint8_t destination[16]);

#endif
