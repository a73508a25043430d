/* What is read out of the first octets of a packet. // AUD-16 */
#include "lib/wire/summary.h"

#include "lib/wire/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
// after the standard headers
#include <cmocka.h>

static const struct summary_ports ports = {{10000}};

/* 192.0.2.1 -> 198.51.100.2; `octets` has room for 20 more. */
static size_t ipv4(uint8_t *octets, uint8_t protocol)
{
	const uint8_t ip[20] = {
		0x45, 0, 0, 100, 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2};
	be16 sum;

	memcpy(octets, ip, sizeof(ip));
	sum = checksum(octets, sizeof(ip));
	memcpy(octets + 10, &sum, 2);
	return sizeof(ip);
}

static size_t ipv6(uint8_t *octets, uint8_t next)
{
	memset(octets, 0, 40);
	octets[0] = 0x60;
	octets[6] = next;
	octets[8] = 0x20;
	octets[39] = 1;
	return 40;
}

static size_t put(uint8_t *octets, size_t at, const void *more, size_t length)
{
	memcpy(octets + at, more, length);
	return at + length;
}

static const uint8_t esp[8] = {0xc0, 0, 0, 1, 0, 0, 0, 9};

static void esp_alone_in_ip_and_in_udp(void **state)
{
	uint8_t o[128];
	struct summary s;
	size_t length = put(o, ipv4(o, 50), esp, 8);

	assert_true(summary_read(o, length, false, &ports, &s));
	assert_true(s.esp);
	assert_int_equal(s.spi, 0xc0000001);
	assert_int_equal(s.sequence, 9);
	assert_int_equal(s.esp_at, 20);
	assert_false(s.tunnel);
	length = put(o, ipv4(o + 20, 50) + ipv4(o, 4), esp, 8);
	assert_true(summary_read(o, length, false, &ports, &s));
	assert_true(s.esp && s.tunnel);
	assert_int_equal(s.esp_at, 40);
	assert_int_equal(s.protocol, 4);
	static const uint8_t natt[8] = {0x9c, 0x41, 0x11, 0x94, 0, 50, 0, 0},
			     other[8] = {0x27, 0x10, 1, 2, 0, 50, 0, 0};
	length = put(o, put(o, ipv4(o, 17), natt, 8), esp, 8);
	assert_true(summary_read(o, length, false, &ports, &s));
	assert_true(s.esp);
	assert_int_equal(s.esp_at, 28);
	assert_int_equal(s.source_port, 40001);
	length = put(o, put(o, ipv4(o, 17), natt, 8), "\0\0\0\0\1\2\3\4", 8);
	assert_true(summary_read(o, length, false, &ports, &s));
	assert_false(s.esp); /* IKE */
	length = put(o, put(o, ipv4(o, 17), other, 8), esp, 8);
	assert_true(summary_read(o, length, false, &ports, &s));
	assert_true(s.esp);
}

static void ipv6_with_its_extension_headers(void **state)
{
	uint8_t o[128];
	struct summary s;
	static const uint8_t options[8] = {50, 0, 1, 4, 0, 0, 0, 0},
			     first[8] = {50, 0, 0, 1, 0, 0, 0, 1},
			     later[8] = {50, 0, 1, 1, 0, 0, 0, 1};
	size_t length = put(o, put(o, ipv6(o, 60), options, 8), esp, 8);

	assert_true(summary_read(o, length, false, &ports, &s));
	assert_int_equal(s.version, 6);
	assert_true(s.esp);
	assert_int_equal(s.esp_at, 48);
	length = put(o, put(o, ipv6(o, 44), first, 8), esp, 8);
	assert_true(summary_read(o, length, false, &ports, &s));
	assert_true(s.esp && !s.later);
	length = put(o, put(o, ipv6(o, 44), later, 8), esp, 8);
	assert_true(summary_read(o, length, false, &ports, &s));
	assert_true(s.later && !s.esp);
}

static void frames_and_what_is_none(void **state)
{
	uint8_t o[128] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
	struct summary s;
	size_t length = put(o, 14 + ipv4(o + 14, 50), esp, 8);

	assert_true(summary_read(o, length, true, &ports, &s));
	assert_int_equal(s.link_length, 14);
	assert_int_equal(s.esp_at, 34);
	assert_false(summary_read(o, length, false, &ports, &s));
	o[30] ^= 1; /* an address: the checksum is wrong now */
	assert_false(summary_read(o, length, true, &ports, &s));
	o[13] = 6;
	assert_false(summary_read(o, length, true, &ports, &s)); /* ARP */
	assert_false(summary_read(o, 0, false, &ports, &s));
	assert_false(summary_read(o, 3, true, &ports, &s));
}

/* Octets that stop anywhere: what was read lies inside. */
static void every_length(void **state)
{
	uint8_t o[128];
	struct summary s;
	size_t whole = put(o, ipv4(o + 60, 50) + ipv4(o + 40, 4) + ipv6(o, 4), esp, 8);

	for (size_t length = 0; length <= whole; length++) {
		bool read = summary_read(o, length, false, &ports, &s);
		assert_int_equal(read, length >= 40);
		assert_int_equal(s.esp, length == whole);
		assert_true(s.payload_at <= length && s.esp_at + 8u * s.esp <= length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(esp_alone_in_ip_and_in_udp),
		cmocka_unit_test(ipv6_with_its_extension_headers),
		cmocka_unit_test(frames_and_what_is_none),
		cmocka_unit_test(every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
