// control/desired: configuration as commands.
#include "control/desired.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct config_port ports[2];
static struct ip_address addresses[1];
static struct config_home_network networks[2];
static struct config_instance instance;
static struct config_route routes[2];
static struct config_local locals[2];
static struct config_neighbor neighbors[1];

static struct config make(void)
{
	memset(&instance, 0, sizeof(instance));
	ip_address_parse("192.0.2.1", &addresses[0]);
	ip_prefix_parse("10.1.0.0/16", &networks[0].prefix);
	networks[0].port = 1;
	ip_prefix_parse("10.3.0.0/16", &networks[1].prefix);
	networks[1].port = PORT_NONE;
	instance.addresses = addresses;
	instance.address_count = 1;
	instance.home_networks = networks;
	instance.home_network_count = 2;
	instance.nat_traversal = true;
	instance.tunnel_ttl = 64;
	instance.dscp = -1;
	instance.old_care_of_grace_ms = 2000;
	ip_prefix_parse("0.0.0.0/0", &routes[0].prefix);
	ip_address_parse("192.0.2.254", &routes[0].via);
	ip_prefix_parse("10.2.0.0/16", &routes[1].prefix);
	ip_address_parse("0.0.0.0", &routes[1].via);
	routes[1].port = 1;
	locals[0].address = addresses[0]; // claims the agent's address
	ip_address_parse("10.1.0.1", &locals[1].address);
	locals[1].port = 1;
	ip_address_parse("192.0.2.254", &neighbors[0].address);
	return (struct config){.dataplane = {.ports = ports, .port_count = 2},
		.instances = &instance,
		.instance_count = 1,
		.routes = routes,
		.route_count = 2,
		.locals = locals,
		.local_count = 2,
		.neighbors = neighbors,
		.neighbor_count = 1};
}

static const struct command *find_route(const struct desired *desired, const char *prefix)
{
	struct command key = {.type = COMMAND_ROUTE_SET};
	ip_prefix_parse(prefix, &key.route.prefix);
	return desired_lookup(desired, &key);
}

static void everything_once(void **state)
{
	struct config config = make();
	struct desired desired;
	assert_int_equal(desired_new(&desired, &config), 0);
	// 1 agent, 1 local (the other is an agent), 2 home networks, 2 routes + 1 connected, 1
	// neighbour
	assert_int_equal(desired.count, 8);
	assert_true(desired_is_agent(&desired, 0, &addresses[0]));
	assert_false(desired_is_agent(&desired, 1, &addresses[0]));
	struct command key = {.type = COMMAND_LOCAL_SET};
	key.local.address = addresses[0];
	assert_null(desired_lookup(&desired, &key));
	key.local.address = locals[1].address;
	assert_int_equal(desired_lookup(&desired, &key)->local.port, 1);
	assert_int_equal(desired.commands[0].type, COMMAND_AGENT_SET);
	const struct agent_command *agent = &desired.commands[0].agent;
	assert_int_equal(agent->flags, AGENT_UDP | AGENT_NO_BINDING_CHECK);
	assert_int_equal(agent->dscp, DSCP_COPY);
	assert_int_equal(agent->old_care_of_grace_ns, 2000000000);
	// On-link is ::, whatever was written.
	static const uint8_t unspecified[16];
	assert_memory_equal(
		find_route(&desired, "10.2.0.0/16")->route.next_hop.bytes, unspecified, 16);
	assert_int_equal(find_route(&desired, "10.1.0.0/16")->route.port, 1);
	assert_null(find_route(&desired, "10.3.0.0/16")); // virtual: no link
	desired_free(&desired);
}

static void static_route_wins_over_the_home_link(void **state)
{
	struct config config = make();
	struct desired desired;
	routes[1].prefix = networks[0].prefix;
	routes[1].port = 0;
	assert_int_equal(desired_new(&desired, &config), 0);
	assert_int_equal(desired.count, 7);
	assert_int_equal(find_route(&desired, "10.1.0.0/16")->route.port, 0);
	desired_free(&desired);
}

static void key_of_remove_is_key_of_set(void **state)
{
	struct command set = {.type = COMMAND_ROUTE_SET, .sequence = 9};
	ip_prefix_parse("10.2.0.0/16", &set.route.prefix);
	set.route.port = 3;
	struct command remove = {.type = COMMAND_ROUTE_REMOVE};
	remove.route.prefix = set.route.prefix;
	struct command a = desired_key(&set), b = desired_key(&remove);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(a.route.port, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_once),
		cmocka_unit_test(static_route_wins_over_the_home_link),
		cmocka_unit_test(key_of_remove_is_key_of_set),
	};
	return cmocka_run_group_tests_name("control/desired", tests, NULL, NULL);
}
