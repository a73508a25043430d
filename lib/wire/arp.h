/*
 * ARP for IPv4 on Ethernet (RFC 826), with the gratuitous and proxy forms of RFC 5944 4.6. Any
 * thread, no allocation.
 */
#ifndef LIB_WIRE_ARP_H
#define LIB_WIRE_ARP_H

#include "lib/wire/cursor.h"

#define ARP_SIZE 28

enum arp_operation {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
};

struct arp {
	uint16_t operation;
	uint8_t sender_hardware[6];
	be32 sender_protocol;
	uint8_t target_hardware[6];
	be32 target_protocol;
};

/* False unless it is Ethernet/IPv4 with address lengths 6 and 4. Octets behind it (padding) are
 * ignored. */
bool arp_parse(struct arp *arp, const void *data, size_t length);
void arp_write(struct writer *w, const struct arp *arp);
/*
 * Gratuitous ARP in request form: sender and target protocol address are both `address`, target
 * hardware address zero (RFC 5944 4.6; an ARP cache is to map `address` to `hardware`).
 */
struct arp arp_gratuitous(be32 address, const uint8_t hardware[6]);

#endif
