/*
 * The rules one by one: each with the very code, counter or octet that the requirement names.
 * Registrations as a story are in registration_test.c.
 */
#include "control/mip4/reply.h"
#include "tests/scenario/configs.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void end(struct home *h)
{
	assert_true(mip4_counters_balance(h->engine)); // HA4-BAD-01
	assert_int_equal(h->live_count, binding_cache_count(mip4_show_cache(h->engine)));
	home_free(h);
}

static int receive_code(struct home *h, const struct punt_record *record)
{
	struct mip4_message reply;

	h->sent_count = 0;
	home_receive(h, record);
	return home_reply(h, &reply) ? reply.reply.code : -1;
}

/* Where an extension of this type lies among the reply's; -1 none. */
static int in_reply(const struct home *h, uint8_t type)
{
	struct mip4_message reply;

	return home_reply(h, &reply) ? mip4_extension_find(&reply, type, 0) : -1;
}

/* ---- Mobile-AAA, 36/1 (HA4-AUTH-15, HA4-DEC-24) ---- */

#define AAA_SIZE 24

static const uint8_t aaa_key[16] = {0xaa, 0xbb, 0xcc, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};

/* Appends 36/1 over all that precedes it, by OpenSSL alone (RFC 4721 5, 8). */
static void aaa_append(struct punt_record *record, uint32_t spi, const uint8_t *challenge,
	size_t challenge_length, bool bad)
{
	uint8_t *at = record->data + record->length, digest[16];
	unsigned size = 16;
	static const uint8_t zero = 0;

	at[0] = 36;
	at[1] = 1;
	at[2] = 0;
	at[3] = 20;
	at[4] = (uint8_t)(spi >> 24);
	at[5] = (uint8_t)(spi >> 16);
	at[6] = (uint8_t)(spi >> 8);
	at[7] = (uint8_t)spi;
	size_t covered = record->length + 8u;
	if (spi == 2) {
		EVP_MD_CTX *md = EVP_MD_CTX_new();
		if (!challenge) {
			challenge = &zero;
			challenge_length = 1;
		}
		size_t tail = challenge_length > 237 ? 237 : challenge_length;
		EVP_Digest(record->data, covered, digest, &size, EVP_md5(), NULL);
		EVP_DigestInit_ex(md, EVP_md5(), NULL);
		EVP_DigestUpdate(md, challenge, 1);
		EVP_DigestUpdate(md, aaa_key, sizeof(aaa_key));
		EVP_DigestUpdate(md, digest, sizeof(digest));
		EVP_DigestUpdate(md, challenge + challenge_length - tail, tail);
		EVP_DigestFinal_ex(md, at + 8, &size);
		EVP_MD_CTX_free(md);
	} else {
		HMAC(EVP_md5(), aaa_key, sizeof(aaa_key), record->data, covered, at + 8, &size);
	}
	if (bad)
		at[8] ^= 1;
	record->length = (uint16_t)(record->length + AAA_SIZE);
}

static int aaa_ask(struct home *h, uint32_t spi, const uint8_t *challenge, uint8_t length, bool bad)
{
	struct ask ask = plain;
	struct punt_record record;
	uint8_t extension[257] = {132, length};

	if (challenge) {
		memcpy(extension + 2, challenge, length);
		ask.after = extension;
		ask.after_length = 2u + length;
	}
	ask_build(h, &ask, &record);
	if (spi)
		aaa_append(&record, spi, challenge, length, bad);
	return receive_code(h, &record);
}

#define AAA_HOME(mode)                                                                             \
	INSTANCE("mn_aaa = \"" mode "\";")                                                         \
	"mobile_nodes = ( { home_address = \"10.1.0.10\"; security = ("                            \
	" { spi = 0x100; key = \"" KEY_NODE_TEXT "\"; },"                                          \
	" { spi = 0x300; key = \"aabbcc0102030405060708090a0b0c0d\"; },"                           \
	" { spi = 2; key = \"aabbcc0102030405060708090a0b0c0d\"; } ); } );\n"

// HA4-AUTH-15
static void mobile_aaa(void **state)
{
	uint8_t challenge[255];
	struct home *h = home_new(AAA_HOME("ignore"));

	(void)state;
	for (unsigned i = 0; i < sizeof(challenge); i++)
		challenge[i] = (uint8_t)(i + 1);
	assert_int_equal(aaa_ask(h, 0x300, NULL, 0, true), 0); // HA4-DEC-24: somebody else's matter
	assert_int_equal(in_reply(h, 36), -1);
	end(h);

	h = home_new(AAA_HOME("verify"));
	assert_int_equal(aaa_ask(h, 0, NULL, 0, false), 0); /* absent: not asked for */
	assert_int_equal(aaa_ask(h, 0x300, NULL, 0, false), 0);
	assert_int_equal(aaa_ask(h, 2, NULL, 0, false), 0);
	assert_int_equal(aaa_ask(h, 2, challenge, 100, false), 0);
	assert_int_equal(aaa_ask(h, 2, challenge, 255, false), 0);      /* its low 237 octets */
	assert_true(in_reply(h, MIP4_EXT_CHALLENGE) > in_reply(h, 32)); // HA4-XTN-07
	assert_int_equal(aaa_ask(h, 0x300, NULL, 0, true), 144);
	assert_true(in_reply(h, 32) >= 0);
	assert_int_equal(in_reply(h, 36), -1);
	assert_int_equal(home_counter(h, MIP4_DENIED_144), 1);
	assert_int_equal(aaa_ask(h, 0x300, NULL, 0, true), -1); // HA4-OPS-31: one a second
	assert_int_equal(home_counter(h, MIP4_AUTH_FAIL_SILENT), 1);
	home_pass(h, 1);
	assert_int_equal(aaa_ask(h, 0x301, NULL, 0, false), 144); /* unknown SPI */
	end(h);

	h = home_new(AAA_HOME("require"));
	assert_int_equal(aaa_ask(h, 0, NULL, 0, false), 144);
	assert_int_equal(home_counter(h, MIP4_AUTH_FAIL), 1);
	assert_int_equal(aaa_ask(h, 2, challenge, 8, false), 0);
	/* HA4-AUTH-02: SPI 2 is nobody's in type 32. */
	struct ask ask = plain;
	ask.spi = 2;
	ask.key = "aabbcc0102030405060708090a0b0c0d";
	home_pass(h, 2);
	assert_int_equal(ask_send(h, &ask), 131);
	end(h);
}

/* ---- form ---- */

// HA4-EXT-13, HA4-BAD-10
static void repeated_extensions(void **state)
{
	static const uint8_t nais[] = {131, 3, 'a', '@', 'b', 131, 3, 'a', '@', 'b'};
	static const uint8_t tunnels[] = {144, 6, 0, 0, 0, 0, 0, 0, 144, 6, 0, 0, 0, 0, 0, 0};
	static const uint8_t supports[] = {137, 6, 0, 0, 0, 0, 0, 1, 137, 6, 0, 0, 0, 0, 0, 2};
	static const uint8_t services[] = {151, 1, 'x', 151, 1, 'x'};
	static const uint8_t agents[] = {139, 1, 0, 4, 192, 0, 2, 1, 139, 1, 0, 4, 192, 0, 2, 1};
	static const uint8_t challenges[] = {132, 1, 7, 132, 1, 7};
	static const struct {
		const uint8_t *data;
		size_t length;
	} rows[] = {{tunnels, sizeof(tunnels)}, {supports, sizeof(supports)},
		{services, sizeof(services)}, {agents, sizeof(agents)}};
	struct home *h = home_new(NULL);
	struct ask ask = plain;
	unsigned denied = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask.extensions = rows[i].data;
		ask.extensions_length = rows[i].length;
		assert_int_equal(ask_send(h, &ask), 134);
		assert_int_equal(home_counter(h, MIP4_DUP_EXT), ++denied);
		assert_int_equal(home_counter(h, MIP4_DENIED_134), denied);
		home_pass(h, 1);
	}
	ask.extensions_length = rows[0].length / 2; /* one of them is fine */
	ask.extensions = rows[0].data;
	assert_int_equal(ask_send(h, &ask), 0);
	ask = relayed();
	ask.after = challenges;
	ask.after_length = sizeof(challenges);
	assert_int_equal(ask_send(h, &ask), 134); /* in the foreign agent's zone too */
	assert_int_equal(home_counter(h, MIP4_DUP_EXT), ++denied);
	ask = plain; /* nobody authenticated that zone: it does not count */
	ask.after = challenges;
	ask.after_length = sizeof(challenges);
	assert_int_equal(ask_send(h, &ask), 0);
	ask = plain; /* nobody's identity: the authenticator cannot be checked */
	ask.extensions = nais;
	ask.extensions_length = sizeof(nais);
	assert_int_equal(ask_send(h, &ask), -1);
	end(h);
	h = home_new(
		INSTANCE("") NODES(NODE("nai = \"a@b\"; home_addresses = [ \"10.1.0.10\" ];")));
	assert_int_equal(ask_send(h, &ask), 134);
	end(h);
}

// HA4-AUTH-25, HA4-AUTH-21: another authenticator before the Mobile-Home one
static void misplaced_authenticators(void **state)
{
	static const uint8_t types[] = {33, 34, 36};
	struct home *h = home_new(NULL);

	(void)state;
	for (unsigned i = 0; i < sizeof(types); i++) {
		uint8_t extension[24] = {types[i], 20, 0, 0, 2, 0};
		struct ask ask = plain;
		size_t length = 22;
		if (types[i] == 36) {
			memcpy(extension, "\x24\x01\x00\x14\x00\x00\x03\x00", 8);
			length = 24;
		}
		ask.extensions = extension;
		ask.extensions_length = length;
		ask.bad_auth = true;
		home_pass(h, 2);
		assert_int_equal(ask_send(h, &ask), 131); /* not before that one verified */
		ask.bad_auth = false;
		if (types[i] == 34) { // HA4-AUTH-19 comes first: no association with the source
			assert_int_equal(ask_send(h, &ask), -1);
			assert_int_equal(home_counter(h, MIP4_STRAY_FA_AUTH), 1);
			continue;
		}
		assert_int_equal(ask_send(h, &ask), 134);
		assert_string_equal(
			h->event_text, "step 9: another authenticator before the Mobile-Home one");
	}
	assert_int_equal(home_counter(h, MIP4_DENIED_134), 2);
	/* A 33 behind it is the foreign agent's matter. */
	uint8_t behind[22] = {33, 20, 0, 0, 2, 0};
	struct ask ask = plain;
	ask.after = behind;
	ask.after_length = sizeof(behind);
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

// HA4-BAD-12, HA4-BAD-13
static void sources(void **state)
{
	static const char *const bad[] = {"224.0.0.11", "255.255.255.255", "127.0.0.1", "240.0.0.1",
		"192.0.2.1", "192.0.2.3", "10.1.255.255", "10.1.0.0", "0.0.0.0"};
	struct home *h = home_new(NULL);
	struct ask ask = plain;
	struct punt_record record;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ask.source = bad[i];
		assert_int_equal(ask_send(h, &ask), -1);
		assert_int_equal(home_counter(h, MIP4_RX_SOURCE_ADDRESS), i + 1);
	}
	ask = plain;
	ask_build(h, &ask, &record);
	record.source_port = 0;
	assert_int_equal(receive_code(h, &record), -1);
	assert_int_equal(home_counter(h, MIP4_RX_SOURCE_PORT), 1);
	assert_int_equal(mip4_show_node_count(h->engine), 0);
	/* HA4-RRP-14: from 0.0.0.0 on the home link it is answered there, to the frame's sender. */
	ask.source = "0.0.0.0";
	ask.port = 1;
	assert_int_equal(ask_send(h, &ask), 0);
	const struct inject_record *r = &h->sent[0];
	assert_int_equal(r->kind, INJECT_DATAGRAM_TO_MAC);
	assert_int_equal(r->port, 1);
	assert_memory_equal(r->mac, "\x02\x00\x00\x00\x00\x10", 6);
	assert_memory_equal(r->data + 16, "\xff\xff\xff\xff", 4);
	/* HA4-NAT-29: and it is never behind a NAT. */
	ask.extensions = udp_request;
	ask.extensions_length = sizeof(udp_request);
	assert_int_equal(ask_send(h, &ask), 0);
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_UDP);
	struct mip4_message reply;
	home_reply(h, &reply);
	int at = mip4_extension_find(&reply, MIP4_EXT_UDP_TUNNEL_REPLY, 0);
	assert_int_equal(reply.payload[reply.extensions[at].offset + 3], 64);
	end(h);
}

// HA4-MSG-01, HA4-REG-08, HA4-RRP-02
static void broadcasts(void **state)
{
	static const char *const to[] = {"10.1.255.255", "255.255.255.255", "224.0.0.11"};
	struct home *h = home_new(NULL);
	struct ip_address own = address_of("192.0.2.1");

	(void)state;
	for (unsigned i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		struct ask ask = plain;
		struct punt_record record;
		ask.destination = to[i];
		ask.port = 1;
		ask_build(h, &ask, &record);
		record.flags = PUNT_IP_BROADCAST;
		assert_int_equal(receive_code(h, &record), 136);
		assert_memory_equal(h->sent[0].data + 12, &own.words[3], 4);
		assert_int_equal(home_counter(h, MIP4_DENIED_136), i + 1);
		ask.bad_auth = true; /* steps 1 to 10 come first */
		home_pass(h, 2);
		ask_build(h, &ask, &record);
		record.flags = PUNT_IP_BROADCAST;
		assert_int_equal(receive_code(h, &record), 131);
		ask.bad_auth = false;
		ask.port = 0; /* not a home link: nobody is asked */
		ask_build(h, &ask, &record);
		record.flags = PUNT_IP_BROADCAST;
		assert_int_equal(receive_code(h, &record), -1);
		assert_int_equal(mip4_counters_of(h->engine, 1)->value[MIP4_RX_NO_INSTANCE], i + 1);
	}
	assert_null(home_binding(h, "10.1.0.10"));
	end(h);
}

// HA4-MSG-06
static void udp_checksum_required(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(
		"{ home_address = \"10.1.0.10\"; security = ( { spi = 0x100; require_udp_checksum "
		"= true; key = \"" KEY_NODE_TEXT "\"; } ); }," ELEVEN));
	struct ask ask = plain;
	struct punt_record record;

	(void)state;
	ask_build(h, &ask, &record);
	record.flags = PUNT_UDP_ZERO_CHECKSUM;
	assert_int_equal(receive_code(h, &record), -1);
	assert_int_equal(home_counter(h, MIP4_ZERO_CHECKSUM), 1);
	assert_null(home_binding(h, "10.1.0.10"));
	assert_int_equal(ask_send(h, &ask), 0);
	ask.home_address = "10.1.0.11"; /* others may */
	ask_build(h, &ask, &record);
	record.flags = PUNT_UDP_ZERO_CHECKSUM;
	assert_int_equal(receive_code(h, &record), 0);
	end(h);
}

/* ---- codes ---- */

// HA4-REG-15, HA4-REG-16, HA4-DEC-08, HA4-MODE-07: codes 137, 138, 139 and their order
static void reverse_tunnels(void **state)
{
	struct home *h = home_new(INSTANCE("reverse_tunnel = false; gre = false;") NODES(TEN));
	struct ask ask = plain;
	struct punt_record record;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 137);
	assert_int_equal(home_counter(h, MIP4_DENIED_137), 1);
	ask.flags = FORWARD | MIP4_G;
	assert_int_equal(ask_send(h, &ask), 139); /* the forward tunnel first */
	ask.flags = MIP4_D | MIP4_G;
	assert_int_equal(ask_send(h, &ask), 0); /* without T, IP-in-IP instead */
	assert_int_equal(home_live(h, "10.1.0.10")->encapsulation, ENCAPSULATION_IPIP);
	ask.lifetime_s = 0; // HA4-REG-20
	ask.flags = FORWARD | MIP4_G;
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);

	h = home_new(INSTANCE("reverse_tunnel_mandatory = true;") NODES(TEN));
	ask = plain;
	ask.flags = MIP4_D;
	assert_int_equal(ask_send(h, &ask), 138);
	assert_int_equal(home_counter(h, MIP4_DENIED_138), 1);
	end(h);
	h = home_new(INSTANCE("") NODES(
		NODE("home_address = \"10.1.0.10\"; reverse_tunnel_mandatory = true;") "," ELEVEN));
	assert_int_equal(ask_send(h, &ask), 138);
	ask.home_address = "10.1.0.11";
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);

	h = home_new(INSTANCE("role = \"i-HA\"; trusted = [ \"10.9.0.0/24\" ]; tunnel_inner = [ "
			      "\"10.9.0.0/24\" ];") NODES(TEN));
	h->owned_sa = 7;
	ask = plain;
	ask.flags = MIP4_D;
	ask.care_of = "10.9.0.7";
	ask_build(h, &ask, &record);
	record.layer_count = 1;
	record.layers[0].kind = DECAP_ESP;
	record.layers[0].id = 7;
	assert_int_equal(receive_code(h, &record), 138);
	ask.flags = FORWARD;
	ask_build(h, &ask, &record);
	record.layer_count = 1;
	record.layers[0].kind = DECAP_ESP;
	record.layers[0].id = 7;
	assert_int_equal(receive_code(h, &record), 0);
	assert_true(home_live(h, "10.1.0.10")->flags & BINDING_REQUIRES_IPSEC); // HA4-MODE-06
	ask.port = 1; // HA4-MODE-03: not out of its SA
	ask_build(h, &ask, &record);
	assert_int_equal(receive_code(h, &record), -1);
	assert_int_equal(home_counter(h, MIP4_TUNNEL_INNER_SOURCE), 1);
	// HA4-MODE-11: another SA changes nothing, a rekey moves it, without an owner it is
	// suspended
	assert_int_equal(mip4_engine_inner_lost(h->engine, 8, h->now), 0);
	assert_int_equal(home_live(h, "10.1.0.10")->sa_id, 7);
	h->inner_owner = 9;
	assert_int_equal(mip4_engine_inner_lost(h->engine, 7, h->now), 0);
	assert_int_equal(home_live(h, "10.1.0.10")->sa_id, 9);
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_SUSPENDED);
	h->inner_owner = 0;
	assert_int_equal(mip4_engine_inner_lost(h->engine, 9, h->now), 1);
	assert_true(home_live(h, "10.1.0.10")->flags & BINDING_SUSPENDED);
	h->owned_sa = 11; /* the node registers out of its new SA */
	ask.port = 0;
	ask_build(h, &ask, &record);
	record.layer_count = 1;
	record.layers[0].kind = DECAP_ESP;
	record.layers[0].id = 11;
	assert_int_equal(receive_code(h, &record), 0);
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_SUSPENDED);
	assert_int_equal(home_live(h, "10.1.0.10")->sa_id, 11);
	// over a restart: its own SA is there, or another one has the address by then
	assert_int_equal(mip4_engine_inner_check(h->engine, h->now), 0);
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_SUSPENDED);
	h->owned_sa = 12;
	h->inner_owner = 12;
	assert_int_equal(mip4_engine_inner_check(h->engine, h->now), 1);
	assert_true(home_live(h, "10.1.0.10")->flags & BINDING_SUSPENDED);
	assert_int_equal(home_live(h, "10.1.0.10")->sa_id, 0);
	assert_int_equal(mip4_engine_inner_check(h->engine, h->now), 0);
	end(h);
}

// HA4-XTN-11, HA4-XTN-12, HA4-XTN-13: codes 140 and 141
static void vendor_extensions(void **state)
{
	static const uint8_t critical[] = {38, 0, 0, 8, 0, 0, 0x15, 0x9f, 0, 1, 0xca, 0xfe};
	static const uint8_t normal[] = {
		134, 8, 0, 0, 0, 0, 0x15, 0x9f, 0, 1, 133, 8, 0, 0, 0, 0, 0x15, 0x9f, 0, 1};
	struct home *h = home_new(NULL);
	struct ask ask = relayed();

	(void)state;
	ask.after = critical;
	ask.after_length = sizeof(critical);
	assert_int_equal(ask_send(h, &ask), 141);
	assert_int_equal(home_counter(h, MIP4_DENIED_141), 1);
	ask.extensions = critical; /* both: the node's is the first looked at */
	ask.extensions_length = sizeof(critical);
	assert_int_equal(ask_send(h, &ask), 140);
	ask.bad_auth = true;
	home_pass(h, 2);
	assert_int_equal(ask_send(h, &ask), 131);
	ask = plain;
	ask.extensions = normal;
	ask.extensions_length = sizeof(normal);
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

// HA4-DEC-02, HA4-FMT-03, HA4-REG-14
static void odd_flags(void **state)
{
	struct home *h = home_new(INSTANCE("strict_reserved = true;") NODES(TEN));
	struct ask ask = plain;

	(void)state;
	ask.flags = FORWARD | MIP4_R;
	assert_int_equal(ask_send(h, &ask), 134);
	ask.flags = FORWARD | MIP4_X;
	assert_int_equal(ask_send(h, &ask), 134);
	ask.flags = FORWARD | MIP4_B; /* no broadcasts are forwarded here: no reason to deny */
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
	h = home_new(INSTANCE("") NODES(TEN));
	ask.flags = FORWARD | MIP4_R | MIP4_X;
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

// HA4-DYN-09, HA4-DYN-14, HA4-DYN-16
static void dynamic_agent(void **state)
{
	static const uint8_t other[] = {139, 1, 0, 4, 192, 0, 2, 9};
	struct home *h = home_new(INSTANCE("dynamic_ha = true;") NODES(
		NODE("nai = \"a@b\"; home_addresses = [ \"10.1.0.10\", \"10.1.0.11\" ];") "," NODE(
			"home_address = \"10.1.0.12\";")));
	struct ask ask = plain;

	(void)state;
	ask.nai = "a@b";
	ask.extensions = other;
	ask.extensions_length = sizeof(other);
	ask.home_agent = "255.255.255.255";
	assert_int_equal(ask_send(h, &ask), 136);
	ask.extensions_length = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.home_address = "10.1.0.11"; /* its second device */
	ask.care_of = "198.51.100.24";
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(h->live_count, 2);
	ask.home_address = "10.1.0.12";
	assert_int_equal(ask_send(h, &ask), 129);
	ask.nai = NULL; /* no NAI: not for ALL-ZERO-ONE */
	assert_int_equal(ask_send(h, &ask), 136);
	end(h);
}

// HA4-RVK-04
static void revocation_demanded(void **state)
{
	static const uint8_t support[8] = {137, 6, 0x80, 0, 0x69, 0x55, 0xb9, 0x00};
	struct home *h =
		home_new(INSTANCE("revocation_required = true;") NODES(TEN) AGENTS(AGENT(FA)));
	struct ask ask = plain;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 129);
	assert_string_equal(h->event_text, "step 13: revocation support is demanded");
	ask.extensions = support;
	ask.extensions_length = sizeof(support);
	assert_int_equal(ask_send(h, &ask), 0);
	ask.lifetime_s = 0;
	ask.extensions_length = 0;
	assert_int_equal(ask_send(h, &ask), 0); /* leaving needs nothing */
	ask = relayed();
	assert_int_equal(ask_send(h, &ask), 129);
	ask.after = support;
	ask.after_length = sizeof(support);
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

// HA4-REG-13: care-of addresses, agents, zones, hours
static void roaming_policy(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(
		NODE("home_address = \"10.1.0.10\"; "
		     "care_of_allowed = [ \"198.51.100.0/24\" "
		     "];") "," NODE("home_address = \"10.1.0.11\"; agents_allowed = [ "
				    "\"198.51.100.200/32\" "
				    "];") "," NODE("home_address = \"10.1.0.12\"; zone = "
						   "\"internal\";") "," NODE("home"
									     "_add"
									     "ress"
									     " = "
									     "\"10"
									     ".1."
									     "0."
									     "13\""
									     "; "
									     "hour"
									     "s = "
									     "\"08"
									     ":00-"
									     "18:"
									     "30\""
									     ";") "," NODE("home_"
											   "address"
											   " = "
											   "\"10.1."
											   "0.14\";"
											   " hours "
											   "= "
											   "\"22:"
											   "00-06:"
											   "00\""
											   ";")));
	struct ask ask = plain;

	(void)state;
	ask.care_of = "203.0.113.5";
	assert_int_equal(ask_send(h, &ask), 129);
	assert_string_equal(h->event_text, "step 13: care-of address not in this user's list");
	ask.home_address = "10.1.0.11";
	ask.flags = MIP4_T;
	assert_int_equal(ask_send(h, &ask), 129);
	assert_string_equal(h->event_text, "step 13: foreign agent not in this user's list");
	ask.care_of = "198.51.100.200";
	assert_int_equal(ask_send(h, &ask), 0);
	ask = plain;
	ask.home_address = "10.1.0.12";
	assert_int_equal(ask_send(h, &ask), 129);
	assert_string_equal(h->event_text, "step 13: not in this user's zone");
	ask.port = 1;
	assert_int_equal(ask_send(h, &ask), 0);
	/* It is midnight. */
	ask = plain;
	ask.home_address = "10.1.0.13";
	assert_int_equal(ask_send(h, &ask), 129);
	assert_string_equal(h->event_text, "step 13: not in this user's hours");
	ask.home_address = "10.1.0.14";
	assert_int_equal(ask_send(h, &ask), 0);
	home_at(h, HOME_T0 + 8 * 3600);
	assert_int_equal(ask_send(h, &ask), 129);
	ask.lifetime_s = 0;
	assert_int_equal(ask_send(h, &ask), 0); /* who leaves is not asked */
	ask.lifetime_s = 600;
	ask.home_address = "10.1.0.13";
	assert_int_equal(ask_send(h, &ask), 0);
	home_at(h, HOME_T0 + 18 * 3600 + 30 * 60);
	assert_int_equal(ask_send(h, &ask), 129);
	end(h);
}

// HA4-XTN-05, HA4-XTN-06, HA4-XTN-08
static void services(void **state)
{
	static const uint8_t voice[] = {151, 5, 'v', 'o', 'i', 'c', 'e'};
	static const uint8_t video[] = {151, 5, 'v', 'i', 'd', 'e', 'o'};
	struct home *h = home_new(
		INSTANCE("services = [ \"voice\", \"video\" ]; service_echo = true;")
			NODES(NODE("home_address = \"10.1.0.10\"; services = [ \"voice\" ];"))
				AGENTS(AGENT(FA)));
	struct ask ask = plain;
	struct mip4_message reply;

	(void)state;
	ask.extensions = voice;
	ask.extensions_length = sizeof(voice);
	assert_int_equal(ask_send(h, &ask), 0);
	home_reply(h, &reply);
	int at = mip4_extension_find(&reply, MIP4_EXT_SERVICE_SELECTION, 0);
	assert_true(at >= 0 && at < mip4_extension_find(&reply, 32, 0));
	assert_memory_equal(reply.payload + reply.extensions[at].offset, voice, sizeof(voice));
	assert_int_equal(home_binding(h, "10.1.0.10")->service, 1);
	ask.extensions = video;
	assert_int_equal(ask_send(h, &ask), 151); /* and the binding goes with it */
	assert_int_equal(home_counter(h, MIP4_DENIED_151), 1);
	assert_null(home_binding(h, "10.1.0.10"));
	assert_null(home_live(h, "10.1.0.10"));
	ask = relayed();
	ask.after = voice;
	ask.after_length = sizeof(voice);
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(in_reply(h, MIP4_EXT_SERVICE_SELECTION) > in_reply(h, 32));
	end(h);
}

// HA4-TNC-08
static void external_agent(void **state)
{
	struct home *h = home_new(
		"instances = ( " INSTANCE_OF("x", "192.0.2.1", "{ prefix = \"10.1.0.0/16\"; }",
			"role = \"x-HA\"; drop_internal = true;") " );\n" NODES(TEN));
	struct ask ask = plain;

	(void)state;
	ask.port = 1;
	assert_int_equal(ask_send(h, &ask), -1);
	assert_int_equal(home_counter(h, MIP4_INTERNAL_SOURCE), 1);
	ask.port = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(in_reply(h, MIP4_EXT_TNC), -1); // HA4-TNC-05: i-HA only
	end(h);
}

/* ---- foreign agents ---- */

// HA4-RRP-11: a denial through an agent carries its authenticator, whatever step it ended at
static void denials_through_agent(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = relayed();

	(void)state;
	ask.identification = 0xed00000000000001;
	assert_int_equal(ask_send(h, &ask), 133);
	assert_true(in_reply(h, 34) > in_reply(h, 32));
	ask.identification = 0;
	ask.bad_auth = true;
	assert_int_equal(ask_send(h, &ask), 131);
	assert_true(in_reply(h, 34) > in_reply(h, 32));
	home_pass(h, 2); /* RFC 5944 3.8.2.1 a: nobody vouches for this one, so no 131 */
	ask.agent_bad = true;
	assert_int_equal(ask_send(h, &ask), -1);
	ask.agent_spi = 0;
	assert_int_equal(ask_send(h, &ask), -1);
	assert_int_equal(home_counter(h, MIP4_AUTH_FAIL_SILENT), 2);
	ask = relayed();
	ask.flags = MIP4_T | MIP4_S;
	ask.home_agent = "192.0.2.200";
	assert_int_equal(ask_send(h, &ask), 136);
	assert_true(in_reply(h, 34) > in_reply(h, 32));
	end(h);
}

// HA4-NAT-24, HA4-AUTH-20, HA4-MODE-02: the foreign agent is behind the NAT
static void agent_behind_nat(void **state)
{
	static const uint8_t wants[8] = {144, 6, 0, 0, 0x40, 0, 0, 0}; /* R has no meaning here */
	struct home *h =
		home_new(INSTANCE("keepalive_s = 30;") NODES(TEN "," ELEVEN) AGENTS(AGENT(FA)));
	struct ask ask = relayed();
	struct ip_address nat = address_of("203.0.113.9");

	(void)state;
	ask.source = "203.0.113.9";
	ask.source_port = 5000;
	assert_int_equal(ask_send(h, &ask), -1); /* without 144 nobody knows this source */
	assert_int_equal(home_counter(h, MIP4_STRAY_FA_AUTH), 1);
	ask.after = wants;
	ask.after_length = sizeof(wants);
	assert_int_equal(ask_send(h, &ask), 0);
	const struct binding_command *live = home_live(h, "10.1.0.10");
	assert_int_equal(live->flags & (BINDING_UDP | BINDING_HALF_BOUND), BINDING_UDP);
	assert_true(ip_address_equal(&live->care_of_address, &nat));
	assert_int_equal(live->care_of_port, htons(5000));
	assert_true(in_reply(h, MIP4_EXT_UDP_TUNNEL_REPLY) > in_reply(h, 32)); // HA4-NAT-05
	assert_true(in_reply(h, 34) > in_reply(h, MIP4_EXT_UDP_TUNNEL_REPLY));
	ask.home_address = "10.1.0.11"; /* the agent's next visitor shares the endpoint */
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(home_live(h, "10.1.0.11")->care_of_port, htons(5000));
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_STALE_NAT); // HA4-NAT-18
	assert_int_equal(home_counter(h, MIP4_STALE_NAT), 0);
	end(h);
}

// HA4-RVK-07, HA4-RVK-06: a direct node behind a NAT hears of it through its own mapping
static void revocation_through_nat(void **state)
{
	static const uint8_t both[16] = {
		144, 6, 0, 0, 0, 0, 0, 0, 137, 6, 0x80, 0, 0x69, 0x55, 0xb9, 0x00};
	struct home *h = home_new(NULL);
	struct ask ask = natted(both);
	struct mip4_message message;
	struct mip4_authentication auth;
	struct ip_address nat = address_of("203.0.113.7");

	(void)state;
	ask.extensions_length = sizeof(both);
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(in_reply(h, MIP4_EXT_REVOCATION_SUPPORT) < in_reply(h, 32));
	h->sent_count = 0;
	mip4_engine_clear(h->engine, home_binding(h, "10.1.0.10")->id, h->now);
	assert_int_equal(h->sent_count, 1);
	const uint8_t *ip = h->sent[0].data;
	assert_memory_equal(ip + 16, &nat.words[3], 4);
	assert_int_equal(ip[20] << 8 | ip[21], 434);
	assert_int_equal(ip[22] << 8 | ip[23], 40007);
	assert_int_equal(h->sent[0].flags, INJECT_BYPASS_BINDING);
	assert_int_equal(mip4_parse(&message, ip + 28, h->sent[0].length - 28u, true), MIP4_OK);
	assert_int_equal(message.type, MIP4_REVOCATION);
	int at = mip4_extension_find(&message, 32, 0);
	assert_true(at >= 0 && mip4_authentication_read(&message, &message.extensions[at], &auth));
	assert_int_equal(auth.spi, 0x100);
	assert_int_equal(ask_send(h, &ask), 0); // HA4-RVK-15: it may come back at once
	end(h);
}

/* ---- replies ---- */

// HA4-RRP-15, HA4-EXT-14, HA4-XTN-01
static void reply_settings(void **state)
{
	static const uint8_t carrying[] = {136, 4, 1, 'a', '@', 'b'};
	uint8_t pads[40];
	struct home *h =
		home_new(INSTANCE("reply_ttl = 255; reply_dscp = 46; max_extensions = 3; "
				  "max_message = 100; identity = \"ha1@example.net\";") NODES(TEN));
	struct ask ask = plain;
	struct mip4_message reply;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(h->sent[0].data[1], 46 << 2);
	assert_int_equal(h->sent[0].data[8], 255);
	assert_int_equal(h->sent[0].data[6] & 0x40, 0); /* DF clear */
	home_reply(h, &reply);
	int at = mip4_extension_find(&reply, MIP4_EXT_NAI_CARRYING, 0);
	assert_true(at >= 0 && at < mip4_extension_find(&reply, 32, 0));
	assert_memory_equal(
		reply.payload + reply.extensions[at].offset, "\x88\x10\x01ha1@example.net", 18);
	assert_int_equal(ask_send(h, &ask), 0); /* known by now */
	assert_int_equal(in_reply(h, MIP4_EXT_NAI_CARRYING), -1);
	ask.extensions = carrying; /* but who shows that it understands gets it again */
	ask.extensions_length = sizeof(carrying);
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(in_reply(h, MIP4_EXT_NAI_CARRYING) >= 0);
	memset(pads, 200, sizeof(pads));
	for (unsigned i = 1; i < 8; i += 2)
		pads[i] = 0;
	ask.extensions = pads; /* two unknown ones and the authenticator: just so many */
	ask.extensions_length = 4;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.extensions_length = 6;
	assert_int_equal(ask_send(h, &ask), -1);
	assert_int_equal(home_counter(h, MIP4_EXT_LIMIT_COUNT), 1);
	memset(pads, 0, sizeof(pads)); /* one-octet pads are no extensions, but they are octets */
	ask.extensions = pads;
	ask.extensions_length = 40;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.after = pads;
	ask.after_length = 15;
	assert_int_equal(ask_send(h, &ask), -1); /* 24 + 40 + 22 + 15 */
	assert_int_equal(home_counter(h, MIP4_EXT_LIMIT_COUNT), 2);
	ask.after_length = 14;
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

// HA4-NEMO-01: implicit mode
static void implicit_networks(void **state)
{
	struct home *h = home_new(INSTANCE("nemo = true;") NODES(
		NODE("home_address = \"10.1.0.10\"; mobile_router = true; implicit_networks = "
		     "true; networks = [ \"10.50.1.0/24\", \"10.50.2.0/24\" ];")));
	struct ask ask = plain;
	struct mip4_message reply;
	struct ip_prefix list[4];

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	home_reply(h, &reply);
	int at = mip4_extension_find(&reply, MIP4_EXT_MOBILE_NETWORK, 0);
	assert_true(at >= 0);
	assert_int_equal(reply.payload[reply.extensions[at].offset + 2], 2); /* sub-type */
	assert_int_equal(reply.payload[reply.extensions[at].offset + 3], 0); /* code */
	assert_true(mip4_extension_find(&reply, MIP4_EXT_MOBILE_NETWORK, (unsigned)at + 1) > at);
	assert_int_equal(h->prefix_sets, 2);
	assert_int_equal(mip4_show_networks(h->engine, home_binding(h, "10.1.0.10"), list, 4), 2);
	ask.lifetime_s = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(h->prefix_removes, 2); // HA4-NEMO-05
	end(h);
}

// HA4-NAT-28, HA4-BND-09, HA4-BND-13
static void mixed_tunnels(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(TEN));
	struct ask ask = natted(udp_request), direct = plain;
	unsigned udp = 0;

	(void)state;
	ask.flags |= MIP4_S;
	direct.flags |= MIP4_S | MIP4_G;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(ask_send(h, &direct), 0);
	assert_int_equal(h->live_count, 2);
	for (unsigned i = 0; i < h->size; i++) {
		if (!h->is_live[i])
			continue;
		if (h->live[i].flags & BINDING_UDP)
			udp++;
		else
			assert_int_equal(h->live[i].encapsulation, ENCAPSULATION_GRE);
	}
	assert_int_equal(udp, 1);
	monotonic expires = home_binding(h, "10.1.0.10")->expires_ns;
	home_configure(h, INSTANCE("max_lifetime_s = 5; nat_max_lifetime_s = 5;") NODES(TEN));
	home_pass(h, 10);
	assert_int_equal(home_binding(h, "10.1.0.10")->expires_ns, expires);
	assert_int_equal(h->live_count, 2);
	assert_int_equal(ask_send(h, &direct), 0); /* it counts from the next registration on */
	struct mip4_message reply;
	home_reply(h, &reply);
	assert_int_equal(reply.reply.lifetime_s, 5);
	end(h);
}

// HA4-REV-12, HA4-DEC-14: the node's own tunnel alone, nested mobility goes on
static void signalling_in_tunnels(void **state)
{
	struct home *h = home_new(INSTANCE("source_mismatch_accept = true;") NODES(TEN "," ELEVEN));
	struct ask ask = plain;
	struct punt_record record;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	uint32_t id = home_binding(h, "10.1.0.10")->id;
	ask.source = "10.1.0.10";
	ask.lifetime_s = 300;
	ask_build(h, &ask, &record);
	record.layer_count = 1;
	record.layers[0].kind = DECAP_IPIP;
	record.layers[0].id = id;
	assert_int_equal(receive_code(h, &record), -1);
	assert_int_equal(home_counter(h, MIP4_SIGNALLING_IN_TUNNEL), 1);
	assert_int_equal(home_binding(h, "10.1.0.10")->lifetime_s, 600);
	ask = plain; /* a visitor whose care-of address is the first one's home address */
	ask.home_address = "10.1.0.11";
	ask.care_of = "10.1.0.10";
	ask_build(h, &ask, &record);
	record.source = address_of("10.1.0.12");
	record.layer_count = 1;
	record.layers[0].kind = DECAP_IPIP;
	record.layers[0].id = id;
	assert_int_equal(receive_code(h, &record), 0);
	end(h);
}

// HA4-RRP-16: what is too much leaves the Message String out, never a fragment
static void reply_too_long(void **state)
{
	static struct reply reply;
	struct inject_record record;
	struct authenticator *a;
	struct mip4_message message;
	struct config_instance instance = {.reply_ttl = 64, .reply_dscp = 48};
	struct config_security context = {.spi = 0x100, .algorithm = ALGORITHM_HMAC_MD5};
	struct reply_contexts contexts = {&context, &context};

	(void)state;
	assert_int_equal(authenticate_new(&a), 0);
	secret_from_hex(KEY_NODE_TEXT, &context.key);
	reply = (struct reply){.nai_length = 253,
		.network_count = NETWORKS_PER_BINDING_MAX,
		.revocation = true,
		.revocation_to_agent = true,
		.challenge_length = 255,
		.source = address_of("192.0.2.1"),
		.destination = address_of(FA)};
	memset(reply.nai, 'a', 253);
	memset(reply.message, 'm', 254);
	assert_true(reply_build(a, &instance, &reply, contexts, 0, &record));
	assert_int_equal(mip4_parse(&message, record.data + 28, record.length - 28u, false), 0);
	assert_true(mip4_extension_find(&message, MIP4_EXT_MESSAGE_STRING, 0) >= 0); /* it fits */
	memset(reply.identity, 'i', 253);
	memset(reply.service, 's', 255);
	reply.service_length = 255;
	assert_true(reply_build(a, &instance, &reply, contexts, 0, &record));
	assert_in_range(record.length, 1200, 1500);
	assert_int_equal(mip4_parse(&message, record.data + 28, record.length - 28u, false), 0);
	assert_int_equal(mip4_extension_find(&message, MIP4_EXT_MESSAGE_STRING, 0), -1);
	assert_true(mip4_extension_find(&message, MIP4_EXT_SERVICE_SELECTION, 0) >= 0);
	assert_true(mip4_extension_find(&message, 34, 0) >= 0);
	authenticate_free(a);
}

// HA4-NEMO-06: a prefix is one router's at a time
static void networks_taken(void **state)
{
	static const uint8_t wants[] = {148, 6, 0, 24, 10, 50, 1, 0};
	struct home *h = home_new(INSTANCE("nemo = true;") NODES(
		NODE("home_address = \"10.1.0.0/24\"; mobile_router = true; networks = [ "
		     "\"10.50.1.0/24\" ];")));
	struct ask ask = plain;
	struct mip4_message reply;

	(void)state;
	ask.extensions = wants;
	ask.extensions_length = sizeof(wants);
	assert_int_equal(ask_send(h, &ask), 0);
	ask.home_address = "10.1.0.11";
	assert_int_equal(ask_send(h, &ask), 147);
	home_reply(h, &reply);
	int at = mip4_extension_find(&reply, MIP4_EXT_MOBILE_NETWORK, 0);
	assert_int_equal(reply.payload[reply.extensions[at].offset + 3], 3);
	assert_null(home_binding(h, "10.1.0.11"));
	ask.home_address = "10.1.0.10";
	ask.lifetime_s = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.home_address = "10.1.0.11";
	ask.lifetime_s = 600;
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

// HA4-RPL-05, HA4-RPL-17: the tolerance to the second; none is off
static void tolerances(void **state)
{
	struct home *h = home_new(INSTANCE("") "mobile_nodes = ( { home_address = \"10.1.0.0/24\"; "
					       "security = ( { spi = 0x100; key = \"" KEY_NODE_TEXT
					       "\"; }, { spi = 0x101; tolerance_s = 1; key = "
					       "\"" KEY_NODE_TEXT "\"; } ); } );\n");
	static const struct {
		uint32_t spi;
		int32_t apart_s;
		int code;
	} rows[] = {{0x100, 7, 0}, {0x100, 8, 133}, {0x100, -7, 0}, {0x100, -8, 133}, {0x101, 1, 0},
		{0x101, 2, 133}, {0x101, -1, 0}, {0x101, -2, 133}};
	struct ask ask = plain;
	char home[16];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(home, sizeof(home), "10.1.0.%u", 20 + i); /* each its own past */
		ask.home_address = home;
		ask.spi = rows[i].spi;
		ask.identification =
			(uint64_t)(clock_ntp_seconds(h->now.wall_ns) + (uint32_t)rows[i].apart_s)
			<< 32;
		assert_int_equal(ask_send(h, &ask), rows[i].code);
	}
	assert_int_equal(home_counter(h, MIP4_ID_MISMATCH), 4);
	end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mobile_aaa),
		cmocka_unit_test(repeated_extensions),
		cmocka_unit_test(misplaced_authenticators),
		cmocka_unit_test(sources),
		cmocka_unit_test(broadcasts),
		cmocka_unit_test(udp_checksum_required),
		cmocka_unit_test(reverse_tunnels),
		cmocka_unit_test(vendor_extensions),
		cmocka_unit_test(odd_flags),
		cmocka_unit_test(dynamic_agent),
		cmocka_unit_test(revocation_demanded),
		cmocka_unit_test(roaming_policy),
		cmocka_unit_test(services),
		cmocka_unit_test(external_agent),
		cmocka_unit_test(denials_through_agent),
		cmocka_unit_test(agent_behind_nat),
		cmocka_unit_test(revocation_through_nat),
		cmocka_unit_test(reply_settings),
		cmocka_unit_test(implicit_networks),
		cmocka_unit_test(mixed_tunnels),
		cmocka_unit_test(signalling_in_tunnels),
		cmocka_unit_test(reply_too_long),
		cmocka_unit_test(networks_taken),
		cmocka_unit_test(tolerances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
