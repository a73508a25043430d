// Messages and extensions of Mobile IPv4, rule by rule: HA4-FMT, HA4-EXT, HA4-BAD-03..05.
#include "lib/wire/mip4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t payload[2000];
static struct writer out;
static struct mip4_message m;

/* A request's fixed part; extensions follow through the writers. */
static void begin(void)
{
	const struct mip4_request request = {.flags = MIP4_D | MIP4_T, .lifetime_s = 600};

	out = writer_make(payload, sizeof(payload));
	mip4_request_write(&out, &request);
}

static void octets(const void *data, size_t length)
{
	writer_bytes(&out, data, length);
}
#define OCTETS(...) octets((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Parses a copy of exactly the written size, so that a sanitizer sees every octet read too far. */
static enum mip4_status parse_as(bool as_home_agent)
{
	static uint8_t *copy;
	size_t length = writer_length(&out);

	assert_false(out.overflow);
	free(copy);
	copy = malloc(length ? length : 1);
	assert_non_null(copy);
	memcpy(copy, payload, length);
	return mip4_parse(&m, copy, length, as_home_agent);
}

static enum mip4_status parse(void)
{
	return parse_as(true);
}

// HA4-FMT-01, HA4-BAD-03
static void fixed_parts_have_their_sizes(void **state)
{
	static const struct {
		uint8_t type, size;
	} fixed[] = {{1, 24}, {3, 20}, {4, 4}, {7, 20}, {15, 12}};

	out = writer_make(payload, sizeof(payload));
	assert_int_equal(parse(), MIP4_SHORT);
	for (unsigned i = 0; i < 5; i++) {
		memset(payload, 0, sizeof(payload));
		payload[0] = fixed[i].type;
		out = writer_make(payload, sizeof(payload));
		out.at += fixed[i].size - 1;
		assert_int_equal(parse(), MIP4_SHORT);
		out.at++;
		assert_int_equal(parse(), MIP4_OK);
		assert_int_equal(m.type, fixed[i].type);
		assert_int_equal(m.extension_count, 0);
	}
}

// HA4-MSG-02: every other type, whatever its length
static void unknown_types_are_told(void **state)
{
	for (unsigned type = 0; type < 256; type++) {
		if (type == 1 || type == 3 || type == 4 || type == 7 || type == 15)
			continue;
		payload[0] = (uint8_t)type;
		out = writer_make(payload, sizeof(payload));
		out.at++;
		assert_int_equal(parse(), MIP4_UNKNOWN_TYPE);
	}
}

// HA4-FMT-01, -02, -05: fields of all messages survive the way out and back
static void fields_round_trip(void **state)
{
	const struct mip4_request request = {.home_address = 0x0a00010a,
		.home_agent = 0x010200c0,
		.care_of_address = 0x176433c6,
		.identification = 0xed003780deadbeefull,
		.lifetime_s = 0xfffe,
		.flags = MIP4_S | MIP4_B | MIP4_D | MIP4_M | MIP4_G | MIP4_T};
	const struct mip4_reply reply = {.home_address = 1,
		.home_agent = 2,
		.identification = 0x0123456789abcdefull,
		.lifetime_s = 60,
		.code = 133};
	const struct mip4_revocation revocation = {.home_address = 3,
		.home_domain_address = 4,
		.foreign_domain_address = 5,
		.identifier = 0x6955bb58,
		.flags = MIP4_REVOCATION_A | MIP4_REVOCATION_I};

	out = writer_make(payload, sizeof(payload));
	mip4_request_write(&out, &request);
	assert_int_equal(writer_length(&out), 24);
	assert_int_equal(payload[16], 0xed); /* seconds first */
	assert_int_equal(parse(), MIP4_OK);
	assert_memory_equal(&m.request.home_address, &request.home_address, 12);
	assert_true(m.request.identification == request.identification);
	assert_int_equal(m.request.lifetime_s, 0xfffe);
	assert_int_equal(m.request.flags, 0xfa);

	out = writer_make(payload, sizeof(payload));
	mip4_reply_write(&out, &reply);
	assert_int_equal(writer_length(&out), 20);
	assert_int_equal(parse(), MIP4_OK);
	assert_int_equal(m.reply.code, 133);
	assert_true(m.reply.identification == reply.identification);

	out = writer_make(payload, sizeof(payload));
	mip4_revocation_write(&out, &revocation);
	assert_int_equal(writer_length(&out), 20);
	assert_int_equal(payload[2], 0xc0); // HA4-FMT-06
	assert_int_equal(parse(), MIP4_OK);
	assert_memory_equal(
		&m.revocation, &revocation, offsetof(struct mip4_revocation, flags) + 2);

	out = writer_make(payload, sizeof(payload));
	mip4_revocation_ack_write(&out, &revocation);
	assert_int_equal(writer_length(&out), 12);
	assert_int_equal(payload[2], 0x80); /* I alone */
	assert_int_equal(parse(), MIP4_OK);
	assert_int_equal(m.revocation.identifier, 0x6955bb58);
	assert_int_equal(m.revocation.home_domain_address, 0);
}

// HA4-FMT-03, -07: r and x are received, never sent
static void reserved_bits(void **state)
{
	const struct mip4_request request = {.flags = 0xff};

	out = writer_make(payload, sizeof(payload));
	mip4_request_write(&out, &request);
	assert_int_equal(payload[1], 0xfa);
	payload[1] = 0xff;
	assert_int_equal(parse(), MIP4_OK);
	assert_int_equal(m.request.flags, 0xff);
}

// HA4-EXT-01: one octet, anywhere, any number; a pad at the very end is no lone Type
static void pads_are_walked_over(void **state)
{
	begin();
	OCTETS(0, 0, 130, 0, 0, 131, 1, 'a', 0, 0, 0);
	assert_int_equal(parse(), MIP4_OK);
	assert_int_equal(m.extension_count, 2);
	assert_int_equal(m.extensions[0].offset, 26);
	assert_int_equal(m.extensions[1].offset, 29);
}

// HA4-EXT-02, -03, -04: where data begins and the next extension starts
static void layouts(void **state)
{
	begin();
	OCTETS(131, 3, 'a', '@', 'b');                      /* simple */
	OCTETS(145, 3, 1, 'h', 'i');                        /* short */
	OCTETS(38, 0x5a, 0, 8, 0, 0, 0, 9, 0, 1, 'v', 'v'); /* long, Reserved */
	OCTETS(36, 1, 0, 20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7);
	assert_int_equal(parse(), MIP4_OK);
	assert_int_equal(m.extension_count, 4);
	assert_int_equal(m.extensions[0].data_offset, 26);
	assert_int_equal(m.extensions[0].data_length, 3);
	assert_int_equal(m.extensions[1].offset, 29);
	assert_int_equal(m.extensions[1].subtype, 1);
	assert_int_equal(m.extensions[1].data_offset, 32);
	assert_int_equal(m.extensions[1].data_length, 2);
	assert_int_equal(m.extensions[2].offset, 34);
	assert_int_equal(m.extensions[2].length, 12);
	assert_int_equal(m.extensions[2].reserved, 0x5a);
	assert_int_equal(m.extensions[2].subtype, 0);
	assert_int_equal(m.extensions[2].data_offset, 38);
	assert_int_equal(m.extensions[2].data_length, 8);
	assert_int_equal(m.extensions[3].offset, 46);
	assert_int_equal(m.extensions[3].length, 24);
	assert_int_equal(m.extensions[3].subtype, 1);

	struct mip4_authentication a;
	assert_true(mip4_authentication_read(&m, &m.extensions[3], &a));
	assert_int_equal(a.spi, 256);
	assert_int_equal(a.covered, 54); // Type, Sub-Type, Length, SPI: HA4-AUTH-15
	assert_int_equal(a.authenticator_length, 16);
}

// HA4-EXT-05: the RFC's layout, the short layout, neither; what follows is found in each case
static void dynamic_home_agent_has_two_layouts(void **state)
{
	static const struct {
		uint8_t octets[9], length, data_at;
		bool recognized;
	} cases[] = {
		{{139, 1, 0, 4, 192, 0, 2, 1}, 8, 4, true},
		{{139, 2, 0, 4, 192, 0, 2, 1}, 8, 4, true},
		{{139, 5, 1, 192, 0, 2, 1}, 7, 3, true},
		{{139, 6, 1, 192, 0, 2, 1, 9}, 8, 2, false},
		{{139, 1, 7}, 3, 2, false}, /* sub-type 1 without 0004: a Length of 1 */
		{{139, 2, 0, 5}, 4, 2, false},
		{{139, 0}, 2, 2, false},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin();
		octets(cases[i].octets, cases[i].length);
		OCTETS(131, 1, 'n');
		assert_int_equal(parse(), MIP4_OK);
		assert_int_equal(m.extension_count, 2);
		assert_int_equal(m.extensions[0].length, cases[i].length);
		assert_int_equal(m.extensions[0].data_offset, 24 + cases[i].data_at);
		assert_int_equal(m.extensions[0].recognized, cases[i].recognized);
		assert_int_equal(m.skipped_badlen, cases[i].recognized ? 0 : 1);
		assert_int_equal(m.extensions[1].type, 131);
	}
	begin();
	OCTETS(139, 1, 0, 4, 192, 0, 2); /* cut: 0004 says eight octets */
	assert_int_equal(parse(), MIP4_EXT_OVERRUN);
}

// HA4-EXT-06, -07, HA4-BAD-05: all types but those of the table
static void unknown_types_below_128_end_the_walk(void **state)
{
	static const uint8_t known[] = {32, 33, 34, 36, 38, 130, 131, 132, 133, 134, 136, 137, 139,
		144, 145, 148, 149, 151, 152};

	for (unsigned type = 1; type < 256; type++) {
		bool is_known = memchr(known, (int)type, sizeof(known)) != NULL;
		if (is_known)
			continue;
		begin();
		OCTETS((uint8_t)type, 2, 0, 0, 131, 1, 'n');
		if (type < 128) { /* 44 and 45 too: never valid toward a home agent */
			assert_int_equal(parse(), MIP4_EXT_UNKNOWN);
			assert_int_equal(m.error_offset, 24);
		} else {
			assert_int_equal(parse(), MIP4_OK);
			assert_false(m.extensions[0].recognized);
			assert_int_equal(m.skipped_unknown, 1);
			assert_int_equal(m.extensions[1].type, 131);
		}
	}
	begin();
	OCTETS(36, 2, 0, 20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(parse(), MIP4_EXT_UNKNOWN);
}

// HA4-EXT table: 44 and 45 exist for a mobile node only
static void replies_may_carry_what_requests_may_not(void **state)
{
	begin();
	OCTETS(44, 6, 0, 0, 0, 0, 0, 30, 45, 2, 0, 97);
	assert_int_equal(parse_as(true), MIP4_EXT_UNKNOWN);
	assert_int_equal(parse_as(false), MIP4_OK);
	assert_int_equal(m.extension_count, 2);
}

// HA4-EXT-08, HA4-BAD-04
static void overruns_refuse_the_whole_message(void **state)
{
	begin();
	OCTETS(130, 0, 131);
	assert_int_equal(parse(), MIP4_EXT_OVERRUN);
	assert_int_equal(m.error_offset, 26);
	begin();
	OCTETS(131, 2, 'a');
	assert_int_equal(parse(), MIP4_EXT_OVERRUN);
	begin();
	OCTETS(200, 255);
	assert_int_equal(parse(), MIP4_EXT_OVERRUN);
	begin();
	OCTETS(38, 0, 0); /* long header does not fit */
	assert_int_equal(parse(), MIP4_EXT_OVERRUN);
	begin();
	OCTETS(38, 0, 0, 6, 0, 0, 0, 9, 0);
	assert_int_equal(parse(), MIP4_EXT_OVERRUN);
	begin();
	OCTETS(36, 1, 0xff, 0xff, 0, 0);
	assert_int_equal(parse(), MIP4_EXT_OVERRUN);
}

// HA4-EXT-09: every type of the table at each Length 0..40, against the table written once more
static bool good_length(unsigned type, unsigned length)
{
	switch (type) {
	case 32:
	case 33:
	case 34:
		return length >= 4;
	case 44:
	case 144:
		return length == 6;
	case 45:
	case 149:
		return length == 2;
	case 130:
		return length == 0;
	case 131:
	case 132:
	case 151:
		return length >= 1;
	case 133:
	case 134:
		return length >= 8;
	case 136:
	case 145:
		return length >= 2;
	case 137:
		return length >= 6;
	case 148:
		return length == 6 || length == 8;
	default: /* 152 */
		return length == 2 || length == 18 || length == 20;
	}
}

static void lengths_are_checked_per_type(void **state)
{
	static const uint8_t types[] = {32, 33, 34, 44, 45, 130, 131, 132, 133, 134, 136, 137, 144,
		145, 148, 149, 151, 152};

	for (unsigned i = 0; i < sizeof(types); i++) {
		for (unsigned length = 0; length <= 40; length++) {
			uint8_t data[40] = {0};
			begin();
			mip4_extension_write(&out, types[i], data, (uint8_t)length);
			enum mip4_status status = parse_as(false);
			bool good = good_length(types[i], length);
			if (!good && types[i] < 128) {
				assert_int_equal(status, MIP4_EXT_BADLEN);
				continue;
			}
			assert_int_equal(status, MIP4_OK);
			assert_int_equal(m.extensions[0].recognized, good);
			assert_int_equal(m.skipped_badlen, !good);
			assert_int_equal(m.skipped_unknown, 0);
		}
	}
	for (unsigned length = 0; length <= 24; length++) {
		uint8_t data[24] = {0};
		begin();
		OCTETS(36, 1, 0, (uint8_t)length);
		octets(data, length);
		assert_int_equal(parse(), length >= 20 ? MIP4_OK : MIP4_EXT_BADLEN);
		begin();
		OCTETS(38, 0, 0, (uint8_t)length);
		octets(data, length);
		assert_int_equal(parse(), length >= 6 ? MIP4_OK : MIP4_EXT_BADLEN);
	}
}

// HA4-EXT-10: Length 0 is legal and the walk goes on
static void length_zero_advances(void **state)
{
	begin();
	OCTETS(200, 0, 130, 0, 255, 0);
	assert_int_equal(parse(), MIP4_OK);
	assert_int_equal(m.extension_count, 3);
}

// HA4-EXT-14
static void limits(void **state)
{
	begin();
	for (unsigned i = 0; i < 64; i++)
		OCTETS(130, 0, 0);
	assert_int_equal(parse(), MIP4_OK);
	assert_int_equal(m.extension_count, 64);
	OCTETS(130, 0);
	assert_int_equal(parse(), MIP4_EXT_LIMIT);

	begin();
	memset(payload + 24, 0, sizeof(payload) - 24);
	out.at = payload + 1472;
	assert_int_equal(parse(), MIP4_OK);
	out.at++;
	assert_int_equal(parse(), MIP4_EXT_LIMIT);
}

// HA4-NAT-01: reserved fields, sub-types
static void udp_tunnel_extensions(void **state)
{
	struct mip4_udp_tunnel_request asked;
	struct mip4_udp_tunnel_reply told;

	begin();
	OCTETS(144, 6, 0, 0xff, 0xff, 47, 0x12, 0x34);
	OCTETS(144, 6, 1, 0, 0, 0, 0, 0);
	OCTETS(44, 6, 0, 64, 0xff, 0xff, 0, 110);
	assert_int_equal(parse_as(false), MIP4_OK);
	assert_true(mip4_udp_tunnel_request_read(&m, &m.extensions[0], &asked));
	assert_int_equal(asked.flags, MIP4_UDP_TUNNEL_F | MIP4_UDP_TUNNEL_R);
	assert_int_equal(asked.encapsulation, 47);
	assert_int_equal(asked.reserved3, 0x1234);
	assert_false(mip4_udp_tunnel_request_read(&m, &m.extensions[1], &asked));
	assert_false(mip4_udp_tunnel_request_read(&m, &m.extensions[2], &asked));
	assert_true(mip4_udp_tunnel_reply_read(&m, &m.extensions[2], &told));
	assert_int_equal(told.code, 64);
	assert_true(told.forced);
	assert_int_equal(told.keepalive_s, 110);
	assert_int_equal(mip4_extension_find(&m, 144, 0), 0);
	assert_int_equal(mip4_extension_find(&m, 144, 1), 1);
	assert_int_equal(mip4_extension_find(&m, 144, 2), -1);
}

// HA4-AUTH-04, -05: V01's first 30 octets
static void authentication_extension(void **state)
{
	struct mip4_authentication a;

	begin();
	uint8_t *room = mip4_authentication_write(&out, MIP4_EXT_MOBILE_HOME_AUTH, 0x01020304, 16);
	assert_ptr_equal(room, payload + 30);
	memset(room, 0xaa, 16);
	assert_int_equal(writer_length(&out), 46);
	assert_int_equal(payload[25], 20);
	assert_int_equal(parse(), MIP4_OK);
	assert_true(mip4_authentication_read(&m, &m.extensions[0], &a));
	assert_int_equal(a.spi, 0x01020304);
	assert_int_equal(a.covered, 30);
	assert_int_equal(a.authenticator_length, 16);
	assert_int_equal(a.authenticator[15], 0xaa);

	out = writer_make(payload, 20);
	assert_null(mip4_authentication_write(&out, MIP4_EXT_MOBILE_HOME_AUTH, 256, 16));
	assert_true(out.overflow);
	out = writer_make(payload, sizeof(payload));
	assert_null(mip4_authentication_write(&out, MIP4_EXT_MOBILE_HOME_AUTH, 256, 252));
}

static void nai_length_is_checked(void **state)
{
	char nai[256];

	memset(nai, 'n', sizeof(nai));
	begin();
	mip4_nai_write(&out, nai, 255);
	assert_int_equal(parse(), MIP4_OK);
	assert_int_equal(m.extensions[0].data_length, 255);
	mip4_nai_write(&out, nai, 256);
	assert_true(out.overflow);
	begin();
	mip4_nai_write(&out, nai, 0);
	assert_true(out.overflow);
}

// HA4-BAD-03..05: the counters' names
static void status_names(void **state)
{
	assert_string_equal(mip4_status_name(MIP4_SHORT), "rx_short");
	assert_string_equal(mip4_status_name(MIP4_UNKNOWN_TYPE), "rx_unknown_type");
	assert_string_equal(mip4_status_name(MIP4_EXT_OVERRUN), "ext_overrun");
	assert_string_equal(mip4_status_name(MIP4_EXT_BADLEN), "ext_badlen");
	assert_string_equal(mip4_status_name(MIP4_EXT_UNKNOWN), "unknown_ext_nonskip");
	assert_string_equal(mip4_status_name(MIP4_EXT_LIMIT), "ext_limit");
	assert_string_equal(mip4_status_name(MIP4_STATUS_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_parts_have_their_sizes),
		cmocka_unit_test(unknown_types_are_told),
		cmocka_unit_test(fields_round_trip),
		cmocka_unit_test(reserved_bits),
		cmocka_unit_test(pads_are_walked_over),
		cmocka_unit_test(layouts),
		cmocka_unit_test(dynamic_home_agent_has_two_layouts),
		cmocka_unit_test(unknown_types_below_128_end_the_walk),
		cmocka_unit_test(replies_may_carry_what_requests_may_not),
		cmocka_unit_test(overruns_refuse_the_whole_message),
		cmocka_unit_test(lengths_are_checked_per_type),
		cmocka_unit_test(length_zero_advances),
		cmocka_unit_test(limits),
		cmocka_unit_test(udp_tunnel_extensions),
		cmocka_unit_test(authentication_extension),
		cmocka_unit_test(nai_length_is_checked),
		cmocka_unit_test(status_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
