#include "lib/wire/arp.h"

#include "lib/wire/ethernet.h"

#define ARP_HARDWARE_ETHERNET 1

bool arp_parse(struct arp *arp, const void *data, size_t length)
{
	struct reader r = reader_make(data, length);
	uint16_t hardware = reader_u16(&r);
	uint16_t protocol = reader_u16(&r);
	uint16_t sizes = reader_u16(&r);

	memset(arp, 0, sizeof(*arp));
	arp->operation = reader_u16(&r);
	const uint8_t *sender = reader_take(&r, 6);
	arp->sender_protocol = reader_be32(&r);
	const uint8_t *target = reader_take(&r, 6);
	arp->target_protocol = reader_be32(&r);
	if (r.short_read || hardware != ARP_HARDWARE_ETHERNET || protocol != ETHERNET_IPV4 ||
		sizes != 0x0604)
		return false;
	memcpy(arp->sender_hardware, sender, 6);
	memcpy(arp->target_hardware, target, 6);
	return true;
}

void arp_write(struct writer *w, const struct arp *arp)
{
	writer_u16(w, ARP_HARDWARE_ETHERNET);
	writer_u16(w, ETHERNET_IPV4);
	writer_u16(w, 0x0604);
	writer_u16(w, arp->operation);
	writer_bytes(w, arp->sender_hardware, 6);
	writer_be32(w, arp->sender_protocol);
	writer_bytes(w, arp->target_hardware, 6);
	writer_be32(w, arp->target_protocol);
}

struct arp arp_gratuitous(be32 address, const uint8_t hardware[6])
{
	struct arp arp = {
		.operation = ARP_REQUEST, .sender_protocol = address, .target_protocol = address};

	memcpy(arp.sender_hardware, hardware, 6);
	return arp;
}
