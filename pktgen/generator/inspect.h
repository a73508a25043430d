/*
 * Takes received frames apart, outside in, as far as the octets themselves say: Ethernet, outer IP
 * and UDP, tunnel headers, inner packet, signature. What is inside ESP comes back through
 * inspect_packet after decryption. What the octets should have been is receive.c's business.
 *
 * Everything here comes from the network. Pure; any thread.
 */
#ifndef PKTGEN_GENERATOR_INSPECT_H
#define PKTGEN_GENERATOR_INSPECT_H

#include "lib/wire/arp.h"
#include "pktgen/generator/signature.h"

enum inspect_kind {
	INSPECT_DATA,         /* a signature of this run */
	INSPECT_ESP,          /* to be decrypted */
	INSPECT_REGISTRATION, /* a Mobile IP message, not tunnel data */
	INSPECT_ARP,
	INSPECT_ICMP,      /* ICMP or ICMPv6, bare */
	INSPECT_KEEPALIVE, /* RFC 3948 2.3 */
	INSPECT_FRAGMENT,
	INSPECT_FOREIGN,  /* well formed, not ours */
	INSPECT_CHECKSUM, /* a checksum is wrong */
	INSPECT_MALFORMED,
};

enum inspect_layer { /* what was around the inner packet */
	INSPECT_LAYER_IPIP = 1 << 0,
	INSPECT_LAYER_MIP_UDP = 1 << 1,
	INSPECT_LAYER_ESP = 1 << 2,
	INSPECT_LAYER_UDP = 1 << 3, /* of ESP */
	INSPECT_LAYER_GRE = 1 << 4,
	INSPECT_LAYER_MINIMAL = 1 << 5,
	INSPECT_LAYER_SECOND = 1 << 6, /* one of them twice */
};

struct inspect_end {
	struct ip_address source, destination;
	uint16_t source_port, destination_port; /* host order; 0 without UDP */
};

struct inspected {
	uint8_t layers;            /* enum inspect_layer */
	struct inspect_end outer;  /* with layers, or of ESP, registrations, ICMP */
	struct inspect_end tunnel; /* of the innermost of several layers */
	struct inspect_end inner;  /* DATA */
	struct signature signature;
	uint16_t inner_length; /* octets of the inner IP packet */
	const uint8_t *part;   /* ESP from the SPI, message, ARP, ICMP; borrowed */
	uint32_t part_length;
};

/* `out` is filled as far as the kind says. */
enum inspect_kind inspect_frame(
	const void *frame, uint32_t length, uint16_t magic, struct inspected *out);
/*
 * The packet inside what was decrypted, with the layers and outer end of `out` kept.
 */
enum inspect_kind inspect_packet(
	const uint8_t *packet, uint32_t length, uint16_t magic, struct inspected *out);

#endif
