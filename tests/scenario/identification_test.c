/*
 * What was once accepted or denied does not count again, under timestamps, nonces, changing keys
 * and clocks that step.
 */
#include "tests/scenario/scenario.h"

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

// HA4-OPS-42: from more than 7 s on, which is what a node's tolerance bears
static void small_clock_steps(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = plain;

	(void)state;
	ask_send(h, &ask);
	h->now.wall_ns += 7 * CLOCK_NS_PER_S;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(mip4_counters_of(h->engine, 1)->value[MIP4_CLOCK_STEPS], 0);
	h->now.wall_ns += 8 * CLOCK_NS_PER_S;
	assert_int_equal(ask_send(h, &ask), 0);
	assert_int_equal(mip4_counters_of(h->engine, 1)->value[MIP4_CLOCK_STEPS], 1);
	h->now.wall_ns -= 8 * CLOCK_NS_PER_S;
	ask_send(h, &ask);
	assert_int_equal(mip4_counters_of(h->engine, 1)->value[MIP4_CLOCK_STEPS], 2);
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

/* ---- replies ---- */

// HA4-RPL-05, HA4-RPL-17: the tolerance to the second; none is off
static void tolerances(void **state)
{
	struct home *h = home_new(INSTANCE("") "mobile_nodes = ( { home_address = \"10.1.0.0/24\"; "
					       "security = ( { spi = 0x100; key = \"" KEY_NODE_TEXT
					       "\"; }, { spi = 0x101; tolerance_s = 1; key = "
					       "\"" KEY_NODE_TEXT "\"; } ); } );\n");
	static const struct {
		uint32_t spi;
		int32_t apart_s;
		int code;
	} rows[] = {{0x100, 7, 0}, {0x100, 8, 133}, {0x100, -7, 0}, {0x100, -8, 133}, {0x101, 1, 0},
		{0x101, 2, 133}, {0x101, -1, 0}, {0x101, -2, 133}};
	struct ask ask = plain;
	char home[16];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(home, sizeof(home), "10.1.0.%u", 20 + i); /* each its own past */
		ask.home_address = home;
		ask.spi = rows[i].spi;
		ask.identification =
			(uint64_t)(clock_ntp_seconds(h->now.wall_ns) + (uint32_t)rows[i].apart_s)
			<< 32;
		assert_int_equal(ask_send(h, &ask), rows[i].code);
	}
	assert_int_equal(home_counter(h, MIP4_ID_MISMATCH), 4);
	end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replay_after_deregistration),
		cmocka_unit_test(replay_from_elsewhere),
		cmocka_unit_test(denied_counts_as_seen),
		cmocka_unit_test(era_change),
		cmocka_unit_test(nonces),
		cmocka_unit_test(key_rollover),
		cmocka_unit_test(small_clock_steps),
		cmocka_unit_test(clock_steps),
		cmocka_unit_test(tolerances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
