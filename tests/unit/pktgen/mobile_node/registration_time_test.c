/*
 * When the registration machine asks again: lost and late replies, lifetimes, denials, a node that
 * stops.
 */
#include "tests/unit/pktgen/mobile_node/played_agent.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_replies_are_retried_with_back_off),
		cmocka_unit_test(lifetime_is_refreshed_at_half),
		cmocka_unit_test(unanswered_refresh_expires),
		cmocka_unit_test(infinite_lifetime_never_refreshes),
		cmocka_unit_test(lifetime_zero_granted_is_no_storm),
		cmocka_unit_test(denials_are_retried_later),
		cmocka_unit_test(denials_are_retried_less_and_less),
		cmocka_unit_test(requests_are_bounded),
		cmocka_unit_test(lifetime_counts_from_the_first_copy),
		cmocka_unit_test(late_reply_is_refreshed_in_time),
		cmocka_unit_test(stopping_deregisters_this_place),
		cmocka_unit_test(stopping_does_not_wait_for_ever),
		cmocka_unit_test(route_brings_a_waiting_request_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
