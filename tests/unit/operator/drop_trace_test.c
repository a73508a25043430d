/* "trace drop", from the request's line to the answer's, over rings that the test fills as two
 * workers would. // AUD-16 */
#include "control/operator/server.h"
#include "lib/ipc/drop_trace.h"
#include "tests/unit/operator/fake_provider.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// after the standard headers
#include <cmocka.h>

/* 198.51.100.2 -> 192.0.2.1, ESP, SPI 0xc0000001, number 5. */
static const uint8_t esp[28] = {0x45, 0, 0, 140, 0, 0, 0x40, 0, 64, 50, 0x4e, 0x09 - 0x0e, 198, 51,
	100, 2, 192, 0, 2, 1, 0xc0, 0, 0, 1, 0, 0, 0, 5};

static struct fake fake;
static struct operator_server server;
static struct drop_trace traces[2];
static _Atomic uint32_t mode, count;

static bool fake_drop_trace(void *context, struct provider_drop_trace *out)
{
	*out = (struct provider_drop_trace){&mode, &count, traces, 2};
	return context != NULL && !fake.detached;
}

static const char *fake_sa_name(void *context, bool inbound, uint32_t sa_id)
{
	return context != NULL && inbound && sa_id == 7 ? "branch" : NULL;
}

static int set_up(void **state)
{
	fake_init(&fake, 1);
	fake.provider.drop_trace = fake_drop_trace;
	fake.provider.sa_name = fake_sa_name;
	server = (struct operator_server){.provider = &fake.provider};
	memset(traces, 0, sizeof(traces));
	mode = count = 0;
	return 0;
}

static int tear_down(void **state)
{
	fake_fini(&fake);
	return 0;
}

static json_t *ask(const char *line)
{
	static struct request request;
	struct request_error error;
	struct writer out = {.limit = 1 << 20};

	if (request_parse(line, strlen(line), &request, &error))
		fail_msg("%s", error.text);
	answer_request(&server, &request, &out);
	json_t *answer = json_loadb(out.text, out.used, 0, NULL);
	free(out.text);
	assert_non_null(answer);
	return answer;
}

static void refused(const char *line, const char *code)
{
	json_t *answer = ask(line);

	assert_true(json_is_false(json_object_get(answer, "ok")));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(answer, "error"), "code")), code);
	json_decref(answer);
}

static void switched(const char *line)
{
	json_t *answer = ask(line);

	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
}

static void checksum_fill(uint8_t *ip)
{
	uint32_t sum = 0;

	ip[10] = ip[11] = 0;
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

static void drop(unsigned worker, uint64_t at_ms, enum drop_reason reason)
{
	struct drop_record record = {.at_ns = at_ms * 1000000,
		.length = 140,
		.sa_id = 7,
		.reason = (uint16_t)reason,
		.port = 0,
		.generation = (uint8_t)(mode >> DROP_TRACE_GENERATION),
		.sa_direction = SA_INBOUND,
		.kind = DROP_HEAD_IP,
		.head_length = sizeof(esp)};

	memcpy(record.head, esp, sizeof(esp));
	checksum_fill(record.head);
	drop_trace_put(&traces[worker], &record);
}

static json_t *rows(const char *line, size_t wanted)
{
	json_t *answer = ask(line), *list = json_incref(json_object_get(answer, "rows"));

	assert_int_equal(json_array_size(list), wanted);
	json_decref(answer);
	return list;
}

static const char *text(const json_t *list, size_t at, const char *key)
{
	return json_string_value(json_object_get(json_array_get(list, at), key));
}

static void what_an_operator_reads(void **state)
{
	switched("{\"command\":\"trace drop on\"}");
	assert_int_equal(mode & 0xff, DROP_TRACE_ON);
	assert_int_equal(count, 100);
	drop(0, 1, DROP_ipsec_bad_icv);
	json_t *list = rows("{\"command\":\"trace drop show\"}", 1);
	assert_string_equal(text(list, 0, "reason"), "ipsec_bad_icv");
	assert_string_equal(text(list, 0, "step"), "decap");
	assert_string_equal(text(list, 0, "source"), "198.51.100.2");
	assert_string_equal(text(list, 0, "destination"), "192.0.2.1");
	assert_string_equal(text(list, 0, "protocol"), "esp");
	assert_string_equal(text(list, 0, "spi"), "0xc0000001");
	assert_string_equal(text(list, 0, "sa"), "branch");
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(list, 0), "sequence")), 5);
	assert_int_equal(strlen(text(list, 0, "header")), 56);
	assert_null(json_object_get(json_array_get(list, 0), "plaintext"));
	json_decref(list);
}

static void workers_are_shown_in_the_order_of_time(void **state)
{
	switched("{\"command\":\"trace drop on\",\"arguments\":{\"count\":\"3\"}}");
	drop(1, 40, DROP_no_route);
	drop(0, 10, DROP_ttl);
	drop(0, 20, DROP_ipsec_replay);
	drop(1, 50, DROP_no_route);
	json_t *list = rows("{\"command\":\"trace drop show\"}", 3);
	assert_string_equal(text(list, 0, "reason"), "ipsec_replay");
	assert_string_equal(text(list, 1, "reason"), "no_route");
	json_decref(list);
	list = rows("{\"command\":\"trace drop show\",\"arguments\":{\"count\":\"1\"}}", 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "worker")), 1);
	json_decref(list);
	list = rows("{\"command\":\"trace drop show\",\"arguments\":{\"reason\":\"ttl\"}}", 1);
	assert_string_equal(text(list, 0, "reason"), "ttl");
	json_decref(list);
}

static void the_ring_keeps_the_last_ones(void **state)
{
	switched("{\"command\":\"trace drop on\",\"arguments\":{\"count\":\"512\"}}");
	for (unsigned i = 0; i < 3 * DROP_TRACE_SLOTS; i++)
		drop(0, 1 + i, i < 2 * DROP_TRACE_SLOTS + 1 ? DROP_ttl : DROP_no_route);
	json_t *list = rows("{\"command\":\"trace drop show\"}", DROP_TRACE_SLOTS);
	assert_string_equal(text(list, 0, "reason"), "ttl");
	assert_string_equal(text(list, 1, "reason"), "no_route");
	json_decref(list);
}

static void a_new_trace_forgets_the_old_one(void **state)
{
	switched("{\"command\":\"trace drop on\",\"arguments\":{\"reason\":\"ttl\","
		 "\"plaintext\":true}}");
	assert_int_equal(mode & 0xff, DROP_TRACE_ON | DROP_TRACE_TEXT);
	assert_int_equal(mode >> DROP_TRACE_REASON, DROP_ttl);
	drop(0, 1, DROP_ttl);
	switched("{\"command\":\"trace drop off\"}");
	assert_int_equal(mode & DROP_TRACE_ON, 0);
	json_decref(rows("{\"command\":\"trace drop show\"}", 1)); /* still there */
	switched("{\"command\":\"trace drop on\"}");
	json_decref(rows("{\"command\":\"trace drop show\"}", 0));
}

static void what_is_wrong_is_told(void **state)
{
	refused("{\"command\":\"trace drop on\",\"arguments\":{\"reason\":\"ttll\"}}",
		"bad_argument");
	refused("{\"command\":\"trace drop on\",\"arguments\":{\"count\":\"0\"}}", "bad_argument");
	refused("{\"command\":\"trace drop on\",\"arguments\":{\"count\":\"513\"}}",
		"bad_argument");
	assert_int_equal(mode, 0);
	fake.detached = true;
	refused("{\"command\":\"trace drop show\"}", "unavailable");
}

/* What a scribbling peer may have left: no row may read outside, or loop. */
static void a_ring_of_lies_is_harmless(void **state)
{
	switched("{\"command\":\"trace drop on\",\"arguments\":{\"count\":\"512\"}}");
	memset(traces, 0xff, sizeof(traces));
	json_decref(rows("{\"command\":\"trace drop show\"}", 0));
	drop(0, 1, DROP_ttl);
	traces[0].taken = UINT64_MAX;
	json_decref(rows("{\"command\":\"trace drop show\"}", 0));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(what_an_operator_reads),
		CASE(workers_are_shown_in_the_order_of_time),
		CASE(the_ring_keeps_the_last_ones),
		CASE(a_new_trace_forgets_the_old_one),
		CASE(what_is_wrong_is_told),
		CASE(a_ring_of_lies_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
