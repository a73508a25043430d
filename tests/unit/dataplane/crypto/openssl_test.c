/*
 * What the engine encrypts, OpenSSL reads, for every algorithm, with and without ESN and with
 * implicit IVs, and finds no other packet authentic. // ESP-ALG-01..06 // ESP-ALG-11..17
 * // ESP-ALG-21 // TV-03
 */
#include "tests/unit/dataplane/crypto/fixture.h"
#include "tests/unit/dataplane/crypto/openssl_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct fixture fixture;
static uint8_t text[FIXTURE_LONGEST + 64];

static void read_one(const struct fixture_key *key, uint32_t payload, uint64_t sequence, bool esn)
{
	const struct suite *suite = key->suite;
	struct openssl_association association = {suite->encryption, suite->integrity,
		key->encryption, key->integrity, suite->encryption_key_length, esn};
	struct fixture_packet packet =
		fixture_packet_make(key, payload, sequence, esn ? CRYPTO_ESN : 0);
	uint8_t *esp = packet.operation.esp;
	int length;

	crypto_engine_encrypt_burst(fixture.engine, &packet.operation, 1);
	assert_int_equal(packet.operation.status, CRYPTO_DONE);
	fixture_packet_check_guards(&packet);
	length = openssl_reader_open(&association, esp, packet.length, sequence, text);
	if (length != (int)packet.operation.length)
		fail_msg("%s, %u octets, esn %d: %d", suite->name, payload, esn, length);
	/* put the text where the helper looks at it */
	memcpy(esp + esp_codec_text_offset(suite), text, (size_t)length);
	assert_true(fixture_packet_is_plain(&packet, payload));
	fixture_packet_free(&packet);
}

static void test_sizes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		struct fixture_key key;
		fixture_key_make(&fixture, suite_at(i), i, &key);
		for (uint32_t payload = 1; payload <= 9200; payload += payload < 280 ? 1 : 211)
			read_one(&key, payload, 0x100000000ull * (payload % 3) + payload,
				payload % 2);
		for (uint32_t payload = 1400; payload < 1440; payload++)
			read_one(&key, payload, UINT32_MAX, false);
		crypto_key_wipe(&key.key);
	}
}

/* The edges of the number, read with the right high half and with a wrong one. // ESP-ALG-16 */
static void test_numbers(void **state)
{
	static const uint64_t numbers[] = {0, 1, UINT32_MAX, 0x100000000ull, 0x7fffffffffffffffull,
		0x8000000000000000ull, UINT64_MAX};

	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		const struct suite *suite = suite_at(i);
		struct fixture_key key;
		fixture_key_make(&fixture, suite, i, &key);
		struct openssl_association association = {suite->encryption, suite->integrity,
			key.encryption, key.integrity, suite->encryption_key_length, true};
		for (unsigned j = 0; j < sizeof(numbers) / sizeof(numbers[0]); j++) {
			read_one(&key, 84, numbers[j], true);
			struct fixture_packet packet =
				fixture_packet_make(&key, 84, numbers[j], CRYPTO_ESN);
			crypto_engine_encrypt_burst(fixture.engine, &packet.operation, 1);
			assert_int_equal(openssl_reader_open(&association, packet.operation.esp,
						 packet.length, numbers[j] ^ 1ull << 32, text),
				-1);
			fixture_packet_free(&packet);
		}
	}
}

/* Without ESN the high half of what the caller passes is of no matter. */
static void test_no_esn(void **state)
{
	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		struct fixture_key key;
		fixture_key_make(&fixture, suite_at(i), i, &key);
		read_one(&key, 100, 0xdeadbeef00000005ull, false);
	}
}

static int open_all(void **state)
{
	(void)state;
	fixture_open(&fixture);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	fixture_close(&fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_no_esn),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
