/* The foreign agent's visitor list: what is relayed, denied and remembered. RFC 5944 3.7 */
#include "pktgen/foreign_agent/visitors.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S CLOCK_NS_PER_S

static struct visitors visitors;
static struct visitors_answer answer;
static uint8_t payload[256];
static size_t length;

static struct mip4_request honest(void)
{
	return (struct mip4_request){.flags = MIP4_T,
		.lifetime_s = 600,
		.home_address = inet_addr("10.20.0.10"),
		.home_agent = inet_addr("10.20.0.1"),
		.care_of_address = inet_addr("10.0.3.2"),
		.identification = 0x1122334455667788};
}

static struct visitors_sender sender(void)
{
	return (struct visitors_sender){.mac = {2, 0, 0, 0, 0, 7},
		.ttl = 255,
		.source = inet_addr("10.20.0.10"),
		.destination = inet_addr("10.3.0.1"),
		.port = 40000};
}

static int fresh(void **state)
{
	const struct visitors_settings settings = {.care_of_address = inet_addr("10.0.3.2"),
		.link_address = inet_addr("10.3.0.1"),
		.lifetime_max_s = 1800};

	visitors_init(&visitors, &settings);
	return 0;
}

/* A request with an authenticator for the home agent, and an extension behind it when asked for. */
static void ask(monotonic now, struct mip4_request request, struct visitors_sender from, bool more)
{
	struct writer w = writer_make(payload, sizeof(payload));

	mip4_request_write(&w, &request);
	memset(mip4_authentication_write(&w, MIP4_EXT_MOBILE_HOME_AUTH, 256, 16), 7, 16);
	length = writer_length(&w);
	if (more)
		mip4_extension_write(&w, MIP4_EXT_REVOCATION_SUPPORT, "\0\0\0\0\0\0", 6);
	visitors_request(&visitors, now, &from, payload, writer_length(&w), &answer);
}

static void reply(monotonic now, uint8_t code, uint16_t lifetime, uint64_t identification)
{
	struct writer w = writer_make(payload, sizeof(payload));
	const struct mip4_reply message = {.code = code,
		.lifetime_s = lifetime,
		.home_address = inet_addr("10.20.0.10"),
		.home_agent = inet_addr("10.20.0.1"),
		.identification = identification};

	mip4_reply_write(&w, &message);
	memset(mip4_authentication_write(&w, MIP4_EXT_MOBILE_HOME_AUTH, 256, 16), 7, 16);
	visitors_reply(&visitors, now, inet_addr("10.20.0.1"), payload, writer_length(&w), &answer);
}

static uint8_t denied_with(monotonic now, struct mip4_request request, struct visitors_sender from)
{
	ask(now, request, from, false);
	assert_int_equal(answer.verdict, VISITORS_TO_NODE);
	assert_int_equal(answer.length, 20);
	assert_int_equal(answer.payload[1], answer.code);
	assert_int_equal(answer.sender.port, 40000);
	return answer.code;
}

static void a_request_is_relayed_up_to_the_authenticator(void **state)
{
	ask(S, honest(), sender(), true);
	assert_int_equal(answer.verdict, VISITORS_TO_HOME_AGENT);
	assert_int_equal(answer.home_agent, inet_addr("10.20.0.1"));
	assert_int_equal(answer.length, length); // RFC 5944 3.7.2.2
	assert_null(visitors_lookup(&visitors, inet_addr("10.20.0.10")));
	assert_int_equal(visitors_deadline(&visitors), 8 * S);
}

static void an_accepted_one_is_a_visitor_for_its_lifetime(void **state)
{
	ask(S, honest(), sender(), false);
	reply(2 * S, 0, 300, honest().identification);
	assert_int_equal(answer.verdict, VISITORS_TO_NODE);
	assert_int_equal(answer.sender.port, 40000);
	assert_int_equal(answer.before.home_address, 0);
	const struct visitor *v = visitors_lookup(&visitors, inet_addr("10.20.0.10"));
	assert_non_null(v);
	assert_true(v->reverse_tunnel);
	assert_int_equal(v->home_agent, inet_addr("10.20.0.1"));
	assert_int_equal(v->mac[5], 7);
	assert_int_equal(visitors_deadline(&visitors), 302 * S);
	assert_false(visitors_timer(&visitors, 301 * S, &answer));
	assert_true(visitors_timer(&visitors, 302 * S, &answer));
	assert_int_equal(answer.before.home_address, inet_addr("10.20.0.10"));
	assert_int_equal(answer.after.home_address, 0);
	assert_null(visitors_lookup(&visitors, inet_addr("10.20.0.10")));
}

static void a_refusal_or_silence_changes_no_visitor(void **state)
{
	ask(S, honest(), sender(), false);
	reply(S, 1, 300, honest().identification);
	struct mip4_request again = honest();
	again.identification++;
	ask(2 * S, again, sender(), false);
	assert_non_null(visitors_lookup(&visitors, inet_addr("10.20.0.10")));
	reply(2 * S, 131, 0, again.identification);
	assert_int_equal(answer.code, 131);
	assert_non_null(visitors_lookup(&visitors, inet_addr("10.20.0.10")));
	again.identification++;
	ask(3 * S, again, sender(), false);
	assert_true(visitors_timer(&visitors, 10 * S, &answer));
	assert_int_equal(answer.code, 78);
	assert_int_equal(answer.verdict, VISITORS_TO_NODE);
	assert_non_null(visitors_lookup(&visitors, inet_addr("10.20.0.10")));
}

static void deregistration_ends_the_visit(void **state)
{
	struct mip4_request leave = honest();

	ask(S, honest(), sender(), false);
	reply(S, 0, 300, honest().identification);
	leave.lifetime_s = 0;
	leave.identification++;
	ask(2 * S, leave, sender(), false);
	assert_int_equal(answer.verdict, VISITORS_TO_HOME_AGENT);
	assert_non_null(visitors_lookup(&visitors, inet_addr("10.20.0.10")));
	reply(2 * S, 0, 0, leave.identification);
	assert_int_equal(answer.before.home_address, inet_addr("10.20.0.10"));
	assert_null(visitors_lookup(&visitors, inet_addr("10.20.0.10")));
}

static void a_reply_to_nothing_is_discarded(void **state)
{
	ask(S, honest(), sender(), false);
	reply(S, 0, 300, honest().identification + 1);
	assert_int_equal(answer.verdict, VISITORS_DISCARD);
	visitors_reply(&visitors, S, inet_addr("10.20.0.2"), payload, 20, &answer);
	assert_int_equal(answer.verdict, VISITORS_DISCARD);
	reply(S, 0, 300, honest().identification);
	assert_int_equal(answer.verdict, VISITORS_TO_NODE);
	reply(S, 0, 300, honest().identification);
	assert_int_equal(answer.verdict, VISITORS_DISCARD); /* once is enough */
}

static void what_cannot_be_is_denied_by_its_code(void **state)
{
	struct mip4_request r = honest();
	struct visitors_sender far = sender();

	r.care_of_address = inet_addr("10.0.3.3");
	assert_int_equal(denied_with(10 * S, r, sender()), 77);
	r = honest();
	r.lifetime_s = 1801;
	assert_int_equal(denied_with(20 * S, r, sender()), 69);
	assert_int_equal(answer.payload[2] << 8 | answer.payload[3], 1800);
	r = honest();
	r.flags |= MIP4_G;
	assert_int_equal(denied_with(30 * S, r, sender()), 72);
	r = honest();
	r.home_address = 0;
	assert_int_equal(denied_with(40 * S, r, sender()), 96);
	r = honest();
	r.home_agent = inet_addr("10.3.0.1");
	assert_int_equal(denied_with(50 * S, r, sender()), 194);
	far.ttl = 254; // RFC 3024 4.2.1
	assert_int_equal(denied_with(60 * S, honest(), far), 76);
	visitors.settings.reverse_tunnel_mandatory = true;
	r = honest();
	r.flags = 0;
	assert_int_equal(denied_with(70 * S, r, sender()), 75);
	ask(70 * S + S / 2, r, sender(), false);
	assert_int_equal(answer.verdict, VISITORS_DISCARD); /* at most one a second */
	assert_int_equal(visitors_deadline(&visitors), CLOCK_NEVER);
}

static void too_many_wait_in_vain(void **state)
{
	struct mip4_request r = honest();

	for (unsigned i = 0; i < PENDING_MAX; i++, r.identification++) {
		ask(S, r, sender(), false);
		assert_int_equal(answer.verdict, VISITORS_TO_HOME_AGENT);
	}
	assert_int_equal(denied_with(S, r, sender()), 66);
	r.identification--; /* the same one again takes no more room */
	ask(S, r, sender(), false);
	assert_int_equal(answer.verdict, VISITORS_TO_HOME_AGENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_request_is_relayed_up_to_the_authenticator, fresh),
		cmocka_unit_test_setup(an_accepted_one_is_a_visitor_for_its_lifetime, fresh),
		cmocka_unit_test_setup(a_refusal_or_silence_changes_no_visitor, fresh),
		cmocka_unit_test_setup(deregistration_ends_the_visit, fresh),
		cmocka_unit_test_setup(a_reply_to_nothing_is_discarded, fresh),
		cmocka_unit_test_setup(what_cannot_be_is_denied_by_its_code, fresh),
		cmocka_unit_test_setup(too_many_wait_in_vain, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
