/*
 * What the first octets of a packet tell someone who looks at it: addresses, protocol, ports, SPI.
 * For traces; nothing is decided by it. The octets may end anywhere and be anybody's. No
 * allocation, any thread.
 */
#ifndef LIB_WIRE_SUMMARY_H
#define LIB_WIRE_SUMMARY_H

#include "lib/base/address.h"

#define SUMMARY_TUNNELS_MAX 4 /* IP in IP in ... that is looked through */

struct summary {
	struct ip_address source, destination;  /* of the outermost IP header */
	uint32_t spi, sequence;                 /* `esp`: of the outermost ESP header */
	uint16_t source_port, destination_port; /* UDP, TCP, SCTP; 0 when there are none */
	uint16_t link_length; /* octets of the Ethernet header, before the IP header */
	uint16_t payload_at;  /* from the first octet: behind IP and extension headers */
	uint16_t esp_at;      /* `esp`: where the ESP header begins, in tunnels or UDP too */
	uint8_t version;      /* 4, 6; 0: no IP header that could be read */
	uint8_t protocol;     /* of what follows the outermost IP header */
	bool later;           /* a fragment without its transport header */
	bool esp;             /* an ESP header, in IP alone, in IP in IP, or in UDP */
	bool tunnel;          /* IP in IP, GRE, minimal encapsulation or MIP-UDP */
};

struct summary_ports { /* UDP ports that carry ESP; host order, 0 unused */
	uint16_t esp[8];
};

/*
 * `frame`: an Ethernet header (with a tag or without) stands first. False when there is no IP
 * header that is whole and right (IPv4: its checksum too); *out is then all zero but for
 * link_length.
 */
bool summary_read(const uint8_t *octets, size_t length, bool frame,
	const struct summary_ports *ports, struct summary *out);

#endif
