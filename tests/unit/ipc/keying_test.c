/* The keying protocol's octets: every type both ways, its size, and everything that is refused with
 * its very reason. KIF-52 */
#include "lib/ipc/keying.h"
#include "tests/unit/parsed.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct size_row { /* header included; what tests/e2e/keying_client.py packs */
	uint16_t type;
	size_t size;
} sizes[] = {
	{KEYING_HELLO, 16 + 80},
	{KEYING_LEASE_SPIS, 16 + 4},
	{KEYING_CLAIM_SPI, 16 + 4},
	{KEYING_ADD_SA, 16 + 392 + 2 * 40},
	{KEYING_UPDATE_SA, 16 + 64},
	{KEYING_QUERY_SA, 16 + 16},
	{KEYING_DEL_SA, 16 + 16},
	{KEYING_FLUSH_SAS, 16},
	{KEYING_ADD_POLICY, 16 + 144},
	{KEYING_QUERY_POLICY, 16 + 144},
	{KEYING_DEL_POLICY, 16 + 144},
	{KEYING_FLUSH_POLICIES, 16},
	{KEYING_REPLAY_BEGIN, 16},
	{KEYING_REPLAY_END, 16},
	{KEYING_UDP_PORT, 16 + 4},
	{KEYING_WELCOME, 16 + 24},
	{KEYING_STATUS, 16 + 196},
	{KEYING_SPIS, 16 + 8},
	{KEYING_SA_STATE, 16 + 32},
	{KEYING_POLICY_STATE, 16 + 16},
	{KEYING_EXPIRE, 16 + 104},
	{KEYING_MAPPING, 16 + 56},
	{KEYING_ACQUIRE, 16 + 88},
	{KEYING_MIGRATE, 16 + 120},
};
#define ROWS (sizeof(sizes) / sizeof(sizes[0]))

static void fill_sa(struct keying_add_sa *sa)
{
	*sa = (struct keying_add_sa){.handle = 0x0102030405060708,
		.spi = htonl(0xc0ffee01),
		.reqid = 7,
		.flags = KEYING_SA_INBOUND | KEYING_SA_ENCAP,
		.mode = KEYING_TUNNEL,
		.encryption = 20,
		.encryption_length = 20,
		.replay_window = 1024,
		.source = {.address = address_of("198.51.100.9"), .port = htons(40001)},
		.destination = {.address = address_of("192.0.2.1"), .port = htons(4500)},
		.lifetime = {.soft_s = 3000, .hard_s = 3600, .hard_packets = 1ull << 40},
		.name = "roadwarrior",
		.identity = "carol@example.org"};
	memset(sa->encryption_key, 0xa5, 20);
	sa->source_ts.count = sa->destination_ts.count = 1;
	sa->source_ts.of[0] = selector_of("10.9.0.1");
	sa->destination_ts.of[0] = selector_of("10.1.0.0/16[tcp/1024-65535]");
}

static struct keying_message example(uint16_t type)
{
	struct keying_message m = {.header = {.type = type, .id = 0x1122334455667788}};

	switch (type) {
	case KEYING_HELLO:
		m.hello = (struct keying_hello){
			.magic = KEYING_MAGIC, .instance = 5, .agent = "strongSwan 5.9.8"};
		break;
	case KEYING_LEASE_SPIS:
		m.lease_spis.count = KEYING_SPIS_MAX;
		break;
	case KEYING_ADD_SA:
		fill_sa(&m.add_sa);
		break;
	case KEYING_ADD_POLICY:
	case KEYING_QUERY_POLICY:
	case KEYING_DEL_POLICY:
		m.policy = (struct keying_policy){.handle = 9,
			.spi = htonl(0x01020304),
			.reqid = 7,
			.direction = KEYING_OUT,
			.action = KEYING_PROTECT,
			.priority = KEYING_PRIORITY_DEFAULT,
			.mode = KEYING_TUNNEL,
			.source = address_of("2001:db8::1"),
			.destination = address_of("2001:db8::2"),
			.source_ts = selector_of("10.1.0.0/16"),
			.destination_ts = selector_of("10.9.0.1")};
		break;
	case KEYING_UDP_PORT:
		m.udp_port = (struct keying_udp_port){htons(4500), 4};
		break;
	case KEYING_STATUS:
		m.status = (struct keying_status_text){KEYING_CONFLICT, "10.9.0.1 is carol's"};
		break;
	case KEYING_SPIS:
		m.spis = (struct keying_spis){1, {htonl(0xc0000001)}};
		break;
	case KEYING_EXPIRE:
		m.expire = (struct keying_expire){.sa = {1, htonl(256), KEYING_SA_INBOUND},
			.hard = 1,
			.destination = address_of("192.0.2.1"),
			.cause = "bytes"};
		break;
	case KEYING_MIGRATE:
		m.migrate.direction = KEYING_FORWARD;
		break;
	default:
		break;
	}
	return m;
}

static void refused(const uint8_t *octets, size_t length, const char *expected)
{
	static struct keying_message m;
	static const struct keying_message none;
	const char *reason = NULL;

	memset(&m, 0xff, sizeof(m));
	assert_int_equal(keying_decode(octets, length, &m, &reason), KEYING_MALFORMED);
	assert_string_equal(reason, expected);
	assert_memory_equal((const char *)&m + sizeof(m.header), &none.header + 1,
		sizeof(m) - sizeof(m.header));
}

static void every_type_reads_back(void **state)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct keying_message m = example(sizes[i].type), read;
		uint8_t octets[KEYING_MESSAGE_MAX];
		const char *reason;
		size_t length = keying_encode(&m, octets);
		if (length != sizes[i].size)
			fail_msg("%s: %zu octets", keying_type_name(sizes[i].type), length);
		assert_int_equal(keying_decode(octets, length, &read, &reason), KEYING_OK);
		assert_null(reason);
		m.header.version = KEYING_VERSION;
		m.header.length = (uint32_t)length;
		assert_memory_equal(&read, &m, sizeof(m));
		assert_string_not_equal(keying_type_name(sizes[i].type), "unknown");
	}
}

static void octets_are_as_documented(void **state)
{
	static const uint8_t start[] = {0, KEYING_VERSION, 0, 4, 0, 0, 1, 0xe8, 0x11, 0x22, 0x33,
		0x44, 0x55, 0x66, 0x77, 0x88, 1, 2, 3, 4, 5, 6, 7, 8, 0xc0, 0xff, 0xee, 0x01, 0, 0,
		0, 7, 0, 0, 0, 0x11, 0, 2, 0, 20, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0};
	static const uint8_t peer[] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 9, 0x9c, 0x41, 0, 0};
	struct keying_message m = example(KEYING_ADD_SA);
	uint8_t octets[KEYING_MESSAGE_MAX];

	assert_int_equal(keying_encode(&m, octets), 0x1e8);
	assert_memory_equal(octets, start, sizeof(start));
	assert_memory_equal(octets + sizeof(start), peer, sizeof(peer));
}

static void every_other_length_is_refused(void **state)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct keying_message m = example(sizes[i].type);
		uint8_t octets[KEYING_MESSAGE_MAX + 1] = {0};
		size_t length = keying_encode(&m, octets);
		for (size_t shorter = 0; shorter < length; shorter++) {
			refused(octets, shorter,
				shorter < KEYING_HEADER_SIZE ? "is shorter than a header"
							     : "is not as long as it says");
			if (shorter < KEYING_HEADER_SIZE)
				continue;
			uint32_t claimed = htonl((uint32_t)shorter);
			memcpy(octets + 4, &claimed, sizeof(claimed));
			refused(octets, shorter, "is shorter than its type");
			claimed = htonl((uint32_t)length);
			memcpy(octets + 4, &claimed, sizeof(claimed));
		}
		uint32_t claimed = htonl((uint32_t)length + 1);
		memcpy(octets + 4, &claimed, sizeof(claimed));
		refused(octets, length + 1, "is longer than its type");
	}
}

static void bad_fields_are_refused(void **state)
{
	static const struct {
		uint16_t type;
		uint16_t offset;
		uint8_t value;
		const char *reason;
	} rows[] = {
		{KEYING_HELLO, 16, 0, "has another magic number"},
		{KEYING_HELLO, 20, 1, "has reserved octets that are not zero"},
		{KEYING_HELLO, 31, 0, "has instance 0"},
		{KEYING_HELLO, 33, 7, "has a text with control characters"},
		{KEYING_HELLO, 95, 'x', "has a text with control characters"},
		{KEYING_LEASE_SPIS, 18, 0, "has a count out of range"},
		{KEYING_LEASE_SPIS, 18, 2, "has a count out of range"},
		{KEYING_ADD_SA, 34, 8, "has unknown flags"},
		{KEYING_ADD_SA, 37, 0, "has an unknown mode"},
		{KEYING_ADD_SA, 37, 3, "has an unknown mode"},
		{KEYING_ADD_SA, 43, 65, "has too long a key"},
		{KEYING_ADD_SA, 44, 1, "has too long a key"},
		{KEYING_ADD_SA, 46, 1, "has reserved octets that are not zero"},
		{KEYING_ADD_SA, 74, 1, "has reserved octets that are not zero"},
		{KEYING_ADD_SA, 401, 17, "has a count out of range"},
		{KEYING_ADD_SA, 401, 0, "has a count out of range"},
		{KEYING_ADD_SA, 403, 0, "has a count out of range"},
		{KEYING_ADD_SA, 403, 2, "is shorter than its type"},
		{KEYING_ADD_SA, 405, 17, "has a count out of range"},
		{KEYING_ADD_SA, 405, 1, "is shorter than its type"},
		{KEYING_UPDATE_SA, 31, 2, "has unknown flags"},
		{KEYING_UPDATE_SA, 35, 1, "has unknown flags"},
		{KEYING_ADD_POLICY, 33, 3, "has an unknown direction"},
		{KEYING_ADD_POLICY, 35, 0, "has an unknown action"},
		{KEYING_ADD_POLICY, 35, 4, "has an unknown action"},
		{KEYING_DEL_POLICY, 37, 4, "has an unknown priority"},
		{KEYING_DEL_POLICY, 39, 3, "has an unknown mode"},
		{KEYING_UDP_PORT, 19, 5, "has an unknown family"},
		{KEYING_WELCOME, 39, 2, "has a flag that is neither 0 nor 1"},
		{KEYING_STATUS, 19, KEYING_STATUS_COUNT, "has an unknown status"},
		{KEYING_SPIS, 17, 0, "has a count out of range"},
		{KEYING_SPIS, 17, 2, "is shorter than its type"},
		{KEYING_EXPIRE, 35, 2, "has a flag that is neither 0 nor 1"},
		{KEYING_MIGRATE, 21, 3, "has an unknown direction"},
		{KEYING_REPLAY_END, 3, 0, "has an unknown type"},
		{KEYING_REPLAY_END, 3, 16, "has an unknown type"},
		{KEYING_REPLAY_END, 2, 1, "has an unknown type"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct keying_message m = example(rows[i].type);
		uint8_t octets[KEYING_MESSAGE_MAX];
		size_t length = keying_encode(&m, octets);
		octets[rows[i].offset] = rows[i].value;
		refused(octets, length, rows[i].reason);
	}
}

static void texts_end(void **state)
{
	struct keying_message m = example(KEYING_STATUS);
	uint8_t octets[KEYING_MESSAGE_MAX];
	size_t length = keying_encode(&m, octets);

	memset(octets + 20, 'x', KEYING_TEXT_SIZE);
	refused(octets, length, "has a text without an end");
}

static void other_versions_are_told_apart(void **state)
{
	struct keying_message m = example(KEYING_HELLO), read;
	uint8_t octets[KEYING_MESSAGE_MAX];
	size_t length = keying_encode(&m, octets);
	const char *reason;

	octets[1] = KEYING_VERSION + 1;
	assert_int_equal(keying_decode(octets, length, &read, &reason), KEYING_WRONG_VERSION);
	assert_string_equal(reason, "has another version of the protocol");
	assert_int_equal(read.header.version, KEYING_VERSION + 1);
	assert_int_equal(read.header.id, m.header.id);
}

static void the_longest_fits(void **state)
{
	struct keying_message m = example(KEYING_ADD_SA), read;
	uint8_t octets[KEYING_MESSAGE_MAX];
	const char *reason;

	m.add_sa.source_ts.count = m.add_sa.destination_ts.count = KEYING_SELECTORS_MAX;
	for (unsigned i = 1; i < KEYING_SELECTORS_MAX; i++) {
		m.add_sa.source_ts.of[i] = selector_of("2001:db8::/32[udp/opaque]");
		m.add_sa.destination_ts.of[i] = selector_of("any6[mh/5]");
	}
	m.add_sa.peer_address_count = KEYING_ADDRESSES_MAX;
	m.add_sa.peer_addresses[KEYING_ADDRESSES_MAX - 1] = address_of("203.0.113.5");
	size_t length = keying_encode(&m, octets);
	assert_int_equal(length, 16 + 392 + 32 * 40 + 16 * 16);
	assert_int_equal(keying_decode(octets, length, &read, &reason), KEYING_OK);
	assert_memory_equal(&read.add_sa, &m.add_sa, sizeof(m.add_sa));
}

/* The encoder refuses what the decoder would, and leaves no key behind. */
static void bad_messages_are_not_written(void **state)
{
	static const uint8_t none[KEYING_MESSAGE_MAX];
	struct keying_message m = example(KEYING_ADD_SA);
	uint8_t octets[KEYING_MESSAGE_MAX];

	m.add_sa.destination_ts.count = KEYING_SELECTORS_MAX + 1;
	assert_int_equal(keying_encode(&m, octets), 0);
	assert_memory_equal(octets, none, sizeof(none));
	m.header.type = KEYING_WELCOME - 1;
	assert_int_equal(keying_encode(&m, octets), 0);
}

static void statuses_have_names(void **state)
{
	for (uint32_t i = 0; i < KEYING_STATUS_COUNT; i++) {
		assert_non_null(keying_status_name(i));
		for (uint32_t k = 0; k < i; k++)
			assert_string_not_equal(keying_status_name(i), keying_status_name(k));
	}
	assert_string_equal(keying_status_name(KEYING_STATUS_COUNT), "unknown");
	assert_string_equal(keying_type_name(0), "unknown");
	assert_string_equal(keying_type_name(KEYING_MIGRATE + 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_reads_back),
		cmocka_unit_test(octets_are_as_documented),
		cmocka_unit_test(every_other_length_is_refused),
		cmocka_unit_test(bad_fields_are_refused),
		cmocka_unit_test(texts_end),
		cmocka_unit_test(other_versions_are_told_apart),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(bad_messages_are_not_written),
		cmocka_unit_test(statuses_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
