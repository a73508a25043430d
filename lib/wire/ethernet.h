/*
 * Ethernet II frames with up to two VLAN tags (IEEE 802.1Q, 802.1ad). No FCS. Any thread, no
 * allocation.
 */
#ifndef LIB_WIRE_ETHERNET_H
#define LIB_WIRE_ETHERNET_H

#include "lib/wire/cursor.h"

#define ETHERNET_ADDRESS_SIZE 6
#define ETHERNET_HEADER_SIZE  14
#define ETHERNET_VLAN_SIZE    4

enum ethernet_type {
	ETHERNET_IPV4 = 0x0800,
	ETHERNET_ARP = 0x0806,
	ETHERNET_VLAN = 0x8100,
	ETHERNET_IPV6 = 0x86dd,
	ETHERNET_SERVICE_VLAN = 0x88a8,
};

struct ethernet_header { /* as it lies on the wire, for code that overlays it */
	uint8_t destination[6];
	uint8_t source[6];
	be16 type;
};
_Static_assert(sizeof(struct ethernet_header) == ETHERNET_HEADER_SIZE, "wire size");
_Static_assert(offsetof(struct ethernet_header, type) == 12, "wire offset");

struct ethernet_frame {
	uint8_t destination[6], source[6];
	uint16_t type; /* host order, behind the tags */
	uint8_t tag_count;
	uint16_t tags[2];       /* outer first; priority 3 bits, DEI 1, VLAN ID 12 */
	const uint8_t *payload; /* borrowed */
	size_t payload_length;
};

extern const uint8_t ethernet_broadcast[6];

/* False when the frame ends before its type, or has more than two tags. */
bool ethernet_parse(struct ethernet_frame *frame, const void *data, size_t length);
/* vlan_id 0: untagged. */
void ethernet_write(struct writer *w, const uint8_t destination[6], const uint8_t source[6],
	uint16_t vlan_id, uint16_t type);

static inline bool ethernet_is_group(const uint8_t address[6])
{
	return address[0] & 1;
}

#endif
