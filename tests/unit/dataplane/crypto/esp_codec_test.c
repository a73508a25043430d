/* ESP without cryptography: lengths, MTU, padding, trailer, inner header. */
#include "dataplane/crypto/esp_codec.h"

#include "lib/wire/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The packet length, counted by adding octets one after another as RFC 4303 2 draws them. */
static uint32_t slow_length(const struct suite *suite, uint32_t payload)
{
	uint32_t encrypted = payload;

	do
		encrypted++;
	while ((encrypted + 1) % suite->alignment != 0 || encrypted < payload + 1);
	return 4 + 4 + suite->iv_length + encrypted + 1 + suite->icv_length;
}

/* // ESP-FMT-04: every payload to a jumbo frame's, every transform. */
static void test_lengths(void **state)
{
	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		const struct suite *suite = suite_at(i);
		for (uint32_t payload = 0; payload <= 9200; payload++) {
			uint32_t padding = esp_codec_padding(suite, payload);
			assert_true(padding < suite->alignment);
			assert_int_equal((payload + padding + 2) % suite->alignment, 0);
			assert_int_equal((payload + padding + 2) % 4, 0);
			assert_int_equal(esp_codec_packet_length(suite, payload),
				slow_length(suite, payload));
			assert_int_equal(esp_codec_text_length(suite, payload),
				payload + padding + ESP_TRAILER_LENGTH);
		}
	}
}

/* // MTU-01: for all transforms, families, encapsulations and paths the largest payload that fits,
 * found by trying. */
static void test_inner_mtu(void **state)
{
	static const uint32_t outers[] = {20, 28, 40, 48};

	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		const struct suite *suite = suite_at(i);
		for (unsigned j = 0; j < 4; j++) {
			uint32_t fits = 0;
			for (uint32_t path = 0; path <= 9216; path++) {
				while (outers[j] + slow_length(suite, fits + 1) <= path)
					fits++;
				assert_int_equal(esp_codec_inner_mtu(suite, path, outers[j]), fits);
			}
			assert_true(fits > 9000);
		}
	}
}

/* The table of the requirements for a path of 1500: v4, v4 and UDP, v6, v6 and UDP. // MTU-01 */
static void test_inner_mtu_table(void **state)
{
	static const struct {
		uint8_t encryption, encryption_key, integrity, integrity_key;
		uint16_t mtu[4];
	} rows[] = {
		{SA_ENCRYPTION_AES_GCM_16, 20, 0, 0, {1446, 1438, 1426, 1418}},
		{SA_ENCRYPTION_CHACHA20_POLY1305, 36, 0, 0, {1446, 1438, 1426, 1418}},
		{SA_ENCRYPTION_NULL_AES_GMAC, 36, 0, 0, {1446, 1438, 1426, 1418}},
		{SA_ENCRYPTION_AES_CCM_16, 19, 0, 0, {1446, 1438, 1426, 1418}},
		{SA_ENCRYPTION_AES_CTR, 20, SA_INTEGRITY_HMAC_SHA2_256_128, 32,
			{1446, 1438, 1426, 1418}},
		{SA_ENCRYPTION_AES_GCM_16_IIV, 20, 0, 0, {1454, 1446, 1434, 1426}},
		{SA_ENCRYPTION_CHACHA20_POLY1305_IIV, 36, 0, 0, {1454, 1446, 1434, 1426}},
		{SA_ENCRYPTION_NULL, 0, SA_INTEGRITY_HMAC_SHA2_256_128, 32,
			{1454, 1446, 1434, 1426}},
		{SA_ENCRYPTION_AES_GCM_12, 20, 0, 0, {1450, 1442, 1430, 1422}},
		{SA_ENCRYPTION_AES_GCM_8, 20, 0, 0, {1454, 1446, 1434, 1426}},
		{SA_ENCRYPTION_AES_CCM_8, 19, 0, 0, {1454, 1446, 1434, 1426}},
		{SA_ENCRYPTION_AES_CBC, 16, SA_INTEGRITY_HMAC_SHA1_96, 20,
			{1438, 1422, 1422, 1406}},
		{SA_ENCRYPTION_AES_CBC, 16, SA_INTEGRITY_HMAC_SHA2_256_128, 32,
			{1438, 1422, 1406, 1406}},
		{SA_ENCRYPTION_AES_CBC, 32, SA_INTEGRITY_HMAC_SHA2_512_256, 64,
			{1422, 1406, 1390, 1390}},
	};
	static const uint32_t outers[] = {20, 28, 40, 48};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct suite *suite = suite_find(rows[i].encryption, rows[i].integrity,
			rows[i].encryption_key, rows[i].integrity_key, NULL);
		assert_non_null(suite);
		for (unsigned j = 0; j < 4; j++)
			assert_int_equal(
				esp_codec_inner_mtu(suite, 1500, outers[j]), rows[i].mtu[j]);
	}
}

/* // ESP-FMT-02 */
static void test_header(void **state)
{
	static const uint8_t expected[8] = {0xc0, 0xa8, 0x00, 0x01, 0xfe, 0xdc, 0xba, 0x98};
	uint8_t esp[8];

	(void)state;
	esp_codec_header_write(esp, 0xc0a80001, 0x01234567fedcba98);
	assert_memory_equal(esp, expected, 8);
	assert_int_equal(esp_codec_spi(esp), 0xc0a80001);
	assert_int_equal(esp_codec_sequence_low(esp), 0xfedcba98);
}

/* Written and read again for every padding, at the exact end of its memory. // ESP-FMT-05
 * // ESP-FMT-06 // ESP-FMT-07 // ESP-FMT-08 */
static void test_trailer(void **state)
{
	(void)state;
	for (uint32_t padding = 0; padding <= 255; padding++) {
		uint32_t length = 3 + padding + 2, payload;
		uint8_t *text = malloc(length), next_header;

		memset(text, 0xaa, length);
		assert_int_equal(esp_codec_trailer_write(text + 3, padding, 41), padding + 2);
		for (uint32_t i = 0; i < padding; i++)
			assert_int_equal(text[3 + i], i + 1);
		assert_int_equal(text[length - 2], padding);
		assert_int_equal(text[length - 1], 41);
		assert_int_equal(
			esp_codec_trailer_read(text, length, length, &payload, &next_header),
			ESP_ACCEPT);
		assert_int_equal(payload, 3);
		assert_int_equal(next_header, 41);
		/* the tail alone is enough, whatever the length before it */
		assert_int_equal(esp_codec_trailer_read(text + 3, length - 3, length + 1000,
					 &payload, &next_header),
			ESP_ACCEPT);
		assert_int_equal(payload, 1003);
		/* each octet of the padding counts */
		for (uint32_t i = 0; i < padding; i++) {
			text[3 + i] ^= 0x80;
			assert_int_equal(esp_codec_trailer_read(
						 text, length, length, &payload, &next_header),
				ESP_BAD_PAD);
			text[3 + i] ^= 0x80;
		}
		/* padding that would begin before the text */
		assert_int_equal(esp_codec_trailer_read(text + 4, length - 4 ? length - 4 : 1,
					 length - 4 ? length - 4 : 1, &payload, &next_header),
			ESP_BAD_PAD);
		free(text);
	}
}

static void test_trailer_short(void **state)
{
	uint8_t text[4] = {0, 0, 3, 4}, next_header;
	uint32_t payload;

	(void)state;
	assert_int_equal(esp_codec_trailer_read(text, 4, 4, &payload, &next_header), ESP_BAD_PAD);
	assert_int_equal(esp_codec_trailer_read(text, 1, 1, &payload, &next_header), ESP_BAD_PAD);
	assert_int_equal(esp_codec_trailer_read(text, 0, 0, &payload, &next_header), ESP_BAD_PAD);
	text[2] = 0;
	assert_int_equal(esp_codec_trailer_read(text, 4, 4, &payload, &next_header), ESP_ACCEPT);
	assert_int_equal(payload, 2);
}

/* // ESP-FMT-17: every length, every transform, against the formula read aloud. */
static void test_check_length(void **state)
{
	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		const struct suite *suite = suite_at(i);
		int fixed = 8 + suite->iv_length + suite->icv_length;
		for (int length = 0; length <= 9200; length++) {
			enum esp_verdict expected = ESP_ACCEPT;
			if (length < fixed + suite->alignment)
				expected = ESP_TOO_SHORT;
			else if ((length - fixed) % suite->alignment)
				expected = ESP_BAD_LENGTH;
			assert_int_equal(esp_codec_check_length(suite, (uint32_t)length), expected);
		}
	}
}

/* // ESP-FMT-15 */
static void test_tfc(void **state)
{
	(void)state;
	assert_int_equal(esp_codec_tfc_padding(100, 0, 1446), 0);
	assert_int_equal(esp_codec_tfc_padding(100, 99, 1446), 0);
	assert_int_equal(esp_codec_tfc_padding(100, 100, 1446), 0);
	assert_int_equal(esp_codec_tfc_padding(100, 128, 1446), 28);
	assert_int_equal(esp_codec_tfc_padding(100, 1500, 1446), 1346);
	assert_int_equal(esp_codec_tfc_padding(100, UINT32_MAX, 1446), 1346);
	assert_int_equal(esp_codec_tfc_padding(1446, UINT32_MAX, 1446), 0);
	assert_int_equal(esp_codec_tfc_padding(1500, UINT32_MAX, 1446), 0);
}

static void make_ipv4(uint8_t *packet, uint8_t first, uint16_t total)
{
	uint32_t header = (first & 15u) * 4;
	be16 sum;

	memset(packet, 0, 60);
	packet[0] = first;
	packet[2] = (uint8_t)(total >> 8);
	packet[3] = (uint8_t)total;
	packet[8] = 64;
	packet[12] = 10;
	packet[16] = 10;
	sum = checksum(packet, header);
	memcpy(packet + 10, &sum, 2);
}

/* // ESP-FMT-10 // ESP-FMT-13 // ESP-FMT-14 // BAD-15 // BAD-17 */
static void test_inner_ipv4(void **state)
{
	uint8_t packet[64];
	uint32_t length = 0;

	(void)state;
	make_ipv4(packet, 0x45, 30);
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 4, &length), ESP_ACCEPT);
	assert_int_equal(length, 30); /* the rest is TFC padding */
	assert_int_equal(esp_codec_inner_check(packet, 30, 30, 4, &length), ESP_ACCEPT);
	assert_int_equal(esp_codec_inner_check(packet, 29, 29, 4, &length), ESP_INNER_MALFORMED);
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 41, &length), ESP_INNER_MALFORMED);
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 17, &length), ESP_BAD_NEXT_HEADER);
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 0, &length), ESP_BAD_NEXT_HEADER);
	packet[10] ^= 1;
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 4, &length), ESP_INNER_MALFORMED);
	make_ipv4(packet, 0x44, 40);
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 4, &length), ESP_INNER_MALFORMED);
	make_ipv4(packet, 0x46, 23);
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 4, &length), ESP_INNER_MALFORMED);
	make_ipv4(packet, 0x4f, 60);
	assert_int_equal(esp_codec_inner_check(packet, 60, 60, 4, &length), ESP_ACCEPT);
	assert_int_equal(length, 60);
	assert_int_equal(esp_codec_inner_check(packet, 59, 60, 4, &length), ESP_INNER_MALFORMED);
	assert_int_equal(esp_codec_inner_check(packet, 0, 0, 4, &length), ESP_INNER_MALFORMED);
	make_ipv4(packet, 0x55, 40);
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 4, &length), ESP_INNER_MALFORMED);
}

/* Headers with any content and the right sum pass, with any one bit changed they do not; with and
 * without options. // BAD-17 */
static void test_inner_ipv4_sums(void **state)
{
	uint8_t packet[64];
	uint32_t length = 0;

	(void)state;
	srandom(1);
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t first = (uint8_t)(0x45 + i % 11);
		uint32_t header = (first & 15u) * 4;
		be16 sum;
		make_ipv4(packet, first, (uint16_t)(header + i));
		for (uint32_t at = 4; at < header; at++)
			packet[at] = i % 5 ? (uint8_t)random() : 0xff;
		memset(packet + 10, 0, 2);
		sum = checksum(packet, header);
		memcpy(packet + 10, &sum, 2);
		assert_int_equal(esp_codec_inner_check(packet, 60, 9000, 4, &length), ESP_ACCEPT);
		assert_int_equal(length, header + i);
		for (uint32_t bit = 0; bit < header * 8; bit++) {
			packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(esp_codec_inner_check(packet, 60, 9000, 4, &length),
				ESP_INNER_MALFORMED);
			packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void test_inner_ipv6(void **state)
{
	uint8_t packet[64] = {0x60, 0, 0, 0, 0, 10, 17};
	uint32_t length = 0;

	(void)state;
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 41, &length), ESP_ACCEPT);
	assert_int_equal(length, 50);
	assert_int_equal(esp_codec_inner_check(packet, 50, 50, 41, &length), ESP_ACCEPT);
	assert_int_equal(esp_codec_inner_check(packet, 49, 49, 41, &length), ESP_INNER_MALFORMED);
	assert_int_equal(esp_codec_inner_check(packet, 39, 39, 41, &length), ESP_INNER_MALFORMED);
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 4, &length), ESP_INNER_MALFORMED);
	packet[5] = 0; /* no next header */
	packet[6] = 59;
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 41, &length), ESP_ACCEPT);
	assert_int_equal(length, 40);
	packet[6] = 0; /* jumbo payload */
	assert_int_equal(esp_codec_inner_check(packet, 60, 1000, 41, &length), ESP_INNER_MALFORMED);
}

/* A dummy's payload is not looked at, nor is there any need of one. // ESP-FMT-11 // BAD-16 */
static void test_dummy(void **state)
{
	uint32_t length = 0;
	uint8_t none = 0;

	(void)state;
	assert_int_equal(esp_codec_inner_check(&none, 0, 0, 59, &length), ESP_DUMMY);
	assert_int_equal(esp_codec_inner_check(&none, 1, 1400, 59, &length), ESP_DUMMY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_inner_mtu),
		cmocka_unit_test(test_inner_mtu_table),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_trailer),
		cmocka_unit_test(test_trailer_short),
		cmocka_unit_test(test_check_length),
		cmocka_unit_test(test_tfc),
		cmocka_unit_test(test_inner_ipv4),
		cmocka_unit_test(test_inner_ipv4_sums),
		cmocka_unit_test(test_inner_ipv6),
		cmocka_unit_test(test_dummy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
