#include "lib/base/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void prefix_contains_by_bits(void **state)
{
	struct ip_prefix p;
	struct ip_address inside, outside;

	assert_int_equal(ip_prefix_parse("10.1.128.0/17", &p), 0);
	assert_int_equal(p.length, 113);
	assert_int_equal(ip_address_parse("10.1.255.255", &inside), 0);
	assert_int_equal(ip_address_parse("10.1.127.255", &outside), 0);
	assert_true(ip_prefix_contains(&p, &inside));
	assert_false(ip_prefix_contains(&p, &outside));
}

static void prefix_with_host_bits_is_refused(void **state)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse("10.1.0.1/16", &p), -EINVAL);
	assert_int_equal(ip_prefix_parse("10.1.0.0/33", &p), -EINVAL);
	assert_int_equal(ip_prefix_parse("2001:db8::/129", &p), -EINVAL);
	assert_int_equal(ip_prefix_parse("10.1.0.0", &p), -EINVAL);
	assert_int_equal(ip_prefix_parse("2001:db8::/32", &p), 0);
}

static void text_survives_a_round_trip(void **state)
{
	static const char *const texts[] = {"0.0.0.0/0", "192.0.2.1/32", "2001:db8::/32", "::/0"};
	char buffer[IP_PREFIX_TEXT_SIZE];

	for (unsigned i = 0; i < 4; i++) {
		struct ip_prefix p;
		assert_int_equal(ip_prefix_parse(texts[i], &p), 0);
		assert_string_equal(ip_prefix_format(&p, buffer), texts[i]);
	}
}

static void unicast_excludes_what_no_host_has(void **state)
{
	static const char *const bad[] = {"0.0.0.0", "127.0.0.1", "224.0.0.11", "240.0.0.1",
		"255.255.255.255", "::", "::1", "ff02::1"};
	struct ip_address a;

	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(ip_address_parse(bad[i], &a), 0);
		assert_false(ip_address_is_unicast(&a));
	}
	assert_int_equal(ip_address_parse("10.0.0.1", &a), 0);
	assert_true(ip_address_is_unicast(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefix_contains_by_bits),
		cmocka_unit_test(prefix_with_host_bits_is_refused),
		cmocka_unit_test(text_survives_a_round_trip),
		cmocka_unit_test(unicast_excludes_what_no_host_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
