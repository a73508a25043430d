/* The table of algorithms: what is offered, what is refused and why. */
#include "dataplane/crypto/suite.h"

#include "lib/base/esp_algorithm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum suite_error error_of(
	unsigned encryption, unsigned integrity, unsigned encryption_key, unsigned integrity_key)
{
	enum suite_error error = SUITE_FOUND;
	const struct suite *suite =
		suite_find(encryption, integrity, encryption_key, integrity_key, &error);

	assert_int_equal(suite == NULL, error != SUITE_FOUND);
	assert_ptr_equal(
		suite, suite_find(encryption, integrity, encryption_key, integrity_key, NULL));
	return error;
}

/* What the requirement's table says: IV, salt, ICV, alignment, key octets. // ESP-ALG-01..06
 * // ESP-FMT-04 */
static void test_rows(void **state)
{
	static const struct {
		uint8_t encryption, integrity, encryption_key, integrity_key, iv, salt, icv, align;
	} rows[] = {
		{SA_ENCRYPTION_AES_GCM_16, 0, 20, 0, 8, 4, 16, 4},
		{SA_ENCRYPTION_AES_GCM_16, 0, 28, 0, 8, 4, 16, 4},
		{SA_ENCRYPTION_AES_GCM_16, 0, 36, 0, 8, 4, 16, 4},
		{SA_ENCRYPTION_AES_GCM_12, 0, 20, 0, 8, 4, 12, 4},
		{SA_ENCRYPTION_AES_GCM_8, 0, 36, 0, 8, 4, 8, 4},
		{SA_ENCRYPTION_NULL_AES_GMAC, 0, 28, 0, 8, 4, 16, 4},
		{SA_ENCRYPTION_AES_CCM_16, 0, 19, 0, 8, 3, 16, 4},
		{SA_ENCRYPTION_AES_CCM_12, 0, 35, 0, 8, 3, 12, 4},
		{SA_ENCRYPTION_AES_CCM_8, 0, 19, 0, 8, 3, 8, 4},
		{SA_ENCRYPTION_CHACHA20_POLY1305, 0, 36, 0, 8, 4, 16, 4},
		{SA_ENCRYPTION_AES_CCM_8_IIV, 0, 19, 0, 0, 3, 8, 4},
		{SA_ENCRYPTION_AES_GCM_16_IIV, 0, 36, 0, 0, 4, 16, 4},
		{SA_ENCRYPTION_CHACHA20_POLY1305_IIV, 0, 36, 0, 0, 4, 16, 4},
		{SA_ENCRYPTION_AES_CBC, SA_INTEGRITY_HMAC_SHA1_96, 16, 20, 16, 0, 12, 16},
		{SA_ENCRYPTION_AES_CBC, SA_INTEGRITY_HMAC_SHA2_256_128, 32, 32, 16, 0, 16, 16},
		{SA_ENCRYPTION_AES_CBC, SA_INTEGRITY_HMAC_SHA2_384_192, 24, 48, 16, 0, 24, 16},
		{SA_ENCRYPTION_AES_CBC, SA_INTEGRITY_HMAC_SHA2_512_256, 32, 64, 16, 0, 32, 16},
		{SA_ENCRYPTION_AES_CBC, SA_INTEGRITY_AES_XCBC_96, 16, 16, 16, 0, 12, 16},
		{SA_ENCRYPTION_AES_CTR, SA_INTEGRITY_HMAC_SHA2_256_128, 20, 32, 8, 4, 16, 4},
		{SA_ENCRYPTION_AES_CTR, SA_INTEGRITY_AES_CMAC_96, 36, 16, 8, 4, 12, 4},
		{SA_ENCRYPTION_NULL, SA_INTEGRITY_HMAC_SHA2_256_128, 0, 32, 0, 0, 16, 4},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct suite *suite = suite_find(rows[i].encryption, rows[i].integrity,
			rows[i].encryption_key, rows[i].integrity_key, NULL);
		assert_non_null(suite);
		assert_int_equal(suite->iv_length, rows[i].iv);
		assert_int_equal(suite->salt_length, rows[i].salt);
		assert_int_equal(suite->icv_length, rows[i].icv);
		assert_int_equal(suite->alignment, rows[i].align);
		assert_int_equal(suite->cipher_key_length, rows[i].encryption_key - rows[i].salt);
	}
}

/* Every row is found by its own values, once, and says what it is. // ESP-ALG-23 */
static void test_all_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		const struct suite *suite = suite_at(i);
		assert_ptr_equal(
			suite_find(suite->encryption, suite->integrity,
				suite->encryption_key_length, suite->integrity_key_length, NULL),
			suite);
		assert_int_equal(suite->encryption_key_length,
			suite->cipher_key_length + suite->salt_length);
		assert_int_equal(!!(suite->flags & SUITE_AEAD), suite->integrity == 0);
		assert_int_equal(!!(suite->flags & SUITE_COUNTER),
			suite->encryption != SA_ENCRYPTION_AES_CBC &&
				suite->encryption != SA_ENCRYPTION_NULL);
		assert_int_equal(!!(suite->flags & SUITE_IMPLICIT_IV),
			suite->encryption >= SA_ENCRYPTION_AES_CCM_8_IIV);
		assert_true(suite->icv_length >= 8 && suite->icv_length <= 32);
		if (suite->flags & SUITE_AEAD)
			assert_true(suite->icv_length % 4 == 0 && suite->icv_length <= 16);
		assert_non_null(suite->encrypt);
		assert_non_null(suite->decrypt);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(suite_at(j)->name, suite->name);
	}
}

/* DES, 3DES, Blowfish, Camellia, HMAC-MD5 and what nobody has specified. // ESP-ALG-07 */
static void test_unknown(void **state)
{
	static const uint8_t known[] = {11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 28, 29, 30, 31};
	static const uint8_t hashes[] = {0, 2, 5, 8, 12, 13, 14};

	(void)state;
	for (unsigned id = 0; id < 300; id++)
		if (id > 255 || !memchr(known, (int)id, sizeof(known)))
			assert_int_equal(error_of(id, SA_INTEGRITY_HMAC_SHA2_256_128, 16, 32),
				SUITE_UNKNOWN_ENCRYPTION);
	for (unsigned id = 0; id < 300; id++)
		if (id > 255 || !memchr(hashes, (int)id, sizeof(hashes)))
			assert_int_equal(error_of(SA_ENCRYPTION_AES_CBC, id, 16, 16),
				SUITE_UNKNOWN_INTEGRITY);
}

/* // ESP-ALG-02 // ESP-ALG-03 // ESP-ALG-08 // ESP-ALG-09 */
static void test_combinations(void **state)
{
	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		const struct suite *suite = suite_at(i);
		if (suite->flags & SUITE_AEAD) {
			assert_int_equal(error_of(suite->encryption, SA_INTEGRITY_HMAC_SHA2_256_128,
						 suite->encryption_key_length, 32),
				SUITE_INTEGRITY_WITH_AEAD);
			assert_int_equal(error_of(suite->encryption, SA_INTEGRITY_NONE,
						 suite->encryption_key_length, 32),
				SUITE_INTEGRITY_KEY_LENGTH);
		} else {
			assert_int_equal(error_of(suite->encryption, SA_INTEGRITY_NONE,
						 suite->encryption_key_length, 0),
				SUITE_INTEGRITY_MISSING);
		}
	}
}

/* Every other length from 0 to 80 is refused, none is cut or filled. // ESP-ALG-10 */
static void test_key_lengths(void **state)
{
	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		const struct suite *suite = suite_at(i);
		for (unsigned length = 0; length <= 80; length++) {
			bool other = false;
			for (unsigned j = 0; j < suite_count(); j++)
				other |= suite_at(j)->encryption == suite->encryption &&
					 suite_at(j)->integrity == suite->integrity &&
					 suite_at(j)->encryption_key_length == length;
			assert_int_equal(error_of(suite->encryption, suite->integrity, length,
						 suite->integrity_key_length),
				other ? SUITE_FOUND : SUITE_ENCRYPTION_KEY_LENGTH);
			assert_int_equal(error_of(suite->encryption, suite->integrity,
						 suite->encryption_key_length, length),
				length == suite->integrity_key_length ? SUITE_FOUND
								      : SUITE_INTEGRITY_KEY_LENGTH);
		}
	}
}

/* Control's table of names and this one agree on ids, key lengths and what may not be keyed by
 * hand.
 * // ESP-ALG-10 // ESP-ALG-20 */
static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < suite_count(); i++) {
		const struct suite *suite = suite_at(i);
		char name[ESP_ALGORITHM_NAME_SIZE];
		struct esp_algorithm algorithm;
		const char *reason = NULL;

		assert_non_null(esp_algorithm_name(
			suite->encryption, suite->integrity, suite->encryption_key_length, name));
		assert_int_equal(esp_algorithm_parse(name, &algorithm, &reason), 0);
		assert_int_equal(algorithm.encryption, suite->encryption);
		assert_int_equal(algorithm.integrity, suite->integrity);
		assert_int_equal(algorithm.encryption_key, suite->encryption_key_length);
		assert_int_equal(algorithm.integrity_key, suite->integrity_key_length);
		assert_int_equal(algorithm.counter_mode, !!(suite->flags & SUITE_COUNTER));
	}
}

/* Every name that control takes is an algorithm here. // ESP-ALG-06 */
static void test_names_offered(void **state)
{
	(void)state;
	for (unsigned encryption = 0; encryption < 40; encryption++)
		for (unsigned integrity = 0; integrity < 20; integrity++)
			for (unsigned length = 0; length < 64; length++) {
				char name[ESP_ALGORITHM_NAME_SIZE];
				struct esp_algorithm algorithm;
				const char *reason;
				if (!esp_algorithm_name((uint16_t)encryption, (uint16_t)integrity,
					    (uint8_t)length, name) ||
					esp_algorithm_parse(name, &algorithm, &reason))
					continue;
				if (suite_find(encryption, integrity, length,
					    algorithm.integrity_key, NULL))
					continue;
				fail_msg("%s is not offered", name);
			}
}

static void test_texts(void **state)
{
	(void)state;
	for (unsigned error = SUITE_FOUND; error <= SUITE_NOT_OFFERED; error++) {
		assert_string_not_equal(suite_error_text(error), "?");
		for (unsigned other = SUITE_FOUND; other < error; other++)
			assert_string_not_equal(suite_error_text(error), suite_error_text(other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_all_rows),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_combinations),
		cmocka_unit_test(test_key_lengths),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_offered),
		cmocka_unit_test(test_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
