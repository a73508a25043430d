/*
 * The header parsers, outside in: an Ethernet frame, what it carries, and what that carries
 * (tunnels up to three deep), with ICMP on the way. Whatever a parser hands on lies inside what it
 * was given, and what was parsed without error builds again.
 */
#include "lib/wire/arp.h"
#include "lib/wire/ethernet.h"
#include "lib/wire/icmp.h"
#include "lib/wire/icmpv6.h"
#include "lib/wire/mip4.h"
#include "lib/wire/tunnel.h"
#include "lib/wire/udp.h"
#include "tests/fuzz/fuzz_assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEPTH_MAX 3

static void inside(
	const uint8_t *outer, size_t outer_length, const uint8_t *inner, size_t inner_length)
{
	FUZZ_ASSERT(inner >= outer && inner_length <= outer_length);
	FUZZ_ASSERT((size_t)(inner - outer) + inner_length <= outer_length);
}

static void ipv4_input(const uint8_t *data, size_t length, unsigned depth);

static void udp_input(const struct ipv4_header *ip, unsigned depth)
{
	struct udp_datagram udp;
	struct tunnel_mip tunnel;

	if (udp_parse_v4(&udp, ip) != UDP_OK)
		return;
	inside(ip->payload, ip->payload_length, udp.payload, udp.payload_length);
	FUZZ_ASSERT(8u + udp.payload_length + udp.trailing == ip->payload_length);
	if (tunnel_mip_parse(&tunnel, udp.payload, udp.payload_length)) {
		inside(udp.payload, udp.payload_length, tunnel.packet, tunnel.packet_length);
		ipv4_input(tunnel.packet, tunnel.packet_length, depth + 1);
	}
}

static void icmp_input(const struct ipv4_header *ip, unsigned depth)
{
	struct icmp_message icmp;
	uint8_t again[UINT16_MAX];
	struct writer w = writer_make(again, sizeof(again));

	if (!icmp_parse(&icmp, ip->payload, ip->payload_length))
		return;
	inside(ip->payload, ip->payload_length, icmp.data, icmp.data_length);
	icmp_write(&w, &icmp);
	FUZZ_ASSERT(!w.overflow && writer_length(&w) == ip->payload_length);
	/* Both forms of zero are right on the wire; everything else is the same. */
	FUZZ_ASSERT(memcmp(again + 4, ip->payload + 4, ip->payload_length - 4u) == 0);
	ipv4_input(icmp.data, icmp.data_length, depth + 1);
}

static void ipv4_input(const uint8_t *data, size_t length, unsigned depth)
{
	struct ipv4_header ip;
	struct tunnel_gre gre;
	struct tunnel_minimal minimal;

	if (depth > DEPTH_MAX || ipv4_parse(&ip, data, length) != IPV4_OK)
		return;
	inside(data, length, ip.payload, ip.payload_length);
	FUZZ_ASSERT(ip.header_length + ip.payload_length == ip.total_length);
	icmp_error_allowed(&ip);
	if (ipv4_is_fragment(&ip))
		return;
	switch (ip.protocol) {
	case IP_PROTOCOL_UDP:
		udp_input(&ip, depth);
		break;
	case IP_PROTOCOL_ICMP:
		icmp_input(&ip, depth);
		break;
	case IP_PROTOCOL_IPV4:
		ipv4_input(ip.payload, ip.payload_length, depth + 1);
		break;
	case IP_PROTOCOL_GRE:
		if (tunnel_gre_parse(&gre, ip.payload, ip.payload_length) != TUNNEL_OK)
			break;
		FUZZ_ASSERT(gre.header_length <= ip.payload_length);
		ipv4_input(ip.payload + gre.header_length,
			(size_t)(ip.payload_length - gre.header_length), depth + 1);
		break;
	case IP_PROTOCOL_MINIMAL:
		if (tunnel_minimal_parse(&minimal, ip.payload, ip.payload_length) == TUNNEL_OK)
			FUZZ_ASSERT(minimal.header_length <= ip.payload_length);
		break;
	default:
		break;
	}
}

static void ipv6_input(const uint8_t *data, size_t length)
{
	struct ipv6_header ip;
	struct icmpv6_message icmp;
	uint8_t again[IPV6_HEADER_SIZE];
	struct writer w = writer_make(again, sizeof(again));

	if (ipv6_parse(&ip, data, length) != IPV6_OK)
		return;
	inside(data, length, ip.payload, ip.payload_length);
	ipv6_write(&w, &ip);
	FUZZ_ASSERT(memcmp(again, data, IPV6_HEADER_SIZE) == 0);
	if (ip.next_header == IP_PROTOCOL_ICMPV6 &&
		icmpv6_parse(&icmp, ip.source, ip.destination, ip.payload, ip.payload_length))
		inside(ip.payload, ip.payload_length, icmp.data, icmp.data_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ethernet_frame frame;
	struct arp arp;

	if (!ethernet_parse(&frame, data, size))
		return 0;
	inside(data, size, frame.payload, frame.payload_length);
	if (frame.type == ETHERNET_IPV4) {
		ipv4_input(frame.payload, frame.payload_length, 0);
	} else if (frame.type == ETHERNET_IPV6) {
		ipv6_input(frame.payload, frame.payload_length);
	} else if (frame.type == ETHERNET_ARP &&
		   arp_parse(&arp, frame.payload, frame.payload_length)) {
		uint8_t again[ARP_SIZE];
		struct writer w = writer_make(again, sizeof(again));
		arp_write(&w, &arp);
		FUZZ_ASSERT(memcmp(again, frame.payload, ARP_SIZE) == 0);
	}
	return 0;
}

#ifdef FUZZ_MUTATOR
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* Random octets hardly ever have a right checksum: repair those of every IPv4 header from `data`
 * inwards. */
static void headers_repair(uint8_t *data, size_t size)
{
	for (unsigned depth = 0; depth <= DEPTH_MAX && size >= IPV4_HEADER_SIZE; depth++) {
		size_t header = (data[0] & 0xfu) * 4;
		if (data[0] >> 4 != 4 || header < IPV4_HEADER_SIZE || header > size)
			return;
		ipv4_checksum_set(data, header);
		size_t skip = header;
		if (data[9] == IP_PROTOCOL_UDP && size >= header + UDP_HEADER_SIZE) {
			memset(data + header + 6, 0, 2);
			skip += UDP_HEADER_SIZE + TUNNEL_MIP_SIZE;
		} else if (data[9] == IP_PROTOCOL_GRE) {
			skip += TUNNEL_GRE_SIZE;
		} else if (data[9] == IP_PROTOCOL_ICMP && size >= header + ICMP_HEADER_SIZE) {
			skip += ICMP_HEADER_SIZE;
		}
		if (skip >= size)
			return;
		data += skip;
		size -= skip;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size = LLVMFuzzerMutate(data, size, max_size);
	if (size > ETHERNET_HEADER_SIZE && seed % 8)
		headers_repair(data + ETHERNET_HEADER_SIZE, size - ETHERNET_HEADER_SIZE);
	return size;
}
#endif
