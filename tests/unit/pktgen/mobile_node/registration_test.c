/*
 * The registration machine in simulated time, against a home agent that this file plays. Time moves
 * only when a test says so; the machine's own deadlines are what moves it.
 */
#include "pktgen/mobile_node/registration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define S CLOCK_NS_PER_S

struct world {
	struct registration node;
	struct clock_now now;
	/* what the node sent last */
	uint8_t request[512];
	size_t request_length;
	be32 request_source;
	struct mip4_message parsed;
	unsigned requests;
	monotonic request_at[64];
	/* what it told */
	struct registration_event last, history[64];
	unsigned events;
	uint32_t random;
	/* what the home agent does */
	int32_t agent_clock_offset_s;
	uint16_t agent_lifetime_s;
};

static be32 v4(const char *text)
{
	struct ip_address a;
	assert_int_equal(ip_address_parse(text, &a), 0);
	return ip_address_v4(&a);
}

static void on_send(void *context, const void *payload, size_t length, be32 source)
{
	struct world *w = context;

	assert_true(length <= sizeof(w->request));
	memcpy(w->request, payload, length);
	w->request_length = length;
	w->request_source = source;
	w->request_at[w->requests++ % 64] = w->now.monotonic_ns;
	assert_int_equal(mip4_parse(&w->parsed, w->request, length, true), MIP4_OK);
	assert_int_equal(w->parsed.type, MIP4_REGISTRATION_REQUEST);
}

static void on_event(void *context, const struct registration_event *event)
{
	struct world *w = context;
	w->last = *event;
	w->history[w->events++ % 64] = *event;
}

static uint32_t on_random(void *context)
{
	struct world *w = context;
	w->random = w->random * 1664525 + 1013904223;
	return w->random;
}

static struct registration_settings settings_default(void)
{
	struct registration_settings s = {
		.home_agent = v4("192.0.2.1"),
		.home_address = v4("10.1.0.10"),
		.lifetime_s = 600,
		.spi = 256,
	};
	assert_int_equal(secret_from_hex("0123456789abcdeffedcba9876543210", &s.key), 0);
	assert_int_equal(ip_prefix_parse("10.1.0.0/16", &s.home_prefix), 0);
	return s;
}

static void world_start(struct world *w, const struct registration_settings *settings)
{
	const struct registration_output output = {w, on_send, on_event, on_random};

	memset(w, 0, sizeof(*w));
	w->now.monotonic_ns = 1000 * S;
	w->now.wall_ns = 1767225600ull * S;
	w->agent_lifetime_s = 600;
	registration_init(&w->node, settings, &output);
}

static void pass(struct world *w, uint64_t ns)
{
	w->now.monotonic_ns += ns;
	w->now.wall_ns += ns;
}

/* Lets time pass to the machine's next deadline and fires it. */
static void next_deadline(struct world *w)
{
	monotonic deadline = registration_deadline(&w->node);

	assert_true(deadline != CLOCK_NEVER);
	if (deadline > w->now.monotonic_ns)
		pass(w, deadline - w->now.monotonic_ns);
	registration_timer(&w->node, w->now);
}

struct answer {
	uint8_t code;
	uint64_t identification; /* 0: as the request's */
	uint16_t lifetime_s;
	be32 home_address; /* 0: as the request's */
	bool tnc, tnc_behind, udp, no_authentication, bad_authenticator, two_authentications;
	uint16_t keepalive_s;
	uint8_t udp_code;
};

static void reply(struct world *w, struct answer a)
{
	uint8_t payload[256];
	struct writer out = writer_make(payload, sizeof(payload));
	const uint8_t tnc[2] = {0, 0};
	const struct mip4_request *request = &w->parsed.request;
	const struct mip4_reply header = {
		.code = a.code,
		.lifetime_s = a.lifetime_s,
		.home_address = a.home_address ? a.home_address : request->home_address,
		.home_agent = request->home_agent,
		.identification = a.identification ? a.identification : request->identification,
	};

	mip4_reply_write(&out, &header);
	if (a.udp) {
		const struct mip4_udp_tunnel_reply tunnel = {a.udp_code, false, a.keepalive_s};
		mip4_udp_tunnel_reply_write(&out, &tunnel);
	}
	if (a.tnc)
		mip4_extension_write(&out, MIP4_EXT_TNC, tnc, 2);
	for (int i = 0; i < (a.no_authentication ? 0 : a.two_authentications ? 2 : 1); i++) {
		uint8_t *at = mip4_authentication_write(&out, MIP4_EXT_MOBILE_HOME_AUTH, 256, 16);
		assert_non_null(at);
		assert_true(authenticator_compute(AUTHENTICATOR_HMAC_MD5, &w->node.settings.key,
			payload, writer_length(&out) - 16, at));
		if (a.bad_authenticator)
			at[15] ^= 1;
	}
	if (a.tnc_behind)
		mip4_extension_write(&out, MIP4_EXT_TNC, tnc, 2);
	registration_reply_received(&w->node, w->now, payload, writer_length(&out));
}

/* What a right home agent of timestamp style would say. */
static void answer_honestly(struct world *w)
{
	uint32_t clock = clock_ntp_seconds(w->now.wall_ns) + (uint32_t)w->agent_clock_offset_s;
	uint32_t high = (uint32_t)(w->parsed.request.identification >> 32);
	int32_t difference = (int32_t)(high - clock);
	uint16_t lifetime = w->parsed.request.lifetime_s;

	if (difference > 7 || difference < -7)
		reply(w, (struct answer){.code = 133,
				 .identification = (uint64_t)clock << 32 |
						   (uint32_t)w->parsed.request.identification});
	else
		reply(w, (struct answer){.lifetime_s = lifetime < w->agent_lifetime_s
							       ? lifetime
							       : w->agent_lifetime_s});
}

static void registered_world(struct world *w)
{
	struct registration_settings s = settings_default();

	world_start(w, &s);
	registration_care_of_changed(&w->node, w->now, v4("198.51.100.23"));
	pass(w, S / 100);
	answer_honestly(w);
	assert_int_equal(w->last.type, REGISTRATION_EVENT_REGISTERED);
}

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

// RFC 5944 3.6.3: one second, then at least doubled, no more than the cap; a new Identification
// each time
static void lost_replies_are_retried_with_back_off(void **state)
{
	static const unsigned gaps[] = {1, 2, 4, 8, 16, 32, 32, 32};
	struct registration_settings s = settings_default();
	uint64_t before;
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	for (unsigned i = 0; i < 8; i++) {
		before = w.parsed.request.identification;
		next_deadline(&w);
		assert_int_equal(w.requests, i + 2);
		assert_int_equal(w.request_at[i + 1] - w.request_at[i], gaps[i] * S);
		assert_true(w.parsed.request.identification > before);
	}
	answer_honestly(&w);
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
	assert_int_equal(w.last.took_ns, 127 * S);
	assert_int_equal(w.last.attempt, 9);
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

// HA4-BND-03: never longer than asked; refreshed at half of what was granted
static void lifetime_is_refreshed_at_half(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	reply(&w, (struct answer){.lifetime_s = 60});
	assert_int_equal(w.last.lifetime_s, 60);
	for (unsigned i = 1; i <= 20; i++) {
		next_deadline(&w);
		assert_int_equal(w.requests, i + 1);
		assert_int_equal(w.request_at[i % 64] - w.request_at[(i - 1) % 64], 30 * S);
		reply(&w, (struct answer){.lifetime_s = 60});
		assert_int_equal(w.last.type, REGISTRATION_EVENT_REFRESHED);
	}
	next_deadline(&w);
	reply(&w, (struct answer){.lifetime_s = 65535}); /* more than asked */
	assert_int_equal(w.last.lifetime_s, 600);
}

static void unanswered_refresh_expires(void **state)
{
	struct world w;
	bool expired = false;

	registered_world(&w);
	monotonic granted_until = w.request_at[0] + 600 * S;
	for (unsigned i = 0; i < 64 && !expired; i++) {
		next_deadline(&w);
		expired = w.last.type == REGISTRATION_EVENT_EXPIRED;
		for (unsigned k = 0; k < w.events && k < 64; k++)
			expired |= w.history[k].type == REGISTRATION_EVENT_EXPIRED;
	}
	assert_true(expired);
	assert_int_equal(w.now.monotonic_ns, granted_until);
	assert_int_equal(w.node.state, REGISTRATION_REGISTERING);
	next_deadline(&w);
	answer_honestly(&w);
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
}

static void infinite_lifetime_never_refreshes(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	s.lifetime_s = 0xffff;
	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	reply(&w, (struct answer){.lifetime_s = 0xffff});
	assert_int_equal(registration_deadline(&w.node), CLOCK_NEVER);
}

static void lifetime_zero_granted_is_no_storm(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	for (unsigned i = 0; i < 10; i++) {
		unsigned before = w.requests;
		reply(&w, (struct answer){.lifetime_s = 0});
		while (w.requests == before)
			next_deadline(&w);
	}
	assert_true(w.now.monotonic_ns - w.request_at[0] >= 10 * S);
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

// HA4-CODE-02: a foreign agent's code needs no authenticator of the home agent and is a denial at
// most
static void denials_are_retried_later(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	reply(&w, (struct answer){.code = 129});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_DENIED);
	assert_int_equal(w.last.code, 129);
	next_deadline(&w);
	assert_int_equal(w.request_at[1] - w.request_at[0], 5 * S);
	reply(&w, (struct answer){.code = 66, .no_authentication = true});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_DENIED);
	assert_int_equal(w.node.state, REGISTRATION_REGISTERING);
	next_deadline(&w);
	answer_honestly(&w);
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
}

// RFC 5944 3.6.2.3: what a denied node asks again for grows rarer; a new place is a new chance
static void denials_are_retried_less_and_less(void **state)
{
	static const unsigned gaps[] = {5, 10, 20, 40, 60, 60, 60};
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	for (unsigned i = 0; i < 7; i++) {
		reply(&w, (struct answer){.code = 131});
		next_deadline(&w);
		assert_int_equal(w.requests, i + 2);
		assert_int_equal(w.request_at[i + 1] - w.request_at[i], gaps[i] * S);
	}
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.24"));
	reply(&w, (struct answer){.code = 131});
	next_deadline(&w);
	assert_int_equal(w.request_at[w.requests - 1] - w.request_at[w.requests - 2], 5 * S);
}

/* Requests in the first second, then in the nine after it, while something asks ten times a second.
 */
static void flood(struct world *w, void (*ask)(struct world *w, unsigned i), unsigned at_once)
{
	unsigned before = w->requests;

	for (unsigned i = 0; i < 100; i++) {
		ask(w, i);
		pass(w, S / 10);
		registration_timer(&w->node, w->now);
		if (i == 8)
			assert_int_equal(w->requests - before, at_once);
	}
	assert_in_range(w->requests - before, 10, 17);
}

static void ask_by_route(struct world *w, unsigned i)
{
	registration_route_changed(&w->node, w->now);
}

static void ask_by_signal(struct world *w, unsigned i)
{
	registration_refresh_wanted(&w->node, w->now);
}

static void ask_by_move(struct world *w, unsigned i)
{
	registration_care_of_changed(
		&w->node, w->now, i % 2 ? v4("198.51.100.23") : v4("198.51.100.24"));
}

// RFC 5944 2.4.2, 3.6.3: once a second on average, whatever drives the node; the last place wins
static void requests_are_bounded(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	flood(&w, ask_by_route, 5);
	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	flood(&w, ask_by_signal, 5);
	world_start(&w, &s);
	flood(&w, ask_by_move, 6);
	if (!w.node.pending)
		next_deadline(&w);
	assert_int_equal(w.parsed.request.care_of_address, v4("198.51.100.23"));
	answer_honestly(&w);
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
	assert_int_equal(w.last.care_of_address, v4("198.51.100.23"));
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

// RFC 5944 3.6.2.2: as if the timer had started when the request was sent, its first copy that is
static void lifetime_counts_from_the_first_copy(void **state)
{
	for (unsigned nonce = 0; nonce < 2; nonce++) {
		struct registration_settings s = settings_default();
		struct world w;

		s.replay = nonce ? REGISTRATION_NONCE : REGISTRATION_TIMESTAMP;
		world_start(&w, &s);
		registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
		next_deadline(&w);
		next_deadline(&w);
		assert_int_equal(w.requests, 3);
		reply(&w, (struct answer){.lifetime_s = 60});
		assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
		assert_int_equal(w.node.expiry, w.request_at[nonce ? 0 : 2] + 60 * S);
	}
}

/* A reply that took more than half of the lifetime leaves time to refresh all the same. */
static void late_reply_is_refreshed_in_time(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	for (unsigned i = 0; i < 5; i++)
		next_deadline(&w);
	pass(&w, 31 * S); /* the next retransmission is due after 32 s */
	reply(&w, (struct answer){.lifetime_s = 60});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REGISTERED);
	next_deadline(&w);
	assert_int_equal(w.requests, 7);
	assert_int_equal(w.request_at[6] - w.request_at[5], 32 * S);
	reply(&w, (struct answer){.lifetime_s = 60});
	assert_int_equal(w.last.type, REGISTRATION_EVENT_REFRESHED);
}

static void stopping_deregisters_this_place(void **state)
{
	struct world w;

	registered_world(&w);
	registration_stop_wanted(&w.node, w.now);
	assert_int_equal(w.parsed.request.lifetime_s, 0);
	assert_int_equal(w.parsed.request.care_of_address, v4("198.51.100.23"));
	answer_honestly(&w);
	assert_int_equal(w.last.type, REGISTRATION_EVENT_STOPPED);
	assert_string_equal(w.last.reason, "deregistered");
}

static void stopping_does_not_wait_for_ever(void **state)
{
	struct world w;

	registered_world(&w);
	monotonic asked = w.now.monotonic_ns;
	registration_stop_wanted(&w.node, w.now);
	for (unsigned i = 0; i < 8 && w.node.state != REGISTRATION_STOPPED; i++)
		next_deadline(&w);
	assert_string_equal(w.last.reason, "no_answer");
	assert_int_equal(w.now.monotonic_ns - asked, 3 * S);
}

static void route_brings_a_waiting_request_forward(void **state)
{
	struct registration_settings s = settings_default();
	struct world w;

	world_start(&w, &s);
	registration_care_of_changed(&w.node, w.now, v4("198.51.100.23"));
	pass(&w, S / 10);
	registration_route_changed(&w.node, w.now);
	assert_int_equal(w.requests, 2);
	answer_honestly(&w);
	registration_route_changed(&w.node, w.now);
	assert_int_equal(w.requests, 2); /* nothing waits */
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
		cmocka_unit_test(lost_replies_are_retried_with_back_off),
		cmocka_unit_test(clock_is_taken_over),
		cmocka_unit_test(clock_passes_2036),
		cmocka_unit_test(endless_133_is_not_answered_endlessly),
		cmocka_unit_test(unauthenticated_replies_are_ignored),
		cmocka_unit_test(nonces_follow_the_replies),
		cmocka_unit_test(lifetime_is_refreshed_at_half),
		cmocka_unit_test(unanswered_refresh_expires),
		cmocka_unit_test(infinite_lifetime_never_refreshes),
		cmocka_unit_test(lifetime_zero_granted_is_no_storm),
		cmocka_unit_test(move_during_pending_registration),
		cmocka_unit_test(home_deregisters_everything),
		cmocka_unit_test(trust_only_what_is_authenticated),
		cmocka_unit_test(home_address_is_assigned),
		cmocka_unit_test(denials_are_retried_later),
		cmocka_unit_test(denials_are_retried_less_and_less),
		cmocka_unit_test(requests_are_bounded),
		cmocka_unit_test(nonce_request_is_repeated_unchanged),
		cmocka_unit_test(lifetime_counts_from_the_first_copy),
		cmocka_unit_test(late_reply_is_refreshed_in_time),
		cmocka_unit_test(stopping_deregisters_this_place),
		cmocka_unit_test(stopping_does_not_wait_for_ever),
		cmocka_unit_test(route_brings_a_waiting_request_forward),
		cmocka_unit_test(address_lost_and_found),
		cmocka_unit_test(through_a_foreign_agent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
