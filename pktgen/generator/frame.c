#include "pktgen/generator/frame.h"

#include "dataplane/crypto/esp_codec.h"
#include "lib/wire/checksum.h"
#include "lib/wire/ipv6.h"
#include "lib/wire/mip4.h"
#include "lib/wire/tunnel.h"
#include "lib/wire/udp.h"

#define HOPS    64
#define UDP_IKE 4500 /* RFC 3948 2.1 */

static const uint8_t gre_header[4] = {0, 0, ETHERNET_IPV4 >> 8, ETHERNET_IPV4 & 0xff};

static uint16_t ip_header_size(const struct ip_address *address)
{
	return ip_address_is_v4(address) ? IPV4_HEADER_SIZE : IPV6_HEADER_SIZE;
}

struct ip_fields {
	struct ip_address source, destination;
	uint8_t protocol, dscp;
	bool dont_fragment;
	uint16_t payload_length;
	uint16_t identification;
};

/* Straight into place: cursors are for strangers' octets. */
static void ip_write(uint8_t *out, const struct ip_fields *ip)
{
	if (ip_address_is_v4(&ip->source)) {
		const struct ipv4_wire header = {
			.version_ihl = 0x45,
			.tos = (uint8_t)(ip->dscp << 2),
			.total_length = htons((uint16_t)(IPV4_HEADER_SIZE + ip->payload_length)),
			.identification = htons(ip->dont_fragment ? 0 : ip->identification),
			.fragment = htons(ip->dont_fragment ? IPV4_DONT_FRAGMENT : 0),
			.ttl = HOPS,
			.protocol = ip->protocol,
			.source = ip_address_v4(&ip->source),
			.destination = ip_address_v4(&ip->destination),
		};
		memcpy(out, &header, sizeof(header));
		ipv4_checksum_set(out, sizeof(header));
		return;
	}
	struct ipv6_wire header = {
		.version_class_flow = htonl(0x60000000u | (uint32_t)ip->dscp << 22),
		.payload_length = htons(ip->payload_length),
		.next_header = ip->protocol,
		.hop_limit = HOPS,
	};
	memcpy(header.source, ip->source.bytes, 16);
	memcpy(header.destination, ip->destination.bytes, 16);
	memcpy(out, &header, sizeof(header));
}

/* The checksum covers zeros behind the signature: they add nothing. */
static void udp_write(uint8_t *out, const struct ip_address *source,
	const struct ip_address *destination, uint16_t source_port, uint16_t destination_port,
	uint16_t length)
{
	struct udp_wire udp = {htons(source_port), htons(destination_port), htons(length), 0};
	uint64_t sum = ip_address_is_v4(source)
			       ? checksum_pseudo_v4(ip_address_v4(source),
					 ip_address_v4(destination), IP_PROTOCOL_UDP, length)
			       : checksum_pseudo_v6(source->bytes, destination->bytes,
					 IP_PROTOCOL_UDP, length);

	memcpy(out, &udp, sizeof(udp));
	udp.checksum = checksum_finish(checksum_add(sum, out, UDP_HEADER_SIZE + SIGNATURE_SIZE));
	if (udp.checksum == 0)
		udp.checksum = 0xffff;
	memcpy(out, &udp, sizeof(udp));
}

static uint16_t inner_write(
	const struct population *population, const struct frame_plan *plan, uint8_t *out)
{
	const struct profile_group *settings = plan->group->settings;
	struct ip_address node = population_node_address(plan->group, plan->node);
	struct ip_address correspondent = population_correspondent(plan->group, plan->node);
	uint16_t length = (uint16_t)(plan->size - PROFILE_ETHERNET_SIZE);
	uint16_t header = ip_header_size(&node);
	const struct ip_fields ip = {
		.source = plan->up ? node : correspondent,
		.destination = plan->up ? correspondent : node,
		.protocol = IP_PROTOCOL_UDP,
		.dscp = (uint8_t)settings->dscp,
		.dont_fragment = settings->dont_fragment,
		.payload_length = (uint16_t)(length - header),
		.identification = (uint16_t)plan->signature.sequence,
	};
	uint8_t *udp = out + header, *payload = udp + UDP_HEADER_SIZE;

	ip_write(out, &ip);
	signature_write(payload, population->magic, &plan->signature);
	memset(payload + SIGNATURE_SIZE, 0,
		(size_t)(length - header - UDP_HEADER_SIZE - SIGNATURE_SIZE));
	udp_write(udp, &ip.source, &ip.destination,
		plan->up ? settings->node_udp_port : settings->correspondent_udp_port,
		plan->up ? settings->correspondent_udp_port : settings->node_udp_port,
		ip.payload_length);
	return length;
}

/* Around text that is in place, `length` octets. Returns the ESP length. */
static uint16_t esp_close(const struct population_group *group, uint32_t node,
	const struct frame_number *number, uint8_t next_header, uint16_t length, uint8_t *out,
	struct frame_esp *esp)
{
	const struct suite *suite = number->suite;
	uint8_t *text = out + esp_codec_text_offset(suite);

	esp_codec_header_write(out,
		group->settings->security.spi_up +
			population_association(group, node, group->nodes[node].place),
		number->number);
	esp_codec_trailer_write(text + length, esp_codec_padding(suite, length), next_header);
	esp->text_length = (uint16_t)esp_codec_text_length(suite, length);
	return (uint16_t)esp_codec_packet_length(suite, length);
}

/*
 * RFC 2004 3.1: the inner header is not a header any more, what it said is in the outer one and in
 * twelve octets behind it.
 */
static uint16_t minimal_write(
	const struct population *population, const struct frame_plan *plan, uint8_t *out)
{
	struct ip_address node = population_node_address(plan->group, plan->node);
	struct ip_address correspondent = population_correspondent(plan->group, plan->node);
	const struct tunnel_minimal minimal = {
		.protocol = IP_PROTOCOL_UDP,
		.has_source = true,
		.destination = ip_address_v4(&correspondent),
		.source = ip_address_v4(&node),
	};
	uint16_t length =
		inner_write(population, plan, out + TUNNEL_MINIMAL_SIZE - IPV4_HEADER_SIZE);
	struct writer w = writer_make(out, TUNNEL_MINIMAL_SIZE);

	tunnel_minimal_write(&w, &minimal);
	return (uint16_t)(TUNNEL_MINIMAL_SIZE + length - IPV4_HEADER_SIZE);
}

/*
 * A Mobile IP tunnel behind its outer IP header: *protocol and whatever it puts around the inner
 * packet. Returns the length of all.
 */
static uint16_t tunnel_write(const struct population *population, const struct frame_plan *plan,
	uint8_t *out, uint8_t *protocol)
{
	uint8_t mapping = plan->group->nodes[plan->node].mapping;
	struct udp_wire udp = {
		.source_port = htons(population_mip_port(plan->group, plan->node, mapping)),
		.destination_port = htons(MIP4_PORT),
	};
	uint16_t length;

	switch (plan->group->settings->encapsulation) {
	case PROFILE_GRE: // RFC 2784 2.1: no checksum, IPv4 inside
		*protocol = IP_PROTOCOL_GRE;
		memcpy(out, gre_header, sizeof(gre_header));
		return (uint16_t)(sizeof(gre_header) +
				  inner_write(population, plan, out + sizeof(gre_header)));
	case PROFILE_MINIMAL:
		*protocol = IP_PROTOCOL_MINIMAL;
		return minimal_write(population, plan, out);
	case PROFILE_MIP_UDP: // RFC 3519 3.3; no checksum: the inner one covers what matters
		*protocol = IP_PROTOCOL_UDP;
		length = (uint16_t)(UDP_HEADER_SIZE + TUNNEL_MIP_SIZE);
		out[8] = MIP4_TUNNEL_DATA;
		out[9] = IP_PROTOCOL_IPV4;
		out[10] = out[11] = 0;
		length = (uint16_t)(length + inner_write(population, plan, out + length));
		udp.length = htons(length);
		memcpy(out, &udp, sizeof(udp));
		return length;
	default: /* IPIP */
		*protocol = IP_PROTOCOL_IPV4;
		return inner_write(population, plan, out);
	}
}

static struct ip_fields outer_fields(const struct frame_plan *plan, const struct ip_address *source,
	const struct ip_address *destination)
{
	const struct profile_group *settings = plan->group->settings;

	return (struct ip_fields){
		.source = *source,
		.destination = *destination,
		.dscp = (uint8_t)settings->dscp,
		.dont_fragment = settings->dont_fragment,
		.identification = (uint16_t)plan->signature.sequence,
	};
}

/*
 * What ESP protects: the inner packet; of Mobile IP its tunnel, whose outer header is ESP's own in
 * transport mode (RFC 3884 3.1) and inside with the rest in mode mc.
 */
static uint16_t text_write(const struct population *population, const struct frame_plan *plan,
	uint8_t *out, uint8_t *next_header)
{
	const struct profile_group *settings = plan->group->settings;

	*next_header =
		ip_address_is_v4(&settings->node) ? ESP_NEXT_HEADER_IPV4 : ESP_NEXT_HEADER_IPV6;
	if (!profile_is_mobile_ip(settings))
		return inner_write(population, plan, out);
	if (profile_is_transport(settings))
		return tunnel_write(population, plan, out, next_header);
	struct ip_address vpn = population_tunnel_end(
		plan->group, plan->node, plan->group->nodes[plan->node].place);
	struct ip_fields ip = outer_fields(plan, &vpn, &settings->home_agent);
	ip.payload_length = tunnel_write(population, plan, out + IPV4_HEADER_SIZE, &ip.protocol);
	ip_write(out, &ip);
	return (uint16_t)(IPV4_HEADER_SIZE + ip.payload_length);
}

/* Where ESP begins behind an IP header of `header` octets. */
static uint16_t esp_offset(const struct profile_group *settings, uint16_t header)
{
	return (uint16_t)(header + (settings->security.encap ? UDP_HEADER_SIZE : 0));
}

/*
 * The headers in front of `length` octets of ESP that are in place. In UDP the checksum is zero
 * (RFC 3948 2.1), over IPv6 until frame_finish. Returns the packet's length.
 */
static uint16_t esp_outer_write(const struct population_group *group, uint32_t node,
	struct ip_fields *ip, uint16_t length, uint8_t *out)
{
	const struct profile_group *settings = group->settings;
	uint16_t header = ip_header_size(&ip->source);
	uint8_t mapping = group->nodes[node].mapping;

	ip->protocol = IP_PROTOCOL_ESP;
	if (settings->security.encap) {
		length = (uint16_t)(length + UDP_HEADER_SIZE);
		const struct udp_wire udp = {
			.source_port = htons(population_nat_port(group, node, mapping)),
			.destination_port = htons(UDP_IKE),
			.length = htons(length),
		};
		ip->protocol = IP_PROTOCOL_UDP;
		memcpy(out + header, &udp, sizeof(udp));
	}
	ip->payload_length = length;
	ip_write(out, ip);
	return (uint16_t)(header + length);
}

/* From the outer IP header on; returns its length. */
static uint16_t outer_write(const struct population *population, const struct frame_plan *plan,
	uint8_t *out, struct frame_esp *esp)
{
	const struct population_group *group = plan->group;
	struct ip_address care_of =
		population_care_of(group, plan->node, group->nodes[plan->node].place);
	struct ip_fields ip = outer_fields(plan, &care_of, &group->settings->agent);
	uint16_t header = ip_header_size(&care_of), length;
	uint8_t next_header;

	if (!group->settings->secured) {
		ip.payload_length = tunnel_write(population, plan, out + header, &ip.protocol);
		ip_write(out, &ip);
		return (uint16_t)(header + ip.payload_length);
	}
	esp->offset = esp_offset(group->settings, header);
	length = text_write(population, plan,
		out + esp->offset + esp_codec_text_offset(plan->esp.suite), &next_header);
	length = esp_close(
		group, plan->node, &plan->esp, next_header, length, out + esp->offset, esp);
	return esp_outer_write(group, plan->node, &ip, length, out);
}

static uint16_t ethernet_type(const struct ip_address *address)
{
	return ip_address_is_v4(address) ? ETHERNET_IPV4 : ETHERNET_IPV6;
}

static void ethernet_put(const struct frame_link *link, uint16_t type, uint8_t *out)
{
	struct ethernet_header ethernet = {.type = htons(type)};

	memcpy(ethernet.destination, link->destination, 6);
	memcpy(ethernet.source, link->source, 6);
	memcpy(out, &ethernet, sizeof(ethernet));
}

uint16_t frame_build(const struct population *population, const struct frame_plan *plan,
	const struct frame_link *link, uint8_t *out, struct frame_esp *esp)
{
	const struct profile_group *settings = plan->group->settings;
	bool encapsulated = plan->up && settings->encapsulation != PROFILE_PLAIN;
	uint16_t length;

	*esp = (struct frame_esp){0};
	if (encapsulated)
		length = outer_write(population, plan, out + ETHERNET_HEADER_SIZE, esp);
	else
		length = inner_write(population, plan, out + ETHERNET_HEADER_SIZE);
	ethernet_put(link, ethernet_type(encapsulated ? &settings->agent : &settings->node), out);
	if (esp->offset)
		esp->offset = (uint16_t)(esp->offset + ETHERNET_HEADER_SIZE);
	return (uint16_t)(ETHERNET_HEADER_SIZE + length);
}

uint16_t frame_seal(const struct population_group *group, uint32_t node,
	const struct frame_number *number, const uint8_t *packet, uint16_t length,
	const struct frame_link *link, uint8_t *out, struct frame_esp *esp)
{
	bool transport = profile_is_transport(group->settings);
	uint16_t skipped = transport ? IPV4_HEADER_SIZE : 0;
	uint8_t *ip = out + ETHERNET_HEADER_SIZE;
	struct ip_fields fields = {
		.source = population_care_of(group, node, group->nodes[node].place),
		.destination = group->settings->agent,
	};

	esp->offset = esp_offset(group->settings, ip_header_size(&fields.destination));
	memcpy(ip + esp->offset + esp_codec_text_offset(number->suite), packet + skipped,
		(size_t)(length - skipped));
	length = esp_close(group, node, number,
		transport ? packet[offsetof(struct ipv4_wire, protocol)] : ESP_NEXT_HEADER_IPV4,
		(uint16_t)(length - skipped), ip + esp->offset, esp);
	length = esp_outer_write(group, node, &fields, length, ip);
	ethernet_put(link, ethernet_type(&fields.destination), out);
	esp->offset = (uint16_t)(esp->offset + ETHERNET_HEADER_SIZE);
	return (uint16_t)(ETHERNET_HEADER_SIZE + length);
}

void frame_finish(const struct population_group *group, uint8_t *esp)
{
	uint8_t *udp = esp - UDP_HEADER_SIZE, *ip = udp - IPV6_HEADER_SIZE;
	struct udp_wire header;

	if (!group->settings->security.encap || ip_address_is_v4(&group->settings->agent))
		return;
	memcpy(&header, udp, sizeof(header));
	uint16_t length = ntohs(header.length);
	uint64_t sum = checksum_pseudo_v6(ip + offsetof(struct ipv6_wire, source),
		ip + offsetof(struct ipv6_wire, destination), IP_PROTOCOL_UDP, length);
	header.checksum = checksum_finish(checksum_add(sum, udp, length));
	if (header.checksum == 0)
		header.checksum = 0xffff;
	memcpy(udp, &header, sizeof(header));
}
