/*
 * What a binding and its reply keep of the request that made them: which care-of addresses there
 * may be, how long it lasts, which tunnel it names, what an authenticator covers, and who is sent
 * elsewhere.
 */
#include "tests/scenario/scenario.h"

#include "lib/base/clock.h"

// HA4-REG-11, HA4-REG-20: nothing that cannot be the end of a tunnel, and no address of ours
static void care_of_forms(void **state)
{
	static const struct {
		const char *care_of;
		int code;
	} rows[] = {
		{"0.0.0.0", 134},
		{"127.0.0.1", 134},
		{"127.255.255.254", 134},
		{"224.0.0.1", 134},
		{"239.255.255.255", 134},
		{"240.0.0.1", 134},
		{"255.255.255.255", 134},
		{"10.1.255.255", 134}, /* all of the home link would hear it */
		{"10.1.0.0", 134},
		{"10.1.0.10", 134}, /* the home address */
		{"192.0.2.1", 129}, /* the agent's */
		{"192.168.7.7", 0}, /* private ones are usual */
		{"172.16.0.9", 0},
		{"100.64.0.1", 0},
		{"198.51.100.23", 0},
	};
	struct home *h = home_new(INSTANCE("source_mismatch_accept = true;") NODES(TEN));

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ask ask = plain;

		ask.care_of = rows[i].care_of;
		ask.source = "198.51.100.9";
		int code = ask_send(h, &ask);
		if (code != rows[i].code)
			fail_msg("%s: %d", rows[i].care_of, code);
		assert_int_equal(home_live(h, "10.1.0.10") != NULL, code == 0);
		ask.lifetime_s = 0; /* whatever it says there */
		assert_int_equal(ask_send(h, &ask), 0);
	}
	end(h);
}

// HA4-BND-04: 0xffff where the operator allows it, and then for ever
static void infinite(void **state)
{
	struct home *h = home_new(INSTANCE("max_lifetime_s = 65535;")
			NODES(TEN "," NODE("home_address = \"10.1.0.11\"; max_lifetime_s = 900;")));
	struct ask ask = plain;
	struct mip4_message reply;

	(void)state;
	ask.lifetime_s = MIP4_LIFETIME_INFINITE;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.lifetime_s, MIP4_LIFETIME_INFINITE);
	assert_true(home_binding(h, "10.1.0.10")->expires_ns == CLOCK_NEVER);
	assert_true(home_live(h, "10.1.0.10")->expires_ns == CLOCK_NEVER);
	ask.home_address = "10.1.0.11"; /* its own maximum */
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.lifetime_s, 900);
	ask = plain; /* the largest finite one is none of that kind */
	ask.lifetime_s = MIP4_LIFETIME_INFINITE - 1;
	ask.home_address = "10.1.0.11";
	assert_int_equal(ask_send(h, &ask), 0);
	home_pass(h, 901);
	assert_null(home_binding(h, "10.1.0.11"));
	home_pass(h, 70000);
	assert_non_null(home_live(h, "10.1.0.10"));
	end(h);

	h = home_new(INSTANCE("max_lifetime_s = 65534;") NODES(TEN));
	ask = plain;
	ask.lifetime_s = MIP4_LIFETIME_INFINITE;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.lifetime_s, 65534);
	home_pass(h, 65533);
	assert_non_null(home_live(h, "10.1.0.10"));
	home_pass(h, 2);
	assert_null(home_live(h, "10.1.0.10"));
	end(h);
}

// HA4-BND-05: one of two expires; interception ends with the other
static void one_of_two_expires(void **state)
{
	struct home *h = home_new(INSTANCE("simultaneous_bindings = 3;") NODES(TEN));
	struct ask ask = plain;

	(void)state;
	ask.flags = FORWARD | MIP4_S;
	ask.lifetime_s = 10;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.care_of = "198.51.100.24";
	ask.lifetime_s = 30;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(h->live_count, 2);
	h->sent_count = 0;
	home_pass(h, 11);
	struct ip_address left = address_of("198.51.100.24");
	assert_int_equal(h->live_count, 1);
	assert_true(ip_address_equal(&home_live(h, "10.1.0.10")->care_of_address, &left));
	assert_int_equal(h->returned_count, 0);
	home_pass(h, 20);
	assert_int_equal(h->live_count, 0);
	assert_int_equal(h->returned_count, 1);
	assert_int_equal(h->sent_count, 0);
	end(h);
}

// HA4-REG-18: where there is no room, no second binding; the first is refreshed all the same
static void no_room_for_a_second(void **state)
{
	struct home *h =
		home_new(INSTANCE("simultaneous_bindings = 3; max_bindings = 1;") NODES(TEN));
	struct ask ask = plain;

	(void)state;
	ask.flags = FORWARD | MIP4_S;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.care_of = "198.51.100.24";
	assert_int_equal(ask_send(h, &ask), 130);
	assert_string_equal(h->event_text, "step 19: binding limit reached");
	assert_int_equal(h->live_count, 1);
	ask.care_of = NULL;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.care_of = "198.51.100.24";
	ask.flags = FORWARD; /* a move needs no room */
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(h->live_count, 1);
	end(h);
}

// HA4-REG-17, HA4-REG-25, HA4-BND-01, HA4-BND-02, HA4-RPL-16
static void kept_as_asked(void **state)
{
	static const struct {
		uint8_t flags, encapsulation;
	} rows[] = {
		{MIP4_D | MIP4_T, ENCAPSULATION_IPIP},
		{MIP4_D | MIP4_T | MIP4_G, ENCAPSULATION_GRE},
		{MIP4_D | MIP4_T | MIP4_M, ENCAPSULATION_MINIMAL},
		{MIP4_D, ENCAPSULATION_IPIP},
		{MIP4_T, ENCAPSULATION_IPIP},
		{MIP4_D | MIP4_B | MIP4_G, ENCAPSULATION_GRE},
	};
	struct home *h = home_new(INSTANCE("gre = true; minimal = true;") NODES(TEN));
	struct ip_address care_of = address_of("198.51.100.23"), own = address_of("192.0.2.1");
	struct mip4_message reply;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ask ask = {.flags = rows[i].flags, .lifetime_s = 600};
		uint8_t flags = rows[i].flags;

		assert_int_equal(ask_send(h, &ask), 0);
		assert_true(home_reply(h, &reply));
		const struct binding *b = home_binding(h, "10.1.0.10");
		const struct binding_command *live = home_live(h, "10.1.0.10");
		assert_int_equal(b->request_flags, flags);
		assert_int_equal(b->identification, reply.reply.identification);
		assert_int_equal(b->lifetime_s, 600);
		assert_int_equal(b->spi, 0x100);
		assert_true(ip_address_equal(&b->care_of_field, &care_of));
		assert_true(ip_address_equal(&b->agent_address, &own));
		/* One tunnel, both ways. */
		assert_int_equal(b->encapsulation, rows[i].encapsulation);
		assert_int_equal(live->encapsulation, rows[i].encapsulation);
		assert_int_equal(!!(live->flags & BINDING_REVERSE), !!(flags & MIP4_T));
		assert_int_equal(!!(live->flags & BINDING_COLOCATED), !!(flags & MIP4_D));
		assert_int_equal(!!(live->flags & BINDING_BROADCAST), !!(flags & MIP4_B));
	}
	assert_int_equal(h->live_count, 1); /* the same care-of field: one and the same */
	/* Behind a NAT the field stays the key, the tunnel ends elsewhere. */
	struct ask behind = natted(udp_request);
	struct ip_address field = address_of("192.168.1.23"), nat = address_of("203.0.113.7");
	assert_int_equal(ask_send(h, &behind), 0);
	assert_true(ip_address_equal(&home_binding(h, "10.1.0.10")->care_of_field, &field));
	assert_true(ip_address_equal(&home_binding(h, "10.1.0.10")->care_of_address, &nat));
	behind.source = "203.0.113.8";
	assert_int_equal(ask_send(h, &behind), 0);
	assert_int_equal(h->live_count, 1);
	end(h);
}

// HA4-AUTH-16: the agent's authenticator covers all before it, and its own type, length and SPI
static void agent_authenticator_covers(void **state)
{
	static const uint8_t support[8] = {137, 6, 0x80, 0, 0x69, 0x55, 0xb9, 0x00};
	struct home *h = home_new(NULL);
	struct ask ask = relayed();
	struct punt_record record;
	struct mip4_message parsed;

	(void)state;
	ask.after = support;
	ask.after_length = sizeof(support);
	ask_build(h, &ask, &record);
	assert_int_equal(mip4_parse(&parsed, record.data, record.length, false), MIP4_OK);
	int node = mip4_extension_find(&parsed, MIP4_EXT_MOBILE_HOME_AUTH, 0);
	int agent = mip4_extension_find(&parsed, MIP4_EXT_FOREIGN_HOME_AUTH, 0);
	assert_true(node >= 0 && agent > node);
	const unsigned digest = parsed.extensions[node].offset + 6u; /* type, length, SPI */
	const unsigned own = parsed.extensions[agent].offset;
	const struct {
		unsigned at;
		int code;
	} rows[] = {
		/* Both are wrong, so nobody vouches, and HA4-AUTH-13 has it that nothing is said.
		 */
		{2, -1},      /* the lifetime */
		{digest, -1}, /* the node's digest */
		/* The agent's alone. */
		{own - 2, 132}, /* its extension, behind the node's authenticator */
		{own + 6, 132}, /* its digest */
		{record.length - 1u, 132},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		home_pass(h, 2); /* few refusals a second */
		ask_build(h, &ask, &record);
		record.data[rows[i].at] ^= 1;
		int code = receive_code(h, &record);
		if (code != rows[i].code)
			fail_msg("octet %u: %d", rows[i].at, code);
		assert_null(home_binding(h, "10.1.0.10"));
	}
	home_pass(h, 2);
	ask_build(h, &ask, &record);
	record.data[own + 5] ^= 1; /* another SPI of the same agent: nobody's */
	assert_int_equal(receive_code(h, &record), 132);
	assert_int_equal(home_counter(h, MIP4_AUTH_FAIL_SILENT), 2);
	ask.bad_auth = true; /* the node's alone: the agent vouches */
	ask_build(h, &ask, &record);
	assert_int_equal(receive_code(h, &record), 131);
	ask.bad_auth = false;
	ask_build(h, &ask, &record);
	assert_int_equal(receive_code(h, &record), 0);
	end(h);
}

#define DYNAMIC(extra) INSTANCE("dynamic_ha = true; " extra)

// HA4-DYN-11, HA4-DYN-13, HA4-DYN-15, HA4-RRP-05
static void sent_elsewhere(void **state)
{
	static const char *const nowhere[] = {"0.0.0.0", "255.255.255.255"};
	static const uint8_t target[] = {139, 2, 0, 4, 192, 0, 2, 2};
	const char *const node = NODES(NODE("nai = \"a@b\"; home_address = \"10.1.0.10\";"));
	struct ip_address own = address_of("192.0.2.1");
	struct mip4_message reply;
	char text[2048];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct ask ask = plain;
		ask.nai = "a@b";
		ask.home_agent = nowhere[i];
		snprintf(text, sizeof(text), "%s%s", INSTANCE(""), node);
		struct home *h = home_new(text); /* off */
		assert_int_equal(ask_send(h, &ask), 136);
		end(h);

		snprintf(text, sizeof(text), "%s%s", DYNAMIC(""), node);
		h = home_new(text);
		assert_int_equal(ask_send(h, &ask), 0);
		assert_true(home_reply(h, &reply));
		assert_int_equal(reply.reply.home_agent, ip_address_v4(&own));
		assert_memory_equal(h->sent[0].data + 12, "\xc0\x00\x02\x01", 4);
		assert_int_equal(in_reply(h, MIP4_EXT_DYNAMIC_HA), -1);
		end(h);

		snprintf(
			text, sizeof(text), "%s%s", DYNAMIC("redirect = [ \"192.0.2.2\" ];"), node);
		h = home_new(text);
		ask.bad_auth = true; /* nobody learns of the other one before that */
		assert_int_equal(ask_send(h, &ask), 131);
		assert_int_equal(in_reply(h, MIP4_EXT_DYNAMIC_HA), -1);
		ask.bad_auth = false;
		assert_int_equal(ask_send(h, &ask), 143);
		assert_true(home_reply(h, &reply));
		assert_int_equal(reply.reply.home_agent, ip_address_v4(&own));
		int at = mip4_extension_find(&reply, MIP4_EXT_DYNAMIC_HA, 0);
		assert_true(at >= 0);
		assert_true(at < mip4_extension_find(&reply, MIP4_EXT_MOBILE_HOME_AUTH, 0));
		assert_memory_equal(
			reply.payload + reply.extensions[at].offset, target, sizeof(target));
		assert_null(home_binding(h, "10.1.0.10"));
		ask.home_agent = "192.0.2.1"; /* who has us stays with us */
		assert_int_equal(ask_send(h, &ask), 0);
		assert_int_equal(ask_send(h, &ask), 0);
		ask.home_agent = nowhere[i];
		ask.lifetime_s = 0; /* and may go */
		assert_int_equal(ask_send(h, &ask), 0);
		assert_null(home_binding(h, "10.1.0.10"));
		end(h);
	}
}

// HA4-XTN-10: of the generalized authenticators only Mobile-AAA is known
static void other_authenticators(void **state)
{
	uint8_t extension[24] = {36, 2, 0, 20, 0, 0, 3, 0};
	struct home *h = home_new(INSTANCE("mn_aaa = \"ignore\";") NODES(TEN));
	struct ask ask = plain;

	(void)state;
	ask.after = extension;
	ask.after_length = sizeof(extension);
	assert_int_equal(ask_send(h, &ask), -1);
	assert_int_equal(home_counter(h, MIP4_UNKNOWN_EXT_NONSKIP), 1);
	extension[1] = 1;
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

// HA4-BAD-11: whatever is wrong besides, the code is that of the first step that fails
static void first_failed_step(void **state)
{
	struct home *h = home_new(INSTANCE("reverse_tunnel = false; gre = false;") NODES(TEN));
	struct ask ask = {.flags = MIP4_T | MIP4_G, /* 17: 139, 18: 137 */
		.lifetime_s = 600,
		.care_of = "240.0.0.1", /* 13: 134 */
		.source = "198.51.100.9",
		.home_agent = "192.0.2.77", /* 11: 136 */
		.extensions = udp_request,  /* 9: 134, for D is not set */
		.extensions_length = sizeof(udp_request),
		.bad_auth = true};

	(void)state;
	assert_int_equal(ask_send(h, &ask), 131);
	ask.bad_auth = false;
	assert_int_equal(ask_send(h, &ask), 134);
	ask.extensions_length = 0;
	assert_int_equal(ask_send(h, &ask), 136);
	ask.home_agent = NULL;
	assert_int_equal(ask_send(h, &ask), 134);
	ask.care_of = "198.51.100.9";
	assert_int_equal(ask_send(h, &ask), 139);
	ask.flags = MIP4_T;
	assert_int_equal(ask_send(h, &ask), 137);
	ask.flags = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(home_counter(h, MIP4_DENIED_134), 2);
	assert_int_equal(home_counter(h, MIP4_DENIED_136), 1);
	assert_int_equal(home_counter(h, MIP4_DENIED_137), 1);
	assert_int_equal(home_counter(h, MIP4_DENIED_139), 1);
	end(h);
}

// HA4-REV-14: a delivery style is the foreign agent's matter; one that leaks to us is nothing
static void delivery_style(void **state)
{
	static const uint8_t style[2] = {130, 0};
	struct home *h = home_new(INSTANCE("") NODES(TEN));
	struct ask ask = {.flags = MIP4_T, .lifetime_s = 600, .care_of = FA, .source_port = 434};

	(void)state;
	for (unsigned where = 0; where < 2; where++) {
		ask.extensions = ask.after = style;
		ask.extensions_length = where ? 0 : sizeof(style);
		ask.after_length = where ? sizeof(style) : 0;
		assert_int_equal(ask_send(h, &ask), 0);
		assert_int_equal(in_reply(h, 130), -1);
		assert_int_equal(home_live(h, "10.1.0.10")->encapsulation, ENCAPSULATION_IPIP);
		assert_true(home_live(h, "10.1.0.10")->flags & BINDING_REVERSE);
	}
	end(h);
}

// HA4-NAT-23: nobody asks whether a mapping is still there
static void mapping_not_probed(void **state)
{
	struct home *h =
		home_new(INSTANCE("keepalive_s = 20; nat_max_lifetime_s = 600;") NODES(TEN));
	struct ask ask = natted(udp_request);
	struct ip_address nat = address_of("203.0.113.7");

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	h->sent_count = 0;
	unsigned sets = h->sets;
	home_pass(h, 590);
	assert_int_equal(h->sent_count, 0);
	assert_int_equal(h->sets, sets);
	assert_true(ip_address_equal(&home_live(h, "10.1.0.10")->care_of_address, &nat));
	end(h);
}

// HA4-XTN-04: the operator's text is for who has proved to be somebody
static void message_after_authentication(void **state)
{
	struct home *h =
		home_new(INSTANCE("message = \"call us\"; reverse_tunnel = false;") NODES(TEN));
	struct ask ask = plain;

	(void)state;
	ask.bad_auth = true;
	assert_int_equal(ask_send(h, &ask), 131);
	assert_int_equal(in_reply(h, MIP4_EXT_MESSAGE_STRING), -1);
	ask.bad_auth = false;
	assert_int_equal(ask_send(h, &ask), 137);
	assert_true(in_reply(h, MIP4_EXT_MESSAGE_STRING) >= 0);
	end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(care_of_forms),
		cmocka_unit_test(infinite),
		cmocka_unit_test(one_of_two_expires),
		cmocka_unit_test(no_room_for_a_second),
		cmocka_unit_test(kept_as_asked),
		cmocka_unit_test(agent_authenticator_covers),
		cmocka_unit_test(sent_elsewhere),
		cmocka_unit_test(other_authenticators),
		cmocka_unit_test(first_failed_step),
		cmocka_unit_test(delivery_style),
		cmocka_unit_test(mapping_not_probed),
		cmocka_unit_test(message_after_authentication),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
