/*
 * Numbers and noise: a re-registration storm, a mass expiry, a dataplane that comes back, and
 * HA4-BAD-15: every vector, mutated, in any order, while good nodes run.
 */
#include "tests/scenario/home.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define STORM            100000u
#define STORM_NODES_TEXT "100000"

static const char storm_config[] =
	"instances = ( { name = \"lab\"; addresses = [ \"192.0.2.1\" ]; node_rate = 0; "
	"max_bindings = 100000;"
	" home_networks = ( { prefix = \"10.0.0.0/8\"; } );"
	" police_endpoint_rate = 1000000; police_endpoint_burst = 1000000; police_source_rate = "
	"10000000; } );\n"
	"mobile_nodes = ( { home_address = \"10.0.0.0/8\"; security = ( { spi = 0x100;"
	" key = \"0123456789abcdeffedcba9876543210\"; } ); } );\n";

static const char *vectors_path;

static void register_one(struct home *h, uint32_t node, uint16_t lifetime_s)
{
	char home[16], care_of[16];
	struct ask ask = {.flags = MIP4_D | MIP4_T,
		.lifetime_s = lifetime_s,
		.home_address = home,
		.care_of = care_of};
	struct punt_record record;

	snprintf(home, sizeof(home), "10.%u.%u.%u", 1 + node / 62500, node / 250 % 250,
		1 + node % 250);
	snprintf(care_of, sizeof(care_of), "100.%u.%u.%u", 64 + node / 62500, node / 250 % 250,
		1 + node % 250);
	ask_build(h, &ask, &record);
	mip4_receive(h->engine, &record, h->now);
}

/* HA4-BND-07, HA4-OPS-33; the whole population within one second of simulated time, then gone at
 * once. */
static void storm(void **state)
{
	(void)state;
	setenv("HOME_BINDINGS", STORM_NODES_TEXT, 1);
	struct home *h = home_new(storm_config);
	unsetenv("HOME_BINDINGS");
	h->no_store = true;
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < STORM; i++) {
			register_one(h, i, 300);
			if (i % 64 == 63)
				home_acknowledge(h);
		}
		home_acknowledge(h);
		assert_int_equal(binding_cache_count(mip4_show_cache(h->engine)), STORM);
		assert_int_equal(h->live_count, STORM);
		home_pass(h, 1);
	}
	assert_int_equal(home_counter(h, MIP4_BINDINGS_ADDED), STORM);
	assert_int_equal(home_counter(h, MIP4_BINDINGS_REFRESHED), STORM);
	register_one(h, STORM, 300); /* one too many */
	assert_int_equal(home_counter(h, MIP4_DENIED_130), 1);

	/* A dump sees each exactly once, though bindings come and go around it. */
	uint32_t cursor = 0, seen = 0;
	while (cursor != UINT32_MAX)
		seen += binding_cache_iterate(mip4_show_cache(h->engine), &cursor, 100) != NULL;
	assert_int_equal(seen, STORM);

	/* All expire together: bounded steps, registrations in between are served. */
	h->now.monotonic_ns += 301 * CLOCK_NS_PER_S;
	h->now.wall_ns += 301 * CLOCK_NS_PER_S;
	unsigned steps = 0;
	while (mip4_engine_tick(h->engine, h->now) <= h->now.monotonic_ns) {
		if (steps++ == 5) {
			register_one(h, 7, 300);
			home_acknowledge(h);
		}
	}
	home_acknowledge(h);
	assert_in_range(steps, 10, 1000);
	assert_int_equal(binding_cache_count(mip4_show_cache(h->engine)), 1);
	assert_int_equal(h->live_count, 1);
	assert_true(mip4_counters_balance(h->engine));
	home_free(h);
}

/* The dataplane dies with registrations under way; the mirror redoes their tickets; each gets its
 * one reply. */
static void dataplane_restart(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = {.flags = MIP4_D | MIP4_T, .lifetime_s = 600};
	struct punt_record record;

	(void)state;
	h->hold = true;
	ask_build(h, &ask, &record);
	home_receive(h, &record);
	for (int i = 0; i < 10; i++) { /* the node repeats itself, as it should */
		home_pass(h, 1);
		ask_build(h, &ask, &record);
		home_receive(h, &record);
	}
	assert_int_equal(h->sent_count, 0);
	h->hold = false;
	home_acknowledge(h);
	assert_int_equal(h->sent_count, 2); /* the first and the newest of the waiting */
	assert_int_equal(home_counter(h, MIP4_SUPERSEDED), 9);
	assert_int_equal(mip4_show_pending_count(h->engine), 0);
	assert_true(mip4_counters_balance(h->engine));
	home_free(h);
}

/* A node whose replies get lost goes on until one arrives; the binding never wavers. */
static void lost_replies(void **state)
{
	struct home *h = home_new(NULL);
	struct ask ask = {.flags = MIP4_D | MIP4_T, .lifetime_s = 30};

	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(ask_send(h, &ask), 0);
		home_pass(h, 1 + i % 7);
		assert_non_null(home_live(h, "10.1.0.10"));
	}
	assert_int_equal(home_counter(h, MIP4_BINDINGS_ADDED), 1);
	assert_int_equal(h->arrived_count, 1);
	home_free(h);
}

static uint32_t dice_state = 1;

static uint32_t dice(uint32_t sides)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 17;
	dice_state ^= dice_state << 5;
	return dice_state % sides;
}

static void mutate(struct punt_record *r)
{
	switch (dice(5)) {
	case 0:
		break; /* as it is */
	case 1:
		r->length = (uint16_t)dice(r->length + 1u);
		break;
	case 2: /* a length octet somewhere */
		if (r->length > 26)
			r->data[25 + dice(r->length - 25u)] = (uint8_t)dice(256);
		break;
	case 3:
		for (unsigned n = 1 + dice(8); n && r->length; n--)
			r->data[dice(r->length)] ^= (uint8_t)(1u << dice(8));
		break;
	default:
		for (unsigned n = dice(64); n && r->length < MIP4_PAYLOAD_MAX; n--)
			r->data[r->length++] = (uint8_t)dice(256);
	}
	r->port = (uint16_t)dice(3);
	r->flags = (uint8_t)dice(16);
	r->layer_count = (uint8_t)(dice(10) ? 0 : dice(256));
}

static void soak(void **state)
{
	json_error_t error;
	json_t *root = json_load_file(vectors_path, 0, &error);
	json_t *list = json_object_get(root, "vectors");
	struct home *h = home_new(NULL);
	struct ask good = {.flags = MIP4_D | MIP4_T, .lifetime_s = 600};
	clock_t until = clock() + 2 * CLOCKS_PER_SEC;
	unsigned rounds = 0;

	(void)state;
	assert_int_equal(json_array_size(list), 74);
	while (clock() < until) {
		const char *hex =
			json_string_value(json_object_get(json_array_get(list, dice(74)), "hex"));
		uint8_t packet[1600];
		size_t length = 0;
		struct punt_record record;
		for (unsigned octet;
			hex[2 * length] && sscanf(hex + 2 * length, "%2x", &octet) == 1;
			length++) // NOLINT
			packet[length] = (uint8_t)octet;
		if (!punt_from_packet(packet, length, &record))
			continue;
		mutate(&record);
		h->hold = dice(4) == 0;
		home_receive(h, &record);
		if (dice(20) == 0)
			home_pass(h, dice(3));
		if (rounds++ % 500 == 0) {
			h->hold = false;
			home_acknowledge(h);
			/* Past whatever a mutation may have registered or deregistered with a good
			 * authenticator. */
			home_pass(h, 1);
			if (rounds == 1)
				home_at(h, HOME_T0 + 1000);
			assert_int_equal(ask_send(h, &good), 0);
			struct ip_address care_of = address_of("198.51.100.23");
			assert_true(ip_address_equal(
				&home_binding(h, "10.1.0.10")->care_of_field, &care_of));
		}
	}
	h->hold = false;
	home_acknowledge(h);
	assert_true(rounds > 1000);
	assert_true(mip4_counters_balance(h->engine)); // HA4-BAD-01
	assert_int_equal(h->live_count, binding_cache_count(mip4_show_cache(h->engine)));
	assert_non_null(home_binding(h, "10.1.0.10"));
	assert_int_equal(mip4_show_pending_count(h->engine), 0);
	print_message("# soak: %u messages\n", rounds);
	home_free(h);
	json_decref(root);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(storm),
		cmocka_unit_test(dataplane_restart),
		cmocka_unit_test(lost_replies),
		cmocka_unit_test(soak),
	};

	if (argc != 2)
		return 1;
	vectors_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
