/* Names, transform ids and key lengths of req-ipsec's table, and what must not be combined. */
#include "lib/base/esp_algorithm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void names_have_ids_and_lengths(void **state)
{
	static const struct {
		const char *name;
		uint16_t encryption, integrity;
		uint8_t encryption_key, integrity_key;
		bool counter_mode;
	} cases[] = {
		{"aes128gcm16", 20, 0, 20, 0, true},
		{"aes256gcm8", 18, 0, 36, 0, true},
		{"aes192gmac", 21, 0, 28, 0, true},
		{"aes128ccm16", 16, 0, 19, 0, true},
		{"aes256ccm8", 14, 0, 35, 0, true},
		{"chacha20poly1305", 28, 0, 36, 0, true},
		{"chacha20poly1305iiv", 31, 0, 36, 0, true},
		{"aes128gcm16iiv", 30, 0, 20, 0, true},
		{"aes256-sha256", 12, 12, 32, 32, false},
		{"aes128-sha1", 12, 2, 16, 20, false},
		{"aes192ctr-sha384", 13, 13, 28, 48, true},
		{"null-sha512", 11, 14, 0, 64, false},
		{"aes128-aescmac", 12, 8, 16, 16, false},
		{"aes128-aesxcbc", 12, 5, 16, 16, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct esp_algorithm a;
		const char *reason = NULL;
		char name[ESP_ALGORITHM_NAME_SIZE];
		assert_int_equal(esp_algorithm_parse(cases[i].name, &a, &reason), 0);
		assert_int_equal(a.encryption, cases[i].encryption);
		assert_int_equal(a.integrity, cases[i].integrity);
		assert_int_equal(a.encryption_key, cases[i].encryption_key); // ESP-ALG-10
		assert_int_equal(a.integrity_key, cases[i].integrity_key);
		assert_int_equal(a.counter_mode, cases[i].counter_mode);
		assert_string_equal(
			esp_algorithm_name(a.encryption, a.integrity, a.encryption_key, name),
			cases[i].name);
	}
}

static void bad_combinations_say_why(void **state)
{
	static const struct {
		const char *name, *reason;
	} cases[] = {
		{"aes128gcm16-sha256",
			"authenticates by itself: no integrity beside it"}, // ESP-ALG-09
		{"aes128", "needs integrity, as \"-sha256\""},              // ESP-ALG-08
		{"null", "needs integrity, as \"-sha256\""},
		{"aes128ctr", "needs integrity, as \"-sha256\""},
		{"aes128-md5", "names an integrity that is not known"}, // ESP-ALG-07
		{"aes128-sha256-esn", "names an integrity that is not known"},
		{"3des-sha1", "is not known"},
		{"aes192ccm16",
			"is not known"}, // the library has none: refused before the dataplane
		{"", "is not known"},
		{"aes", "is not known"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct esp_algorithm a;
		const char *reason = NULL;
		assert_int_equal(esp_algorithm_parse(cases[i].name, &a, &reason), -EINVAL);
		assert_string_equal(reason, cases[i].reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_have_ids_and_lengths),
		cmocka_unit_test(bad_combinations_say_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
