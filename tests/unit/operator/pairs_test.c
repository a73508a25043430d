/* Requests about pairs of security associations and policies. */
#include "tests/unit/operator/operator_bed.h"

/* ---- IPsec ---- */

#define PAIR(more)                                                                                 \
	"{\"command\":\"sa add\",\"arguments\":{\"name\":\"x\",\"local\":\"192.0.2.1\","           \
	"\"remote\":\"2001:db8::1\",\"spi-out\":\"8193\",\"algorithm\":\"null-sha1\"," more "}}"
#define KEYS "\"keys\":\"in c0ffee01\\nout 02\\n\""

static void pairs_are_read_whole(void **state)
{
	json_decref(ask_good(PAIR(
		KEYS ",\"spi-in\":\"0x1001\",\"encap\":true,\"remote-port\":\"40001\",\"copy-"
		     "dscp\":\"no\","
		     "\"copy-ecn\":\"no\",\"copy-df\":\"clear\",\"mode\":\"transport\",\"life-"
		     "bytes\":\"9999999999\","
		     "\"local-ts\":\"10.1.0.0/16,10.2.0.1[udp/53]\",\"replay-window\":\"0\"")));
	const struct config_security_association *pair = &bench.fake.pair;
	assert_string_equal(pair->name, "x");
	assert_int_equal(pair->spi_in, 0x1001);
	assert_int_equal(pair->spi_out, 8193);
	assert_true(pair->encap);
	assert_false(pair->esn);
	assert_false(pair->unsafe_static_keys);
	assert_int_equal(pair->local_port, 4500);
	assert_int_equal(pair->remote_port, 40001);
	assert_int_equal(pair->copy_dscp, COPY_DSCP_NO);
	assert_int_equal(pair->copy_df, COPY_DF_CLEAR);
	assert_false(pair->copy_ecn);
	assert_int_equal(pair->mode, ESP_MODE_TRANSPORT);
	assert_true(pair->life_bytes == 9999999999u);
	assert_int_equal(pair->replay_window, 0);
	assert_int_equal(pair->local_ts_count, 2);
	assert_int_equal(pair->remote_ts_count, 0);
	assert_int_equal(pair->key_in.length, 4);
	assert_int_equal(pair->key_in.bytes[0], 0xc0);
	assert_int_equal(pair->key_out.length, 1);
}

static void pairs_are_refused_without_their_keys(void **state)
{
	assert_refused(PAIR(KEYS), "bad_argument", "sa add needs spi-in");
	assert_refused(PAIR("\"spi-in\":\"300\""), "bad_argument", "sa add needs keys");
	assert_refused(PAIR(KEYS ",\"spi-in\":\"255\""), "bad_argument",
		"spi-in is 255, not 256 to 4294967295");
	assert_refused(PAIR(KEYS ",\"spi-in\":\"0400\""), "bad_argument", "not a number");
	assert_refused(PAIR(KEYS ",\"spi-in\":\"-1\""), "bad_argument", "not a number");
	assert_refused(PAIR(KEYS ",\"spi-in\":300"), "bad_argument", "must be a string");
	assert_refused(PAIR(KEYS ",\"spi-in\":\"300\",\"local-ts\":\"any,,any\""), "bad_argument",
		"no traffic selector");
	assert_refused(PAIR(KEYS ",\"spi-in\":\"300\",\"key-file\":\"/etc/shadow\""),
		"bad_argument", "key-file is read by homeportctl");
	assert_refused(PAIR(KEYS ",\"spi-in\":\"300\",\"mode\":\"both\""), "bad_argument",
		"tunnel|transport");
	assert_refused(PAIR("\"keys\":\"c0ffee01\",\"spi-in\":\"300\""), "bad_argument",
		"keys are no two lines");
	assert_null(strstr(line_text, "c0ffee")); // ESP-ALG-25
	bench.fake.ipsec_result = -EEXIST;
	assert_refused(PAIR(KEYS ",\"spi-in\":\"300\""), "exists", "the fake says no");
	assert_null(strstr(line_text, "c0ffee"));
	bench.fake.ipsec_result = -ENOSPC;
	assert_refused(PAIR(KEYS ",\"spi-in\":\"300\""), "full", "the fake says no");
	bench.fake.ipsec_result = -ENOENT;
	assert_refused("{\"command\":\"sa del\",\"arguments\":{\"name\":\"x\"}}", "not_found",
		"the fake says no");
	bench.fake.ipsec_result = 0;
}

static void dummies_are_asked_for(void **state) // ESP-FMT-12
{
	json_decref(ask_good("{\"command\":\"sa dummy\",\"arguments\":{\"name\":\"x\"}}"));
	assert_int_equal(bench.fake.dummies, 1);
	assert_int_equal(bench.fake.dummy_length, 64);
	json_decref(ask_good("{\"command\":\"sa dummy\",\"arguments\":{\"name\":\"x\","
			     "\"count\":\"1000\",\"length\":\"1800\"}}"));
	assert_int_equal(bench.fake.dummies, 1000);
	assert_int_equal(bench.fake.dummy_length, 1800);
	assert_refused("{\"command\":\"sa dummy\",\"arguments\":{\"name\":\"x\",\"count\":"
		       "\"1001\"}}",
		"bad_argument", "count is 1001, not 1 to 1000");
	assert_refused("{\"command\":\"sa dummy\",\"arguments\":{\"name\":\"x\",\"length\":"
		       "\"39\"}}",
		"bad_argument", "length is 39, not 40 to 1800");
	assert_int_equal(bench.fake.dummies, 1000);
	bench.fake.ipsec_result = -ENOENT;
	assert_refused("{\"command\":\"sa dummy\",\"arguments\":{\"name\":\"x\"}}", "not_found",
		"the fake says no");
	bench.fake.ipsec_result = 0;
}

static void pairs_move_and_policies_come(void **state)
{
	json_decref(ask_good("{\"command\":\"sa update\",\"arguments\":{\"name\":\"x\","
			     "\"remote-port\":\"7\",\"encap\":\"no\"}}"));
	assert_int_equal(bench.fake.move.remote_port, 7);
	assert_int_equal(bench.fake.move.local_port, -1);
	assert_int_equal(bench.fake.move.encap, 0);
	assert_int_equal(bench.fake.move.follow_mapping, -1);
	json_decref(ask_good("{\"command\":\"policy add\",\"arguments\":{\"name\":\"p\",\"order\":"
			     "\"0x10\",\"action\":\"protect\",\"sa\":\"x\",\"direction\":\"in\","
			     "\"local-ts\":\"any\",\"remote-ts\":\"any[icmp/3:4],10.0.0.1\"}}"));
	assert_int_equal(bench.fake.policy.order, 16);
	assert_int_equal(bench.fake.policy.action, ACTION_PROTECT);
	assert_int_equal(bench.fake.policy.direction, DIRECTION_IN);
	assert_string_equal(bench.fake.policy.security_association, "x");
	assert_int_equal(bench.fake.policy.remote_ts_count, 2);
	assert_refused("{\"command\":\"policy add\",\"arguments\":{\"name\":\"p\",\"order\":\"1\","
		       "\"action\":\"protect\",\"local-ts\":\"any\"}}",
		"bad_argument", "policy add needs remote-ts");
	assert_refused("{\"command\":\"policy show\"}", "unsupported", "no IPsec");
}

static void associations_come_in_pages(void **state)
{
	json_t *answer = ask_good("{\"command\":\"sa show\",\"limit\":1000,\"cursor\":2000}");
	const json_t *rows = json_object_get(answer, "rows");

	assert_int_equal(json_array_size(rows), 500);
	assert_string_equal(text_of(json_array_get(rows, 0), "spi"), "0x000007d1");
	assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "idle_s")));
	assert_true(json_is_null(json_object_get(answer, "cursor")));
	json_decref(answer);
	assert_refused("{\"command\":\"sa show\",\"arguments\":{\"name\":\"y\"}}", "not_found",
		"no security association");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_are_read_whole),
		cmocka_unit_test(pairs_are_refused_without_their_keys),
		cmocka_unit_test(dummies_are_asked_for),
		cmocka_unit_test(pairs_move_and_policies_come),
		cmocka_unit_test(associations_come_in_pages),
	};

	ctl_path = argc > 1 ? argv[1] : "homeportctl";
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
