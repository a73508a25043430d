/*
 * What frame.c builds, inspect.c takes apart to the same; what is broken on the way is told apart.
 * ESP goes through the engine in between. pcap files are read back.
 */
#include "dataplane/crypto/esp_codec.h"
#include "lib/wire/ipv4.h"
#include "pktgen/generator/frame.h"
#include "pktgen/generator/inspect.h"
#include "pktgen/generator/security.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct frame_link link_ = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

struct bed {
	struct profile *profile;
	struct population *population;
	struct security security;
	struct security_engine *engine;
	uint8_t frame[FRAME_SIZE_MAX];
	struct frame_esp esp;
	struct frame_plan plan;
};

static struct bed *bed_new(const char *group)
{
	static struct bed bed;
	struct config_error error;
	char text[1024], why[LIBRARY_ERROR_SIZE];

	snprintf(text, sizeof(text),
		"seed = 5; loopback = true; ports = ( { name = \"a\"; } );\n"
		"groups = ( { name = \"g\"; access = \"a\"; core = \"a\"; nodes = 4; %s } );",
		group);
	if (profile_load_string(text, "p", &bed.profile, &error))
		fail_msg("%s", error.text);
	bed.population = population_new(bed.profile);
	if (security_init(&bed.security, bed.population, why))
		fail_msg("%s", why);
	bed.engine = security_engine_new(&bed.security, why);
	bed.plan = (struct frame_plan){
		.group = &bed.population->groups[0],
		.node = 2,
		.up = true,
		.size = 100,
		.signature = {4, 77, 0x123456789abcdefull},
		.esp.suite = bed.security.groups[0].suite,
		.esp.number = 77,
	};
	return &bed;
}

static void bed_free(struct bed *bed)
{
	security_engine_free(bed->engine);
	security_fini(&bed->security, bed->population);
	population_free(bed->population);
	profile_free(bed->profile);
}

static uint16_t build(struct bed *bed)
{
	return frame_build(bed->population, &bed->plan, &link_, bed->frame, &bed->esp);
}

static struct crypto_operation operation(struct bed *bed)
{
	return (struct crypto_operation){.suite = bed->plan.esp.suite,
		.key = &bed->security.groups[0].keys[0][bed->plan.node],
		.esp = bed->frame + bed->esp.offset,
		.sequence = bed->plan.esp.number,
		.length = bed->esp.text_length,
		.flags = CRYPTO_ESN};
}

#define V4   "node = \"10.1.0.1\"; correspondent = \"10.2.0.1\"; "
#define V6   "node = \"2001:db8:1::1\"; correspondent = \"2001:db8:2::1\"; "
#define OUT4 "agent = \"192.0.2.1\"; care_of = \"198.51.100.1\"; "
#define OUT6 "agent = \"2001:db8:3::1\"; care_of = \"2001:db8:4::1\"; "

static void assert_signature(const struct bed *bed, const struct inspected *what, unsigned layers)
{
	char a[IP_ADDRESS_TEXT_SIZE];
	bool v4 = ip_address_is_v4(&bed->profile->groups[0].node);

	assert_int_equal(what->layers, layers);
	assert_int_equal(what->signature.flow, 4);
	assert_int_equal(what->signature.sequence, 77);
	assert_true(what->signature.timestamp == 0x123456789abcdefull);
	assert_int_equal(what->inner_length, bed->plan.size - 18);
	assert_string_equal(
		ip_address_format(&what->inner.source, a), v4 ? "10.1.0.3" : "2001:db8:1::3");
	assert_string_equal(
		ip_address_format(&what->inner.destination, a), v4 ? "10.2.0.1" : "2001:db8:2::1");
	assert_int_equal(what->inner.source_port, 10001);
	assert_int_equal(what->inner.destination_port, 10002);
}

static void test_round_trips_in_clear(void **state)
{
	static const struct {
		const char *group;
		unsigned layers, overhead;
	} cases[] = {
		{V4, 0, 0},
		{V6, 0, 0},
		{V4 OUT4 "encapsulation = \"ipip\";", INSPECT_LAYER_IPIP, 20},
		{V4 OUT4 "encapsulation = \"mip-udp\";", INSPECT_LAYER_MIP_UDP, 32},
		{V4 OUT4 "encapsulation = \"gre\";", INSPECT_LAYER_GRE, 24},
		{V4 OUT4 "encapsulation = \"minimal\";", INSPECT_LAYER_MINIMAL, 12},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *bed = bed_new(cases[i].group);
		for (unsigned size = i == 1 ? 84 : 64; size < 1600; size += 13) {
			struct inspected what;
			bed->plan.size = (uint16_t)size;
			uint16_t length = build(bed);
			assert_int_equal(length, size - 4 + cases[i].overhead);
			assert_int_equal(bed->esp.offset, 0);
			assert_int_equal(
				inspect_frame(bed->frame, length, bed->population->magic, &what),
				INSPECT_DATA);
			assert_signature(bed, &what, cases[i].layers);
			/* Ethernet's padding does no harm. */
			memset(bed->frame + length, 0xee, 9);
			assert_int_equal(inspect_frame(bed->frame, length + 9u,
						 bed->population->magic, &what),
				INSPECT_DATA);
			/* Another run's packet is foreign. */
			assert_int_not_equal(inspect_frame(bed->frame, length,
						     (uint16_t)~bed->population->magic, &what),
				INSPECT_DATA);
		}
		bed_free(bed);
	}
}

static void guarded(const char *group)
{
	struct bed *bed = bed_new(group);
	uint16_t length = build(bed);

	for (unsigned at = 14; at < length; at++) {
		struct inspected what;
		bed->frame[at] ^= 0x40;
		enum inspect_kind kind =
			inspect_frame(bed->frame, length, bed->population->magic, &what);
		assert_int_not_equal(kind, INSPECT_DATA);
		bed->frame[at] ^= 0x40;
	}
	for (unsigned cut = 0; cut < length; cut++) {
		struct inspected what;
		uint8_t *copy = malloc(cut + 1u);
		memcpy(copy, bed->frame, cut);
		assert_int_not_equal(
			inspect_frame(copy, cut, bed->population->magic, &what), INSPECT_DATA);
		free(copy);
	}
	bed_free(bed);
}

static void test_every_octet_is_guarded(void **state)
{
	guarded(V4 OUT4 "encapsulation = \"ipip\";");
	guarded(V4 OUT4 "encapsulation = \"minimal\";");
}

/* RFC 2004 3.1 by hand: protocol, S, the two addresses, and a checksum over nothing else. */
static void test_minimal_header(void **state) // HA4-ALT-06
{
	static const uint8_t header[] = {17, 0x80, 0xda, 0x78, 10, 2, 0, 1, 10, 1, 0, 3};
	struct bed *bed = bed_new(V4 OUT4 "encapsulation = \"minimal\";");
	uint16_t length = build(bed);
	struct ipv4_header ip;
	struct inspected what;

	assert_int_equal(ipv4_parse(&ip, bed->frame + 14, length - 14u), IPV4_OK);
	assert_int_equal(ip.protocol, 55);
	assert_int_equal(ip.total_length, bed->plan.size - 18 + 12);
	assert_memory_equal(ip.payload, header, sizeof(header));
	/* Without S the outer source is the inner one (RFC 2004 3.1), which is not the node's. */
	uint8_t *minimal = bed->frame + 34;
	minimal[1] = 0;
	memset(minimal + 2, 0, 2);
	memmove(minimal + 8, minimal + 12, length - 34u - 12u);
	minimal[2] = 0xe4;
	minimal[3] = 0xfc;
	assert_int_equal(inspect_frame(bed->frame, length, bed->population->magic, &what),
		INSPECT_CHECKSUM); /* of UDP: another source */
	bed_free(bed);
}

/* A bed's frame through the engine and back; where the text is. */
static const uint8_t *through_esp(struct bed *bed, uint16_t length, struct inspected *what)
{
	struct crypto_operation o = operation(bed);

	crypto_engine_encrypt_burst(security_engine_get(bed->engine), &o, 1);
	assert_int_equal(o.status, CRYPTO_DONE);
	assert_int_equal(
		inspect_frame(bed->frame, length, bed->population->magic, what), INSPECT_ESP);
	assert_ptr_equal(what->part, bed->frame + bed->esp.offset);
	o = operation(bed);
	crypto_engine_decrypt_burst(security_engine_get(bed->engine), &o, 1);
	assert_int_equal(o.status, CRYPTO_DONE);
	return what->part + esp_codec_text_offset(bed->plan.esp.suite);
}

/* What was under transport mode, behind the header that it left outside. */
static uint32_t header_give_back(
	const uint8_t *text, uint32_t length, uint8_t protocol, uint8_t *out)
{
	struct writer w = writer_make(out, IPV4_HEADER_SIZE);
	const struct ipv4_header ip = {
		.total_length = (uint16_t)(IPV4_HEADER_SIZE + length),
		.ttl = 64,
		.protocol = protocol,
		.source = inet_addr("198.51.100.3"),
		.destination = inet_addr("192.0.2.1"),
	};

	ipv4_write(&w, &ip);
	memcpy(out + IPV4_HEADER_SIZE, text, length);
	return IPV4_HEADER_SIZE + length;
}

/* Around ESP care-of addresses, in it the tunnel: in mode mc with addresses of its own. */
static void test_mobile_ip_inside_esp(void **state) // HA4-MODE-08, TRN-06
{
	static const struct {
		const char *group;
		unsigned layer, overhead;
		uint8_t protocol;
	} tunnels[] = {
		{"ipip", INSPECT_LAYER_IPIP, 0, 4},
		{"gre", INSPECT_LAYER_GRE, 4, 47},
		{"minimal", INSPECT_LAYER_MINIMAL, -8u, 55},
		{"mip-udp", INSPECT_LAYER_MIP_UDP, 12, 17},
	};
	char text[512], a[IP_ADDRESS_TEXT_SIZE];

	for (unsigned i = 0; i < 4 * 4; i++) {
		bool transport = i & 1, encap = i & 2;
		unsigned k = i / 4, layers = tunnels[k].layer | INSPECT_LAYER_ESP;
		struct inspected what;
		uint8_t packet[2048], next_header;
		uint32_t payload;
		snprintf(text, sizeof(text),
			V4 OUT4 "encapsulation = \"%s\"; %s security = { mode = \"%s\"; encap = "
				"%s; };",
			tunnels[k].group, transport ? "" : "vpn_address = \"10.30.0.1\";",
			transport ? "transport" : "tunnel", encap ? "true" : "false");
		struct bed *bed = bed_new(text);
		uint32_t length = bed->plan.size - 18u + tunnels[k].overhead + (transport ? 0 : 20);
		const uint8_t *inside = through_esp(bed, build(bed), &what);
		uint32_t text_length = esp_codec_text_length(bed->plan.esp.suite, length);
		assert_int_equal(
			what.part_length, esp_codec_packet_length(bed->plan.esp.suite, length));
		assert_int_equal(esp_codec_trailer_read(
					 inside, text_length, text_length, &payload, &next_header),
			ESP_ACCEPT);
		assert_int_equal(next_header, transport ? tunnels[k].protocol : 4);
		assert_int_equal(what.outer.source_port, encap ? 20000 : 0);
		assert_int_equal(what.outer.destination_port, encap ? 4500 : 0);
		if (transport) {
			length = header_give_back(inside, length, next_header, packet);
			inside = packet;
		}
		assert_int_equal(inspect_packet(inside, length, bed->population->magic, &what),
			INSPECT_DATA);
		assert_signature(bed, &what, layers | (encap ? (unsigned)INSPECT_LAYER_UDP : 0));
		assert_string_equal(ip_address_format(&what.outer.source, a), "198.51.100.3");
		assert_string_equal(ip_address_format(&what.tunnel.source, a),
			transport ? "198.51.100.3" : "10.30.0.3");
		assert_string_equal(ip_address_format(&what.tunnel.destination, a), "192.0.2.1");
		assert_int_equal(what.tunnel.source_port, k == 3 ? 20000 : 0);
		bed_free(bed);
	}
}

/* A node that moves has another pair of associations, and of mode mc another inner address. */
static void test_places_inside_esp(void **state) // TRN-12, HA4-MODE-10
{
	static const char *const groups[] = {
		V4 OUT4 "encapsulation = \"ipip\"; registration = { moves = 1; }; "
			"security = { mode = \"transport\"; };",
		V4 OUT4 "encapsulation = \"ipip\"; registration = { moves = 1; }; "
			"vpn_address = \"10.30.0.1\"; security = { };",
	};

	for (unsigned mc = 0; mc < 2; mc++) {
		struct bed *bed = bed_new(groups[mc]);
		const struct population_group *group = bed->plan.group;
		uint32_t nodes = group->settings->nodes;
		struct security_peer peer;
		struct inspected what;
		char a[IP_ADDRESS_TEXT_SIZE], wanted[IP_ADDRESS_TEXT_SIZE];
		assert_int_equal(group->associations, 2 * nodes);
		for (uint8_t place = 0; place < 2; place++) {
			group->nodes[2].place = place;
			uint16_t length = build(bed);
			assert_int_equal(
				inspect_frame(bed->frame, length, bed->population->magic, &what),
				INSPECT_ESP);
			assert_true(security_find(
				&bed->security, bed->population, esp_codec_spi(what.part), &peer));
			assert_int_equal(peer.node, 2);
			assert_int_equal(peer.place, place);
			assert_int_equal(peer.association, 2 + place * nodes);
			struct ip_address end = population_tunnel_end(group, 2, place);
			snprintf(wanted, sizeof(wanted), "%s.%u", mc ? "10.30.0" : "198.51.100",
				3 + place * nodes);
			assert_string_equal(ip_address_format(&end, a), wanted);
		}
		assert_memory_not_equal(&bed->security.groups[0].keys[0][2],
			&bed->security.groups[0].keys[0][2 + nodes], 64);
		group->nodes[2].place = 0;
		bed_free(bed);
	}
}

/* A node's own packet: whole in tunnel mode, without its header in transport mode. */
static void test_seal(void **state) // RFC 4303 3.1.1, HA4-MODE-04
{
	static const char *const groups[] = {
		V4 OUT4 "encapsulation = \"ipip\"; security = { mode = \"transport\"; };",
		V4 OUT4 "encapsulation = \"ipip\"; vpn_address = \"10.30.0.1\"; security = { };",
		V4 OUT6 "encapsulation = \"ipip\"; vpn_address = \"10.30.0.1\"; home_agent = "
			"\"192.0.2.1\"; security = { };",
	};
	uint8_t packet[70];

	for (unsigned i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)i;
	packet[9] = 17;
	for (unsigned i = 0; i < 3; i++) {
		bool mc = i > 0;
		struct bed *bed = bed_new(groups[i]);
		uint32_t skipped = mc ? 0 : 20, size = sizeof(packet) - skipped, payload;
		struct inspected what;
		uint8_t next_header;
		uint16_t length = frame_seal(bed->plan.group, 2, &bed->plan.esp, packet,
			sizeof(packet), &link_, bed->frame, &bed->esp);
		const uint8_t *text = through_esp(bed, length, &what);
		uint32_t text_length = esp_codec_text_length(bed->plan.esp.suite, size);
		assert_int_equal(length, 14 + (i == 2 ? 40 : 20) + what.part_length);
		assert_memory_equal(text, packet + skipped, size);
		assert_int_equal(esp_codec_trailer_read(
					 text, text_length, text_length, &payload, &next_header),
			ESP_ACCEPT);
		assert_int_equal(payload, size);
		assert_int_equal(next_header, mc ? 4 : 17);
		bed_free(bed);
	}
}

static void test_round_trip_through_esp(void **state)
{
	static const char *const outers[] = {OUT4, OUT6}, *const inners[] = {V4, V6};
	static const char *const algorithms[] = {"aes128gcm16", "aes256-sha512", "null-sha256",
		"chacha20poly1305", "aes128gcm16iiv", "aes192ctr-aescmac"};

	for (unsigned i = 0; i < 6 * 8; i++) {
		char group[512];
		struct inspected what;
		bool udp = i & 1;
		snprintf(group, sizeof(group),
			"%s%sencapsulation = \"esp\"; security = { encap = %s; algorithm = "
			"\"%s\"; };",
			outers[i >> 1 & 1], inners[i >> 2 & 1], udp ? "true" : "false",
			algorithms[i / 8]);
		struct bed *bed = bed_new(group);
		uint16_t length = build(bed);
		struct crypto_operation o = operation(bed);
		crypto_engine_encrypt_burst(security_engine_get(bed->engine), &o, 1);
		assert_int_equal(o.status, CRYPTO_DONE);
		frame_finish(bed->plan.group, o.esp);
		/* RFC 3948 2.1, RFC 8200 8.1: zero over IPv4 alone; inspect_frame verifies it. */
		if (udp)
			assert_int_equal((o.esp[-2] | o.esp[-1]) != 0, i >> 1 & 1);
		assert_int_equal(inspect_frame(bed->frame, length, bed->population->magic, &what),
			INSPECT_ESP);
		assert_int_equal(what.layers,
			udp ? INSPECT_LAYER_ESP | INSPECT_LAYER_UDP : INSPECT_LAYER_ESP);
		assert_ptr_equal(what.part, bed->frame + bed->esp.offset);
		assert_int_equal(what.part_length,
			esp_codec_packet_length(bed->plan.esp.suite, bed->plan.size - 18u));
		struct security_peer peer;
		assert_true(security_find(
			&bed->security, bed->population, esp_codec_spi(what.part), &peer));
		assert_int_equal(peer.node, 2);
		assert_true(peer.up);
		o = operation(bed);
		crypto_engine_decrypt_burst(security_engine_get(bed->engine), &o, 1);
		assert_int_equal(o.status, CRYPTO_DONE);
		unsigned layers = what.layers;
		assert_int_equal(
			inspect_packet(what.part + esp_codec_text_offset(bed->plan.esp.suite),
				bed->plan.size - 18u, bed->population->magic, &what),
			INSPECT_DATA);
		assert_signature(bed, &what, layers);
		bed_free(bed);
	}
}

static void test_other_frames(void **state)
{
	static const uint8_t arp[60] = {[12] = 8, 6}, ipv9[60] = {[12] = 8, 0, 0x95},
			     lldp[60] = {[12] = 0x88, 0xcc};
	struct inspected what;
	uint8_t fragment[60] = {[12] = 8, 0, 0x45, 0, 0, 28, 0, 1, 0x20, 0, 64, 17};

	assert_int_equal(inspect_frame(arp, 60, 1, &what), INSPECT_ARP);
	assert_int_equal(inspect_frame(ipv9, 60, 1, &what), INSPECT_CHECKSUM);
	assert_int_equal(inspect_frame(lldp, 60, 1, &what), INSPECT_FOREIGN);
	assert_int_equal(inspect_frame(lldp, 13, 1, &what), INSPECT_MALFORMED);
	ipv4_checksum_set(fragment + 14, 20);
	assert_int_equal(inspect_frame(fragment, 60, 1, &what), INSPECT_FRAGMENT);
}

/* A million SAs would need a million different keys: at least no two of these are alike. */
static void test_keys_differ(void **state)
{
	struct bed *bed = bed_new(V4 OUT4 "encapsulation = \"esp\";");
	struct secret keys[8];

	for (unsigned i = 0; i < 8; i++) {
		security_material(&bed->population->groups[0], 5, i / 2, i & 1, &keys[i]);
		assert_int_equal(keys[i].length, 20);
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(keys[i].bytes, keys[k].bytes, 16);
	}
	bed_free(bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips_in_clear),
		cmocka_unit_test(test_every_octet_is_guarded),
		cmocka_unit_test(test_minimal_header),
		cmocka_unit_test(test_mobile_ip_inside_esp),
		cmocka_unit_test(test_places_inside_esp),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_round_trip_through_esp),
		cmocka_unit_test(test_other_frames),
		cmocka_unit_test(test_keys_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
