#include "pktgen/mobile_node/authenticator.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void check(enum authenticator_algorithm algorithm, const char *key_hex, const char *data,
	const char *expected_hex)
{
	struct secret key, expected;
	uint8_t out[AUTHENTICATOR_SIZE_MAX];

	assert_int_equal(secret_from_hex(key_hex, &key), 0);
	assert_int_equal(secret_from_hex(expected_hex, &expected), 0);
	assert_int_equal(authenticator_size(algorithm), expected.length);
	assert_true(authenticator_compute(algorithm, &key, data, strlen(data), out));
	assert_memory_equal(out, expected.bytes, expected.length);
}

// HA4-AUTH-06, HA4-AUTH-08: RFC 2202 2 and 3 case 2, RFC 4231 4.3
static void published_vectors(void **state)
{
	check(AUTHENTICATOR_HMAC_MD5, "4a656665", "what do ya want for nothing?",
		"750c783e6ab0b503eaa86e310a5db738");
	check(AUTHENTICATOR_HMAC_SHA1, "4a656665", "what do ya want for nothing?",
		"effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	check(AUTHENTICATOR_HMAC_SHA256, "4a656665", "what do ya want for nothing?",
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

// HA4-AUTH-07: MD5(key, data, key); with key "a" and data "bc" that is MD5("abca"), by md5sum
static void keyed_md5_puts_the_key_on_both_sides(void **state)
{
	check(AUTHENTICATOR_KEYED_MD5, "61", "bc", "95dd4c8065d82b2ac5a3a6ede5956f7c");
}

static void only_the_listed_names(void **state)
{
	enum authenticator_algorithm algorithm;

	assert_int_equal(authenticator_algorithm_parse("keyed-md5", &algorithm), 0);
	assert_int_equal(algorithm, AUTHENTICATOR_KEYED_MD5);
	assert_int_equal(authenticator_algorithm_parse("md5", &algorithm), -EINVAL);
	assert_int_equal(authenticator_algorithm_parse("", &algorithm), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(keyed_md5_puts_the_key_on_both_sides),
		cmocka_unit_test(only_the_listed_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
