/* Selectors as text: values, reading back, and what is refused. SPD-04, -05, -06, -07 */
#include "lib/base/traffic_selector.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct traffic_selector parsed(const char *text)
{
	struct traffic_selector s;

	if (traffic_selector_parse(text, &s))
		fail_msg("%s", text);
	return s;
}

static void text_reads_back(void **state)
{
	static const char *const texts[] = {"10.1.0.0/16", "0.0.0.0/0", "::/0", "10.1.0.5",
		"10.1.0.5-10.1.0.9", "2001:db8::/32", "2001:db8::1", "192.0.2.1[udp/434]",
		"10.0.0.0/8[tcp]", "0.0.0.0/0[tcp/1024-65535]", "0.0.0.0/0[udp/opaque]",
		"0.0.0.0/0[icmp/8]", "0.0.0.0/0[icmp/3:4]", "0.0.0.0/0[icmp/8-13]", "::/0[mh/5]",
		"::/0[icmpv6/128:0]", "0.0.0.0/0[200/1]", "10.0.0.1-10.0.0.8"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct traffic_selector s = parsed(texts[i]);
		char text[TRAFFIC_SELECTOR_TEXT_SIZE];
		assert_string_equal(traffic_selector_format(&s, text), texts[i]);
	}
}

static void values_are_right(void **state)
{
	struct traffic_selector s = parsed("10.1.0.0/16");
	struct ip_address last;
	char text[TRAFFIC_SELECTOR_TEXT_SIZE];

	assert_int_equal(ip_address_parse("10.1.255.255", &last), 0);
	assert_true(ip_address_equal(&s.last, &last));
	assert_int_equal(s.port_first, 0);
	assert_int_equal(s.port_last, 65535);
	s = parsed("any[icmp/3:4]"); // SPD-06
	assert_int_equal(s.port_first, 3 * 256 + 4);
	assert_int_equal(s.port_last, 3 * 256 + 4);
	s = parsed("any6[135/5]"); // SPD-07
	assert_int_equal(s.port_first, 5 * 256);
	assert_int_equal(s.port_last, 5 * 256 + 255);
	s = parsed("any[udp/opaque]"); // SPD-05
	assert_int_equal(s.port_first, 65535);
	assert_int_equal(s.port_last, 0);
	s = parsed("any");
	assert_string_equal(traffic_selector_format(&s, text), "0.0.0.0/0");
	s = parsed("0.0.0.0-255.255.255.255");
	assert_string_equal(traffic_selector_format(&s, text), "0.0.0.0/0");
	s = parsed("10.0.0.1[any]");
	assert_string_equal(traffic_selector_format(&s, text), "10.0.0.1");
}

static void nonsense_is_refused(void **state)
{
	static const char *const texts[] = {"", "10.1.0.0/8", "10.1.0.9-10.1.0.5",
		"10.1.0.0-2001:db8::1", "10.1.0.0/33", "x", "any[", "any[tcp", "any[tcp/]",
		"any[tcp/1-]", "any[tcp/9-5]", "any[tcp/65536]", "any[tcp/1x]", "any[256]",
		"any[any/5]", "any[icmp/256]", "any[icmp/3:256]", "any[icmp/3:4:5]", "any[tcp/3:4]",
		"any]tcp[", "any[tcp]x", "any[/5]", "10.0.0.1-"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct traffic_selector s;
		if (traffic_selector_parse(texts[i], &s) != -EINVAL)
			fail_msg("%s", texts[i]);
	}
}

static void sides_fit(void **state)
{
	struct traffic_selector any = parsed("any"), six = parsed("any6"), tcp = parsed("any[tcp]"),
				udp = parsed("any[udp]"), pool = parsed("10.1.0.5-10.1.0.9");
	struct ip_address inside, outside;

	assert_true(traffic_selector_fits(&any, &tcp));
	assert_false(traffic_selector_fits(&udp, &tcp));
	assert_false(traffic_selector_fits(&any, &six));
	assert_int_equal(ip_address_parse("10.1.0.9", &inside), 0);
	assert_int_equal(ip_address_parse("10.1.0.10", &outside), 0);
	assert_true(traffic_selector_contains(&pool, &inside));
	assert_false(traffic_selector_contains(&pool, &outside));
	struct traffic_selector host = traffic_selector_host(&inside), same = parsed("10.1.0.9");
	assert_memory_equal(&host, &same, sizeof(host));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_reads_back),
		cmocka_unit_test(values_are_right),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(sides_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
