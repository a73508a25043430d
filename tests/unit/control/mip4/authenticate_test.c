/* Known answers, computed with Python's hmac and hashlib (HA4-AUTH-06, -07, -08, -09). */
#include "control/mip4/authenticate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void known_answers(void **state)
{
	static const char data[] = "what do ya want for nothing?";
	static const struct {
		enum config_algorithm algorithm;
		const char *want;
		size_t size;
	} rows[] = {
		{ALGORITHM_HMAC_MD5,
			"\xd9\xd0\x66\x55\xc0\xc7\x0e\xf8\xa2\x68\x93\xf4\xce\x45\x6d\xd4", 16},
		{ALGORITHM_KEYED_MD5,
			"\x97\x01\xba\x58\x36\xaa\x8b\x8c\x72\xff\x27\x66\x0a\x5f\x55\x77", 16},
		{ALGORITHM_HMAC_SHA1,
			"\x16\x81\x5d\x63\x97\x36\x6b\x9f\x24\x07\x8e\x02\xd6\x87\x86\x73\x30\xe8"
			"\x1e\x13",
			20},
		{ALGORITHM_HMAC_SHA256,
			"\x14\xf6\xdf\x63\x63\xd2\x7a\x7d\x34\xab\x76\x15\xaa\xa6\xeb\x0f\x15\x91"
			"\x42\xe0\x80\x1f\xf9\x22\xd8\x38\x6f\x42\xd7\x42\xb4\x27",
			32},
	};
	struct authenticator *a;

	(void)state;
	assert_int_equal(authenticate_new(&a), 0);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_security context = {.spi = 256, .algorithm = rows[i].algorithm};
		uint8_t out[AUTHENTICATOR_SIZE_MAX];
		const uint8_t *want = (const uint8_t *)rows[i].want;

		secret_from_hex("0123456789abcdeffedcba9876543210", &context.key);
		assert_int_equal(authenticate_size(rows[i].algorithm), rows[i].size);
		assert_true(authenticate_make(a, &context, data, sizeof(data) - 1, out));
		assert_memory_equal(out, want, rows[i].size);
		assert_true(authenticate_check(
			a, &context, data, sizeof(data) - 1, want, rows[i].size));
		for (size_t shorter = 0; shorter < rows[i].size; shorter++)
			assert_false(authenticate_check(
				a, &context, data, sizeof(data) - 1, want, shorter));
		out[rows[i].size - 1] ^= 1;
		assert_false(
			authenticate_check(a, &context, data, sizeof(data) - 1, out, rows[i].size));
	}
	authenticate_free(a);
}

// HA4-AUTH-02, HA4-AUTH-23
static void found_by_spi_and_time(void **state)
{
	static const struct config_security contexts[] = {
		{.spi = 255}, {.spi = 256, .not_before = 100, .not_after = 200}, {.spi = 257}};

	assert_null(authenticate_find(contexts, 3, 255, 150 * CLOCK_NS_PER_S));
	assert_ptr_equal(
		authenticate_find_any(contexts, 3, 255, 150 * CLOCK_NS_PER_S), &contexts[0]);
	assert_null(authenticate_find(contexts, 3, 256, 100 * CLOCK_NS_PER_S - 1));
	assert_ptr_equal(authenticate_find(contexts, 3, 256, 100 * CLOCK_NS_PER_S), &contexts[1]);
	assert_ptr_equal(
		authenticate_find(contexts, 3, 256, 200 * CLOCK_NS_PER_S - 1), &contexts[1]);
	assert_null(authenticate_find(contexts, 3, 256, 200 * CLOCK_NS_PER_S));
	assert_ptr_equal(authenticate_default(contexts, 3, 150 * CLOCK_NS_PER_S), &contexts[1]);
	assert_ptr_equal(authenticate_default(contexts, 3, 200 * CLOCK_NS_PER_S), &contexts[2]);
	assert_null(authenticate_default(contexts, 1, 150 * CLOCK_NS_PER_S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(found_by_spi_and_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
