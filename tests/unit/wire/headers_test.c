// The other formats: checksums, Ethernet, ARP, IPv4, IPv6, UDP, ICMP, ICMPv6, GRE, minimal header,
// MIP tunnel data.
#include "lib/wire/arp.h"
#include "lib/wire/checksum.h"
#include "lib/wire/ethernet.h"
#include "lib/wire/icmp.h"
#include "lib/wire/icmpv6.h"
#include "lib/wire/tunnel.h"
#include "lib/wire/udp.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t buffer[2048];

static be32 v4(const char *text)
{
	struct ip_address a;
	assert_int_equal(ip_address_parse(text, &a), 0);
	return ip_address_v4(&a);
}

// RFC 1071 3: the worked example, 0001 f203 f4f5 f6f7 sums to ddf2
static void checksum_of_the_rfc(void **state)
{
	const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	const uint8_t odd[] = {0x00, 0x01, 0xf2, 0x03, 0xf4};

	assert_int_equal(ntohs(checksum(data, 8)), (uint16_t)~0xddf2);
	assert_int_equal(
		ntohs(checksum(odd, 5)), (uint16_t)~0xe605); /* 0001+f203+f400, carry folded */
	assert_int_equal(checksum(data, 0), 0xffff);
}

static void checksum_by_words(void **state)
{
	/* Against the plainest possible sum, over all lengths and offsets. */
	for (unsigned i = 0; i < 300; i++)
		buffer[i] = (uint8_t)(i * 37 + 11);
	for (unsigned offset = 0; offset < 4; offset++) {
		for (unsigned length = 0; length < 260; length++) {
			uint32_t sum = 0;
			for (unsigned i = 0; i < length; i++)
				sum += (uint32_t)buffer[offset + i] << (i & 1 ? 0 : 8);
			while (sum >> 16)
				sum = (sum & 0xffff) + (sum >> 16);
			assert_int_equal(ntohs(checksum(buffer + offset, length)), (uint16_t)~sum);
		}
	}
}

// RFC 1624 4: 0xdd2f, 0x5555 -> 0x3285 gives 0x0000, where equation 2 would give 0xffff
static void checksum_update_is_equation_3(void **state)
{
	assert_int_equal(checksum_update16(htons(0xdd2f), htons(0x5555), htons(0x3285)), 0);

	srandom(1);
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t data[20];
		for (unsigned k = 0; k < sizeof(data); k++)
			data[k] = (uint8_t)random();
		data[0] |= 1; /* not all zero */
		be16 before16, after16 = (be16)random();
		be32 before32, after32 = (be32)random();
		be16 sum = checksum(data, sizeof(data));
		memcpy(&before16, data + 4, 2);
		memcpy(data + 4, &after16, 2);
		sum = checksum_update16(sum, before16, after16);
		memcpy(&before32, data + 12, 4);
		memcpy(data + 12, &after32, 4);
		sum = checksum_update32(sum, before32, after32);
		assert_int_equal(sum, checksum(data, sizeof(data)));
	}
}

static void ethernet_with_and_without_tags(void **state)
{
	const uint8_t to[6] = {2, 0, 0, 0, 0, 1}, from[6] = {2, 0, 0, 0, 0, 2};
	struct writer w = writer_make(buffer, sizeof(buffer));
	struct ethernet_frame frame;

	ethernet_write(&w, to, from, 0, ETHERNET_ARP);
	assert_int_equal(writer_length(&w), 14);
	assert_true(ethernet_parse(&frame, buffer, 14));
	assert_int_equal(frame.type, ETHERNET_ARP);
	assert_int_equal(frame.payload_length, 0);
	assert_false(ethernet_parse(&frame, buffer, 13));

	w = writer_make(buffer, sizeof(buffer));
	ethernet_write(&w, to, from, 100, ETHERNET_IPV4);
	writer_u8(&w, 0x45);
	assert_true(ethernet_parse(&frame, buffer, 19));
	assert_int_equal(frame.tag_count, 1);
	assert_int_equal(frame.tags[0], 100);
	assert_int_equal(frame.type, ETHERNET_IPV4);
	assert_memory_equal(frame.source, from, 6);
	assert_int_equal(frame.payload[0], 0x45);
	assert_false(ethernet_parse(&frame, buffer, 17));

	const uint8_t three[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xa8, 0, 1, 0x81, 0, 0,
		2, 0x81, 0, 0, 3, 8, 0};
	assert_false(ethernet_parse(&frame, three, sizeof(three)));
	assert_true(ethernet_is_group(ethernet_broadcast));
	assert_false(ethernet_is_group(to));
}

// HA4-HOME-08 (RFC 5944 4.6): vector V10's bytes
static void gratuitous_arp(void **state)
{
	static const uint8_t v10[] = {0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x02, 0, 0, 0,
		0, 0x02, 0x0a, 0x01, 0x00, 0x0a, 0, 0, 0, 0, 0, 0, 0x0a, 0x01, 0x00, 0x0a};
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};
	struct writer w = writer_make(buffer, sizeof(buffer));
	struct arp arp = arp_gratuitous(v4("10.1.0.10"), mac);

	arp_write(&w, &arp);
	assert_int_equal(writer_length(&w), sizeof(v10));
	assert_memory_equal(buffer, v10, sizeof(v10));
	struct arp parsed;
	assert_true(arp_parse(&parsed, buffer, 46)); /* padded to the minimum frame */
	assert_int_equal(parsed.operation, ARP_REQUEST);
	assert_int_equal(parsed.sender_protocol, v4("10.1.0.10"));
	assert_false(arp_parse(&parsed, buffer, 27));
	for (unsigned i = 0; i < 6; i++) { /* hardware, protocol, sizes */
		buffer[i] ^= 1;
		assert_false(arp_parse(&parsed, buffer, 28));
		buffer[i] ^= 1;
	}
}

static size_t ipv4_example(uint8_t protocol, uint16_t payload_length)
{
	struct writer w = writer_make(buffer, sizeof(buffer));
	const struct ipv4_header ip = {.tos = 0xb9,
		.total_length = (uint16_t)(20 + payload_length),
		.identification = 0x1234,
		.fragment = IPV4_DONT_FRAGMENT,
		.ttl = 64,
		.protocol = protocol,
		.source = v4("198.51.100.23"),
		.destination = v4("192.0.2.1")};

	memset(buffer, 0, sizeof(buffer));
	ipv4_write(&w, &ip);
	assert_int_equal(writer_length(&w), 20);
	return 20u + payload_length;
}

// RFC 1812 5.2.2
static void ipv4_checks(void **state)
{
	struct ipv4_header ip;
	size_t length = ipv4_example(IP_PROTOCOL_UDP, 30);

	assert_int_equal(ipv4_parse(&ip, buffer, length + 10), IPV4_OK);
	assert_int_equal(ip.payload_length, 30);
	assert_int_equal(ip.tos, 0xb9);
	assert_int_equal(ip.identification, 0x1234);
	assert_false(ipv4_is_fragment(&ip));
	assert_int_equal(ipv4_parse(&ip, buffer, 19), IPV4_SHORT);
	assert_int_equal(ipv4_parse(&ip, buffer, length - 1), IPV4_BAD_LENGTH);
	buffer[10] ^= 1;
	assert_int_equal(ipv4_parse(&ip, buffer, length), IPV4_BAD_CHECKSUM);
	buffer[10] ^= 1;
	buffer[0] = 0x44;
	assert_int_equal(ipv4_parse(&ip, buffer, length), IPV4_BAD_IHL);
	buffer[0] = 0x4f; /* 60 octets of header, 50 given */
	assert_int_equal(ipv4_parse(&ip, buffer, length), IPV4_BAD_IHL);
	buffer[0] = 0x65;
	ipv4_checksum_set(buffer, 20);
	assert_int_equal(ipv4_parse(&ip, buffer, length), IPV4_BAD_VERSION);
	buffer[0] = 0x45;
	buffer[2] = 0;
	buffer[3] = 19;
	ipv4_checksum_set(buffer, 20);
	assert_int_equal(ipv4_parse(&ip, buffer, length), IPV4_BAD_LENGTH);
}

static void ipv6_checks(void **state)
{
	struct writer w = writer_make(buffer, sizeof(buffer));
	struct ipv6_header ip = {.traffic_class = 0xb9,
		.flow_label = 0xabcde,
		.payload_length = 8,
		.next_header = IP_PROTOCOL_UDP,
		.hop_limit = 64,
		.source = {0x20, 1},
		.destination = {0x20, 2}};
	struct ipv6_header parsed;

	ipv6_write(&w, &ip);
	assert_int_equal(writer_length(&w), 40);
	assert_int_equal(ipv6_parse(&parsed, buffer, 48), IPV6_OK);
	assert_int_equal(parsed.traffic_class, 0xb9);
	assert_int_equal(parsed.flow_label, 0xabcde);
	assert_ptr_equal(parsed.payload, buffer + 40);
	assert_int_equal(ipv6_parse(&parsed, buffer, 47), IPV6_BAD_LENGTH);
	assert_int_equal(ipv6_parse(&parsed, buffer, 39), IPV6_SHORT);
	buffer[0] = 0x45;
	assert_int_equal(ipv6_parse(&parsed, buffer, 48), IPV6_BAD_VERSION);
}

// HA4-MSG-05..08
static void udp_checks(void **state)
{
	struct ipv4_header ip;
	struct udp_datagram udp;
	size_t length = ipv4_example(IP_PROTOCOL_UDP, 8 + 4 + 3);
	struct writer w = writer_make(buffer + 20, 100);

	udp_write_v4(&w, v4("198.51.100.23"), v4("192.0.2.1"), 5434, 434, "abcd", 4);
	assert_int_equal(writer_length(&w), 12);
	assert_int_equal(ipv4_parse(&ip, buffer, length), IPV4_OK);
	assert_int_equal(udp_parse_v4(&udp, &ip), UDP_OK);
	assert_int_equal(udp.source_port, 5434);
	assert_int_equal(udp.destination_port, 434);
	assert_int_equal(udp.payload_length, 4);
	assert_int_equal(udp.trailing, 3); // HA4-MSG-08
	assert_true(udp.has_checksum);
	buffer[28] ^= 1;
	assert_int_equal(udp_parse_v4(&udp, &ip), UDP_BAD_CHECKSUM); // HA4-MSG-05
	buffer[26] = buffer[27] = 0;
	assert_int_equal(udp_parse_v4(&udp, &ip), UDP_OK); // HA4-MSG-06
	assert_false(udp.has_checksum);
	buffer[25] = 16; /* one more than there is */
	assert_int_equal(udp_parse_v4(&udp, &ip), UDP_BAD_LENGTH);
	buffer[25] = 7;
	assert_int_equal(udp_parse_v4(&udp, &ip), UDP_BAD_LENGTH);
	ip.payload_length = 7;
	assert_int_equal(udp_parse_v4(&udp, &ip), UDP_SHORT);
}

// HA4-MSG-07: a computed 0 is sent as 0xffff
static void udp_checksum_zero_is_sent_as_ones(void **state)
{
	for (unsigned value = 0; value < 0x10000; value++) {
		uint8_t datagram[10] = {
			0, 1, 0, 2, 0, 10, 0, 0, (uint8_t)(value >> 8), (uint8_t)value};
		udp_checksum_set_v4(datagram, 10, v4("10.0.0.1"), v4("10.0.0.2"));
		assert_false(datagram[6] == 0 && datagram[7] == 0);
	}
}

// RFC 1812 4.3.2.3, 4.3.2.7
static void icmp_messages(void **state)
{
	struct writer w = writer_make(buffer, sizeof(buffer));
	struct icmp_message icmp;
	uint8_t original[1500] = {0x45};

	icmp_error_write(&w, ICMP_DESTINATION_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1468,
		original, sizeof(original));
	assert_int_equal(writer_length(&w), 8 + 548);
	assert_true(icmp_parse(&icmp, buffer, writer_length(&w)));
	assert_int_equal(icmp.rest, 1468);
	assert_int_equal(icmp.data_length, 548);
	buffer[20] ^= 1;
	assert_false(icmp_parse(&icmp, buffer, writer_length(&w)));
	assert_false(icmp_parse(&icmp, buffer, 7));

	const uint8_t error = ICMP_TIME_EXCEEDED, echo = ICMP_ECHO_REQUEST;
	struct ipv4_header ip = {.source = v4("10.2.0.5"),
		.destination = v4("10.1.0.10"),
		.protocol = IP_PROTOCOL_ICMP,
		.payload = &echo,
		.payload_length = 1};
	assert_true(icmp_error_allowed(&ip));
	ip.payload = &error;
	assert_false(icmp_error_allowed(&ip));
	ip.protocol = IP_PROTOCOL_UDP;
	assert_true(icmp_error_allowed(&ip));
	ip.fragment = 185;
	assert_false(icmp_error_allowed(&ip));
	ip.fragment = IPV4_MORE_FRAGMENTS;
	assert_true(icmp_error_allowed(&ip));
	ip.source = 0;
	assert_false(icmp_error_allowed(&ip));
	ip.source = v4("10.2.0.5");
	ip.destination = v4("224.0.0.1");
	assert_false(icmp_error_allowed(&ip));
}

// HA4-HOME-15, -16, -17
static void agent_advertisement(void **state)
{
	static const uint8_t expected[] = {9, 16, 0, 0, 1, 2, 0x07, 0x08, 192, 0, 2, 1, 0, 0, 0, 0,
		16, 6, 0, 5, 0x8c, 0xa0, 0x29, 0x40, 19, 1, 24};
	struct writer w = writer_make(buffer, sizeof(buffer));
	const be32 router = v4("192.0.2.1");
	const uint8_t prefix_length = 24;
	struct icmp_message icmp;
	const struct icmp_agent_advertisement advertisement = {
		.code = 16,
		.router_lifetime_s = 1800,
		.routers = &router,
		.router_count = 1,
		.sequence = 5,
		.registration_lifetime_s = 36000,
		.flags = ICMP_AGENT_H | ICMP_AGENT_M | ICMP_AGENT_T | ICMP_AGENT_X,
		.prefix_lengths = &prefix_length,
	};

	icmp_agent_advertisement_write(&w, &advertisement);
	assert_int_equal(writer_length(&w), sizeof(expected));
	assert_true(icmp_parse(&icmp, buffer, sizeof(expected)));
	memset(buffer + 2, 0, 2);
	assert_memory_equal(buffer, expected, sizeof(expected));
	assert_int_equal(icmp_agent_sequence_next(0), 1);
	struct icmp_agent_advertisement heard;
	assert_true(icmp_agent_advertisement_parse(&heard, &icmp));
	assert_int_equal(heard.code, 16);
	assert_int_equal(heard.router_lifetime_s, 1800);
	assert_int_equal(heard.sequence, 5);
	assert_int_equal(heard.registration_lifetime_s, 36000);
	assert_int_equal(heard.flags, advertisement.flags);
	assert_int_equal(heard.care_of_address, 0);
	for (size_t cut = 0; cut < 16; cut++) { /* nothing but the whole extension will do */
		icmp.data_length = cut;
		assert_false(icmp_agent_advertisement_parse(&heard, &icmp));
	}
	assert_int_equal(icmp_agent_sequence_next(0xffff), 256);
}

// RFC 5944 2.1.1
static void foreign_agent_advertisement(void **state)
{
	static const uint8_t expected[] = {
		9, 0, 0, 0, 0, 2, 0, 9, 16, 10, 0, 7, 0x07, 0x08, 0x91, 0, 10, 0, 3, 2};
	struct writer w = writer_make(buffer, sizeof(buffer));
	struct icmp_agent_advertisement heard;
	struct icmp_message icmp;
	const struct icmp_agent_advertisement advertisement = {.router_lifetime_s = 9,
		.sequence = 7,
		.registration_lifetime_s = 1800,
		.flags = ICMP_AGENT_R | ICMP_AGENT_F | ICMP_AGENT_T,
		.care_of_address = v4("10.0.3.2")};

	icmp_agent_advertisement_write(&w, &advertisement);
	assert_int_equal(writer_length(&w), sizeof(expected));
	assert_true(icmp_parse(&icmp, buffer, sizeof(expected)));
	assert_true(icmp_agent_advertisement_parse(&heard, &icmp));
	assert_int_equal(heard.care_of_address, v4("10.0.3.2"));
	assert_int_equal(heard.flags, advertisement.flags);
	icmp.type = ICMP_ROUTER_SOLICITATION;
	assert_false(icmp_agent_advertisement_parse(&heard, &icmp));
	memset(buffer + 2, 0, 2);
	assert_memory_equal(buffer, expected, sizeof(expected));
}

static void icmpv6_messages(void **state)
{
	const uint8_t from[16] = {0x20, 1, 0xd, 0xb8, [15] = 1},
		      to[16] = {0x20, 1, 0xd, 0xb8, [15] = 2};
	struct writer w = writer_make(buffer, sizeof(buffer));
	uint8_t original[1500] = {0x60};
	struct icmpv6_message icmp;

	icmpv6_error_write(
		&w, from, to, ICMPV6_PACKET_TOO_BIG, 0, 1280, original, sizeof(original));
	assert_int_equal(writer_length(&w), 1240);
	assert_true(icmpv6_parse(&icmp, from, to, buffer, 1240));
	assert_int_equal(icmp.rest, 1280);
	assert_false(icmpv6_parse(&icmp, from, from, buffer, 1240)); /* the pseudo header counts */
	/* 2001:db8::1 -> 2001:db8::2, identifier 1, sequence 2, as Scapy builds it */
	const uint8_t expected[] = {0x80, 0x00, 0x24, 0x45, 0x00, 0x01, 0x00, 0x02};
	const struct icmpv6_message echo = {.type = ICMPV6_ECHO_REQUEST, .rest = 0x00010002};
	w = writer_make(buffer, sizeof(buffer));
	icmpv6_write(&w, from, to, &echo);
	assert_int_equal(writer_length(&w), sizeof(expected));
	assert_memory_equal(buffer, expected, sizeof(expected));
}

// HA4-ALT-02, -03
static void gre_headers(void **state)
{
	static const uint8_t sent[] = {0, 0, 8, 0};
	struct writer w = writer_make(buffer, sizeof(buffer));
	struct tunnel_gre gre;

	tunnel_gre_write(&w, ETHERNET_IPV4);
	assert_memory_equal(buffer, sent, 4);
	assert_int_equal(tunnel_gre_parse(&gre, buffer, 4), TUNNEL_OK);
	assert_int_equal(gre.header_length, 4);
	assert_int_equal(tunnel_gre_parse(&gre, buffer, 3), TUNNEL_SHORT);
	for (unsigned bit = 0; bit < 16; bit++) {
		uint8_t header[8] = {(uint8_t)(0x8000 >> bit >> 8), (uint8_t)(0x8000 >> bit), 8, 0};
		enum tunnel_status status = tunnel_gre_parse(&gre, header, 8);
		if (bit == 0) { /* C: checksum over 8000 0800 0000 0000 */
			assert_int_equal(status, TUNNEL_BAD_CHECKSUM);
			header[4] = 0x77;
			header[5] = 0xff;
			assert_int_equal(tunnel_gre_parse(&gre, header, 8), TUNNEL_OK);
			assert_int_equal(gre.header_length, 8);
			assert_int_equal(tunnel_gre_parse(&gre, header, 7), TUNNEL_SHORT);
		} else if (bit <= 5 || bit >= 13) {
			assert_int_equal(status, TUNNEL_BAD_VERSION);
		} else {
			assert_int_equal(status, TUNNEL_OK);
		}
	}
	const uint8_t arp[] = {0, 0, 8, 6};
	assert_int_equal(tunnel_gre_parse(&gre, arp, 4), TUNNEL_BAD_TYPE);
}

// HA4-ALT-06, -09
static void minimal_headers(void **state)
{
	struct writer w = writer_make(buffer, sizeof(buffer));
	const struct tunnel_minimal sent = {.protocol = 17,
		.has_source = true,
		.destination = v4("10.1.0.10"),
		.source = v4("10.2.0.5")};
	struct tunnel_minimal read;

	tunnel_minimal_write(&w, &sent);
	assert_int_equal(writer_length(&w), 12);
	assert_int_equal(buffer[1], 0x80);
	assert_int_equal(tunnel_minimal_parse(&read, buffer, 12), TUNNEL_OK);
	assert_int_equal(read.source, sent.source);
	assert_int_equal(read.destination, sent.destination);
	assert_int_equal(tunnel_minimal_parse(&read, buffer, 11), TUNNEL_SHORT);
	buffer[11] ^= 1;
	assert_int_equal(tunnel_minimal_parse(&read, buffer, 12), TUNNEL_BAD_CHECKSUM);
	w = writer_make(buffer, sizeof(buffer));
	const struct tunnel_minimal own = {.protocol = 6, .destination = v4("10.1.0.10")};
	tunnel_minimal_write(&w, &own);
	assert_int_equal(writer_length(&w), 8);
	assert_int_equal(tunnel_minimal_parse(&read, buffer, 8), TUNNEL_OK);
	assert_false(read.has_source);
}

// HA4-NAT-14, -15: Reserved ignored, four octets at least
static void mip_tunnel_data(void **state)
{
	static const uint8_t message[] = {4, 4, 0xff, 0xff, 0x45};
	struct writer w = writer_make(buffer, sizeof(buffer));
	struct tunnel_mip tunnel;

	assert_true(tunnel_mip_parse(&tunnel, message, 5));
	assert_int_equal(tunnel.next_header, 4);
	assert_ptr_equal(tunnel.packet, message + 4);
	assert_int_equal(tunnel.packet_length, 1);
	assert_false(tunnel_mip_parse(&tunnel, message, 3));
	const uint8_t other[] = {1, 4, 0, 0};
	assert_false(tunnel_mip_parse(&tunnel, other, 4));
	tunnel_mip_write(&w, 47);
	const uint8_t sent[] = {4, 47, 0, 0};
	assert_memory_equal(buffer, sent, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_of_the_rfc),
		cmocka_unit_test(checksum_by_words),
		cmocka_unit_test(checksum_update_is_equation_3),
		cmocka_unit_test(ethernet_with_and_without_tags),
		cmocka_unit_test(gratuitous_arp),
		cmocka_unit_test(ipv4_checks),
		cmocka_unit_test(ipv6_checks),
		cmocka_unit_test(udp_checks),
		cmocka_unit_test(udp_checksum_zero_is_sent_as_ones),
		cmocka_unit_test(icmp_messages),
		cmocka_unit_test(agent_advertisement),
		cmocka_unit_test(foreign_agent_advertisement),
		cmocka_unit_test(icmpv6_messages),
		cmocka_unit_test(gre_headers),
		cmocka_unit_test(minimal_headers),
		cmocka_unit_test(mip_tunnel_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
