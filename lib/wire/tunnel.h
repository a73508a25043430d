/*
 * What stands between an outer IP header and the tunnelled packet: nothing (IP-in-IP, RFC 2003),
 * GRE (RFC 2784), the minimal forwarding header (RFC 2004) and MIP Tunnel Data inside UDP 434 (RFC
 * 3519 3.3). Any thread, no allocation.
 */
#ifndef LIB_WIRE_TUNNEL_H
#define LIB_WIRE_TUNNEL_H

#include "lib/wire/ipv4.h"

#define TUNNEL_GRE_SIZE          4
#define TUNNEL_GRE_CHECKSUM_SIZE 8
#define TUNNEL_MINIMAL_SIZE      12 /* with the original source, as home agents send it (HA4-ALT-06) */
#define TUNNEL_MIP_SIZE          4
/* Octets that a tunnel adds on IPv4, outer header included. */
#define TUNNEL_OVERHEAD_IPIP 20
#define TUNNEL_OVERHEAD_GRE  24
#define TUNNEL_OVERHEAD_UDP  32

enum tunnel_status {
	TUNNEL_OK = 0,
	TUNNEL_SHORT,
	TUNNEL_BAD_VERSION,  /* GRE version not 0, or one of bits 1-5 set (HA4-ALT-03) */
	TUNNEL_BAD_CHECKSUM, /* GRE with C, or the minimal header */
	TUNNEL_BAD_TYPE,     /* GRE protocol type not an IP */
};

struct tunnel_gre {
	uint16_t protocol;      /* Ethernet type, ETHERNET_IPV4 or ETHERNET_IPV6 */
	uint16_t header_length; /* 4, or 8 with C */
};
/* `length` is that of GRE header and payload. */
enum tunnel_status tunnel_gre_parse(struct tunnel_gre *gre, const void *data, size_t length);
void tunnel_gre_write(struct writer *w, uint16_t protocol); /* 00 00 and the type: HA4-ALT-02 */

struct tunnel_minimal {
	uint8_t protocol;
	bool has_source;       /* S; false: the original source is the outer one (HA4-ALT-09) */
	uint8_t header_length; /* 8 or 12 */
	be32 destination, source;
};
enum tunnel_status tunnel_minimal_parse(
	struct tunnel_minimal *minimal, const void *data, size_t length);
/* header_length is not read: has_source decides. */
void tunnel_minimal_write(struct writer *w, const struct tunnel_minimal *minimal);

struct tunnel_mip { /* type 4 message; Reserved ignored */
	uint8_t next_header;
	const uint8_t *packet; /* borrowed */
	size_t packet_length;
};
/* False when shorter than 4 octets or not type 4. */
bool tunnel_mip_parse(struct tunnel_mip *tunnel, const void *payload, size_t length);
void tunnel_mip_write(struct writer *w, uint8_t next_header);

#endif
