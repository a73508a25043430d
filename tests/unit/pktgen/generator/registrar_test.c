/*
 * Registrations in simulated time, against a home agent that is a function: it answers, stays
 * silent, denies or forges.
 */
#include "pktgen/generator/registrar.h"

#include "lib/wire/ethernet.h"
#include "lib/wire/mip4.h"
#include "lib/wire/udp.h"
#include "pktgen/generator/excuse.h"
#include "pktgen/mobile_node/authenticator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS 1000000ull
#define S  CLOCK_NS_PER_S

enum behaviour {
	ANSWER,
	SILENT,
	DENY,
	FORGE,
	NO_TUNNEL,
	WRONG_ADDRESS,
	WRONG_IDENTIFICATION,
	OWN_CLOCK,
};

struct bed {
	struct profile *profile;
	struct population *population;
	struct registrar *registrar;
	struct clock_now now;
	enum behaviour behaviour;
	int64_t ahead_s; /* OWN_CLOCK: the home agent's clock */
	unsigned requests;
	uint64_t identifications[64];
	struct inspect_end last; /* of the latest request */
	be32 care_of;            /* in it */
	uint8_t flags;
	uint64_t left;    /* how far what was sent has left */
	unsigned waiting; /* answers that are not yet delivered */
	struct {
		uint8_t payload[128];
		struct inspected what;
	} answers[64];
};

static void answer(struct bed *bed, const struct mip4_request *request, bool nat)
{
	struct inspected *what = &bed->answers[bed->waiting].what;
	uint8_t *payload = bed->answers[bed->waiting++].payload;
	struct writer w = writer_make(payload, 128);
	struct mip4_reply reply = {.home_address = request->home_address,
		.home_agent = request->home_agent,
		.identification =
			request->identification + (bed->behaviour == WRONG_IDENTIFICATION),
		.lifetime_s = request->lifetime_s,
		.code = bed->behaviour == DENY ? 130 : 0};

	assert_true(bed->waiting <= 64);
	if (bed->behaviour == OWN_CLOCK) { /* RFC 5944 5.7.1 */
		uint32_t clock = (uint32_t)(clock_ntp_seconds(bed->now.wall_ns) + bed->ahead_s);
		int64_t off = (int64_t)(request->identification >> 32) - clock;
		if (off > 7 || off < -7) {
			reply.code = 133;
			reply.identification =
				(uint64_t)clock << 32 | (uint32_t)request->identification;
		}
	}
	mip4_reply_write(&w, &reply);
	if (nat && bed->behaviour != NO_TUNNEL)
		mip4_udp_tunnel_reply_write(&w, &(struct mip4_udp_tunnel_reply){0});
	uint8_t *authenticator = mip4_authentication_write(&w, MIP4_EXT_MOBILE_HOME_AUTH, 256, 16);
	authenticator_compute(AUTHENTICATOR_HMAC_MD5, &bed->profile->groups[0].registration.key,
		payload, writer_length(&w) - 16, authenticator);
	if (bed->behaviour == FORGE)
		authenticator[3] ^= 1;
	*what = (struct inspected){.part = payload, .part_length = (uint32_t)writer_length(&w)};
	what->outer = (struct inspect_end){bed->last.destination, bed->last.source,
		bed->last.destination_port, bed->last.source_port};
	if (bed->behaviour == WRONG_ADDRESS)
		what->outer.destination_port++;
}

static bool take(void *context, const struct population_group *group, uint32_t node, uint8_t *frame,
	uint32_t length)
{
	struct bed *bed = context;
	struct ipv4_header ip;
	struct udp_datagram udp;
	struct mip4_message message;
	struct mip4_authentication found;
	uint8_t expected[AUTHENTICATOR_SIZE_MAX];

	assert_int_equal(group->settings->access_port, 0);
	assert_true(node < group->settings->nodes);
	assert_int_equal(ipv4_parse(&ip, frame + 14, length - 14), IPV4_OK);
	assert_int_equal(udp_parse_v4(&udp, &ip), UDP_OK);
	assert_true(udp.has_checksum);
	assert_int_equal(mip4_parse(&message, udp.payload, udp.payload_length, true), MIP4_OK);
	assert_int_equal(message.type, MIP4_REGISTRATION_REQUEST);
	int at = mip4_extension_find(&message, MIP4_EXT_MOBILE_HOME_AUTH, 0);
	assert_true(at >= 0);
	assert_true(mip4_authentication_read(&message, &message.extensions[at], &found));
	authenticator_compute(AUTHENTICATOR_HMAC_MD5, &bed->profile->groups[0].registration.key,
		message.payload, found.covered, expected);
	assert_memory_equal(expected, found.authenticator, 16);
	bed->last = (struct inspect_end){ip_address_from_v4(ip.source),
		ip_address_from_v4(ip.destination), udp.source_port, udp.destination_port};
	bed->care_of = message.request.care_of_address;
	bed->flags = message.request.flags;
	if (bed->requests < 64)
		bed->identifications[bed->requests] = message.request.identification;
	bed->requests++;
	if (bed->behaviour != SILENT)
		answer(bed, &message.request,
			mip4_extension_find(&message, MIP4_EXT_UDP_TUNNEL_REQUEST, 0) >= 0);
	return true;
}

static struct bed *bed_new(const char *more)
{
	static struct bed bed;
	struct config_error error;
	char text[1024];

	bed = (struct bed){.now = {5 * S, 1700000000 * S}};
	snprintf(text, sizeof(text),
		"ports = ( { name = \"a\"; } );\ngroups = ( { name = \"g\"; access = \"a\"; core = "
		"\"a\"; node = \"10.1.0.1\"; correspondent = \"10.2.0.1\"; agent = \"192.0.2.1\"; "
		"care_of = \"198.51.100.1\"; %s } );",
		more);
	if (profile_load_string(text, "p", &bed.profile, &error))
		fail_msg("%s", error.text);
	bed.population = population_new(bed.profile);
	bed.registrar =
		registrar_new(bed.population, &(struct registrar_output){&bed, take}, bed.now);
	assert_non_null(bed.registrar);
	return &bed;
}

static void bed_free(struct bed *bed)
{
	registrar_free(bed->registrar);
	population_free(bed->population);
	profile_free(bed->profile);
}

/* Time passes in steps of 1 ms; answers come a step later. */
static void run(struct bed *bed, uint64_t ns)
{
	for (uint64_t t = 0; t < ns; t += MS) {
		bed->now.monotonic_ns += MS;
		bed->now.wall_ns += MS;
		registrar_poll(bed->registrar, bed->now);
		unsigned count = bed->waiting;
		bed->waiting = 0;
		for (unsigned i = 0; i < count; i++)
			registrar_receive(bed->registrar, bed->now, &bed->answers[i].what);
	}
}

static const struct registrar_counters *counters(const struct bed *bed)
{
	return registrar_counters_get(bed->registrar);
}

static void test_registers_at_a_rate(void **state)
{
	struct bed *bed =
		bed_new("encapsulation = \"ipip\"; nodes = 50; registration = { rate = 10; };");

	registrar_begin(bed->registrar, bed->now);
	run(bed, 2 * S);
	assert_in_range(bed->requests, 20, 21);
	run(bed, 4 * S);
	assert_int_equal(bed->requests, 50);
	assert_int_equal(registrar_registered(bed->registrar), 50);
	assert_int_equal(registrar_waiting(bed->registrar), 0);
	assert_int_equal(counters(bed)->accepted, 50);
	assert_int_equal(counters(bed)->latency.count, 50);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(bed->population->groups[0].nodes[i].ready, POPULATION_READY);
	bed_free(bed);
}

/* As fast as the home agent answers: never more under way than allowed, and all get their turn. */
static void test_in_flight(void **state)
{
	struct bed *bed = bed_new("encapsulation = \"ipip\"; nodes = 50; "
				  "registration = { rate = 0; in_flight = 8; };");

	bed->behaviour = SILENT;
	registrar_begin(bed->registrar, bed->now);
	run(bed, 500 * MS);
	assert_int_equal(bed->requests, 8);
	assert_int_equal(registrar_waiting(bed->registrar), 8);
	bed->behaviour = ANSWER;
	run(bed, S);
	assert_int_equal(registrar_registered(bed->registrar), 50);
	assert_int_equal(bed->requests, 58); /* the first eight were asked for again */
	assert_int_equal(registrar_waiting(bed->registrar), 0);
	bed_free(bed);
}

static void test_silence_is_asked_again(void **state) // RFC 5944 3.6.3
{
	struct bed *bed = bed_new("encapsulation = \"ipip\";");

	bed->behaviour = SILENT;
	registrar_begin(bed->registrar, bed->now);
	run(bed, 16 * S);
	/* at 0, 1, 3, 7 and 15 s, each with a larger identification */
	assert_int_equal(bed->requests, 5);
	assert_int_equal(counters(bed)->retransmissions, 4);
	for (unsigned i = 1; i < 5; i++)
		assert_true(bed->identifications[i] > bed->identifications[i - 1]);
	assert_int_equal(registrar_waiting(bed->registrar), 1);
	/* and at 31, 63, 95 and 127 s: at last every 32 s */
	run(bed, 112 * S);
	assert_int_equal(bed->requests, 9);
	bed->behaviour = ANSWER;
	run(bed, 32 * S);
	assert_int_equal(registrar_registered(bed->registrar), 1);
	assert_int_equal(counters(bed)->accepted, 1);
	bed_free(bed);
}

static void test_refreshes_at_half_and_expires(void **state)
{
	struct bed *bed =
		bed_new("encapsulation = \"ipip\"; registration = { lifetime_s = 100; };");

	registrar_begin(bed->registrar, bed->now);
	run(bed, 49 * S);
	assert_int_equal(bed->requests, 1);
	run(bed, 2 * S);
	assert_int_equal(bed->requests, 2);
	bed->behaviour = SILENT;
	run(bed, 98 * S);
	assert_int_equal(registrar_registered(bed->registrar), 1);
	run(bed, 40 * S);
	assert_int_equal(counters(bed)->expired, 1);
	assert_int_equal(registrar_registered(bed->registrar), 0);
	assert_int_equal(bed->population->groups[0].nodes[0].ready, 0);
	bed_free(bed);
}

static void test_bad_replies_do_not_register(void **state)
{
	static const struct {
		enum behaviour behaviour;
		size_t counter;
	} cases[] = {
		{DENY, offsetof(struct registrar_counters, denied)},
		{FORGE, offsetof(struct registrar_counters, bad_authenticator)},
		{NO_TUNNEL, offsetof(struct registrar_counters, bad_tunnel)},
		{WRONG_ADDRESS, offsetof(struct registrar_counters, bad_address)},
		{WRONG_IDENTIFICATION, offsetof(struct registrar_counters, unmatched)},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *bed = bed_new("encapsulation = \"mip-udp\"; nodes = 3;");
		bed->behaviour = cases[i].behaviour;
		registrar_begin(bed->registrar, bed->now);
		run(bed, S / 2);
		assert_int_equal(registrar_registered(bed->registrar), 0);
		assert_int_equal(
			*(const uint64_t *)((const char *)counters(bed) + cases[i].counter), 3);
		assert_int_equal(counters(bed)->codes[130], cases[i].behaviour == DENY ? 3 : 0);
		bed->behaviour = ANSWER;
		run(bed, 3 * S);
		assert_int_equal(registrar_registered(bed->registrar), 3);
		bed_free(bed);
	}
	/* A second copy of an answer answers nothing. */
	struct bed *bed = bed_new("encapsulation = \"ipip\";");
	registrar_begin(bed->registrar, bed->now);
	registrar_poll(bed->registrar, bed->now);
	registrar_receive(bed->registrar, bed->now, &bed->answers[0].what);
	registrar_receive(bed->registrar, bed->now, &bed->answers[0].what);
	assert_int_equal(counters(bed)->accepted, 1);
	assert_int_equal(counters(bed)->unmatched, 1);
	bed_free(bed);
}

/* A home agent whose clock is ahead, or behind: every node learns it by one denial at most. */
static void test_the_home_agents_clock(void **state) // RFC 5944 5.7.1
{
	for (int64_t ahead_s = -3600; ahead_s <= 3600; ahead_s += 7200) {
		struct bed *bed = bed_new("encapsulation = \"ipip\"; nodes = 5;");
		bed->behaviour = OWN_CLOCK;
		bed->ahead_s = ahead_s;
		registrar_begin(bed->registrar, bed->now);
		run(bed, 3 * S);
		assert_int_equal(registrar_registered(bed->registrar), 5);
		assert_in_range(counters(bed)->codes[133], 1, 5);
		assert_int_equal(counters(bed)->denied, counters(bed)->codes[133]);
		bed_free(bed);
	}
}

static void test_nodes_behind_a_nat(void **state) // HA4-NAT-01
{
	struct bed *bed = bed_new("encapsulation = \"mip-udp\"; nodes = 5; care_of_count = 2;");
	char text[IP_ADDRESS_TEXT_SIZE];

	registrar_begin(bed->registrar, bed->now);
	run(bed, S);
	/* The last is node 4: the third behind the first address. */
	assert_string_equal(ip_address_format(&bed->last.source, text), "198.51.100.1");
	assert_int_equal(bed->last.source_port, 20002);
	assert_int_equal(ntohl(bed->care_of), 0xc0a80104);
	bed_free(bed);
}

static void test_encapsulation_asked_for(void **state) // HA4-FMT-02
{
	static const struct {
		const char *group, *care_of;
		uint8_t flags;
	} cases[] = {
		{"encapsulation = \"ipip\";", "198.51.100.1", MIP4_D | MIP4_T},
		{"encapsulation = \"gre\";", "198.51.100.1", MIP4_D | MIP4_T | MIP4_G},
		{"encapsulation = \"minimal\";", "198.51.100.1", MIP4_D | MIP4_T | MIP4_M},
		{"encapsulation = \"ipip\"; security = { mode = \"transport\"; };", "198.51.100.1",
			MIP4_D | MIP4_T},
		{"encapsulation = \"gre\"; vpn_address = \"10.30.0.1\"; security = { };",
			"10.30.0.1", MIP4_D | MIP4_T | MIP4_G},
	};
	char text[IP_ADDRESS_TEXT_SIZE];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *bed = bed_new(cases[i].group);
		registrar_begin(bed->registrar, bed->now);
		run(bed, S / 10);
		assert_int_equal(registrar_registered(bed->registrar), 1);
		assert_int_equal(bed->flags, cases[i].flags);
		assert_string_equal(ip_address_format(&bed->last.source, text), cases[i].care_of);
		assert_int_equal(bed->care_of, ip_address_v4(&bed->last.source));
		bed_free(bed);
	}
}

static void test_moves(void **state)
{
	struct bed *bed =
		bed_new("encapsulation = \"ipip\"; nodes = 4; registration = { moves = 2; };");
	const struct population_node *nodes = bed->population->groups[0].nodes;
	char text[IP_ADDRESS_TEXT_SIZE];

	registrar_begin(bed->registrar, bed->now);
	run(bed, S);
	assert_int_equal(bed->requests, 4);
	registrar_trial(bed->registrar, bed->now, true);
	bed->behaviour = SILENT;
	run(bed, MS);
	assert_int_equal(bed->requests, 5);
	assert_string_equal(ip_address_format(&bed->last.source, text), "198.51.100.5");
	assert_int_equal(bed->care_of, ip_address_v4(&bed->last.source));
	assert_int_equal(nodes[0].ready, POPULATION_READY_DOWN);
	assert_int_equal(nodes[0].place, 1);
	bed->behaviour = ANSWER;
	run(bed, 2 * S - 10 * MS);
	assert_int_equal(nodes[0].ready, POPULATION_READY);
	assert_int_equal(counters(bed)->moves, 4);
	registrar_trial(bed->registrar, bed->now, false);
	run(bed, 2 * S);
	assert_int_equal(counters(bed)->moves, 4);
	bed_free(bed);
}

static uint64_t stamp(void *context, const struct population_group *group, uint32_t node)
{
	return ((struct bed *)context)->left;
}

static bool has_left(
	void *context, const struct population_group *group, uint32_t node, uint64_t before)
{
	return ((struct bed *)context)->left > before;
}

/* A node's last packet leaves before its request; one that registers meanwhile stays. */
static void test_moves_wait_for_packets(void **state)
{
	struct bed *bed = bed_new(
		"encapsulation = \"ipip\"; nodes = 4; registration = { rate = 0; moves = 2; };");
	const struct population_node *nodes = bed->population->groups[0].nodes;

	registrar_free(bed->registrar);
	bed->registrar = registrar_new(
		bed->population, &(struct registrar_output){bed, take, stamp, has_left}, bed->now);
	registrar_begin(bed->registrar, bed->now);
	run(bed, S);
	registrar_trial(bed->registrar, bed->now, true);
	run(bed, 600 * MS);
	assert_int_equal(nodes[0].ready, POPULATION_READY_DOWN);
	assert_int_equal(nodes[1].ready, POPULATION_READY_DOWN);
	assert_int_equal(nodes[0].place, 0);
	assert_int_equal(bed->requests, 4);
	registrar_begin(bed->registrar, bed->now); /* all register, where they are */
	run(bed, 10 * MS);
	assert_int_equal(nodes[0].ready, POPULATION_READY);
	bed->left++;
	run(bed, 600 * MS);
	assert_int_equal(nodes[0].place, 0);
	assert_int_equal(counters(bed)->moves, 0);
	assert_int_equal(nodes[2].ready, POPULATION_READY_DOWN);
	bed->left++;
	run(bed, 10 * MS);
	assert_in_range(counters(bed)->moves, 1, 2);
	assert_int_equal(nodes[2].place, 1);
	assert_int_equal(nodes[2].ready, POPULATION_READY);
	bed_free(bed);
}

static void test_storm(void **state)
{
	struct bed *bed =
		bed_new("encapsulation = \"ipip\"; nodes = 40; registration = { rate = 0; "
			"storm_ms = 500; storm_rate = 20; };");

	registrar_begin(bed->registrar, bed->now);
	run(bed, 10 * MS);
	assert_int_equal(registrar_registered(bed->registrar), 40);
	registrar_trial(bed->registrar, bed->now, true);
	run(bed, 499 * MS);
	assert_int_equal(bed->requests, 40);
	run(bed, S);
	assert_in_range(bed->requests, 59, 62);
	run(bed, 2 * S);
	assert_int_equal(bed->requests, 80);
	assert_int_equal(counters(bed)->accepted, 80);
	assert_int_equal(counters(bed)->storms, 1);
	assert_in_range(counters(bed)->storm_ns, 1950 * MS, 2050 * MS); /* 40 at 20 a second */
	assert_int_equal(registrar_registered(bed->registrar), 40);
	bed_free(bed);
}

static void test_excuses(void **state)
{
	struct registrar_counters counters = {.requests = 5};
	char text[EXCUSE_SIZE];

	(void)state;
	excuse_registration(&counters, text);
	assert_string_equal(text, "5 requests, no reply");
	counters.denied = 4;
	counters.codes[131] = 3;
	counters.codes[136] = 1;
	counters.unmatched = 2;
	excuse_registration(&counters, text);
	assert_string_equal(
		text, "5 requests, 4 denied, most by code 131, 2 that answer no request");
	counters = (struct registrar_counters){.requests = UINT64_MAX,
		.accepted = UINT64_MAX,
		.denied = UINT64_MAX,
		.bad_address = UINT64_MAX,
		.bad_authenticator = UINT64_MAX,
		.bad_tunnel = UINT64_MAX,
		.malformed = UINT64_MAX,
		.unmatched = UINT64_MAX};
	excuse_registration(&counters, text);
	assert_non_null(strstr(text, "that answer no request")); /* all of it has room */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers_at_a_rate),
		cmocka_unit_test(test_in_flight),
		cmocka_unit_test(test_silence_is_asked_again),
		cmocka_unit_test(test_refreshes_at_half_and_expires),
		cmocka_unit_test(test_bad_replies_do_not_register),
		cmocka_unit_test(test_the_home_agents_clock),
		cmocka_unit_test(test_nodes_behind_a_nat),
		cmocka_unit_test(test_encapsulation_asked_for),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_moves_wait_for_packets),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_excuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
