/* The headers that control writes around its own messages (HA4-MSG-07, HA4-RRP-15). */
#include "control/mip4/reply.h"

#include "tests/unit/parsed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PAYLOAD 6

static const struct config_instance instance = {.reply_ttl = 64};

/* With a payload that ends in this word. */
static void frame_make(struct inject_record *out, uint16_t word)
{
	const struct ip_address from = address_of("192.0.2.1"), to = address_of("198.51.100.23");
	uint8_t *payload = out->data + REPLY_HEADERS;

	memset(payload, 0, PAYLOAD);
	payload[PAYLOAD - 2] = (uint8_t)(word >> 8);
	payload[PAYLOAD - 1] = (uint8_t)word;
	reply_frame(out, &instance, (struct reply_endpoint){&from, __builtin_bswap16(434)},
		(struct reply_endpoint){&to, __builtin_bswap16(40007)}, PAYLOAD);
	assert_int_equal(out->length, REPLY_HEADERS + PAYLOAD);
}

static uint32_t sum(const uint8_t *octets, unsigned count, uint32_t from)
{
	for (unsigned i = 0; i < count; i += 2)
		from += (uint32_t)octets[i] << 8 | octets[i + 1];
	return (from & 0xffff) + (from >> 16);
}

/* RFC 768: a sum of zero is sent as all ones, for zero says that there is none. */
static void checksum_is_never_zero(void **state)
{
	unsigned all_ones = 0;

	for (unsigned word = 0; word < 65536; word++) {
		static struct inject_record record;
		const uint8_t *udp = record.data + 20;
		uint32_t total;

		frame_make(&record, (uint16_t)word);
		assert_true(udp[6] != 0 || udp[7] != 0);
		all_ones += udp[6] == 0xff && udp[7] == 0xff;
		total = sum(udp, 8 + PAYLOAD, sum(record.data + 12, 8, 17 + 8 + PAYLOAD));
		assert_int_equal((total & 0xffff) + (total >> 16), 0xffff);
	}
	assert_true(all_ones > 0);
}

/* RFC 6864 4.3: DF is clear, so no two in a row have one Identification. */
static void identifications_differ(void **state)
{
	static struct inject_record first, second;

	frame_make(&first, 0);
	frame_make(&second, 0);
	assert_int_equal(first.data[6] & 0x40, 0);
	assert_memory_not_equal(first.data + 4, second.data + 4, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_is_never_zero),
		cmocka_unit_test(identifications_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
