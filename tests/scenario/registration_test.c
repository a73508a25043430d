/*
 * Registrations in simulated time: what the requirement list says beyond single packets, and the
 * traps of its section 28.
 */
#include "tests/scenario/configs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t udp_half_bound[8] = {144, 6, 0, 0, 0x40, 0, 0, 0};

static void end(struct home *h)
{
	assert_true(mip4_counters_balance(h->engine)); // HA4-BAD-01
	assert_int_equal(h->live_count, binding_cache_count(mip4_show_cache(h->engine)));
	home_free(h);
}

/* Trap 3, HA4-RPL-09: the last Identification outlives the binding. */
static void replay_after_deregistration(void **state)
{
	struct home *h = home_new(NULL);
	struct punt_record first, again;
	struct ask ask = plain;

	(void)state;
	ask_build(h, &ask, &first);
	again = first;
	home_receive(h, &first);
	home_pass(h, 1);
	ask.lifetime_s = 0;
	ask.care_of = "10.1.0.10";
	ask.source = "198.51.100.23";
	assert_int_equal(ask_send(h, &ask), 0);
	assert_null(home_binding(h, "10.1.0.10"));
	h->sent_count = 0;
	home_receive(h, &again);
	struct mip4_message reply;
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.code, 133);
	assert_null(home_live(h, "10.1.0.10"));
	end(h);
}

/* HA4-RPL-11, HA4-BAD-07: a copy from elsewhere moves nothing. */
static void replay_from_elsewhere(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = natted(udp_request);
	struct punt_record record;

	(void)state;
	ask_build(h, &ask, &record);
	home_receive(h, &record);
	struct binding_command before = *home_live(h, "10.1.0.10");
	record.source = address_of("203.0.113.66");
	home_receive(h, &record);
	assert_memory_equal(&before, home_live(h, "10.1.0.10"), sizeof(before));
	assert_int_equal(home_counter(h, MIP4_ID_MISMATCH), 1);
	end(h);
}

/* Trap 16, HA4-RPL-08: a denied request counts as seen. */
static void denied_counts_as_seen(void **state)
{
	struct home *h = home_new(INSTANCE("max_bindings = 1;") NODES(
		NODE("home_address = \"10.1.0.10\";") "," NODE("home_address = \"10.1.0.11\";")));
	struct ask ask = plain, other = plain;
	struct punt_record record, again;

	(void)state;
	other.home_address = "10.1.0.11";
	assert_int_equal(ask_send(h, &other), 0);
	ask_build(h, &ask, &record);
	again = record;
	h->sent_count = 0;
	home_receive(h, &record);
	struct mip4_message reply;
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.code, 130);  // HA4-REG-18
	assert_int_equal(ask_send(h, &other), 0); /* a refresh is never refused for lack of room */
	struct ip_address first = address_of("10.1.0.11");
	assert_int_equal(mip4_engine_clear_home(h->engine, 0, &first, h->now), 1);
	h->sent_count = 0;
	home_receive(h, &again);
	assert_true(home_reply(h, &reply));
	assert_int_equal(reply.reply.code, 133);
	end(h);
}

/* Trap 15, HA4-RPL-06: 2036-02-07 06:28:16 UTC. */
static void era_change(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = plain;
	uint64_t era = 4294967296ull - CLOCK_NTP_UNIX_OFFSET_S;

	(void)state;
	home_at(h, era - 3);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(ask_send(h, &ask), 0);
		home_pass(h, 1);
	}
	/* A node that is 5 s behind, in the old era still, is inside the tolerance but older than
	 * its last one. */
	ask.identification = (uint64_t)(uint32_t)(clock_ntp_seconds(h->now.wall_ns) - 7) << 32;
	assert_int_equal(ask_send(h, &ask), 133);
	assert_true(home_counter(h, MIP4_ID_MISMATCH) == 1);
	end(h);
}

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

/* HA4-RPL-13, -14, -15. */
static void nonces(void **state)
{
	struct home *h =
		home_new(INSTANCE("") "mobile_nodes = ( { home_address = \"10.1.0.10\"; security = "
				      "( { spi = 0x100; replay = \"nonce\";"
				      " key = \"0123456789abcdeffedcba9876543210\"; } ); } );\n");
	struct ask ask = plain;
	struct mip4_message reply;
	struct punt_record record, old;

	(void)state;
	ask.identification = 0x1234567800000001;
	assert_int_equal(ask_send(h, &ask), 133);
	home_reply(h, &reply);
	assert_int_equal((uint32_t)reply.reply.identification, 1); // HA4-RPL-03
	ask.identification = (reply.reply.identification & 0xffffffff00000000) | 2;
	ask_build(h, &ask, &record);
	old = record;
	h->sent_count = 0;
	home_receive(h, &record);
	home_reply(h, &reply);
	assert_int_equal(reply.reply.code, 0);
	uint64_t given = reply.reply.identification;

	/* The reply was lost: the same request, 100 s later, gets the same reply and not a second
	 * more. */
	home_pass(h, 100);
	h->sent_count = 0;
	home_receive(h, &old);
	home_reply(h, &reply);
	assert_int_equal(reply.reply.code, 0);
	assert_int_equal(reply.reply.identification, given);
	assert_int_equal(reply.reply.lifetime_s, 500);
	assert_int_equal(home_counter(h, MIP4_REG_DUPLICATE), 1);

	/* An attacker replays old requests from elsewhere; the node's nonce still works. */
	old.source = address_of("203.0.113.99");
	for (int i = 0; i < 5; i++) {
		h->sent_count = 0;
		home_receive(h, &old);
		home_reply(h, &reply);
		assert_int_equal(reply.reply.code, 133);
	}
	ask.identification = (given & 0xffffffff00000000) | 3;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(ask_send(h, &ask), 0); /* retransmission */
	ask.source_port = 7777;
	assert_int_equal(ask_send(h, &ask), 133); /* once only */
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

/* HA4-AUTH-23: a new context beside the old one, then the old one goes; bindings and replay state
 * stay. */
static void key_rollover(void **state)
{
#define KEYS(list)                                                                                 \
	INSTANCE("")                                                                               \
	"mobile_nodes = ( { home_address = \"10.1.0.10\"; security = ( " list " ); } );\n"
#define OLD "{ spi = 0x100; key = \"0123456789abcdeffedcba9876543210\"; }"
#define NEW "{ spi = 0x101; key = \"ffeeddccbbaa99887766554433221100\"; }"
	struct home *h = home_new(KEYS(OLD));
	struct ask ask = plain, with_new = plain;
	struct punt_record record, again;

	(void)state;
	with_new.spi = 0x101;
	with_new.key = "ffeeddccbbaa99887766554433221100";
	ask_build(h, &ask, &record);
	again = record;
	home_receive(h, &record);
	assert_int_equal(ask_send(h, &with_new), 131);
	home_configure(h, KEYS(OLD "," NEW));
	assert_int_equal(ask_send(h, &with_new), 0);
	h->sent_count = 0;
	home_receive(
		h, &again); /* the replay state is the node's, not the context's (HA4-RPL-08) */
	struct mip4_message reply;
	home_reply(h, &reply);
	assert_int_equal(reply.reply.code, 133);
	home_configure(h, KEYS(NEW));
	home_pass(h, 2);
	assert_non_null(home_binding(h, "10.1.0.10"));
	assert_int_equal(ask_send(h, &ask), 131);
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

/* HA4-RVK-08, HA4-RVK-10..-14. */
static void revocations(void **state)
{
	struct home *h = home_new(NULL);
	static const uint8_t support[8] = {137, 6, 0x80, 0, 0x69, 0x55, 0xb9, 0x00};
	struct ask ask = {.flags = MIP4_T,
		.lifetime_s = 600,
		.care_of = "198.51.100.254",
		.source_port = 434,
		.after = support,
		.after_length = sizeof(support),
		.agent_spi = 0x200};

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_true(home_binding(h, "10.1.0.10")->revocation.negotiated);
	h->sent_count = 0;
	mip4_engine_clear(h->engine, home_binding(h, "10.1.0.10")->id, h->now);
	assert_int_equal(h->sent_count, 1);
	/* Every acknowledgment is lost: back-off, at most one a second, a new identifier each, none
	 * past the natural end. */
	home_pass(h, 60);
	assert_in_range(h->sent_count, 5, 8);
	struct mip4_message one, two;
	mip4_parse(&one, h->sent[0].data + 28, h->sent[0].length - 28u, true);
	mip4_parse(&two, h->sent[1].data + 28, h->sent[1].length - 28u, true);
	assert_true(two.revocation.identifier > one.revocation.identifier);
	assert_int_equal(one.revocation.flags, MIP4_REVOCATION_A | MIP4_REVOCATION_I);
	home_pass(h, 600);
	unsigned sent = h->sent_count;
	home_pass(h, 600);
	assert_int_equal(h->sent_count, sent);
	end(h);
}

/* A Revocation of the foreign agent's (message 7), as it would come in. */
static void revoke(
	struct home *h, uint32_t identifier, uint16_t flags, const char *source, bool bad)
{
	struct ip_address home = address_of("10.1.0.10"), domain = address_of("192.0.2.1"),
			  agent = address_of("198.51.100.254");
	struct mip4_revocation message = {.home_address = ip_address_v4(&home),
		.home_domain_address = ip_address_v4(&domain),
		.foreign_domain_address = ip_address_v4(&agent),
		.identifier = identifier,
		.flags = flags};
	struct ask ask = {.no_auth = true,
		.agent_spi = 0x200,
		.agent_bad = bad,
		.care_of = source,
		.source_port = 434};
	struct punt_record record, with;
	struct writer w = writer_make(record.data, MIP4_PAYLOAD_MAX);

	ask_build(h, &ask, &record);
	with = record;
	mip4_revocation_write(&w, &message);
	ask_authenticate(&w, 0x200, bad);
	memcpy(with.data, record.data, writer_length(&w));
	with.length = (uint16_t)writer_length(&w);
	h->sent_count = 0;
	home_receive(h, &with);
}

/* HA4-RVK-10..-14: only the agent itself, only fresh, only its own binding; a lost acknowledgment
 * is sent again. */
static void revoked_by_agent(void **state)
{
	struct home *h = home_new(NULL);
	static const uint8_t support[8] = {137, 6, 0x80, 0, 0x69, 0x55, 0xb9, 0x00};
	struct ask ask = {.flags = MIP4_T,
		.lifetime_s = 600,
		.care_of = "198.51.100.254",
		.source_port = 434,
		.after = support,
		.after_length = sizeof(support),
		.agent_spi = 0x200};
	struct mip4_message reply;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	revoke(h, 0x6955b901, MIP4_REVOCATION_I, "198.51.100.254", true);
	revoke(h, 0x6955b901, MIP4_REVOCATION_A, "198.51.100.254", false); /* reflected */
	assert_int_equal(home_counter(h, MIP4_REVOCATION_BAD), 2);
	revoke(h, 0x6955b900, MIP4_REVOCATION_I, "198.51.100.254",
		false); /* not later than the registration's */
	assert_int_equal(home_counter(h, MIP4_REVOCATION_REPLAY), 1);
	assert_int_equal(h->sent_count, 0);
	assert_non_null(home_live(h, "10.1.0.10"));
	revoke(h, 0x6955b901, MIP4_REVOCATION_I, "198.51.100.254", false);
	assert_null(home_live(h, "10.1.0.10"));
	assert_int_equal(h->sent_count, 1);
	assert_int_equal(
		mip4_parse(&reply, h->sent[0].data + 28, h->sent[0].length - 28u, true), MIP4_OK);
	assert_int_equal(reply.type, MIP4_REVOCATION_ACK);
	assert_int_equal(reply.revocation.identifier, 0x6955b901);
	assert_int_equal(reply.revocation.flags, MIP4_REVOCATION_ACK_I);
	revoke(h, 0x6955b901, MIP4_REVOCATION_I, "198.51.100.254", false); /* a copy: nothing */
	assert_int_equal(h->sent_count, 0);
	revoke(h, 0x6955b902, MIP4_REVOCATION_I, "198.51.100.254",
		false); /* the agent repeats itself */
	assert_int_equal(h->sent_count, 1);
	home_pass(h, 61);
	revoke(h, 0x6955b9ff, MIP4_REVOCATION_I, "198.51.100.254", false);
	assert_int_equal(home_counter(h, MIP4_REVOCATION_NO_BINDING), 1);
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

/* HA4-RPL-12, HA4-OPS-42: the wall clock steps; lifetimes do not care. */
static void clock_steps(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = plain;

	(void)state;
	assert_int_equal(ask_send(h, &ask), 0);
	monotonic expires = home_binding(h, "10.1.0.10")->expires_ns;
	ask.identification = ((uint64_t)clock_ntp_seconds(h->now.wall_ns) + 1) << 32;
	h->now.wall_ns += 3600 * CLOCK_NS_PER_S;
	assert_int_equal(ask_send(h, &ask), 133);
	assert_int_equal(mip4_counters_of(h->engine, 1)->value[MIP4_CLOCK_STEPS], 1);
	assert_int_equal(h->events[MIP4_EVENT_ALARM], 1);
	assert_int_equal(home_binding(h, "10.1.0.10")->expires_ns, expires);
	h->now.wall_ns -= 3600 * CLOCK_NS_PER_S;
	assert_int_equal(ask_send(h, &ask), 0);
	h->now.wall_ns = 1000 * CLOCK_NS_PER_S; /* 1970: no time at all */
	ask.identification = (uint64_t)clock_ntp_seconds(h->now.wall_ns) << 32 | 1;
	assert_int_equal(ask_send(h, &ask), 133);
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
		cmocka_unit_test(replay_after_deregistration),
		cmocka_unit_test(replay_from_elsewhere),
		cmocka_unit_test(denied_counts_as_seen),
		cmocka_unit_test(era_change),
		cmocka_unit_test(refresh_replaces_all),
		cmocka_unit_test(nothing_unasked),
		cmocka_unit_test(deregister_by_field),
		cmocka_unit_test(care_of_cycle),
		cmocka_unit_test(three_agent_outcomes),
		cmocka_unit_test(commit_before_reply),
		cmocka_unit_test(refused_newcomer),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(nonces),
		cmocka_unit_test(restart),
		cmocka_unit_test(restart_after_reboot),
		cmocka_unit_test(mapping_reused),
		cmocka_unit_test(half_bound),
		cmocka_unit_test(nat_table),
		cmocka_unit_test(key_rollover),
		cmocka_unit_test(expiry),
		cmocka_unit_test(simultaneous),
		cmocka_unit_test(dynamic_addresses),
		cmocka_unit_test(revocations),
		cmocka_unit_test(flood),
		cmocka_unit_test(internal_agent),
		cmocka_unit_test(clock_steps),
		cmocka_unit_test(networks),
		cmocka_unit_test(restless_node),
		cmocka_unit_test(revoked_by_agent),
		cmocka_unit_test(broadcast_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
