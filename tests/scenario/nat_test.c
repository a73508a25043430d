/*
 * Nodes and foreign agents behind NATs: mappings that come, change hands and go, and what may
 * travel in the tunnel.
 */
#include "tests/scenario/scenario.h"

/* Trap 12, HA4-REG-07: out of the NAT, nothing of it stays; trap 8. */
static void refresh_replaces_all(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = natted(udp_request), bare = plain;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(home_live(h, "10.1.0.10")->flags & BINDING_UDP);
	assert_int_equal(home_binding(h, "10.1.0.10")->lifetime_s, 60); // HA4-NAT-13
	assert_int_equal(ask_send(h, &bare), 0);
	const struct binding_command *live = home_live(h, "10.1.0.10");
	assert_false(live->flags & BINDING_UDP);
	assert_int_equal(live->care_of_port, 0);
	assert_int_equal(home_binding(h, "10.1.0.10")->lifetime_s, 600);
	assert_int_equal(h->live_count, 1); // one slot: a handover is one store
	assert_int_equal(h->removes, 0);
	assert_int_equal(h->arrived_count, 1); // HA4-HOME-05
	end(h);
}

/* HA4-NAT-18: the NAT gave the mapping to somebody else. */
static void mapping_reused(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(
		NODE("home_address = \"10.1.0.10\";") "," NODE("home_address = \"10.1.0.11\";")));
	struct ask first = natted(udp_request), second = natted(udp_request);

	(void)state;
	second.home_address = "10.1.0.11";
	assert_int_equal(ask_send(h, &first), 0);
	assert_int_equal(ask_send(h, &second), 0);
	assert_true(home_live(h, "10.1.0.10")->flags & BINDING_STALE_NAT);
	assert_false(home_live(h, "10.1.0.11")->flags & BINDING_STALE_NAT);
	assert_int_equal(home_counter(h, MIP4_STALE_NAT), 1);
	assert_int_equal(ask_send(h, &second), 0); /* a refresh finds it stale already */
	assert_int_equal(home_counter(h, MIP4_STALE_NAT), 1);
	first.source_port = 40008;
	assert_int_equal(ask_send(h, &first), 0);
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_STALE_NAT);
	assert_int_equal(home_live(h, "10.1.0.10")->care_of_port, htons(40008)); // HA4-NAT-16
	end(h);
}

/* HA4-NAT-21, -22. */
static void half_bound(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = natted(udp_half_bound);

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(home_live(h, "10.1.0.10")->flags & (BINDING_UDP | BINDING_HALF_BOUND),
		BINDING_UDP | BINDING_HALF_BOUND);
	assert_int_equal(home_live(h, "10.1.0.10")->care_of_port, 0);
	struct event event = {.type = EVENT_BINDING_BOUND,
		.id = home_binding(h, "10.1.0.10")->id,
		.address = address_of("203.0.113.99"),
		.udp_port = htons(50000)};
	mip4_engine_event(h->engine, &event, h->now);
	assert_true(home_live(h, "10.1.0.10")->flags & BINDING_HALF_BOUND);
	event.address = address_of("203.0.113.7");
	mip4_engine_event(h->engine, &event, h->now);
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_HALF_BOUND);
	assert_int_equal(home_live(h, "10.1.0.10")->care_of_port, htons(50000));
	end(h);
}

/* HA4-NAT-06, row by row. */
static void nat_table(void **state)
{
	static const struct {
		bool present, mismatch, force, half, traversal, force_allowed;
		int code, reply; /* reply: code in 44, -1 none */
		bool udp;
	} rows[] = {
		{false, false, false, false, true, true, 0, -1, false},
		{false, true, false, false, true, true, 129, -1, false},
		{true, true, false, false, true, false, 0, 0, true},
		{true, true, true, false, true, false, 0, 0, true},
		{true, true, false, false, false, false, 129, -1, false},
		{true, true, false, true, false, false, 129, -1, false},
		{true, false, false, false, true, true, 0, 64, false},
		{true, false, false, true, false, false, 0, -1, false},
		{true, false, true, false, true, true, 0, 0, true},
		{true, false, true, false, true, false, 129, -1, false},
		{true, false, true, true, false, false, 129, -1, false},
		{true, false, false, true, true, false, 0, 0, true},
		{true, true, false, true, true, false, 0, 0, true},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text;
		uint8_t request[8] = {144, 6, 0, 0, 0, 0, 0, 0};
		struct mip4_message reply;
		request[4] = (uint8_t)((rows[i].force ? 0x80 : 0) | (rows[i].half ? 0x40 : 0));
		if (asprintf(&text,
			    INSTANCE("nat_traversal = %s; nat_force = %s;") "mobile_nodes = "
									    "( " NODE(
										    "home_address "
										    "= "
										    "\"10.1.0.10\";"
										    " nat_force = "
										    "true;") " );"
											     "\n",
			    rows[i].traversal ? "true" : "false",
			    rows[i].force_allowed ? "true" : "false") < 0)
			abort();
		struct home *h = home_new(text);
		struct ask ask = natted(rows[i].present ? request : NULL);
		if (!rows[i].mismatch)
			ask.source = ask.care_of;
		assert_int_equal(ask_send(h, &ask), rows[i].code);
		home_reply(h, &reply);
		int at = mip4_extension_find(&reply, MIP4_EXT_UDP_TUNNEL_REPLY, 0);
		assert_int_equal(at >= 0 ? reply.payload[reply.extensions[at].offset + 3] : -1,
			rows[i].reply);
		if (rows[i].code == 0)
			assert_int_equal(
				(home_live(h, "10.1.0.10")->flags & BINDING_UDP) != 0, rows[i].udp);
		end(h);
		free(text);
	}
}

/* ---- form ---- */

// HA4-MSG-06
static void udp_checksum_required(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(
		"{ home_address = \"10.1.0.10\"; security = ( { spi = 0x100; require_udp_checksum "
		"= true; key = \"" KEY_NODE_TEXT "\"; } ); }," ELEVEN));
	struct ask ask = plain;
	struct punt_record record;

	(void)state;
	ask_build(h, &ask, &record);
	record.flags = PUNT_UDP_ZERO_CHECKSUM;
	assert_int_equal(receive_code(h, &record), -1);
	assert_int_equal(home_counter(h, MIP4_ZERO_CHECKSUM), 1);
	assert_null(home_binding(h, "10.1.0.10"));
	assert_int_equal(ask_send(h, &ask), 0);
	ask.home_address = "10.1.0.11"; /* others may */
	ask_build(h, &ask, &record);
	record.flags = PUNT_UDP_ZERO_CHECKSUM;
	assert_int_equal(receive_code(h, &record), 0);
	end(h);
}

/* ---- foreign agents ---- */

// HA4-NAT-24, HA4-AUTH-20, HA4-MODE-02: the foreign agent is behind the NAT
static void agent_behind_nat(void **state)
{
	static const uint8_t wants[8] = {144, 6, 0, 0, 0x40, 0, 0, 0}; /* R has no meaning here */
	struct home *h =
		home_new(INSTANCE("keepalive_s = 30;") NODES(TEN "," ELEVEN) AGENTS(AGENT(FA)));
	struct ask ask = relayed();
	struct ip_address nat = address_of("203.0.113.9");

	(void)state;
	ask.source = "203.0.113.9";
	ask.source_port = 5000;
	assert_int_equal(ask_send(h, &ask), -1); /* without 144 nobody knows this source */
	assert_int_equal(home_counter(h, MIP4_STRAY_FA_AUTH), 1);
	ask.after = wants;
	ask.after_length = sizeof(wants);
	assert_int_equal(ask_send(h, &ask), 0);
	const struct binding_command *live = home_live(h, "10.1.0.10");
	assert_int_equal(live->flags & (BINDING_UDP | BINDING_HALF_BOUND), BINDING_UDP);
	assert_true(ip_address_equal(&live->care_of_address, &nat));
	assert_int_equal(live->care_of_port, htons(5000));
	assert_true(in_reply(h, MIP4_EXT_UDP_TUNNEL_REPLY) > in_reply(h, 32)); // HA4-NAT-05
	assert_true(in_reply(h, 34) > in_reply(h, MIP4_EXT_UDP_TUNNEL_REPLY));
	ask.home_address = "10.1.0.11"; /* the agent's next visitor shares the endpoint */
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(home_live(h, "10.1.0.11")->care_of_port, htons(5000));
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_STALE_NAT); // HA4-NAT-18
	assert_int_equal(home_counter(h, MIP4_STALE_NAT), 0);
	end(h);
}

/* ---- replies ---- */

// HA4-NAT-28, HA4-BND-09, HA4-BND-13
static void mixed_tunnels(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(TEN));
	struct ask ask = natted(udp_request), direct = plain;
	unsigned udp = 0;

	(void)state;
	ask.flags |= MIP4_S;
	direct.flags |= MIP4_S | MIP4_G;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(ask_send(h, &direct), 0);
	assert_int_equal(h->live_count, 2);
	for (unsigned i = 0; i < h->size; i++) {
		if (!h->is_live[i])
			continue;
		if (h->live[i].flags & BINDING_UDP)
			udp++;
		else
			assert_int_equal(h->live[i].encapsulation, ENCAPSULATION_GRE);
	}
	assert_int_equal(udp, 1);
	monotonic expires = home_binding(h, "10.1.0.10")->expires_ns;
	home_configure(h, INSTANCE("max_lifetime_s = 5; nat_max_lifetime_s = 5;") NODES(TEN));
	home_pass(h, 10);
	assert_int_equal(home_binding(h, "10.1.0.10")->expires_ns, expires);
	assert_int_equal(h->live_count, 2);
	assert_int_equal(ask_send(h, &direct), 0); /* it counts from the next registration on */
	struct mip4_message reply;
	home_reply(h, &reply);
	assert_int_equal(reply.reply.lifetime_s, 5);
	end(h);
}

// HA4-REV-12, HA4-DEC-14: the node's own tunnel alone, nested mobility goes on
static void signalling_in_tunnels(void **state)
{
	struct home *h = home_new(INSTANCE("source_mismatch_accept = true;") NODES(TEN "," ELEVEN));
	struct ask ask = plain;
	struct punt_record record;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	uint32_t id = home_binding(h, "10.1.0.10")->id;
	ask.source = "10.1.0.10";
	ask.lifetime_s = 300;
	ask_build(h, &ask, &record);
	record.layer_count = 1;
	record.layers[0].kind = DECAP_IPIP;
	record.layers[0].id = id;
	assert_int_equal(receive_code(h, &record), -1);
	assert_int_equal(home_counter(h, MIP4_SIGNALLING_IN_TUNNEL), 1);
	assert_int_equal(home_binding(h, "10.1.0.10")->lifetime_s, 600);
	ask = plain; /* a visitor whose care-of address is the first one's home address */
	ask.home_address = "10.1.0.11";
	ask.care_of = "10.1.0.10";
	ask_build(h, &ask, &record);
	record.source = address_of("10.1.0.12");
	record.layer_count = 1;
	record.layers[0].kind = DECAP_IPIP;
	record.layers[0].id = id;
	assert_int_equal(receive_code(h, &record), 0);
	end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refresh_replaces_all),
		cmocka_unit_test(mapping_reused),
		cmocka_unit_test(half_bound),
		cmocka_unit_test(nat_table),
		cmocka_unit_test(udp_checksum_required),
		cmocka_unit_test(agent_behind_nat),
		cmocka_unit_test(mixed_tunnels),
		cmocka_unit_test(signalling_in_tunnels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
