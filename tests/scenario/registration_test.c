/*
 * Registrations in simulated time: what the requirement list says beyond single packets, and the
 * traps of its section 28.
 */
#include "tests/scenario/scenario.h"

/* Trap 10, HA4-NAT-05: no extension 44 that nobody asked for; HA4-RRP-12: NAI on denials too (trap
 * 17). */
static void nothing_unasked(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = plain;
	struct mip4_message reply;

	(void)state;
	ask_send(h, &ask);
	home_reply(h, &reply);
	assert_int_equal(mip4_extension_find(&reply, MIP4_EXT_UDP_TUNNEL_REPLY, 0), -1);
	assert_int_equal(mip4_extension_find(&reply, MIP4_EXT_NAI, 0), -1);
	assert_int_equal(mip4_extension_find(&reply, MIP4_EXT_TNC, 0), -1);
	assert_int_equal(mip4_extension_find(&reply, MIP4_EXT_REVOCATION_SUPPORT, 0), -1);
	ask.nai = "mn1@EXAMPLE.com"; // HA4-DYN-02
	ask.identification = 0xed00000000000001;
	assert_int_equal(ask_send(h, &ask), 133);
	home_reply(h, &reply);
	int nai = mip4_extension_find(&reply, MIP4_EXT_NAI, 0);
	assert_true(nai >= 0);
	assert_memory_equal(
		reply.payload + reply.extensions[nai].data_offset, "mn1@EXAMPLE.com", 15);
	assert_true(mip4_extension_find(&reply, MIP4_EXT_MOBILE_HOME_AUTH, 0) > nai);
	end(h);
}

/* Trap 19, HA4-REG-06, -20: deregistration by the field, though the tunnel ends elsewhere. */
static void deregister_by_field(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = natted(udp_request);
	struct mip4_message reply;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.lifetime_s = 0;
	ask.care_of = "203.0.113.7"; /* the effective one names nothing */
	assert_int_equal(ask_send(h, &ask), 0);
	assert_non_null(home_binding(h, "10.1.0.10"));
	ask.care_of = "192.168.1.23";
	assert_int_equal(ask_send(h, &ask), 0);
	assert_null(home_binding(h, "10.1.0.10"));
	home_reply(h, &reply);
	assert_int_equal(
		mip4_extension_find(&reply, MIP4_EXT_UDP_TUNNEL_REPLY, 0), -1); // HA4-NAT-04
	assert_int_equal(h->returned_count, 1);
	assert_false(h->returned.has_mac);      // HA4-HOME-07
	assert_int_equal(ask_send(h, &ask), 0); /* again: nothing there, still fine (HA4-REG-05) */
	end(h);
}

/* Trap 20, HA4-REG-12. */
static void care_of_cycle(void **state)
{
	struct home *h = home_new(INSTANCE("source_mismatch_accept = true;")
			NODES(NODE("home_address = \"10.1.0.10\";") "," NODE(
				"home_address = \"10.1.0.11\";") "," NODE("home_address = "
									  "\"10.1.0.12\";")));
	struct ask ask = plain;

	(void)state;
	ask.care_of = "10.1.0.11";
	assert_int_equal(ask_send(h, &ask), 0); /* nested mobility is fine */
	ask.home_address = "10.1.0.11";
	ask.care_of = "10.1.0.12";
	assert_int_equal(ask_send(h, &ask), 0);
	ask.home_address = "10.1.0.12";
	ask.care_of = "10.1.0.10";
	assert_int_equal(ask_send(h, &ask), 129);
	ask.care_of = "10.1.0.12";
	ask.source = "198.51.100.9";
	assert_int_equal(ask_send(h, &ask), 134); /* its own home address */
	end(h);
}

/* Trap 25, HA4-AUTH-17, -18, -19. */
static void three_agent_outcomes(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = {.flags = MIP4_T,
		.lifetime_s = 600,
		.care_of = "198.51.100.254",
		.source_port = 434};

	(void)state;
	assert_int_equal(ask_send(h, &ask), 132); /* N34 */
	ask.agent_spi = 0x200;
	ask.agent_bad = true;
	assert_int_equal(ask_send(h, &ask), 132);
	ask.agent_bad = false;
	assert_int_equal(ask_send(h, &ask), 0);
	struct mip4_message reply;
	home_reply(h, &reply);
	assert_true(mip4_extension_find(&reply, MIP4_EXT_FOREIGN_HOME_AUTH, 0) >= 0); // HA4-RRP-11
	ask.lifetime_s = 0;
	ask.agent_spi = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	home_reply(h, &reply);
	assert_int_equal(
		mip4_extension_find(&reply, MIP4_EXT_FOREIGN_HOME_AUTH, 0), -1); // HA4-DEC-10
	ask.lifetime_s = 600;
	ask.agent_spi = 0x200;
	ask.care_of = "198.51.100.99";
	assert_int_equal(ask_send(h, &ask), -1);
	assert_int_equal(home_counter(h, MIP4_STRAY_FA_AUTH), 1);
	end(h);
}

/* HA4-REG-21: a refusal may overtake what was asked for before it, and answers nobody else. */
static void refusal_overtakes(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(TEN "," ELEVEN));
	struct ask first = plain, second = plain;
	struct punt_record record;

	(void)state;
	second.home_address = "10.1.0.11";
	h->hold = true;
	ask_build(h, &first, &record);
	home_receive(h, &record);
	h->refuse = EINVAL;
	ask_build(h, &second, &record);
	home_receive(h, &record);
	h->refuse = 0;
	assert_int_equal(h->refused_count, 1);
	mip4_transaction_done(h->engine, h->refused[0], h->refused_errno[0], h->now);
	h->refused_count = 0;
	assert_int_equal(h->sent_count, 0);
	assert_int_equal(mip4_show_pending_count(h->engine), 2);
	h->hold = false;
	home_acknowledge(h);
	assert_int_equal(h->sent_count, 2);
	assert_int_equal(h->sent[0].data[REPLY_HEADERS + 1], 0);
	assert_int_equal(h->sent[1].data[REPLY_HEADERS + 1], 128);
	h->hold = true; /* nor is a node told that it is home before the dataplane knows */
	h->sent_count = 0;
	first.lifetime_s = 0;
	ask_build(h, &first, &record);
	home_receive(h, &record);
	assert_int_equal(h->sent_count, 0);
	h->hold = false;
	home_acknowledge(h);
	assert_int_equal(h->sent_count, 1);
	first.lifetime_s = 600;
	assert_int_equal(ask_send(h, &first), 0);
	assert_non_null(home_live(h, "10.1.0.10"));
	assert_null(home_live(h, "10.1.0.11"));
	end(h);
}

/* HA4-REG-21: not a moment before the dataplane has it; a refusal leaves everything as it was. */
static void commit_before_reply(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = plain, moved = plain;
	struct punt_record record;

	(void)state;
	h->hold = true;
	ask_build(h, &ask, &record);
	home_receive(h, &record);
	assert_int_equal(h->sent_count, 0);
	assert_int_equal(mip4_show_pending_count(h->engine), 1);
	assert_int_equal(h->arrived_count, 0);
	h->hold = false;
	home_acknowledge(h);
	assert_int_equal(h->sent_count, 1);

	struct binding_command before = *home_live(h, "10.1.0.10");
	h->refuse = EINVAL;
	moved.care_of = "198.51.100.77";
	assert_int_equal(ask_send(h, &moved), 128);
	h->refuse = ENOSPC;
	assert_int_equal(ask_send(h, &moved), 130);
	h->refuse = ENOMEM;
	assert_int_equal(ask_send(h, &moved), 130);
	h->refuse = 0;
	h->full = true;
	assert_int_equal(ask_send(h, &moved), 128);
	h->full = false;
	const struct binding *b = home_binding(h, "10.1.0.10");
	struct ip_address care_of = address_of("198.51.100.23");
	assert_true(ip_address_equal(&b->care_of_address, &care_of));
	assert_true(ip_address_equal(&b->care_of_field, &care_of));
	assert_memory_equal(&before, home_live(h, "10.1.0.10"), sizeof(before));
	assert_int_equal(b->expires_ns, before.expires_ns);
	assert_int_equal(ask_send(h, &moved), 0);
	end(h);
}

/* A new node that the dataplane refuses leaves no slot behind. */
static void refused_newcomer(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = plain;

	(void)state;
	h->refuse = ENOSPC;
	assert_int_equal(ask_send(h, &ask), 130);
	assert_int_equal(binding_cache_count(mip4_show_cache(h->engine)), 0);
	assert_int_equal(h->arrived_count, 0);
	h->refuse = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

/* HA4-REG-24: the newest request of a node waits behind the one in flight; older waiting ones give
 * way. */
static void one_at_a_time(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = plain;
	struct punt_record record;

	(void)state;
	h->hold = true;
	for (int i = 0; i < 3; i++) {
		static const char *const care_of[] = {
			"198.51.100.23", "198.51.100.24", "198.51.100.25"};
		ask.care_of = care_of[i];
		ask_build(h, &ask, &record);
		home_receive(h, &record);
	}
	assert_int_equal(h->sent_count, 0);
	assert_int_equal(mip4_show_pending_count(h->engine), 2);
	assert_int_equal(home_counter(h, MIP4_SUPERSEDED), 1);
	assert_true(mip4_counters_balance(h->engine));
	h->hold = false;
	home_acknowledge(h);
	assert_int_equal(h->sent_count, 2);
	struct ip_address last = address_of("198.51.100.25");
	assert_true(ip_address_equal(&home_binding(h, "10.1.0.10")->care_of_address, &last));
	assert_int_equal(mip4_show_pending_count(h->engine), 0);
	end(h);
}

/* HA4-RPL-10, HA4-OPS-19: control dies and comes back with, and without, its store. */
static void restart(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = natted(udp_request);
	struct punt_record record, again;
	struct mip4_message reply;

	(void)state;
	ask.nai = "mn1@example.com";
	ask_build(h, &ask, &record);
	again = record;
	home_receive(h, &record);
	struct binding_command before = *home_live(h, "10.1.0.10");
	home_pass(h, 5);
	home_restart(h, true);
	assert_memory_equal(&before, home_live(h, "10.1.0.10"), sizeof(before));
	const struct binding *b = home_binding(h, "10.1.0.10");
	assert_non_null(b);
	assert_string_equal(mip4_show_nai(h->engine, b), "mn1@example.com");
	assert_true(h->arrived.restored); // HA4-HOME-12
	h->sent_count = 0;
	home_receive(h, &again);
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.code, 133);
	assert_int_equal(ask_send(h, &ask), 0);

	home_restart(h, false); /* the store is lost */
	for (uint32_t i = 0; i < h->size; i++)
		h->is_live[i] = false;
	h->live_count = 0;
	h->sent_count = 0;
	home_receive(h, &again);
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.code, 133);
	home_pass(h, 1);
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

/* HA4-OPS-18: the machine was down; what is left of a lifetime goes by the wall clock. */
static void restart_after_reboot(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = plain;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	h->now.wall_ns += 100 * CLOCK_NS_PER_S;
	h->now.monotonic_ns = 3 * CLOCK_NS_PER_S;
	home_restart(h, true);
	assert_int_equal(home_binding(h, "10.1.0.10")->expires_ns, 503 * CLOCK_NS_PER_S);
	h->now.wall_ns += 600 * CLOCK_NS_PER_S;
	home_restart(h, true);
	assert_null(home_binding(h, "10.1.0.10"));
	h->is_live[0] = false;
	h->live_count = 0;
	end(h);
}

/* HA4-BND-04, -05, -07. */
static void expiry(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = plain;

	(void)state;
	ask.lifetime_s = 10;
	assert_int_equal(ask_send(h, &ask), 0);
	home_pass(h, 9.5);
	assert_non_null(home_binding(h, "10.1.0.10")); /* never early */
	h->sent_count = 0;
	home_pass(h, 1.5);
	assert_null(home_binding(h, "10.1.0.10"));
	assert_int_equal(h->sent_count, 0); // HA4-MSG-10
	assert_int_equal(home_counter(h, MIP4_BINDINGS_EXPIRED), 1);
	assert_int_equal(h->returned_count, 1);
	end(h);
}

/* HA4-BND-08, -10, HA4-REG-04, -18. */
static void simultaneous(void **state)
{
	struct home *h = home_new(INSTANCE("simultaneous_bindings = 2;")
			NODES(NODE("home_address = \"10.1.0.10\";")));
	struct ask ask = plain;

	(void)state;
	ask.flags |= MIP4_S;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.care_of = "198.51.100.24";
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(h->live_count, 2);
	ask.care_of = "198.51.100.25";
	assert_int_equal(ask_send(h, &ask), 135);
	ask.care_of = "198.51.100.24";
	assert_int_equal(ask_send(h, &ask), 0); /* a refresh of one of them */
	ask.flags = FORWARD;
	ask.care_of = "198.51.100.25";
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(h->live_count, 1);
	end(h);
	h = home_new(INSTANCE("simultaneous_bindings = 1;")
			NODES(NODE("home_address = \"10.1.0.10\";")));
	assert_int_equal(ask_send(h, &ask), 1); // HA4-DEC-22
	assert_int_equal(home_counter(h, MIP4_REG_ACCEPTED_NOSIM), 1);
	end(h);
}

/* HA4-DYN-03..-08. */
static void dynamic_addresses(void **state)
{
	struct home *h = home_new(
		INSTANCE("hold_down_s = 60; pools = ( { name = \"p\"; first = \"10.1.0.77\"; last "
			 "= \"10.1.0.78\"; } );") NODES(NODE("nai = \"@example.com\";")));
	struct ask ask = plain;
	struct mip4_message reply;

	(void)state;
	ask.home_address = "0.0.0.0";
	assert_int_equal(ask_send(h, &ask), -1); /* no identity */
	ask.nai = "a@example.com";
	assert_int_equal(ask_send(h, &ask), 0);
	home_reply(h, &reply);
	struct ip_address a = ip_address_from_v4(reply.reply.home_address),
			  want = address_of("10.1.0.77");
	assert_true(ip_address_equal(&a, &want));
	assert_int_equal(ask_send(h, &ask), 0); // HA4-DYN-05
	home_reply(h, &reply);
	assert_int_equal(reply.reply.home_address, ip_address_v4(&want));
	ask.nai = "b@example.com";
	ask.care_of = "198.51.100.24";
	assert_int_equal(ask_send(h, &ask), 0);
	ask.nai = "c@example.com";
	ask.care_of = "198.51.100.25";
	assert_int_equal(ask_send(h, &ask), 130); /* pool empty */
	ask.home_address = "10.1.0.77";           /* another's lease */
	assert_int_equal(ask_send(h, &ask), 129);
	mip4_engine_clear_nai(h->engine, 0, "a@example.com", h->now);
	home_acknowledge(h);
	ask.home_address = "0.0.0.0";
	assert_int_equal(ask_send(h, &ask), 130); /* held down */
	ask.nai = "a@example.com";
	ask.care_of = "198.51.100.23";
	assert_int_equal(ask_send(h, &ask), 0);
	home_reply(h, &reply);
	assert_int_equal(reply.reply.home_address, ip_address_v4(&want)); /* sticky */
	mip4_engine_clear_nai(h->engine, 0, "a@example.com", h->now);
	home_pass(h, 61);
	ask.nai = "c@example.com";
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

/* HA4-REG-08: discovery by broadcast on the home link. */
static void broadcast_request(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = plain;
	struct punt_record record;
	struct mip4_message reply;
	struct ip_address own = address_of("192.0.2.1"), other = address_of("192.0.2.3");

	(void)state;
	ask.destination = "10.1.255.255";
	ask.home_agent = "10.1.255.255";
	ask.port = 1;
	ask_build(h, &ask, &record);
	record.flags = PUNT_IP_BROADCAST | PUNT_LINK_BROADCAST;
	home_receive(h, &record);
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.code, 136);
	assert_int_equal(reply.reply.home_agent, ip_address_v4(&own));
	assert_memory_equal(h->sent[0].data + 12, &own.words[3], 4); // HA4-RRP-02
	ask = plain; // HA4-REG-09: another address of ours in the field is fine, and is the
		     // tunnel's outer source
	ask.home_agent = "192.0.2.3";
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(
		ip_address_equal(&home_live(h, "10.1.0.10")->agent_address, &other)); // HA4-FWD-02
	ask = natted(udp_request);
	ask.home_agent = "192.0.2.3";
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(
		ip_address_equal(&home_live(h, "10.1.0.10")->agent_address, &own)); // HA4-NAT-19
	ask.home_agent = "192.0.2.99";
	assert_int_equal(ask_send(h, &ask), 136);
	end(h);
}

/* HA4-OPS-30, -31, HA4-AUTH-10: a flood of bad requests is held before the HMAC and hardly
 * answered. */
static void flood(void **state)
{
	struct home *h = home_new(
		"instances = ( { name = \"lab\"; addresses = [ \"192.0.2.1\" ]; node_rate = 0;"
		" home_networks = ( { prefix = \"10.1.0.0/16\"; } ); } );\n" NODES(
			NODE("home_address = \"10.1.0.10\";")));
	struct ask bad = plain, good = plain;
	struct punt_record record;

	(void)state;
	bad.bad_auth = true;
	bad.source = "203.0.113.50";
	ask_build(h, &bad, &record);
	h->sent_count = 0;
	for (int i = 0; i < 10000; i++) {
		record.source_port = htons((uint16_t)(1024 + i % 1000));
		mip4_receive(h->engine, &record, h->now);
	}
	assert_int_equal(home_counter(h, MIP4_AUTH_FAIL), 500); /* the source's bucket */
	assert_int_equal(
		home_counter(h, MIP4_POLICED_SOURCE) + home_counter(h, MIP4_POLICED_ENDPOINT),
		9500);
	assert_int_equal(h->sent_count, 1); /* one 131 a second and node */
	assert_int_equal(mip4_show_node_count(h->engine), 0);
	assert_int_equal(ask_send(h, &good), 0); /* meanwhile, from elsewhere */
	end(h);
}

/* HA4-TNC-02, -05, HA4-MODE-01, -02. */
static void internal_agent(void **state)
{
	struct home *h = home_new(
		"instances = ( { name = \"inner\"; role = \"i-HA\"; addresses = [ \"192.0.2.1\" ]; "
		"node_rate = 0;"
		" trusted = [ \"10.8.0.0/16\" ]; home_networks = ( { prefix = \"10.1.0.0/16\"; } "
		"); } );\n" NODES(NODE("home_address = \"10.1.0.10\";")));
	struct ask ask = plain;
	struct mip4_message reply;

	(void)state;
	assert_int_equal(ask_send(h, &ask), -1);
	assert_int_equal(home_counter(h, MIP4_UNTRUSTED_SOURCE), 1);
	ask.care_of = "10.8.1.1"; /* listed, but from outside: trap 2 */
	assert_int_equal(ask_send(h, &ask), -1);
	assert_int_equal(home_counter(h, MIP4_UNTRUSTED_ZONE), 1);
	ask.port = 1;
	assert_int_equal(ask_send(h, &ask), 0);
	home_reply(h, &reply);
	int tnc = mip4_extension_find(&reply, MIP4_EXT_TNC, 0);
	assert_true(tnc >= 0 && tnc < mip4_extension_find(&reply, MIP4_EXT_MOBILE_HOME_AUTH, 0));
	assert_string_equal(mip4_show_mode(h->engine, home_binding(h, "10.1.0.10")), "c");
	ask.flags = MIP4_T;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_string_equal(mip4_show_mode(h->engine, home_binding(h, "10.1.0.10")), "f");
	ask.home_agent = "0.0.0.0";
	assert_int_equal(ask_send(h, &ask), 136);
	home_reply(h, &reply);
	assert_true(mip4_extension_find(&reply, MIP4_EXT_TNC, 0) >= 0); /* on denials too */
	end(h);
}

/* HA4-NEMO-02, -03, -05. */
static void networks(void **state)
{
	struct home *h = home_new(NULL);
	static const uint8_t two[] = {148, 6, 0, 24, 10, 50, 1, 9, 148, 6, 0, 33, 10, 50, 1, 0};
	struct ask ask = plain;

	(void)state;
	ask.extensions = two;
	ask.extensions_length = sizeof(two);
	assert_int_equal(ask_send(h, &ask), 0); /* host bits are masked (HA4-NEMO-04) */
	assert_int_equal(h->prefix_sets, 1);
	ask.extensions_length = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(h->prefix_removes, 1);
	ask.extensions = two + 8;
	ask.extensions_length = 8;
	assert_int_equal(ask_send(h, &ask), 147);
	struct mip4_message reply;
	home_reply(h, &reply);
	int at = mip4_extension_find(&reply, MIP4_EXT_MOBILE_NETWORK, 0);
	assert_int_equal(reply.payload[reply.extensions[at].offset + 3], 1);
	h->refuse_prefix = ENOSPC; /* forwarding set-up failed: code 3, and none is left: 147 */
	ask.extensions = two;
	assert_int_equal(ask_send(h, &ask), 147);
	home_reply(h, &reply);
	at = mip4_extension_find(&reply, MIP4_EXT_MOBILE_NETWORK, 0);
	assert_int_equal(reply.payload[reply.extensions[at].offset + 3], 3);
	end(h);
	h = home_new(INSTANCE("nemo = true;") NODES(NODE("home_address = \"10.1.0.10\";")));
	h->refuse_prefix = 0;
	assert_int_equal(ask_send(h, &ask), 148);
	end(h);
}

/* HA4-NAT-27, HA4-OPS-32. */
static void restless_node(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = natted(udp_request);

	(void)state;
	for (unsigned i = 0; i < 12;
		i++) { /* the first is no move, then ten and the one too many */
		ask.source_port = (uint16_t)(40000 + i);
		assert_int_equal(ask_send(h, &ask), 0);
	}
	ask.source_port = 41000;
	assert_int_equal(ask_send(h, &ask), 130);
	home_pass(h, 61);
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
	h = home_new("instances = ( { name = \"lab\"; addresses = [ \"192.0.2.1\" ]; "
		     "police_endpoint_rate = 1000;"
		     " police_endpoint_burst = 1000; node_rate = 1; node_burst = 5;"
		     " home_networks = ( { prefix = \"10.1.0.0/16\"; } ); } );\n" NODES(
			     NODE("home_address = \"10.1.0.10\";")));
	ask = plain;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(ask_send(h, &ask), 130); /* answered, not dropped: HA4-ROLE-05 */
	ask.lifetime_s = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_unasked),
		cmocka_unit_test(deregister_by_field),
		cmocka_unit_test(care_of_cycle),
		cmocka_unit_test(three_agent_outcomes),
		cmocka_unit_test(refusal_overtakes),
		cmocka_unit_test(commit_before_reply),
		cmocka_unit_test(refused_newcomer),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(restart),
		cmocka_unit_test(restart_after_reboot),
		cmocka_unit_test(expiry),
		cmocka_unit_test(simultaneous),
		cmocka_unit_test(dynamic_addresses),
		cmocka_unit_test(flood),
		cmocka_unit_test(internal_agent),
		cmocka_unit_test(networks),
		cmocka_unit_test(restless_node),
		cmocka_unit_test(broadcast_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
