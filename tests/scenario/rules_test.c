/*
 * The rules one by one: each with the very code, counter or octet that the requirement names.
 * Registrations as a story are in registration_test.c.
 */
#include "tests/scenario/scenario.h"

/* The reply to what came through inbound SA `sa_id`. */
static int code_through(struct home *h, const struct ask *ask, uint32_t sa_id)
{
	struct punt_record record;

	ask_build(h, ask, &record);
	record.layer_count = 1;
	record.layers[0].kind = DECAP_ESP;
	record.layers[0].id = sa_id;
	return receive_code(h, &record);
}

/* ---- form ---- */

// HA4-BAD-12, HA4-BAD-13
static void sources(void **state)
{
	static const char *const bad[] = {"224.0.0.11", "255.255.255.255", "127.0.0.1", "240.0.0.1",
		"192.0.2.1", "192.0.2.3", "10.1.255.255", "10.1.0.0", "0.0.0.0"};
	struct home *h = home_new(NULL);
	struct ask ask = plain;
	struct punt_record record;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ask.source = bad[i];
		assert_int_equal(ask_send(h, &ask), -1);
		assert_int_equal(home_counter(h, MIP4_RX_SOURCE_ADDRESS), i + 1);
	}
	ask = plain;
	ask_build(h, &ask, &record);
	record.source_port = 0;
	assert_int_equal(receive_code(h, &record), -1);
	assert_int_equal(home_counter(h, MIP4_RX_SOURCE_PORT), 1);
	assert_int_equal(mip4_show_node_count(h->engine), 0);
	/* HA4-RRP-14: from 0.0.0.0 on the home link it is answered there, to the frame's sender. */
	ask.source = "0.0.0.0";
	ask.port = 1;
	assert_int_equal(ask_send(h, &ask), 0);
	const struct inject_record *r = &h->sent[0];
	assert_int_equal(r->kind, INJECT_DATAGRAM_TO_MAC);
	assert_int_equal(r->port, 1);
	assert_memory_equal(r->mac, "\x02\x00\x00\x00\x00\x10", 6);
	assert_memory_equal(r->data + 16, "\xff\xff\xff\xff", 4);
	/* HA4-NAT-29: and it is never behind a NAT. */
	ask.extensions = udp_request;
	ask.extensions_length = sizeof(udp_request);
	assert_int_equal(ask_send(h, &ask), 0);
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_UDP);
	struct mip4_message reply;
	home_reply(h, &reply);
	int at = mip4_extension_find(&reply, MIP4_EXT_UDP_TUNNEL_REPLY, 0);
	assert_int_equal(reply.payload[reply.extensions[at].offset + 3], 64);
	end(h);
}

// HA4-MSG-01, HA4-REG-08, HA4-RRP-02
static void broadcasts(void **state)
{
	static const char *const to[] = {"10.1.255.255", "255.255.255.255", "224.0.0.11"};
	struct home *h = home_new(NULL);
	struct ip_address own = address_of("192.0.2.1");

	(void)state;
	for (unsigned i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		struct ask ask = plain;
		struct punt_record record;
		ask.destination = to[i];
		ask.port = 1;
		ask_build(h, &ask, &record);
		record.flags = PUNT_IP_BROADCAST;
		assert_int_equal(receive_code(h, &record), 136);
		assert_memory_equal(h->sent[0].data + 12, &own.words[3], 4);
		assert_int_equal(home_counter(h, MIP4_DENIED_136), i + 1);
		ask.bad_auth = true; /* steps 1 to 10 come first */
		home_pass(h, 2);
		ask_build(h, &ask, &record);
		record.flags = PUNT_IP_BROADCAST;
		assert_int_equal(receive_code(h, &record), 131);
		ask.bad_auth = false;
		ask.port = 0; /* not a home link: nobody is asked */
		ask_build(h, &ask, &record);
		record.flags = PUNT_IP_BROADCAST;
		assert_int_equal(receive_code(h, &record), -1);
		assert_int_equal(mip4_counters_of(h->engine, 1)->value[MIP4_RX_NO_INSTANCE], i + 1);
	}
	assert_null(home_binding(h, "10.1.0.10"));
	end(h);
}

/* ---- codes ---- */

// HA4-NEMO-04: more networks than a binding holds
static void too_many_networks(void **state)
{
	uint8_t asks[8 * (NETWORKS_PER_BINDING_MAX + 1)];
	struct home *h = home_new(NULL);
	struct ask ask = plain;

	(void)state;
	for (unsigned i = 0; i <= NETWORKS_PER_BINDING_MAX; i++) {
		const uint8_t one[8] = {148, 6, 0, 24, 10, 50, (uint8_t)i, 0};
		memcpy(asks + 8 * i, one, 8);
	}
	ask.extensions = asks;
	ask.extensions_length = sizeof(asks) - 8;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.extensions_length = sizeof(asks);
	assert_int_equal(ask_send(h, &ask), 134);
	assert_string_equal(h->event_text, "step 9: too many mobile networks asked for");
	end(h);
}

// HA4-REG-15, HA4-REG-16, HA4-DEC-08, HA4-MODE-07: codes 137, 138, 139 and their order
static void reverse_tunnels(void **state)
{
	struct home *h = home_new(INSTANCE("reverse_tunnel = false; gre = false;") NODES(TEN));
	struct ask ask = plain;
	struct punt_record record;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 137);
	assert_int_equal(home_counter(h, MIP4_DENIED_137), 1);
	ask.flags = FORWARD | MIP4_G;
	assert_int_equal(ask_send(h, &ask), 139); /* the forward tunnel first */
	ask.flags = MIP4_D | MIP4_G;
	assert_int_equal(ask_send(h, &ask), 0); /* without T, IP-in-IP instead */
	assert_int_equal(home_live(h, "10.1.0.10")->encapsulation, ENCAPSULATION_IPIP);
	ask.lifetime_s = 0; // HA4-REG-20
	ask.flags = FORWARD | MIP4_G;
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);

	h = home_new(INSTANCE("reverse_tunnel_mandatory = true;") NODES(TEN));
	ask = plain;
	ask.flags = MIP4_D;
	assert_int_equal(ask_send(h, &ask), 138);
	assert_int_equal(home_counter(h, MIP4_DENIED_138), 1);
	end(h);
	h = home_new(INSTANCE("") NODES(
		NODE("home_address = \"10.1.0.10\"; reverse_tunnel_mandatory = true;") "," ELEVEN));
	assert_int_equal(ask_send(h, &ask), 138);
	ask.home_address = "10.1.0.11";
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);

	h = home_new(INSTANCE("role = \"i-HA\"; trusted = [ \"10.9.0.0/24\" ]; tunnel_inner = [ "
			      "\"10.9.0.0/24\" ];") NODES(TEN));
	h->owned_sa = 7;
	ask = plain;
	ask.flags = MIP4_D;
	ask.care_of = "10.9.0.7";
	assert_int_equal(code_through(h, &ask, 7), 138);
	struct ask translated = natted(udp_request); /* the tunnel would end there, too */
	translated.flags = MIP4_D;
	translated.source = "10.9.0.7";
	assert_int_equal(code_through(h, &translated, 7), 138);
	ask.flags = FORWARD;
	assert_int_equal(code_through(h, &ask, 7), 0);
	assert_true(home_live(h, "10.1.0.10")->flags & BINDING_REQUIRES_IPSEC); // HA4-MODE-06
	ask.port = 1; // HA4-MODE-03: not out of its SA
	ask_build(h, &ask, &record);
	assert_int_equal(receive_code(h, &record), -1);
	assert_int_equal(home_counter(h, MIP4_TUNNEL_INNER_SOURCE), 1);
	// HA4-MODE-11: another SA changes nothing, a rekey moves it, without an owner it is
	// suspended
	assert_int_equal(mip4_engine_inner_lost(h->engine, 8, h->now), 0);
	assert_int_equal(home_live(h, "10.1.0.10")->sa_id, 7);
	h->inner_owner = 9;
	assert_int_equal(mip4_engine_inner_lost(h->engine, 7, h->now), 0);
	assert_int_equal(home_live(h, "10.1.0.10")->sa_id, 9);
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_SUSPENDED);
	h->inner_owner = 0;
	assert_int_equal(mip4_engine_inner_lost(h->engine, 9, h->now), 1);
	assert_true(home_live(h, "10.1.0.10")->flags & BINDING_SUSPENDED);
	h->owned_sa = 11; /* the node registers out of its new SA */
	ask.port = 0;
	assert_int_equal(code_through(h, &ask, 11), 0);
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_SUSPENDED);
	assert_int_equal(home_live(h, "10.1.0.10")->sa_id, 11);
	// over a restart: its own SA is there, or another one has the address by then
	assert_int_equal(mip4_engine_inner_check(h->engine, h->now), 0);
	assert_false(home_live(h, "10.1.0.10")->flags & BINDING_SUSPENDED);
	h->owned_sa = 12;
	h->inner_owner = 12;
	assert_int_equal(mip4_engine_inner_check(h->engine, h->now), 1);
	assert_true(home_live(h, "10.1.0.10")->flags & BINDING_SUSPENDED);
	assert_int_equal(home_live(h, "10.1.0.10")->sa_id, 0);
	assert_int_equal(mip4_engine_inner_check(h->engine, h->now), 0);
	end(h);
}

// HA4-DYN-09, HA4-DYN-14, HA4-DYN-16
static void dynamic_agent(void **state)
{
	static const uint8_t other[] = {139, 1, 0, 4, 192, 0, 2, 9};
	struct home *h = home_new(INSTANCE("dynamic_ha = true;") NODES(
		NODE("nai = \"a@b\"; home_addresses = [ \"10.1.0.10\", \"10.1.0.11\" ];") "," NODE(
			"home_address = \"10.1.0.12\";")));
	struct ask ask = plain;

	(void)state;
	ask.nai = "a@b";
	ask.extensions = other;
	ask.extensions_length = sizeof(other);
	ask.home_agent = "255.255.255.255";
	assert_int_equal(ask_send(h, &ask), 136);
	ask.extensions_length = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.home_address = "10.1.0.11"; /* its second device */
	ask.care_of = "198.51.100.24";
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(h->live_count, 2);
	ask.home_address = "10.1.0.12";
	assert_int_equal(ask_send(h, &ask), 129);
	ask.nai = NULL; /* no NAI: not for ALL-ZERO-ONE */
	assert_int_equal(ask_send(h, &ask), 136);
	end(h);
}

// HA4-NAT-06, HA4-REG-13: a co-located node (D=1) behind a foreign agent: a source that is not the
// care-of address is right from an agent that we know, whose list is for D=0 alone
static void co_located_behind_an_agent(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(
		NODE("home_address = \"10.1.0.10\"; "
		     "agents_allowed = [ \"198.51.100.200/32\" ];")) AGENTS(AGENT(FA)));
	struct ask ask = relayed();

	(void)state;
	assert_int_equal(ask_send(h, &ask), 129);
	assert_string_equal(h->event_text, "step 13: foreign agent not in this user's list");
	ask.flags = FORWARD;
	ask.care_of = "198.51.100.23";
	ask.source = FA;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.source = "198.51.100.77";
	ask.agent_spi = 0;
	assert_int_equal(ask_send(h, &ask), 129);
	end(h);
}

// HA4-REG-13: care-of addresses, agents, zones, hours
static void roaming_policy(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(
		NODE("home_address = \"10.1.0.10\"; "
		     "care_of_allowed = [ \"198.51.100.0/24\" "
		     "];") "," NODE("home_address = \"10.1.0.11\"; agents_allowed = [ "
				    "\"198.51.100.200/32\" "
				    "];") "," NODE("home_address = \"10.1.0.12\"; zone = "
						   "\"internal\";") "," NODE("home"
									     "_add"
									     "ress"
									     " = "
									     "\"10"
									     ".1."
									     "0."
									     "13\""
									     "; "
									     "hour"
									     "s = "
									     "\"08"
									     ":00-"
									     "18:"
									     "30\""
									     ";") "," NODE("home_"
											   "address"
											   " = "
											   "\"10.1."
											   "0.14\";"
											   " hours "
											   "= "
											   "\"22:"
											   "00-06:"
											   "00\""
											   ";")));
	struct ask ask = plain;

	(void)state;
	ask.care_of = "203.0.113.5";
	assert_int_equal(ask_send(h, &ask), 129);
	assert_string_equal(h->event_text, "step 13: care-of address not in this user's list");
	ask.home_address = "10.1.0.11";
	ask.flags = MIP4_T;
	assert_int_equal(ask_send(h, &ask), 129);
	assert_string_equal(h->event_text, "step 13: foreign agent not in this user's list");
	ask.care_of = "198.51.100.200";
	assert_int_equal(ask_send(h, &ask), 0);
	ask = plain;
	ask.home_address = "10.1.0.12";
	assert_int_equal(ask_send(h, &ask), 129);
	assert_string_equal(h->event_text, "step 13: not in this user's zone");
	ask.port = 1;
	assert_int_equal(ask_send(h, &ask), 0);
	/* It is midnight. */
	ask = plain;
	ask.home_address = "10.1.0.13";
	assert_int_equal(ask_send(h, &ask), 129);
	assert_string_equal(h->event_text, "step 13: not in this user's hours");
	ask.home_address = "10.1.0.14";
	assert_int_equal(ask_send(h, &ask), 0);
	home_at(h, HOME_T0 + 8 * 3600);
	assert_int_equal(ask_send(h, &ask), 129);
	ask.lifetime_s = 0;
	assert_int_equal(ask_send(h, &ask), 0); /* who leaves is not asked */
	ask.lifetime_s = 600;
	ask.home_address = "10.1.0.13";
	assert_int_equal(ask_send(h, &ask), 0);
	home_at(h, HOME_T0 + 18 * 3600 + 30 * 60);
	assert_int_equal(ask_send(h, &ask), 129);
	end(h);
}

// HA4-XTN-05, HA4-XTN-06, HA4-XTN-08
static void services(void **state)
{
	static const uint8_t voice[] = {151, 5, 'v', 'o', 'i', 'c', 'e'};
	static const uint8_t video[] = {151, 5, 'v', 'i', 'd', 'e', 'o'};
	struct home *h = home_new(
		INSTANCE("services = [ \"voice\", \"video\" ]; service_echo = true;")
			NODES(NODE("home_address = \"10.1.0.10\"; services = [ \"voice\" ];"))
				AGENTS(AGENT(FA)));
	struct ask ask = plain;
	struct mip4_message reply;

	(void)state;
	ask.extensions = voice;
	ask.extensions_length = sizeof(voice);
	assert_int_equal(ask_send(h, &ask), 0);
	home_reply(h, &reply);
	int at = mip4_extension_find(&reply, MIP4_EXT_SERVICE_SELECTION, 0);
	assert_true(at >= 0 && at < mip4_extension_find(&reply, 32, 0));
	assert_memory_equal(reply.payload + reply.extensions[at].offset, voice, sizeof(voice));
	assert_int_equal(home_binding(h, "10.1.0.10")->service, 1);
	ask.extensions = video;
	assert_int_equal(ask_send(h, &ask), 151); /* and the binding goes with it */
	assert_int_equal(home_counter(h, MIP4_DENIED_151), 1);
	assert_null(home_binding(h, "10.1.0.10"));
	assert_null(home_live(h, "10.1.0.10"));
	ask = relayed();
	ask.after = voice;
	ask.after_length = sizeof(voice);
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(in_reply(h, MIP4_EXT_SERVICE_SELECTION) > in_reply(h, 32));
	end(h);
}

// HA4-TNC-08
static void external_agent(void **state)
{
	struct home *h = home_new(
		"instances = ( " INSTANCE_OF("x", "192.0.2.1", "{ prefix = \"10.1.0.0/16\"; }",
			"role = \"x-HA\"; drop_internal = true;") " );\n" NODES(TEN));
	struct ask ask = plain;

	(void)state;
	ask.port = 1;
	assert_int_equal(ask_send(h, &ask), -1);
	assert_int_equal(home_counter(h, MIP4_INTERNAL_SOURCE), 1);
	ask.port = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(in_reply(h, MIP4_EXT_TNC), -1); // HA4-TNC-05: i-HA only
	end(h);
}

/* ---- replies ---- */

// HA4-NEMO-01: implicit mode
static void implicit_networks(void **state)
{
	struct home *h = home_new(INSTANCE("nemo = true;") NODES(
		NODE("home_address = \"10.1.0.10\"; mobile_router = true; implicit_networks = "
		     "true; networks = [ \"10.50.1.0/24\", \"10.50.2.0/24\" ];")));
	struct ask ask = plain;
	struct mip4_message reply;
	struct ip_prefix list[4];

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	home_reply(h, &reply);
	int at = mip4_extension_find(&reply, MIP4_EXT_MOBILE_NETWORK, 0);
	assert_true(at >= 0);
	assert_int_equal(reply.payload[reply.extensions[at].offset + 2], 2); /* sub-type */
	assert_int_equal(reply.payload[reply.extensions[at].offset + 3], 0); /* code */
	assert_true(mip4_extension_find(&reply, MIP4_EXT_MOBILE_NETWORK, (unsigned)at + 1) > at);
	assert_int_equal(h->prefix_sets, 2);
	assert_int_equal(mip4_show_networks(h->engine, home_binding(h, "10.1.0.10"), list, 4), 2);
	ask.lifetime_s = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(h->prefix_removes, 2); // HA4-NEMO-05
	end(h);
}

// HA4-NEMO-06: a prefix is one router's at a time
static void networks_taken(void **state)
{
	static const uint8_t wants[] = {148, 6, 0, 24, 10, 50, 1, 0};
	struct home *h = home_new(INSTANCE("nemo = true;") NODES(
		NODE("home_address = \"10.1.0.0/24\"; mobile_router = true; networks = [ "
		     "\"10.50.1.0/24\" ];")));
	struct ask ask = plain;
	struct mip4_message reply;

	(void)state;
	ask.extensions = wants;
	ask.extensions_length = sizeof(wants);
	assert_int_equal(ask_send(h, &ask), 0);
	ask.home_address = "10.1.0.11";
	assert_int_equal(ask_send(h, &ask), 147);
	home_reply(h, &reply);
	int at = mip4_extension_find(&reply, MIP4_EXT_MOBILE_NETWORK, 0);
	assert_int_equal(reply.payload[reply.extensions[at].offset + 3], 3);
	assert_null(home_binding(h, "10.1.0.11"));
	ask.home_address = "10.1.0.10";
	ask.lifetime_s = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.home_address = "10.1.0.11";
	ask.lifetime_s = 600;
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources),
		cmocka_unit_test(broadcasts),
		cmocka_unit_test(too_many_networks),
		cmocka_unit_test(reverse_tunnels),
		cmocka_unit_test(dynamic_agent),
		cmocka_unit_test(co_located_behind_an_agent),
		cmocka_unit_test(roaming_policy),
		cmocka_unit_test(services),
		cmocka_unit_test(external_agent),
		cmocka_unit_test(implicit_networks),
		cmocka_unit_test(networks_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
