/* The server over a real socket: requests and answers as a client sees them. */
#include "tests/unit/operator/operator_bed.h"

/* ---- a client ---- */

static long long number_of(const json_t *object, const char *key)
{
	assert_true(json_is_integer(json_object_get(object, key)));
	return json_integer_value(json_object_get(object, key));
}

/* ---- requests ---- */

static void bad_requests_are_told_why(void **state)
{
	assert_refused("{", "bad_request", "not a JSON object");
	assert_refused("[]", "bad_request", "not a JSON object");
	assert_refused("{}", "bad_request", "a request is");
	assert_refused("{\"command\":\"show bindigs\"}", "unknown_command", "show bindigs");
	assert_refused("{\"command\":\"show binding\"}", "bad_argument", "needs address");
	assert_refused("{\"command\":\"show binding\",\"arguments\":{\"address\":\"10.1\"}}",
		"bad_argument", "not an IP address");
	assert_refused("{\"command\":\"show binding\",\"arguments\":{\"address\":7}}",
		"bad_argument", "must be a string");
	assert_refused("{\"command\":\"show status\",\"arguments\":{\"x\":\"y\"}}", "bad_argument",
		"no argument \"x\"");
	assert_refused("{\"command\":\"show bindings\",\"cursor\":-1}", "bad_request", "cursor");
	assert_refused("{\"command\":\"show bindings\",\"arguments\":{\"instance\":\"x\"}}",
		"not_found", "instance");
	assert_refused("{\"command\":\"drain\",\"arguments\":{\"state\":\"o\"}}", "bad_argument",
		"on|off");
	assert_refused("{\"command\":\"show binding\",\"arguments\":{\"address\":\"11.0.0.1\"}}",
		"not_found", "no binding");
}

static void overlong_line_ends_the_connection(void **state)
{
	int fd = greeted();
	char *text = malloc(OPERATOR_LINE_MAX);
	memset(text, ' ', OPERATOR_LINE_MAX);

	assert_int_equal(send(fd, text, OPERATOR_LINE_MAX, MSG_NOSIGNAL), OPERATOR_LINE_MAX);
	json_t *answer = read_json(fd);
	assert_non_null(strstr(line_text, "the line is too long"));
	assert_string_equal(read_line(fd), "");
	json_decref(answer);
	free(text);
	close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	int fd = greeted();
	json_t *first = ask_on(fd, "{\"command\":\"show status\"}\n{\"command\":\"help\"}");
	json_t *second = read_json(fd);

	assert_string_equal(text_of(first, "command"), "show status");
	assert_string_equal(text_of(second, "command"), "help");
	assert_int_equal(json_array_size(json_object_get(second, "rows")), OPERATOR_COMMAND_COUNT);
	json_decref(first);
	json_decref(second);
	close(fd);
}

// HA4-OPS-29
static void a_registration_is_described(void **state)
{
	json_t *answer = ask_good("{\"command\":\"test registration\",\"arguments\":{\"home\":"
				  "\"10.0.0.3\",\"care-of\":\"192.168.1.23\",\"source\":"
				  "\"203.0.113.7\",\"port\":\"in\",\"flags\":\"BMUF\","
				  "\"lifetime\":\"300\",\"nai\":\"a@b\"}}");
	json_t *data = json_object_get(answer, "data");

	assert_string_equal(text_of(data, "outcome"), "accepted");
	assert_int_equal(number_of(data, "step"), 20);
	assert_int_equal(number_of(data, "lifetime_s"), 300);
	assert_string_equal(text_of(data, "reason"), "a@b");
	assert_string_equal(text_of(data, "care_of_address"), "203.0.113.7");
	assert_true(json_is_true(json_object_get(data, "udp")));
	assert_true(json_is_null(json_object_get(data, "encapsulation"))); /* B and M: 0x50 */
	json_decref(answer);
	answer = ask_good("{\"command\":\"test registration\",\"arguments\":{\"home\":"
			  "\"10.0.0.3\",\"care-of\":\"192.168.1.23\"}}");
	data = json_object_get(answer, "data");
	assert_string_equal(text_of(data, "outcome"), "denied");
	assert_int_equal(number_of(data, "code"), 129);
	json_decref(answer);
	answer = ask("{\"command\":\"test registration\",\"arguments\":{\"home\":"
		     "\"10.0.0.3\",\"care-of\":\"192.168.1.23\",\"flags\":\"Q\"}}");
	assert_non_null(strstr(line_text, "flags are letters"));
	json_decref(answer);
	answer = ask("{\"command\":\"test registration\",\"arguments\":{\"home\":"
		     "\"2001:db8::1\",\"care-of\":\"192.168.1.23\"}}");
	assert_non_null(strstr(line_text, "IPv4"));
	json_decref(answer);
}

// HA4-OPS-22
static void nodes_are_rows(void **state)
{
	json_t *answer = ask_good("{\"command\":\"show nodes\",\"limit\":2}");
	json_t *rows = json_object_get(answer, "rows"), *row = json_array_get(rows, 0);

	assert_int_equal(json_array_size(rows), 2);
	assert_int_equal(number_of(answer, "cursor"), 2);
	assert_string_equal(text_of(row, "nai"), "a@b");
	assert_int_equal(number_of(row, "accepted"), 7);
	assert_int_equal(number_of(row, "service_s"), 61);
	assert_true(json_is_null(json_object_get(row, "denied_ago_s")));
	assert_int_equal(number_of(json_array_get(rows, 1), "denied_code"), 129);
	json_decref(answer);
	answer = ask_good("{\"command\":\"show nodes\",\"cursor\":2}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 1);
	assert_true(json_is_null(json_object_get(answer, "cursor")));
	json_decref(answer);
}

// HA4-OPS-25
static void binding_shows_every_field(void **state)
{
	json_t *answer =
		ask_good("{\"command\":\"show binding\",\"arguments\":{\"address\":\"10.0.0.3\"}}");
	const json_t *row = json_array_get(json_object_get(answer, "rows"), 0);

	assert_string_equal(text_of(row, "home_address"), "10.0.0.3");
	assert_string_equal(text_of(row, "care_of_address"), "203.0.113.7");
	assert_string_equal(text_of(row, "care_of_field"), "192.168.1.23");
	assert_int_equal(number_of(row, "care_of_port"), 40007);
	assert_string_equal(text_of(row, "home_agent"), "192.0.2.1");
	assert_string_equal(text_of(row, "flags"), "sbDmgT");
	assert_string_equal(text_of(row, "encapsulation"), "udp-ipip");
	assert_string_equal(text_of(row, "nat"), "detected");
	assert_string_equal(text_of(row, "identification_high"), "0xed003780");
	assert_string_equal(text_of(row, "identification_low"), "0x00000004");
	assert_string_equal(text_of(row, "spi"), "0x100");
	assert_string_equal(text_of(row, "nai"), "odd\"\x01\xef\xbf\xbd@Example.com");
	assert_int_equal(number_of(row, "lifetime_s"), 60);
	assert_int_equal(number_of(row, "remaining_s"), 60);
	assert_true(json_is_true(json_object_get(row, "revocation_negotiated")));
	assert_string_equal(json_string_value(json_array_get(json_object_get(row, "networks"), 0)),
		"10.0.0.0/24");
	assert_int_equal(number_of(row, "forward_packets"), 11);
	assert_int_equal(number_of(row, "reverse_bytes"), 44);
	json_decref(answer);
}

static unsigned long long dump(int fd, const char *arguments, unsigned long long *counted)
{
	unsigned long long rows = 0, cursor = 0;
	char request[300];

	*counted = 0;
	for (;;) {
		snprintf(request, sizeof(request),
			"{\"command\":\"show "
			"bindings\",\"arguments\":%s,\"cursor\":%llu,\"limit\":1000}",
			arguments, cursor);
		json_t *answer = ask_on(fd, request);
		const json_t *next = json_object_get(answer, "cursor");
		rows += json_array_size(json_object_get(answer, "rows"));
		*counted += (unsigned long long)number_of(answer, "count");
		bool more = json_is_integer(next);
		cursor = (unsigned long long)json_integer_value(next);
		json_decref(answer);
		if (!more)
			return rows;
	}
}

static void filters_choose_rows(void **state)
{
	unsigned long long counted;
	int fd = greeted();

	assert_int_equal(dump(fd, "{\"home\":\"10.0.1.0/24\"}", &counted), 256);
	assert_int_equal(dump(fd, "{\"home\":\"10.0.1.9\",\"instance\":\"lab\"}", &counted), 1);
	assert_int_equal(dump(fd, "{\"nai\":\"mn1@EXAMPLE.com\",\"count\":true}", &counted), 0);
	assert_int_equal(counted, BINDINGS / 2);
	assert_int_equal(
		dump(fd, "{\"nai\":\"@example.com\",\"home\":\"10.0.0.0/28\"}", &counted), 16);
	assert_int_equal(dump(fd, "{\"care-of\":\"203.0.113.8\",\"count\":true}", &counted), 0);
	assert_int_equal(counted, 0);
	close(fd);
}

// HA4-OPS-24: a baseline, not a reset; conservation on the raw values
static void counters_are_summed_cleared_and_balanced(void **state)
{
	json_t *answer = ask_good("{\"command\":\"show counters\"}");
	const json_t *data = json_object_get(answer, "data"),
		     *sum = json_object_get(data, "conservation");
	const json_t *control = json_array_get(json_object_get(data, "control"), 0);

	assert_int_equal(number_of(json_object_get(data, "dataplane"), "received_port"), 110);
	assert_int_equal(number_of(json_object_get(data, "dataplane"), "dropped"), 15);
	assert_int_equal(number_of(sum, "received"), 110);
	assert_int_equal(number_of(sum, "created"), 2);
	assert_int_equal(number_of(sum, "difference"), 0);
	assert_true(json_is_true(json_object_get(sum, "balanced")));
	assert_true(json_is_null(json_object_get(data, "cleared_s_ago")));
	assert_int_equal(number_of(json_object_get(control, "counters"), "denied_133"), 2);
	assert_int_equal(number_of(json_object_get(control, "rfc2006"), "haIDMismatch"), 2);
	assert_int_equal(
		number_of(json_object_get(control, "rfc2006"), "haRegistrationAccepted"), 7);
	json_decref(answer);

	json_decref(ask_good("{\"command\":\"clear counters\"}"));
	bench.fake.workers[1].drops[DROP_mtu_df] += 3;
	bench.fake.control[0][2] += 1;
	answer = ask_good("{\"command\":\"show counters\"}");
	data = json_object_get(answer, "data");
	assert_int_equal(number_of(json_object_get(data, "dataplane"), "received_port"), 0);
	assert_int_equal(number_of(json_object_get(data, "dataplane"), "dropped"), 3);
	assert_int_equal(number_of(json_object_get(data, "conservation"), "difference"), -3);
	assert_true(
		json_is_false(json_object_get(json_object_get(data, "conservation"), "balanced")));
	control = json_array_get(json_object_get(data, "control"), 0);
	assert_int_equal(number_of(json_object_get(control, "counters"), "denied_133"), 1);
	json_decref(answer);

	answer = ask_good("{\"command\":\"show drops\"}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 1);
	assert_string_equal(
		text_of(json_array_get(json_object_get(answer, "rows"), 0), "reason"), "mtu_df");
	json_decref(answer);
	answer = ask_good("{\"command\":\"show drops\",\"arguments\":{\"raw\":true,\"all\":true}}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), DROP_REASON_COUNT - 1);
	assert_int_equal(number_of(answer, "total"), 18);
	json_decref(answer);
	/* Another dataplane counts from its own zero. */
	bench.fake.epoch++;
	answer = ask_good("{\"command\":\"show counters\"}");
	assert_int_equal(number_of(json_object_get(json_object_get(answer, "data"), "dataplane"),
				 "received_port"),
		110);
	json_decref(answer);
	bench.fake.workers[1].drops[DROP_mtu_df] -= 3;
}

// HA4-AUTH-24
static void keys_never_leave(void **state)
{
	json_decref(ask_good("{\"command\":\"show config\"}"));
	assert_null(strstr(line_text, "0123456789abcdef"));
	assert_non_null(strstr(line_text, "fingerprint"));
	json_t *answer = ask_good("{\"command\":\"show mobile-nodes\"}");
	assert_null(strstr(line_text, "0123456789abcdef"));
	const json_t *row = json_array_get(json_object_get(answer, "rows"), 0);
	const json_t *context = json_array_get(json_object_get(row, "security"), 0);
	assert_string_equal(text_of(context, "spi"), "0x100");
	assert_string_equal(text_of(context, "replay"), "timestamp");
	assert_int_equal(strlen(text_of(context, "fingerprint")), 8);
	json_decref(answer);
}

static void lists_come_with_and_without_a_dataplane(void **state)
{
	json_t *answer = ask_good("{\"command\":\"show ports\"}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 2);
	assert_int_equal(
		number_of(json_array_get(json_object_get(answer, "rows"), 0), "rx_packets"), 110);
	json_decref(answer);
	answer = ask_good("{\"command\":\"show workers\"}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 2);
	json_decref(answer);
	bench.fake.detached = true;
	answer = ask_good("{\"command\":\"show ports\"}");
	assert_true(json_is_false(
		json_object_get(json_array_get(json_object_get(answer, "rows"), 1), "attached")));
	json_decref(answer);
	answer = ask_good("{\"command\":\"show workers\"}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 0);
	json_decref(answer);
	answer = ask_good("{\"command\":\"show status\"}");
	assert_true(json_is_false(json_object_get(json_object_get(answer, "data"), "attached")));
	json_decref(answer);
	bench.fake.detached = false;
}

// HA4-OPS-27
static void administrators_act(void **state)
{
	json_decref(ask_good("{\"command\":\"drain\",\"arguments\":{\"state\":\"on\"}}"));
	assert_int_equal(bench.fake.drained, 1);
	json_decref(ask_good("{\"command\":\"reload\"}"));
	bench.fake.refuse_reload = true;
	assert_refused("{\"command\":\"reload\"}", "refused", "homeport.cfg:3: no such thing");
	bench.fake.refuse_reload = false;
	assert_int_equal(bench.fake.reloads, 2);
	json_t *answer =
		ask_good("{\"command\":\"revoke\",\"arguments\":{\"address\":\"10.0.0.3\"}}");
	assert_int_equal(number_of(json_object_get(answer, "data"), "removed"), 1);
	assert_true(json_is_true(json_object_get(json_object_get(answer, "data"), "node_told")));
	json_decref(answer);
	answer = ask_good(
		"{\"command\":\"clear bindings\",\"arguments\":{\"which\":\"mn1@example.com\"}}");
	assert_int_equal(number_of(answer, "count"), 5);
	json_decref(answer);
	assert_refused("{\"command\":\"clear bindings\",\"arguments\":{\"which\":\"11.0.0.1\"}}",
		"not_found", "no such binding");
	assert_refused("{\"command\":\"clear bindings\",\"arguments\":{\"which\":\"everything\"}}",
		"bad_argument", "neither");
	bench.fake.cleared = 0;
	answer = ask_good("{\"command\":\"clear bindings\",\"arguments\":{\"which\":\"all\"}}");
	assert_int_equal(
		number_of(answer, "count"), 500); /* a turn's worth, and a cursor for the rest */
	assert_int_equal(number_of(answer, "cursor"), 500);
	assert_int_equal(bench.fake.cleared, 500);
	json_decref(answer);
	bench.fake.gone_below = 0;
}

// HA4-OPS-40
static void watchers_get_events(void **state)
{
	int fd = greeted();
	json_decref(ask_on(fd, "{\"command\":\"watch events\"}"));
	bench.publish = true;
	json_t *event = read_json(fd);

	assert_string_equal(text_of(event, "event"), "binding_added");
	assert_string_equal(text_of(event, "home_address"), "10.1.0.10");
	assert_string_equal(text_of(event, "instance"), "lab");
	assert_int_equal(number_of(event, "unix_ms"), 1000);
	json_decref(event);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_requests_are_told_why),
		cmocka_unit_test(overlong_line_ends_the_connection),
		cmocka_unit_test(pipelined_requests_are_answered_in_order),
		cmocka_unit_test(binding_shows_every_field),
		cmocka_unit_test(filters_choose_rows),
		cmocka_unit_test(counters_are_summed_cleared_and_balanced),
		cmocka_unit_test(keys_never_leave),
		cmocka_unit_test(lists_come_with_and_without_a_dataplane),
		cmocka_unit_test(administrators_act),
		cmocka_unit_test(watchers_get_events),
		cmocka_unit_test(a_registration_is_described),
		cmocka_unit_test(nodes_are_rows),
	};

	ctl_path = argc > 1 ? argv[1] : "homeportctl";
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
