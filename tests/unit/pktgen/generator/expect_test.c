/* What a packet should look like when it comes back, and what is wrong with one that does not. */
#include "pktgen/generator/expect.h"
#include "pktgen/generator/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define NODE 1

static const struct frame_link link_ = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

struct bed {
	struct profile *profile;
	struct population *population;
	struct population_flow flow;
	struct population_node *state;
	struct inspected what;
};

/* A packet of the node, up, as it looks on the line. */
static void bed_make(struct bed *bed, const char *group, bool loopback)
{
	struct config_error error;
	struct frame_esp esp;
	uint8_t frame[FRAME_SIZE_MAX];
	char text[1024];

	snprintf(text, sizeof(text),
		"loopback = %s; ports = ( { name = \"a\"; }, { name = \"b\"; } );\n"
		"groups = ( { name = \"g\"; access = \"a\"; core = \"b\"; nodes = 4; node = "
		"\"10.1.0.1\"; correspondent = \"10.2.0.1\"; agent = \"192.0.2.1\"; care_of = "
		"\"198.51.100.1\"; encapsulation = \"%s\"; } );",
		loopback ? "true" : "false", group);
	if (profile_load_string(text, "p", &bed->profile, &error))
		fail_msg("%s", error.text);
	bed->population = population_new(bed->profile);
	const struct population_group *own = &bed->population->groups[0];
	const struct frame_plan plan = {.group = own,
		.node = NODE,
		.up = true,
		.size = 100,
		.signature = {population_flow_of(own, NODE, true), 1, 1}};
	uint16_t length = frame_build(bed->population, &plan, &link_, frame, &esp);
	assert_int_equal(
		inspect_frame(frame, length, bed->population->magic, &bed->what), INSPECT_DATA);
	assert_true(population_flow_find(bed->population, bed->what.signature.flow, &bed->flow));
	bed->state = &own->nodes[NODE];
}

static void bed_free(struct bed *bed)
{
	population_free(bed->population);
	profile_free(bed->profile);
}

static enum expect_verdict check(const struct bed *bed, unsigned port)
{
	return expect_judge(bed->population, &bed->flow, port, &bed->what);
}

static void test_each_encapsulation(void **state)
{
	static const char *const names[] = {"plain", "ipip", "gre", "minimal", "mip-udp"};

	for (unsigned i = 0; i < 5; i++) {
		struct bed bed;
		bed_make(&bed, names[i], true);
		assert_int_equal(check(&bed, 0), EXPECT_RIGHT);
		assert_int_equal(check(&bed, 1), EXPECT_PORT);
		bed.what.layers ^= INSPECT_LAYER_IPIP;
		assert_int_equal(check(&bed, 0), EXPECT_ENCAPSULATION);
		bed.what.layers ^= INSPECT_LAYER_IPIP;
		bed.what.inner.source_port++;
		assert_int_equal(check(&bed, 0), EXPECT_INNER);
		bed.what.inner.source_port--;
		bed.what.inner.destination.bytes[15]++;
		assert_int_equal(check(&bed, 0), EXPECT_INNER);
		bed_free(&bed);
	}
}

/* Behind the gateway it is plain and on the other side. */
static void test_through_a_gateway(void **state)
{
	struct bed bed;

	bed_make(&bed, "ipip", false);
	assert_int_equal(check(&bed, 0), EXPECT_PORT);
	assert_int_equal(check(&bed, 1), EXPECT_ENCAPSULATION);
	bed.what.layers = 0;
	assert_int_equal(check(&bed, 1), EXPECT_RIGHT);
	bed_free(&bed);
}

static void test_where_the_node_was(void **state)
{
	struct bed bed;

	bed_make(&bed, "mip-udp", true);
	for (unsigned i = 1; i < 4; i++) {
		bed.state->place = i & 1;
		bed.state->mapping = (uint8_t)(i >> 1);
		bed.state->moved = 0;
		assert_int_equal(check(&bed, 0), EXPECT_OUTER);
		bed.state->moved = 1;
		assert_int_equal(check(&bed, 0), EXPECT_OLD);
	}
	bed.what.tunnel.source_port += 2; /* neither port of its own */
	assert_int_equal(check(&bed, 0), EXPECT_OUTER);
	bed_free(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_encapsulation),
		cmocka_unit_test(test_through_a_gateway),
		cmocka_unit_test(test_where_the_node_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
