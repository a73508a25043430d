#include "pktgen/generator/inspect.h"

#include "lib/wire/checksum.h"
#include "lib/wire/ethernet.h"
#include "lib/wire/ipv6.h"
#include "lib/wire/mip4.h"
#include "lib/wire/tunnel.h"
#include "lib/wire/udp.h"

#define PORT_ESP   4500
#define LAYERS_MAX 4

struct packet { /* an IP packet of either family, taken apart */
	struct ip_address source, destination;
	uint8_t protocol;
	bool fragment;
	bool is_v4; /* by its version: an IPv6 packet may come from a mapped address */
	const uint8_t *payload;
	uint32_t payload_length, length;
	struct ipv4_header v4;
};

static void packet_from_v4(struct packet *packet)
{
	packet->source = ip_address_from_v4(packet->v4.source);
	packet->destination = ip_address_from_v4(packet->v4.destination);
	packet->protocol = packet->v4.protocol;
	packet->is_v4 = true;
	packet->fragment = ipv4_is_fragment(&packet->v4);
	packet->payload = packet->v4.payload;
	packet->payload_length = packet->v4.payload_length;
	packet->length = packet->v4.total_length;
}

static enum inspect_kind parse_v4(const uint8_t *data, uint32_t length, struct packet *packet)
{
	switch (ipv4_parse(&packet->v4, data, length)) {
	case IPV4_OK:
		break;
	case IPV4_BAD_CHECKSUM:
		return INSPECT_CHECKSUM;
	default:
		return INSPECT_MALFORMED;
	}
	packet_from_v4(packet);
	return INSPECT_FOREIGN;
}

static enum inspect_kind parse_v6(const uint8_t *data, uint32_t length, struct packet *packet)
{
	struct ipv6_header v6;

	if (ipv6_parse(&v6, data, length) != IPV6_OK)
		return INSPECT_MALFORMED;
	packet->source = ip_address_from_v6(v6.source);
	packet->destination = ip_address_from_v6(v6.destination);
	packet->protocol = v6.next_header;
	packet->is_v4 = false;
	packet->fragment = v6.next_header == IPV6_FRAGMENT;
	packet->payload = v6.payload;
	packet->payload_length = v6.payload_length;
	packet->length = IPV6_HEADER_SIZE + (uint32_t)v6.payload_length;
	return INSPECT_FOREIGN;
}

/* FOREIGN when it parses. */
static enum inspect_kind parse(const uint8_t *data, uint32_t length, struct packet *packet)
{
	if (length == 0)
		return INSPECT_MALFORMED;
	return data[0] >> 4 == 6 ? parse_v6(data, length, packet) : parse_v4(data, length, packet);
}

static enum inspect_kind udp_parse(const struct packet *packet, struct udp_datagram *udp)
{
	if (packet->is_v4) {
		switch (udp_parse_v4(udp, &packet->v4)) {
		case UDP_OK:
			return INSPECT_FOREIGN;
		case UDP_BAD_CHECKSUM:
			return INSPECT_CHECKSUM;
		default:
			return INSPECT_MALFORMED;
		}
	}
	struct udp_wire header;
	if (packet->payload_length < sizeof(header))
		return INSPECT_MALFORMED;
	memcpy(&header, packet->payload, sizeof(header));
	uint16_t length = be16toh(header.length);
	if (length < sizeof(header) || length > packet->payload_length)
		return INSPECT_MALFORMED;
	/* Zero is what tunnels send (RFC 6936); anything else is checked. */
	if (header.checksum && !checksum_verify(checksum_add(
				       checksum_pseudo_v6(packet->source.bytes,
					       packet->destination.bytes, IP_PROTOCOL_UDP, length),
				       packet->payload, length)))
		return INSPECT_CHECKSUM;
	*udp = (struct udp_datagram){
		.source_port = be16toh(header.source_port),
		.destination_port = be16toh(header.destination_port),
		.has_checksum = header.checksum != 0,
		.payload = packet->payload + sizeof(header),
		.payload_length = (uint16_t)(length - sizeof(header)),
	};
	return INSPECT_FOREIGN;
}

static enum inspect_kind part(
	struct inspected *out, enum inspect_kind kind, const void *data, uint32_t length)
{
	out->part = data;
	out->part_length = length;
	return kind;
}

static void layer(struct inspected *out, enum inspect_layer which, const struct inspect_end *end)
{
	if (out->layers & which)
		out->layers |= INSPECT_LAYER_SECOND;
	if (out->layers == 0)
		out->outer = *end;
	out->tunnel = *end;
	out->layers |= which;
}

/* A datagram on the ports of ESP: keepalive, IKE or ESP (RFC 3948 2.2, 2.3). */
static enum inspect_kind esp_in_udp(
	const struct udp_datagram *udp, const struct inspect_end *end, struct inspected *out)
{
	static const uint8_t marker[4];

	if (udp->payload_length == 1 && udp->payload[0] == 0xff)
		return INSPECT_KEEPALIVE;
	if (udp->payload_length < 8 || memcmp(udp->payload, marker, 4) == 0)
		return INSPECT_FOREIGN;
	layer(out, INSPECT_LAYER_UDP, end);
	out->layers |= INSPECT_LAYER_ESP;
	return part(out, INSPECT_ESP, udp->payload, udp->payload_length);
}

/*
 * A datagram: ours, a tunnel's (then *inner is the packet inside and the kind FOREIGN), or
 * somebody's. The signature comes first: our own ports may be any.
 */
static enum inspect_kind datagram(const struct packet *packet, uint16_t magic,
	struct inspected *out, const uint8_t **inner, uint32_t *inner_length)
{
	struct udp_datagram udp;
	struct tunnel_mip tunnel;
	enum inspect_kind kind = udp_parse(packet, &udp);

	if (kind != INSPECT_FOREIGN)
		return kind;
	const struct inspect_end end = {
		packet->source, packet->destination, udp.source_port, udp.destination_port};
	if (udp.has_checksum &&
		signature_read(udp.payload, udp.payload_length, magic, &out->signature)) {
		out->inner = end;
		out->inner_length = (uint16_t)packet->length;
		return INSPECT_DATA;
	}
	if (udp.source_port == PORT_ESP || udp.destination_port == PORT_ESP)
		return esp_in_udp(&udp, &end, out);
	if (udp.source_port != MIP4_PORT && udp.destination_port != MIP4_PORT)
		return INSPECT_FOREIGN;
	if (!tunnel_mip_parse(&tunnel, udp.payload, udp.payload_length)) {
		out->outer = end;
		return part(out, INSPECT_REGISTRATION, udp.payload, udp.payload_length);
	}
	layer(out, INSPECT_LAYER_MIP_UDP, &end);
	*inner = tunnel.packet;
	*inner_length = (uint32_t)tunnel.packet_length;
	return INSPECT_FOREIGN;
}

/* In place of the tunnel's packet the one inside, whose header is partly the outer one (RFC 2004
 * 3.1). FOREIGN when that goes. */
static enum inspect_kind minimal_open(struct packet *packet)
{
	struct tunnel_minimal minimal;

	if (!packet->is_v4)
		return INSPECT_MALFORMED;
	switch (tunnel_minimal_parse(&minimal, packet->payload, packet->payload_length)) {
	case TUNNEL_OK:
		break;
	case TUNNEL_BAD_CHECKSUM:
		return INSPECT_CHECKSUM;
	default:
		return INSPECT_MALFORMED;
	}
	struct ipv4_header *v4 = &packet->v4;
	v4->destination = minimal.destination;
	if (minimal.has_source)
		v4->source = minimal.source;
	v4->protocol = minimal.protocol;
	v4->payload += minimal.header_length;
	v4->payload_length = (uint16_t)(v4->payload_length - minimal.header_length);
	v4->total_length = (uint16_t)(v4->total_length - minimal.header_length);
	packet_from_v4(packet);
	return INSPECT_FOREIGN;
}

/* True when there is a packet inside: at *data, or `packet` has become it and *data is NULL. Else
 * *kind says what the packet is. */
static bool tunnel_enter(struct packet *packet, uint16_t magic, struct inspected *out,
	const uint8_t **data, uint32_t *length, enum inspect_kind *kind)
{
	const struct inspect_end end = {packet->source, packet->destination, 0, 0};
	struct tunnel_gre gre;

	*data = NULL;
	switch (packet->protocol) {
	case IP_PROTOCOL_UDP:
		*kind = datagram(packet, magic, out, data, length);
		return *data != NULL;
	case IP_PROTOCOL_IPV4:
	case IP_PROTOCOL_IPV6:
		layer(out, INSPECT_LAYER_IPIP, &end);
		*data = packet->payload;
		*length = packet->payload_length;
		return true;
	case IP_PROTOCOL_GRE:
		*kind = INSPECT_MALFORMED;
		if (tunnel_gre_parse(&gre, packet->payload, packet->payload_length))
			return false;
		layer(out, INSPECT_LAYER_GRE, &end);
		*data = packet->payload + gre.header_length;
		*length = packet->payload_length - gre.header_length;
		return true;
	case IP_PROTOCOL_MINIMAL:
		layer(out, INSPECT_LAYER_MINIMAL, &end);
		*kind = minimal_open(packet);
		return *kind == INSPECT_FOREIGN;
	case IP_PROTOCOL_ESP:
		layer(out, INSPECT_LAYER_ESP, &end);
		*kind = part(out, INSPECT_ESP, packet->payload, packet->payload_length);
		return false;
	case IP_PROTOCOL_ICMP:
	case IP_PROTOCOL_ICMPV6:
		out->outer = end;
		*kind = part(out, INSPECT_ICMP, packet->payload, packet->payload_length);
		return false;
	default:
		*kind = INSPECT_FOREIGN;
		return false;
	}
}

enum inspect_kind inspect_packet(
	const uint8_t *data, uint32_t length, uint16_t magic, struct inspected *out)
{
	enum inspect_kind kind = INSPECT_FOREIGN;
	struct packet packet;

	for (unsigned depth = 0; depth < LAYERS_MAX; depth++) {
		if (data) {
			kind = parse(data, length, &packet);
			if (kind != INSPECT_FOREIGN)
				return kind;
			if (packet.fragment)
				return INSPECT_FRAGMENT;
		}
		if (!tunnel_enter(&packet, magic, out, &data, &length, &kind))
			return kind;
	}
	return INSPECT_FOREIGN;
}

enum inspect_kind inspect_frame(
	const void *frame, uint32_t length, uint16_t magic, struct inspected *out)
{
	struct ethernet_frame ethernet;

	out->layers = 0;
	if (!ethernet_parse(&ethernet, frame, length))
		return INSPECT_MALFORMED;
	switch (ethernet.type) {
	case ETHERNET_ARP:
		return part(out, INSPECT_ARP, ethernet.payload, (uint32_t)ethernet.payload_length);
	case ETHERNET_IPV4:
	case ETHERNET_IPV6:
		return inspect_packet(
			ethernet.payload, (uint32_t)ethernet.payload_length, magic, out);
	default:
		return INSPECT_FOREIGN;
	}
}
