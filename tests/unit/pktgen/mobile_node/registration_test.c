/*
 * The registration machine in simulated time, against a home agent that the test plays: requests,
 * what they ask for, and what is believed of the answers.
 */
#include "tests/unit/pktgen/mobile_node/played_agent.h"

// HA4-FMT-01, HA4-AUTH-05: byte for byte vector V01, but for the fraction of its timestamp
static void request_is_as_the_vector(void **state)
{
	static const uint8_t v01[] = {0x01, 0x22, 0x02, 0x58, 0x0a, 0x01, 0x00, 0x0a, 0xc0, 0x00,
		0x02, 0x01, 0xc6, 0x33, 0x64, 0x17, 0xed, 0x00, 0x37, 0x80};
	struct registration_settings s = settings_default();
	struct mip4_authentication authentication;
	uint8_t expected[AUTHENTICATOR_SIZE_MAX];
	struct world w;

	s.tunnel = REGISTRATION_TUNNEL_IPIP;
	world_start(&w, &s);
	assert_int_equal(w.requests, 0);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	assert_int_equal(w.requests, 1);
	assert_int_equal(w.request_source, v4("198.51.100.23"));
	assert_int_equal(w.request_length, 46);
	assert_memory_equal(w.request, v01, sizeof(v01));
	assert_int_equal(w.parsed.extension_count, 1);
	assert_true(mip4_authentication_read(&w.parsed, &w.parsed.extensions[0], &authentication));
	assert_int_equal(authentication.covered, 30);
	assert_true(authenticator_compute(AUTHENTICATOR_HMAC_MD5, &s.key, w.request, 30, expected));
	assert_memory_equal(authentication.authenticator, expected, 16);
}

// HA4-NAT-01, HA4-NAT-12: 144 before the AE; 44's interval with its default and its minimum
static void udp_tunnel_is_asked_for_and_understood(void **state)
{
	static const struct {
		uint16_t sent, used;
	} keepalives[] = {{30, 30}, {0, 110}, {3, 10}};

	for (unsigned i = 0; i < 3; i++) {
		struct registration_settings s = settings_default();
		struct world w;
		s.tunnel = REGISTRATION_TUNNEL_FORCED;
		strcpy(s.nai, "mn1@example.com");
		world_start(&w, &s);
		registration_care_of_changed(&w.node, w.now, v4("192.168.1.23"));
		struct mip4_udp_tunnel_request asked;
		int index = mip4_extension_find(&w.parsed, MIP4_EXT_UDP_TUNNEL_REQUEST, 0);
		assert_int_equal(index, 1); /* NAI, 144, AE */
		assert_true(mip4_udp_tunnel_request_read(
			&w.parsed, &w.parsed.extensions[index], &asked));
		assert_int_equal(asked.flags, MIP4_UDP_TUNNEL_F);
		assert_int_equal(w.parsed.extensions[2].type, MIP4_EXT_MOBILE_HOME_AUTH);
		reply(&w,
			(struct answer){
				.lifetime_s = 60, .udp = true, .keepalive_s = keepalives[i].sent});
		assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
		assert_true(w.last.udp_tunnel);
		assert_int_equal(w.last.keepalive_s, keepalives[i].used);
	}
}

// RFC 3519 3.2: codes 64 and above are "no UDP tunnel", the registration stands
static void declined_udp_tunnel_leaves_ip_in_ip(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	reply(&w, (struct answer){.lifetime_s = 60, .udp = true, .udp_code = 64});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
	assert_false(w.last.udp_tunnel);
}

// HA4-RPL-07: the clock of the home agent is taken over, ahead or behind, once and for all
static void clock_is_taken_over(void **state)
{
	static const int32_t offsets[] = {3600, -3600, 86400 * 365, -86400 * 365};

	for (unsigned i = 0; i < 4; i++) {
		struct registration_settings s = settings_default();
		struct world w;
		world_start(&w, &s);
		w.agent_clock_offset_s = offsets[i];
		registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
		answer_honestly(&w);
		assert_int_equal(w.requests, 2); /* the next request left at once */
		answer_honestly(&w);
		assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
		next_deadline(&w);
		answer_honestly(&w);
		assert_int_equal(w.last.type, REGISTRATION_EVENT_REFRESHED);
		assert_int_equal(w.requests, 3);
	}
}

// HA4-RPL-06: the node's own side of the era change
static void clock_passes_2036(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	w.now.wall_ns = 2085978495ull * S; /* one second before */
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	assert_int_equal(w.parsed.request.identification >> 32, 0xffffffff);
	answer_honestly(&w);
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
	next_deadline(&w);
	assert_true(w.parsed.request.identification >> 32 < 600);
	answer_honestly(&w);
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REFRESHED);
}

static void endless_133_is_not_answered_endlessly(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	for (unsigned i = 0; i < 3; i++)
		reply(&w, (struct answer){.code = 133});
	assert_int_equal(w.requests, 3); /* the first and two at once */
	next_deadline(&w);
	assert_int_equal(w.requests, 4);
	assert_int_equal(w.request_at[3] - w.request_at[2], 5 * S);
}

// HA4-AUTH-09 seen from the node, RFC 5944 3.6.2.1: nothing that is not signed changes anything
static void unauthenticated_replies_are_ignored(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	reply(&w, (struct answer){.lifetime_s = 60, .no_authentication = true});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_IGNORED);
	assert_string_equal(w.last.reason, "no_authentication");
	reply(&w, (struct answer){.lifetime_s = 60, .bad_authenticator = true});
	assert_string_equal(w.last.reason, "bad_authenticator");
	reply(&w, (struct answer){.code = 133, .identification = 1, .bad_authenticator = true});
	assert_string_equal(w.last.reason, "bad_authenticator");
	assert_int_equal(w.node.clock_offset_s, 0);
	reply(&w, (struct answer){.lifetime_s = 60, .two_authentications = true});
	assert_string_equal(w.last.reason, "bad_authenticator");
	reply(&w, (struct answer){
			  .lifetime_s = 60, .identification = w.parsed.request.identification ^ 1});
	assert_string_equal(w.last.reason, "identification");
	reply(&w, (struct answer){.lifetime_s = 60, .home_address = v4("10.1.0.11")});
	assert_string_equal(w.last.reason, "home_address");
	registration_reply_received(&w.node, w.now, "\3", 1);
	assert_string_equal(w.last.reason, "rx_short");
	registration_reply_received(&w.node, w.now, w.request, w.request_length);
	assert_string_equal(w.last.reason, "not_a_reply");
	assert_int_equal(w.node.state, REGISTRATION_REGISTERING);
	answer_honestly(&w);
	assert_int_equal(w.node.state, REGISTRATION_REGISTERED);
	answer_honestly(&w); /* the same reply once more */
	assert_string_equal(w.last.reason, "identification");
}

// HA4-RPL-13: every authenticated reply brings the nonce of the next request
static void nonces_follow_the_replies(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	s.replay = REGISTRATION_NONCE;
	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	uint64_t first = w.parsed.request.identification;
	reply(&w, (struct answer){
			  .code = 133, .identification = 0xcafe0001ull << 32 | (uint32_t)first});
	assert_int_equal(w.requests, 2);
	assert_int_equal(w.parsed.request.identification >> 32, 0xcafe0001);
	assert_true((uint32_t)w.parsed.request.identification != (uint32_t)first);
	uint64_t second = w.parsed.request.identification;
	next_deadline(&w); /* RFC 5944 3.6.3: a retransmission keeps it */
	assert_int_equal(w.parsed.request.identification, second);
	reply(&w, (struct answer){.lifetime_s = 60,
			  .identification = 0xcafe0002ull << 32 | (uint32_t)second});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
	next_deadline(&w);
	assert_int_equal(w.parsed.request.identification >> 32, 0xcafe0002);
}

/* A move while a request is out: the old place's reply is late and counts for nothing. */
static void move_during_pending_registration(void **state)
{
	struct registration_settings s = settings_default();
	struct world w, old;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	memcpy(&old, &w, sizeof(w));
	pass(&w, S / 2);
	registration_care_of_changed(&w.node, w.now, v4("192.168.1.23"));
	assert_int_equal(w.requests, 2);
	assert_int_equal(w.request_source, v4("192.168.1.23"));
	assert_int_equal(w.parsed.request.care_of_address, v4("192.168.1.23"));

	struct mip4_message fresh = w.parsed;
	w.parsed = old.parsed;
	reply(&w, (struct answer){.lifetime_s = 60});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_IGNORED);
	assert_string_equal(w.last.reason, "identification");
	assert_int_equal(w.node.state, REGISTRATION_REGISTERING);
	w.parsed = fresh;
	reply(&w, (struct answer){.lifetime_s = 60});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
	assert_int_equal(w.last.care_of_address, v4("192.168.1.23"));
	registration_care_of_changed(&w.node, w.now, v4("192.168.1.23"));
	assert_int_equal(w.requests, 2); /* the same address again is no move */
}

// HA4-REG-05: home: lifetime 0, care-of = home address, from the home address, no extension 144
static void home_deregisters_everything(void **state)
{
	struct world w;

	registered_world(&w);
	registration_care_of_changed(&w.node, w.now, v4("10.1.0.200"));
	assert_int_equal(w.history[(w.events - 2) % 64].type, REGISTRATION_EVENT_ARRIVED_HOME);
	assert_int_equal(w.request_source, v4("10.1.0.10"));
	assert_int_equal(w.parsed.request.care_of_address, v4("10.1.0.10"));
	assert_int_equal(w.parsed.request.lifetime_s, 0);
	assert_int_equal(mip4_extension_find(&w.parsed, MIP4_EXT_UDP_TUNNEL_REQUEST, 0), -1);
	next_deadline(&w); /* lost once */
	answer_honestly(&w);
	assert_int_equal(w.last.type, REGISTRATION_EVENT_HOME);
	assert_int_equal(w.node.state, REGISTRATION_HOME);
	assert_int_equal(registration_deadline(&w.node), CLOCK_NEVER);

	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	assert_int_equal(w.parsed.request.lifetime_s, 600);
	answer_honestly(&w);
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
}

// HA4-TNC-06: only before the authenticator
static void trust_only_what_is_authenticated(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	reply(&w, (struct answer){.lifetime_s = 60, .tnc_behind = true});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
	assert_false(w.last.trusted);
	registration_refresh_wanted(&w.node, w.now);
	reply(&w, (struct answer){.lifetime_s = 60, .tnc = true});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REFRESHED);
	assert_true(w.last.trusted);
}

// HA4-DYN-04: the address comes with the acceptance and is asked for by name from then on
static void home_address_is_assigned(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	s.home_address = 0;
	strcpy(s.nai, "mn1@example.com");
	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	assert_int_equal(w.parsed.request.home_address, 0);
	reply(&w, (struct answer){.lifetime_s = 60});
	assert_string_equal(w.last.reason, "home_address");
	reply(&w, (struct answer){.lifetime_s = 60, .home_address = v4("10.1.0.77")});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
	assert_int_equal(w.last.home_address, v4("10.1.0.77"));
	next_deadline(&w);
	assert_int_equal(w.parsed.request.home_address, v4("10.1.0.77"));
}

// RFC 5944 3.6.3, 5.7.2: unchanged, byte for byte, also when a route came back; given up at last
static void nonce_request_is_repeated_unchanged(void **state)
{
	struct registration_settings s = settings_default();
	uint8_t first[512];
	struct world w;

	s.replay = REGISTRATION_NONCE;
	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	memcpy(first, w.request, w.request_length);
	pass(&w, S / 2);
	registration_route_changed(&w.node, w.now);
	assert_int_equal(w.requests, 2);
	assert_memory_equal(w.request, first, w.request_length);
	for (unsigned i = 0; i < 4; i++) { /* 1.5, 3.5, 7.5, 15.5 s */
		next_deadline(&w);
		assert_memory_equal(w.request, first, w.request_length);
	}
	uint64_t before = w.parsed.request.identification;
	next_deadline(&w);
	assert_true((uint32_t)w.parsed.request.identification != (uint32_t)before);
	assert_int_equal(w.parsed.request.identification >> 32, before >> 32);
}

static void address_lost_and_found(void **state)
{
	struct world w;

	registered_world(&w);
	registration_care_of_changed(&w.node, w.now, 0);
	assert_int_equal(w.last.type, REGISTRATION_EVENT_LOST);
	unsigned before = w.requests;
	registration_refresh_wanted(&w.node, w.now);
	assert_int_equal(w.requests, before); /* from where? */
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	assert_int_equal(w.requests, before + 1);
}

/* RFC 5944 3.6.1.1: D clear; RFC 3519 4.3: asking for UDP is the agent's. */
static void through_a_foreign_agent(void **state)
{
	struct world w;
	struct registration_settings s = settings_default();

	world_start(&w, &s);
	registration_agent_changed(&w.node, w.now, v4("10.0.3.2"), 300);
	assert_int_equal(w.parsed.request.flags, MIP4_T);
	assert_int_equal(w.parsed.request.lifetime_s, 300);
	assert_int_equal(w.parsed.request.care_of_address, v4("10.0.3.2"));
	assert_int_equal(mip4_extension_find(&w.parsed, MIP4_EXT_UDP_TUNNEL_REQUEST, 0), -1);
	answer_honestly(&w);
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
	assert_int_equal(w.last.lifetime_s, 300);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	assert_int_equal(w.parsed.request.flags, MIP4_D | MIP4_T);
	assert_int_equal(w.parsed.request.lifetime_s, 600);
	registration_fini(&w.node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_as_the_vector),
		cmocka_unit_test(udp_tunnel_is_asked_for_and_understood),
		cmocka_unit_test(declined_udp_tunnel_leaves_ip_in_ip),
		cmocka_unit_test(clock_is_taken_over),
		cmocka_unit_test(clock_passes_2036),
		cmocka_unit_test(endless_133_is_not_answered_endlessly),
		cmocka_unit_test(unauthenticated_replies_are_ignored),
		cmocka_unit_test(nonces_follow_the_replies),
		cmocka_unit_test(move_during_pending_registration),
		cmocka_unit_test(home_deregisters_everything),
		cmocka_unit_test(trust_only_what_is_authenticated),
		cmocka_unit_test(home_address_is_assigned),
		cmocka_unit_test(nonce_request_is_repeated_unchanged),
		cmocka_unit_test(address_lost_and_found),
		cmocka_unit_test(through_a_foreign_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
