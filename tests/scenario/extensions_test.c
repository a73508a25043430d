/*
 * A request's and a reply's extensions: repeated, misplaced, foreign, too long, and who vouches for
 * them.
 */
#include "tests/scenario/scenario.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

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

/* ---- codes ---- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mobile_aaa),
		cmocka_unit_test(repeated_extensions),
		cmocka_unit_test(misplaced_authenticators),
		cmocka_unit_test(vendor_extensions),
		cmocka_unit_test(odd_flags),
		cmocka_unit_test(denials_through_agent),
		cmocka_unit_test(reply_settings),
		cmocka_unit_test(reply_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
