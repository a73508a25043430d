#include "lib/wire/summary.h"

#include "lib/wire/checksum.h"
#include "lib/wire/ethernet.h"
#include "lib/wire/ipv4.h"

#include <string.h>

#define EXTENSIONS_MAX 8
#define NATT_PORT      4500
#define MIP_PORT       434
#define HOP_BY_HOP     0
#define ROUTING        43
#define FRAGMENT       44
#define OPTIONS        60
#define SCTP           132

struct header { /* one IP header and what stands behind its extensions */
	struct ip_address source, destination;
	uint8_t version, protocol;
	bool later;
};

static bool read_ipv4(struct reader *r, struct header *h)
{
	const uint8_t *start = r->at;
	size_t length = reader_left(r) ? (size_t)(start[0] & 0xf) * 4 : 0;

	if (length < IPV4_HEADER_SIZE || reader_left(r) < length ||
		!checksum_verify(checksum_add(0, start, length)))
		return false;
	struct ipv4_wire copy;
	memcpy(&copy, start, sizeof(copy));
	h->source = ip_address_from_v4(copy.source);
	h->destination = ip_address_from_v4(copy.destination);
	h->protocol = copy.protocol;
	h->later = __builtin_bswap16((uint16_t)copy.fragment) & IPV4_FRAGMENT_OFFSET;
	return reader_take(r, length) != NULL;
}

/* Extension headers that are cut off are left where they are: their number is the protocol. */
static void skip_extensions(struct reader *r, struct header *h)
{
	for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
		bool fragment = h->protocol == FRAGMENT;
		if (!fragment && h->protocol != HOP_BY_HOP && h->protocol != ROUTING &&
			h->protocol != OPTIONS)
			return;
		if (reader_left(r) < 8)
			return;
		size_t length = fragment ? 8 : 8 + 8 * (size_t)r->at[1];
		if (reader_left(r) < length)
			return;
		h->later |= fragment && (r->at[2] != 0 || (r->at[3] & 0xf8) != 0);
		h->protocol = r->at[0];
		(void)reader_take(r, length);
		if (h->later)
			return;
	}
}

static bool read_ipv6(struct reader *r, struct header *h)
{
	const uint8_t *ip = reader_take(r, 40);

	if (ip == NULL)
		return false;
	memcpy(&h->source, ip + 8, 16);
	memcpy(&h->destination, ip + 24, 16);
	h->protocol = ip[6];
	skip_extensions(r, h);
	return true;
}

static bool read_ip(struct reader *r, struct header *h)
{
	memset(h, 0, sizeof(*h));
	if (reader_left(r) == 0)
		return false;
	h->version = r->at[0] >> 4;
	return h->version == 4 ? read_ipv4(r, h) : h->version == 6 && read_ipv6(r, h);
}

static bool is_esp_port(const struct summary_ports *ports, uint16_t port)
{
	bool found = port == NATT_PORT;

	for (size_t i = 0; i < sizeof(ports->esp) / sizeof(ports->esp[0]); i++)
		found |= port != 0 && ports->esp[i] == port;
	return found;
}

static void note_esp(struct reader r, struct summary *out)
{
	if (reader_left(&r) < 8)
		return;
	out->esp_at = (uint16_t)reader_offset(&r);
	out->spi = reader_u32(&r);
	out->sequence = reader_u32(&r);
	out->esp = true;
}

/* Ports of the outermost header, ESP behind any. */
static void read_payload(struct reader r, const struct header *h, const struct summary_ports *ports,
	bool outermost, struct summary *out)
{
	bool has_ports = h->protocol == IP_PROTOCOL_UDP || h->protocol == IP_PROTOCOL_TCP ||
			 h->protocol == SCTP;

	if (h->later)
		return;
	if (h->protocol == IP_PROTOCOL_ESP)
		note_esp(r, out);
	if (!has_ports || reader_left(&r) < 4)
		return;
	uint16_t source = reader_u16(&r), destination = reader_u16(&r);
	if (outermost) {
		out->source_port = source;
		out->destination_port = destination;
	}
	if (h->protocol != IP_PROTOCOL_UDP || reader_left(&r) < 8)
		return;
	(void)reader_u32(&r); /* length, checksum */
	bool marker = !memcmp(r.at, "\0\0\0\0", 4);
	if ((is_esp_port(ports, source) || is_esp_port(ports, destination)) && !marker)
		note_esp(r, out); /* with the marker it is IKE */
}

static bool is_tunnel(const struct header *h, const struct summary *s)
{
	return h->protocol == IP_PROTOCOL_IPV4 || h->protocol == IP_PROTOCOL_IPV6 ||
	       h->protocol == IP_PROTOCOL_GRE || h->protocol == IP_PROTOCOL_MINIMAL ||
	       (h->protocol == IP_PROTOCOL_UDP &&
		       (s->source_port == MIP_PORT || s->destination_port == MIP_PORT));
}

static bool skip_link(struct reader *r, struct summary *out)
{
	struct ethernet_frame frame;

	if (!ethernet_parse(&frame, r->at, reader_left(r)))
		return false;
	out->link_length = (uint16_t)(frame.payload - r->at);
	(void)reader_take(r, out->link_length);
	return (frame.type == ETHERNET_IPV4 && reader_left(r) && r->at[0] >> 4 == 4) ||
	       (frame.type == ETHERNET_IPV6 && reader_left(r) && r->at[0] >> 4 == 6);
}

bool summary_read(const uint8_t *octets, size_t length, bool frame,
	const struct summary_ports *ports, struct summary *out)
{
	struct reader r = reader_make(octets, length);
	struct header h;

	memset(out, 0, sizeof(*out));
	if ((frame && !skip_link(&r, out)) || !read_ip(&r, &h))
		return false;
	out->source = h.source;
	out->destination = h.destination;
	out->version = h.version;
	out->protocol = h.protocol;
	out->later = h.later;
	out->payload_at = (uint16_t)reader_offset(&r);
	read_payload(r, &h, ports, true, out);
	out->tunnel = is_tunnel(&h, out);
	for (unsigned i = 0; i < SUMMARY_TUNNELS_MAX && !h.later && !out->esp; i++) {
		if ((h.protocol != IP_PROTOCOL_IPV4 && h.protocol != IP_PROTOCOL_IPV6) ||
			!read_ip(&r, &h))
			break;
		read_payload(r, &h, ports, false, out);
	}
	return true;
}
