/* What is read of an export, what is refused, and where an SA goes on (HA-01..03, HA-05). */
#include "control/ipsec/sa_export.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
// after the standard headers
#include <cmocka.h>

#define HEAD                                                                                       \
	"{\"format\":\"homeport-sas\",\"version\":1,\"written_ms\":1700000000000,"                 \
	"\"interval_ms\":1000,\"sas\":["
#define OUT                                                                                        \
	"{\"direction\":\"out\",\"spi\":\"0xc0000001\",\"local\":\"192.0.2.1\","                   \
	"\"remote\":\"198.51.100.2\",\"sequence\":4711,\"rate\":350,\"packets\":9,\"bytes\":99}"
#define IN                                                                                         \
	"{\"direction\":\"in\",\"spi\":\"0xc0000001\",\"local\":\"192.0.2.1\","                    \
	"\"remote\":\"198.51.100.2\",\"sequence\":815,\"rate\":null,\"packets\":8,\"bytes\":88}"

static struct ip_address address(const char *text)
{
	struct ip_address a;

	assert_int_equal(ip_address_parse(text, &a), 0);
	return a;
}

// HA-01
static void a_file_is_read(void **state)
{
	static const char text[] = HEAD OUT "," IN "]}\n";
	char error[SA_EXPORT_ERROR_SIZE];
	struct sa_export export;
	struct sa sa = {.command = {.direction = SA_OUTBOUND,
				.spi = htonl(0xc0000001),
				.remote = address("198.51.100.2")}};
	const struct sa_export_record *record;
	(void)state;

	assert_int_equal(sa_export_parse(text, sizeof(text) - 1, &export, error), 0);
	assert_int_equal(export.count, 2);
	assert_int_equal(export.interval_ms, 1000);
	record = sa_export_find(&export, &sa);
	assert_non_null(record);
	assert_int_equal(record->sequence, 4711);
	assert_true(record->has_rate && record->rate == 350 && record->bytes == 99);
	sa.command.remote = address("198.51.100.3"); /* the peer's SPI, another peer's SA */
	assert_null(sa_export_find(&export, &sa));
	sa.command.direction = SA_INBOUND; /* our SPI: wherever the peer is now */
	record = sa_export_find(&export, &sa);
	assert_true(record && record->sequence == 815 && !record->has_rate);
	sa_export_fini(&export);
}

static void wrong_ones_are_refused(void **state)
{
	static const char *const texts[] = {"", "[]", "{", "{\"format\":\"homeport-sas\"}",
		"{\"format\":\"homeport-sas\",\"version\":2,\"written_ms\":1,\"interval_ms\":1,"
		"\"sas\":[]}",
		"{\"format\":\"other\",\"version\":1,\"written_ms\":1,\"interval_ms\":1,\"sas\":[]"
		"}",
		"{\"format\":\"homeport-sas\",\"version\":1,\"written_ms\":-1,\"interval_ms\":1,"
		"\"sas\":[]}",
		HEAD "{}]}", HEAD OUT "," OUT "]}", HEAD OUT "]",
		HEAD
		"{\"direction\":\"out\",\"spi\":\"0xc000000g\",\"local\":\"192.0.2.1\","
		"\"remote\":\"198.51.100.2\",\"sequence\":1,\"rate\":1,\"packets\":9,\"bytes\":"
		"1}]}",
		HEAD "{\"direction\":\"out\",\"spi\":\"0xc0000001\",\"local\":\"192.0.2.1\","
		     "\"remote\":\"198.51.100.2\",\"sequence\":-1,\"rate\":1,\"packets\":9,"
		     "\"bytes\":1}]}",
		HEAD "{\"direction\":\"out\",\"spi\":\"0xc0000001\",\"local\":\"192.0.2.1\","
		     "\"remote\":\"198.51.100.2\",\"sequence\":1,\"rate\":1e300,\"packets\":9,"
		     "\"bytes\":1}]}"};
	(void)state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char error[SA_EXPORT_ERROR_SIZE] = "";
		struct sa_export export;
		assert_int_equal(
			sa_export_parse(texts[i], strlen(texts[i]), &export, error), -EINVAL);
		assert_true(error[0]);
		assert_null(export.records);
	}
}

static struct sa_export_record record_of(uint64_t sequence, uint64_t rate)
{
	return (struct sa_export_record){.sequence = sequence, .rate = rate, .has_rate = true};
}

// HA-02
static void outbound_goes_beyond(void **state)
{
	struct sa_export_record r = record_of(1000, 10000000);
	struct sa_export_estimate e = sa_export_outbound(&r, 0, 2000, false);
	(void)state;

	assert_int_equal(e.number, 1000 + 2 * 20000000);
	assert_false(e.soft || e.too_old);
	r.rate = 5; /* idle: it may have begun to send */
	e = sa_export_outbound(&r, 0, 1000, false);
	assert_int_equal(e.number, 1000 + 2 * SA_EXPORT_BURST_PPS);
	e = sa_export_outbound(&r, UINT64_C(1) << 31, 1000, true); /* it never goes back */
	assert_true(e.number > UINT64_C(1) << 31);
	r.has_rate = false;
	e = sa_export_outbound(&r, 0, 1000, true);
	assert_true(e.number == 1000 + SA_EXPORT_JUMP && e.soft);
	e = sa_export_outbound(NULL, 7, 1000, true);
	assert_true(e.number == 7 + SA_EXPORT_JUMP && e.soft);
	r = record_of(1000, UINT64_C(1) << 24);
	assert_true(sa_export_outbound(&r, 0, 3600000, true).too_old);
	assert_int_equal(sa_export_outbound(&r, 0, 3600000, true).number, 0);
	/* A jump of the peer's window stays in one high half, and the end is the end. */
	r = record_of(UINT64_C(5) << 32, UINT64_C(1) << 24);
	e = sa_export_outbound(&r, 0, 60000, true);
	assert_true(!e.too_old && e.number - (UINT64_C(5) << 32) < (UINT64_C(1) << 32) - 4096);
	r = record_of(UINT32_MAX - 5, 100);
	assert_int_equal(sa_export_outbound(&r, 0, 1000, false).number, UINT32_MAX);
}

// HA-03
static void inbound_counts_as_seen(void **state)
{
	struct sa_export_record r = record_of(1000, 500);
	(void)state;

	assert_int_equal(sa_export_inbound(&r, 0, 3000, false).number, 2500);
	assert_int_equal(sa_export_inbound(&r, 4000, 3000, false).number, 5500);
	r.has_rate = false;
	assert_int_equal(sa_export_inbound(&r, 0, 3000, false).number, 1000);
	assert_false(sa_export_inbound(&r, 0, 3000, false).soft);
	assert_int_equal(sa_export_inbound(NULL, 0, 3000, false).number, SA_EXPORT_JUMP);
	assert_true(sa_export_inbound(NULL, 0, 3000, false).soft);
	r = record_of(1, UINT64_C(1) << 30);
	assert_true(sa_export_inbound(&r, 0, 3000, true).too_old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read),
		cmocka_unit_test(wrong_ones_are_refused),
		cmocka_unit_test(outbound_goes_beyond),
		cmocka_unit_test(inbound_counts_as_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
