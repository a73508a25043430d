/*
 * What happens around registrations: static bindings, a new configuration, drain, alarms, home
 * agents that share nothing but the process.
 */
#include "tests/scenario/scenario.h"

#define STATIC(home, care_of) "{ home_address = \"" home "\"; care_of_address = \"" care_of "\"; }"

/* Which of the two keys signed the last reply or revocation. */
static uint32_t signed_with(const struct home *h, uint8_t type)
{
	struct mip4_message message;
	struct mip4_authentication auth;

	if (!home_reply(h, &message) && mip4_parse(&message, h->sent[h->sent_count - 1].data + 28,
						h->sent[h->sent_count - 1].length - 28u, true))
		return 0;
	int at = mip4_extension_find(&message, type, 0);
	if (at < 0 || !mip4_authentication_read(&message, &message.extensions[at], &auth))
		return 0;
	return auth.spi;
}

// HA4-BND-12
static void static_bindings(void **state)
{
	const char *none = INSTANCE("") NODES(TEN "," ELEVEN);
	const char *one = INSTANCE("")
		NODES(TEN "," ELEVEN) "bindings = ( " STATIC("10.1.0.99", "198.51.100.99") " );\n";
	const char *other = INSTANCE("")
		NODES(TEN "," ELEVEN) "bindings = ( " STATIC("10.1.0.98", "198.51.100.98") " );\n";
	struct home *h = home_new(one);
	struct ask ask = plain;

	(void)state;
	const struct binding_command *live = home_live(h, "10.1.0.99");
	assert_non_null(live);
	assert_int_equal(live->expires_ns, CLOCK_NEVER);
	assert_int_equal(live->flags & BINDING_STATIC, BINDING_STATIC);
	assert_int_equal(h->arrived_count, 1);
	home_pass(h, 100000);
	assert_non_null(home_binding(h, "10.1.0.99"));
	home_configure(h, other);
	assert_null(home_live(h, "10.1.0.99"));
	assert_non_null(home_live(h, "10.1.0.98"));
	assert_int_equal(h->returned_count, 1);
	home_configure(h, none);
	assert_int_equal(h->live_count, 0);
	end(h);

	/* One that came into the configuration while control was down takes nobody's slot. */
	h = home_new(none);
	assert_int_equal(ask_send(h, &ask), 0);
	uint32_t id = home_binding(h, "10.1.0.10")->id;
	struct config *before = h->config;
	h->config = home_config_load(one, h->size);
	home_restart(h, true);
	config_free(before);
	assert_non_null(home_binding(h, "10.1.0.10"));
	assert_int_equal(home_binding(h, "10.1.0.10")->id, id);
	assert_non_null(home_live(h, "10.1.0.99"));
	end(h);
}

// HA4-OPS-21: who or whose prefix left the configuration
static void reload_sweeps(void **state)
{
	static const uint8_t support[8] = {137, 6, 0x80, 0, 0x69, 0x55, 0xb9, 0x00};
	struct home *h = home_new("instances = ( " INSTANCE_OF("lab", "192.0.2.1",
		"{ prefix = \"10.1.0.0/16\"; port = \"inside\"; }, { prefix = "
		"\"10.2.0.0/16\"; }",
		"") " );\n" NODES(TEN "," ELEVEN "," NODE("home_address = \"10.2.0.10\";"))
			AGENTS(AGENT(FA)));
	struct ask ask = plain, through = relayed();

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	ask.home_address = "10.2.0.10";
	assert_int_equal(ask_send(h, &ask), 0);
	through.home_address = "10.1.0.11";
	through.after = support;
	through.after_length = sizeof(support);
	assert_int_equal(ask_send(h, &through), 0);
	home_pass(h, 2);
	h->sent_count = 0;
	/* Node 11 and the second home network are gone, and there is a new agent before the old. */
	home_configure(h, INSTANCE("") NODES(TEN)
				  AGENTS("{ address = \"198.51.100.7\"; security = ( { spi = "
					 "0x200; key = \"ffffffffffffffffffffffffffffffff\"; } ); "
					 "}," AGENT(FA)));
	assert_int_equal(h->live_count, 3); /* in later ticks, piece by piece */
	home_pass(h, 0.1);
	assert_int_equal(h->live_count, 1);
	assert_non_null(home_live(h, "10.1.0.10"));
	assert_int_equal(h->event.type, MIP4_EVENT_BINDING_DELETED);
	assert_int_equal(h->event.cause, MIP4_CAUSE_CONFIG);
	assert_int_equal(home_counter(h, MIP4_BINDINGS_REVOKED), 2);
	/* The agent is told, with the key that is its own and not the one that took its index. */
	assert_int_equal(h->sent_count, 1);
	assert_int_equal(signed_with(h, 34), 0x200);
	struct punt_record copy;
	struct ask unused = plain;
	ask_build(h, &unused, &copy);
	struct writer w = writer_make(copy.data, MIP4_PAYLOAD_MAX);
	const struct inject_record *sent = &h->sent[0];
	writer_bytes(&w, sent->data + 28, sent->length - 28u - 22u);
	ask_authenticate(&w, 0x200, false);
	assert_memory_equal(copy.data, sent->data + 28, sent->length - 28u);
	/* Retransmissions go on with it. */
	home_pass(h, 2);
	assert_true(h->sent_count >= 2);
	assert_int_equal(h->sent_count, 1 + home_counter(h, MIP4_TX_REVOCATION_RETRY));
	ask.home_address = "10.1.0.11";
	assert_int_equal(ask_send(h, &ask), -1);
	assert_int_equal(home_counter(h, MIP4_NO_MSA), 1);
	end(h);
}

/* A reload while a registration waits for the dataplane: the reply is the node's own. */
static void reload_under_way(void **state)
{
#define SPI(home, spi)                                                                             \
	"{ home_address = \"" home "\"; security = ( { spi = " spi "; key = \"" KEY_NODE_TEXT      \
	"\"; } ); }"
	struct home *h = home_new(INSTANCE("") NODES(SPI("10.1.0.10", "0x100")));
	struct ask ask = plain;
	struct punt_record record;

	(void)state;
	h->hold = true;
	ask_build(h, &ask, &record);
	home_receive(h, &record);
	home_configure(
		h, INSTANCE("") NODES(SPI("10.1.0.9", "0x999") "," SPI("10.1.0.10", "0x100")));
	h->hold = false;
	home_acknowledge(h);
	assert_int_equal(h->sent_count, 1);
	assert_int_equal(signed_with(h, 32), 0x100);
	/* And a node that left meanwhile gets none, and loses the binding in the sweep. */
	h->hold = true;
	ask_build(h, &ask, &record);
	home_receive(h, &record);
	h->sent_count = 0;
	home_configure(h, INSTANCE("") NODES(SPI("10.1.0.9", "0x100")));
	h->hold = false;
	home_acknowledge(h);
	assert_int_equal(h->sent_count, 0);
	home_pass(h, 1);
	assert_int_equal(h->live_count, 0);
	end(h);
}

// HA4-OPS-20, HA4-OPS-34
static void drain(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(TEN "," ELEVEN));
	struct ask here = plain, new = plain;

	(void)state;
	new.home_address = "10.1.0.11";
	assert_int_equal(ask_send(h, &here), 0);
	mip4_engine_drain(h->engine, true);
	assert_true(mip4_show_draining(h->engine));
	assert_int_equal(ask_send(h, &new), 130);
	assert_string_equal(h->event_text, "step 19: draining: no new mobile nodes");
	assert_int_equal(ask_send(h, &here), 0); /* refreshed */
	here.care_of = "198.51.100.77";
	assert_int_equal(ask_send(h, &here), 0); /* moved */
	here.lifetime_s = 0;
	assert_int_equal(ask_send(h, &here), 0); /* left */
	here.lifetime_s = 600;
	assert_int_equal(ask_send(h, &here), 130); /* and is new now */
	mip4_engine_drain(h->engine, false);
	assert_int_equal(ask_send(h, &new), 0);
	end(h);
}

static const struct binding *bound(const struct home *h, uint16_t instance, const char *text)
{
	struct ip_address a = address_of(text);
	return binding_cache_home(mip4_show_cache(h->engine), instance, &a);
}

// HA4-ROLE-06: the same home address, home agent address and source in two VRFs
static void two_vrfs(void **state)
{
	struct home *h = home_new("instances = ( " INSTANCE_OF(
		"red", "192.0.2.1", "{ prefix = \"10.1.0.0/16\"; }", "") "," INSTANCE_OF("blue",
		"192.0.2.1", "{ prefix = \"10.1.0.0/16\"; }",
		"vrf = 1;") " );\n"
			    "mobile_nodes = ( { instance = \"red\"; home_address = \"10.1.0.10\"; "
			    "security = ( "
			    "{ spi = 0x100; key = \"" KEY_NODE_TEXT
			    "\"; } ); }, { instance = \"blue\"; "
			    "home_address = \"10.1.0.10\"; security = ( { spi = 0x100; key = "
			    "\"ffeeddccbbaa99887766554433221100\"; } ); } );\n");
	struct ask red = natted(udp_request), blue = natted(udp_request);
	struct punt_record record;
	struct mip4_message reply;

	(void)state;
	blue.vrf = 1;
	assert_int_equal(ask_send(h, &blue), 131); /* red's key is nothing here */
	assert_int_equal(mip4_counters_of(h->engine, 1)->value[MIP4_AUTH_FAIL], 1);
	assert_int_equal(home_counter(h, MIP4_AUTH_FAIL), 0);
	blue.key = "ffeeddccbbaa99887766554433221100";
	ask_build(h, &red, &record);
	red.identification = blue.identification =
		(uint64_t)clock_ntp_seconds(h->now.wall_ns) << 32 | 0x77;
	assert_int_equal(ask_send(h, &red), 0);
	assert_int_equal(ask_send(h, &blue), 0); /* one Identification each */
	assert_int_equal(h->live_count, 2);
	const struct binding *a = bound(h, 0, "10.1.0.10"), *b = bound(h, 1, "10.1.0.10");
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(h->live[a->id].vrf, 0);
	assert_int_equal(h->live[b->id].vrf, 1);
	/* The same NAT endpoint in two VRFs is two endpoints. */
	assert_false((h->live[a->id].flags | h->live[b->id].flags) & BINDING_STALE_NAT);
	assert_int_equal(ask_send(h, &blue), 133); /* each has its own replay state */
	red.lifetime_s = 0;
	red.identification = 0;
	home_pass(h, 1);
	assert_int_equal(ask_send(h, &red), 0);
	assert_null(bound(h, 0, "10.1.0.10"));
	assert_non_null(bound(h, 1, "10.1.0.10"));
	home_restart(h, true);
	assert_null(bound(h, 0, "10.1.0.10"));
	assert_non_null(bound(h, 1, "10.1.0.10"));
	h->sent_count = 0;
	home_receive(h, &record); /* red's own, older than its deregistration */
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.code, 133);
	struct ip_address home = address_of("10.1.0.10");
	assert_int_equal(mip4_engine_clear_home(h->engine, 0, &home, h->now), 0);
	assert_int_equal(mip4_engine_clear_home(h->engine, 1, &home, h->now), 1);
	end(h);
}

// HA4-MSG-01, HA4-ROLE-06: a broadcast belongs to the home agent of the link it was heard on
static void two_links(void **state)
{
	struct home *h = home_new("instances = ( " INSTANCE_OF("out", "192.0.2.1",
		"{ prefix = \"10.1.0.0/16\"; port = \"outside\"; }", "") "," INSTANCE_OF("in",
		"192.0.2.2", "{ prefix = \"10.2.0.0/16\"; port = \"inside\"; }",
		"") " );\n"
		    "mobile_nodes = ( { instance = \"in\"; home_address = \"10.2.0.10\"; security "
		    "= ( "
		    "{ spi = 0x100; key = \"" KEY_NODE_TEXT "\"; } ); } );\n");
	struct ask ask = plain;
	struct punt_record record;
	struct mip4_message reply;
	struct ip_address own = address_of("192.0.2.2");

	(void)state;
	ask.home_address = "10.2.0.10";
	ask.destination = "255.255.255.255";
	ask.port = 1;
	ask_build(h, &ask, &record);
	record.flags = PUNT_IP_BROADCAST;
	home_receive(h, &record);
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.code, 136);
	assert_int_equal(reply.reply.home_agent, ip_address_v4(&own));
	record.port = 0;
	h->sent_count = 0;
	home_receive(h, &record);
	assert_int_equal(h->sent_count, 0);
	assert_int_equal(home_counter(h, MIP4_NO_MSA), 1); /* unknown to the other one */
	end(h);
}

// HA4-OPS-33, HA4-OPS-09
static void alarms(void **state)
{
	struct home *h = home_new(
		INSTANCE("max_bindings = 10; police_instance_rate = 20; pools = ( "
			 "{ name = \"p\"; first = \"10.1.9.1\"; last = "
			 "\"10.1.9.10\"; } );")
			NODES(NODE("home_address = \"10.1.0.0/24\";") "," NODE("nai = \"@b\";")));
	struct ask ask = plain;
	char home[16];

	(void)state;
	for (unsigned i = 1; i <= 9; i++) {
		snprintf(home, sizeof(home), "10.1.0.%u", i);
		ask.home_address = home;
		assert_int_equal(ask_send(h, &ask), 0);
		home_pass(h, 1);
		assert_int_equal(h->events[MIP4_EVENT_ALARM], i == 9);
	}
	assert_string_equal(h->event_text, "bindings lab at 9 of 10, 90 % of the limit passed");
	home_pass(h, 5);
	assert_int_equal(h->events[MIP4_EVENT_ALARM], 1); /* once */
	struct ip_address one = address_of("10.1.0.1");
	mip4_engine_clear_home(h->engine, 0, &one, h->now);
	home_pass(h, 2);
	ask.home_address = "10.1.0.1";
	assert_int_equal(ask_send(h, &ask), 0);
	home_pass(h, 2);
	assert_int_equal(h->events[MIP4_EVENT_ALARM], 2); /* again after it was left */
	for (unsigned i = 0; i < 18; i++)
		ask_send(h, &ask);
	home_pass(h, 1);
	assert_int_equal(h->events[MIP4_EVENT_ALARM], 3);
	assert_string_equal(
		h->event_text, "messages a second lab at 18 of 20, 90 % of the limit passed");
	home_pass(h, 700);
	for (unsigned i = 0; i < 9; i++) {
		char nai[8];
		snprintf(nai, sizeof(nai), "n%u@b", i);
		ask.nai = nai;
		ask.home_address = "0.0.0.0";
		assert_int_equal(ask_send(h, &ask), 0);
		home_pass(h, 1);
	}
	assert_int_equal(h->events[MIP4_EVENT_ALARM], 5); /* bindings again, and the pool */
	assert_string_equal(h->event_text, "pool p at 9 of 10, 90 % of the limit passed");
	end(h);
}

// HA4-RPL-09: a wide tolerance keeps a node's last Identification longer, however crowded it is
static void crowded_replay(void **state)
{
	setenv("HOME_BINDINGS", "2", 1); /* room for 68 nodes */
	struct home *h =
		home_new(INSTANCE("") "mobile_nodes = ( { home_address = \"10.1.0.0/16\"; "
				      "security = ( { spi = 0x100; tolerance_s = 300; key = "
				      "\"" KEY_NODE_TEXT "\"; } ); } );\n");
	unsetenv("HOME_BINDINGS");
	struct ask ask = plain;
	struct punt_record record;
	struct mip4_message reply;
	char home[16];

	(void)state;
	ask_build(h, &ask, &record);
	struct punt_record again = record;
	home_receive(h, &record);
	ask.lifetime_s = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	home_pass(h, 200);
	for (unsigned i = 1; i < 100; i++) { /* everybody else comes and goes */
		snprintf(home, sizeof(home), "10.1.1.%u", i);
		ask.home_address = home;
		ask_send(h, &ask);
	}
	h->sent_count = 0;
	home_receive(h, &again);
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.code, 133);
	assert_int_equal(h->live_count, 0);
	end(h);
}

// HA4-RPL-15: the copy of a nonce request whose first is still under way
static void nonce_copy_under_way(void **state)
{
	struct home *h =
		home_new(INSTANCE("nemo = true;") "mobile_nodes = ( { home_address = "
						  "\"10.1.0.10\"; mobile_router = true; networks = "
						  "[ \"10.50.1.0/24\" ]; security = ( { spi = "
						  "0x100; replay = \"nonce\"; key = "
						  "\"" KEY_NODE_TEXT "\"; } ); } );\n");
	static const uint8_t asks[] = {148, 6, 0, 24, 10, 50, 1, 0, 137, 6, 0x80, 0, 0, 0, 0, 1};
	struct ask ask = plain;
	struct punt_record record;
	struct mip4_message reply;

	(void)state;
	ask.identification = 1;
	assert_int_equal(ask_send(h, &ask), 133);
	home_reply(h, &reply);
	ask.identification = (reply.reply.identification & 0xffffffff00000000) | 2;
	ask.extensions = asks;
	ask.extensions_length = sizeof(asks);
	ask_build(h, &ask, &record);
	h->hold = true;
	h->sent_count = 0;
	home_receive(h, &record);
	home_receive(h, &record);
	assert_int_equal(h->sent_count, 0);
	assert_int_equal(home_counter(h, MIP4_SUPERSEDED), 1);
	h->hold = false;
	home_acknowledge(h);
	assert_int_equal(h->sent_count, 1);
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.code, 0);
	size_t length = h->sent[0].length;
	h->sent_count = 0;
	home_receive(h, &record); /* lost: the very same once more */
	assert_int_equal(h->sent_count, 1);
	assert_int_equal(h->sent[0].length, length);
	home_reply(h, &reply);
	assert_true(mip4_extension_find(&reply, MIP4_EXT_MOBILE_NETWORK, 0) >= 0);
	assert_true(mip4_extension_find(&reply, MIP4_EXT_REVOCATION_SUPPORT, 0) >= 0);
	end(h);
}

static struct mip4_rehearsed rehearse(
	struct home *h, const char *home, const char *care_of, const char *source, uint8_t flags)
{
	struct mip4_rehearsal what = {.nai = "",
		.home_address = address_of(home),
		.home_agent = address_of("192.0.2.1"),
		.care_of_address = address_of(care_of),
		.source = address_of(source),
		.source_port = htons(40007),
		.lifetime_s = 600,
		.flags = flags};
	struct mip4_rehearsed out;

	mip4_rehearse(h->engine, &what, h->now, &out);
	return out;
}

// HA4-OPS-29
static void rehearsals(void **state)
{
	struct home *h = home_new(INSTANCE("gre = false; pools = ( { name = \"p\"; first = "
					   "\"10.1.9.1\"; last = \"10.1.9.1\"; } );") NODES(TEN
		"," NODE("home_address = \"10.1.0.11\"; zone = \"internal\";") "," NODE(
			"nai = \"@b\";")));
	struct mip4_rehearsal dynamic = {.nai = "x@b",
		.home_agent = address_of("192.0.2.1"),
		.home_address = address_of("0.0.0.0"),
		.care_of_address = address_of("192.168.1.23"),
		.source = address_of("203.0.113.7"),
		.source_port = htons(40007),
		.lifetime_s = 600,
		.flags = FORWARD,
		.udp_tunnel = true};
	struct mip4_counters before = *mip4_counters_of(h->engine, 0);
	struct mip4_rehearsed r;

	(void)state;
	r = rehearse(h, "10.1.0.10", "198.51.100.23", "198.51.100.23", FORWARD);
	assert_int_equal(r.step, 20);
	assert_int_equal(r.code, 0);
	assert_int_equal(r.lifetime_s, 600);
	r = rehearse(h, "10.1.0.10", "198.51.100.23", "203.0.113.7", FORWARD);
	assert_int_equal(r.step, 17);
	assert_int_equal(r.code, 129);
	r = rehearse(h, "10.1.0.10", "198.51.100.23", "198.51.100.23", FORWARD | MIP4_G);
	assert_int_equal(r.step, 16);
	assert_int_equal(r.code, 139);
	r = rehearse(h, "10.1.0.11", "198.51.100.23", "198.51.100.23", FORWARD);
	assert_int_equal(r.step, 13);
	assert_string_equal(r.why, "not in this user's zone");
	r = rehearse(h, "10.1.0.99", "198.51.100.23", "198.51.100.23", FORWARD);
	assert_int_equal(r.step, 5);
	assert_true(r.discarded);
	assert_string_equal(r.why, "no_msa");
	r = rehearse(h, "10.1.0.10", "198.51.100.23", "224.0.0.1", FORWARD);
	assert_int_equal(r.step, 1);
	for (unsigned i = 0; i < 3; i++) { /* takes no lease, however often it is asked */
		mip4_rehearse(h->engine, &dynamic, h->now, &r);
		assert_int_equal(r.step, 20);
		assert_true(r.udp);
		assert_int_equal(r.lifetime_s, 60);
		assert_int_equal(r.effective_port, htons(40007));
	}
	assert_memory_equal(&before, mip4_counters_of(h->engine, 0), sizeof(before));
	assert_int_equal(mip4_show_node_count(h->engine), 0);
	assert_int_equal(h->sets + h->sent_count + h->record_count, 0);
	struct ask ask = plain;
	ask.nai = "y@b";
	ask.home_address = "0.0.0.0";
	assert_int_equal(ask_send(h, &ask), 0);
	mip4_rehearse(h->engine, &dynamic, h->now, &r); /* the only address is gone */
	assert_int_equal(r.step, 19);
	assert_int_equal(r.code, 130);
	mip4_engine_drain(h->engine, true);
	r = rehearse(h, "10.1.0.10", "198.51.100.23", "198.51.100.23", FORWARD);
	assert_int_equal(r.code, 130);
	end(h);
}

// HA4-OPS-22: the rows of RFC 2006's haCounterTable
static void node_rows(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(TEN));
	struct ask ask = plain;
	struct mip4_node_view view;
	uint32_t cursor = 0;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	home_pass(h, 100);
	ask.home_agent = "192.0.2.99";
	assert_int_equal(ask_send(h, &ask), 136);
	ask.home_agent = NULL;
	ask.lifetime_s = 0;
	assert_int_equal(ask_send(h, &ask), 0);
	home_pass(h, 50);
	ask.lifetime_s = 600;
	assert_int_equal(ask_send(h, &ask), 0);
	home_pass(h, 30);
	assert_true(mip4_show_node(h->engine, &cursor, 100, h->now.monotonic_ns, &view));
	assert_int_equal(view.accepted, 3);
	assert_int_equal(view.denied, 1);
	assert_int_equal(view.denied_code, 136);
	assert_int_equal(view.bindings, 1);
	assert_int_equal(view.service_ns, 130 * CLOCK_NS_PER_S);
	assert_int_equal(h->now.monotonic_ns - view.accepted_ns, 30 * CLOCK_NS_PER_S);
	assert_int_equal(h->now.monotonic_ns - view.denied_ns, 80 * CLOCK_NS_PER_S);
	assert_false(mip4_show_node(h->engine, &cursor, 100, h->now.monotonic_ns, &view));
	assert_int_equal(cursor, UINT32_MAX);
	end(h);
}

// HA4-OPS-38
static void traced_node(void **state)
{
	struct home *h = home_new(INSTANCE("") NODES(
		TEN "," ELEVEN "," NODE("nai = \"x@b\"; home_addresses = [ \"10.1.0.12\" ];")));
	struct ask ask = natted(udp_request), other = plain;

	(void)state;
	assert_false(mip4_trace_set(h->engine, "nonsense"));
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(h->events[MIP4_EVENT_TRACE], 0);
	assert_true(mip4_trace_set(h->engine, "10.1.0.10"));
	other.home_address = "10.1.0.11";
	assert_int_equal(ask_send(h, &other), 0);
	assert_int_equal(h->events[MIP4_EVENT_TRACE], 0);
	ask.home_agent = "192.0.2.99";
	struct punt_record record;
	ask_build(h, &ask, &record);
	h->trace_texts[0][0] = '\0';
	home_receive(h, &record);
	assert_int_equal(h->events[MIP4_EVENT_TRACE], 3);
	assert_non_null(strstr(h->trace_texts[0],
		"request from 203.0.113.7:40007 port 0 layers 0: flags sbDmg-T- lifetime 600 home "
		"10.1.0.10 agent 192.0.2.99 care-of 192.168.1.23 identification "));
	assert_non_null(strstr(h->trace_texts[0], "extensions 144+"));
	assert_non_null(strstr(
		h->trace_texts[1], "verdict step 11 code 136: Home Agent field is not ours"));
	assert_non_null(strstr(h->trace_texts[2], "reply to 203.0.113.7:40007: code 136"));
	assert_true(mip4_trace_set(h->engine, "x@B"));
	other.nai = "x@b";
	other.home_address = "10.1.0.12";
	assert_int_equal(ask_send(h, &other), 0);
	assert_int_equal(h->events[MIP4_EVENT_TRACE], 6);
	assert_true(mip4_trace_set(h->engine, "off"));
	assert_int_equal(ask_send(h, &other), 0);
	assert_int_equal(h->events[MIP4_EVENT_TRACE], 6);
	end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(static_bindings),
		cmocka_unit_test(reload_sweeps),
		cmocka_unit_test(reload_under_way),
		cmocka_unit_test(drain),
		cmocka_unit_test(two_vrfs),
		cmocka_unit_test(two_links),
		cmocka_unit_test(alarms),
		cmocka_unit_test(crowded_replay),
		cmocka_unit_test(nonce_copy_under_way),
		cmocka_unit_test(rehearsals),
		cmocka_unit_test(node_rows),
		cmocka_unit_test(traced_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
