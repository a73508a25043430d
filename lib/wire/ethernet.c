#include "lib/wire/ethernet.h"

const uint8_t ethernet_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

bool ethernet_parse(struct ethernet_frame *frame, const void *data, size_t length)
{
	struct reader r = reader_make(data, length);
	const uint8_t *addresses = reader_take(&r, 12);

	memset(frame, 0, sizeof(*frame));
	frame->type = reader_u16(&r);
	while (frame->type == ETHERNET_VLAN || frame->type == ETHERNET_SERVICE_VLAN) {
		if (frame->tag_count == 2 || reader_left(&r) < ETHERNET_VLAN_SIZE)
			return false;
		frame->tags[frame->tag_count++] = reader_u16(&r);
		frame->type = reader_u16(&r);
	}
	if (r.short_read)
		return false;
	memcpy(frame->destination, addresses, 6);
	memcpy(frame->source, addresses + 6, 6);
	frame->payload = r.at;
	frame->payload_length = reader_left(&r);
	return true;
}

void ethernet_write(struct writer *w, const uint8_t destination[6], const uint8_t source[6],
	uint16_t vlan_id, uint16_t type)
{
	writer_bytes(w, destination, 6);
	writer_bytes(w, source, 6);
	if (vlan_id) {
		writer_u16(w, ETHERNET_VLAN);
		writer_u16(w, vlan_id & 0xfff);
	}
	writer_u16(w, type);
}
