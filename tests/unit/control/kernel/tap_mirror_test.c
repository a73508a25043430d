// control/kernel/tap_mirror against the real kernel, in a network namespace of its own. Needs root
// and ip(8).
#include "control/kernel/tap_mirror.h"

#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SEEN_MAX 256

static struct config_port ports[2] = {
	{.name = "outside", .tap = "hp-t0"}, {.name = "inside", .tap = "hp-t1"}};
static struct config config = {
	.dataplane = {.ports = ports, .port_count = 2, .max_routes = 1000, .max_neighbors = 1000}};

struct seen {
	struct command commands[SEEN_MAX];
	unsigned count;
};

static bool same(const struct command *a, const struct command *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == COMMAND_LOCAL_SET)
		return ip_address_equal(&a->local.address, &b->local.address);
	if (a->type == COMMAND_ROUTE_SET)
		return ip_prefix_equal(&a->route.prefix, &b->route.prefix);
	return ip_address_equal(&a->neighbor.address, &b->neighbor.address) &&
	       a->neighbor.port == b->neighbor.port;
}

static struct command *find(struct seen *seen, const struct command *key)
{
	for (unsigned i = 0; i < seen->count; i++) {
		if (same(&seen->commands[i], key))
			return &seen->commands[i];
	}
	return NULL;
}

static void on_set(void *context, const struct command *command)
{
	struct seen *seen = context;
	struct command *known = find(seen, command);
	assert_true(known || seen->count < SEEN_MAX);
	*(known ? known : &seen->commands[seen->count++]) = *command;
}

static void on_remove(void *context, const struct command *command)
{
	struct seen *seen = context;
	struct command key = *command;
	key.type--;
	struct command *known = find(seen, &key);
	assert_non_null(known);
	*known = seen->commands[--seen->count];
}

static struct command local(const char *address)
{
	struct command c = {.type = COMMAND_LOCAL_SET};
	assert_int_equal(ip_address_parse(address, &c.local.address), 0);
	return c;
}

static struct command route(const char *prefix)
{
	struct command c = {.type = COMMAND_ROUTE_SET};
	assert_int_equal(ip_prefix_parse(prefix, &c.route.prefix), 0);
	return c;
}

static struct command neighbor(uint16_t port, const char *address)
{
	struct command c = {.type = COMMAND_NEIGHBOR_SET};
	assert_int_equal(ip_address_parse(address, &c.neighbor.address), 0);
	c.neighbor.port = port;
	return c;
}

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

/* Runs the mirror until the key is there (or gone), five seconds at most. */
static struct command *await(
	struct tap_mirror *mirror, struct seen *seen, struct command key, bool there)
{
	monotonic deadline = clock_read().monotonic_ns + 60 * CLOCK_NS_PER_S;
	struct pollfd readable = {.fd = tap_mirror_fd(mirror), .events = POLLIN};
	for (;;) {
		monotonic now = clock_read().monotonic_ns;
		struct command *found = find(seen, &key);
		if ((found != NULL) == there && tap_mirror_statistics_get(mirror).synced)
			return found;
		if (now > deadline)
			fail_msg("type %u did not %s", key.type, there ? "come" : "go");
		tap_mirror_tick(mirror, now);
		poll(&readable, 1, 20);
		tap_mirror_readable(mirror);
	}
}

static int enter_namespace(void **state)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0 || system("ip link set lo up") != 0) {
		print_message("skipped: needs root, network namespaces and ip(8)\n");
		exit(77);
	}
	return 0;
}

static void follows_the_kernel(void **state)
{
	static struct seen seen;
	struct tap_mirror_callbacks callbacks = {
		.context = &seen, .set = on_set, .remove = on_remove};
	struct tap_mirror *mirror;
	run("ip tuntap add hp-t0 mode tap && ip link set hp-t0 up && ip addr add 192.0.2.2/24 dev "
	    "hp-t0");
	run("ip tuntap add hp-other mode tap && ip link set hp-other up && ip addr add "
	    "10.77.0.1/24 dev hp-other");
	run("ip route add 10.50.0.0/16 via 192.0.2.254 mtu 1400");
	run("ip route add blackhole 10.66.0.0/16");
	run("ip neigh add 192.0.2.254 lladdr 02:00:00:00:00:fe dev hp-t0 nud permanent");
	assert_int_equal(tap_mirror_new(&config, &callbacks, &mirror), 0);

	// The dump.
	struct command *c = await(mirror, &seen, local("192.0.2.2"), true);
	assert_int_equal(c->local.port, 0);
	c = await(mirror, &seen, route("192.0.2.0/24"), true);
	assert_true(ip_address_is_unspecified(&c->route.next_hop));
	c = await(mirror, &seen, route("10.50.0.0/16"), true);
	char text[IP_ADDRESS_TEXT_SIZE];
	assert_string_equal(ip_address_format(&c->route.next_hop, text), "192.0.2.254");
	assert_int_equal(c->route.mtu, 1400);
	c = await(mirror, &seen, route("10.66.0.0/16"), true);
	assert_int_equal(c->route.flags, ROUTE_BLACKHOLE);
	c = await(mirror, &seen, neighbor(0, "192.0.2.254"), true);
	assert_memory_equal(c->neighbor.mac, "\x02\x00\x00\x00\x00\xfe", 6);
	struct command other = local("10.77.0.1"), other_route = route("10.77.0.0/24");
	assert_null(find(&seen, &other)); // not one of our ports
	assert_null(find(&seen, &other_route));

	// Changes, one by one.
	run("ip route add 10.51.0.0/16 via 192.0.2.253");
	await(mirror, &seen, route("10.51.0.0/16"), true);
	run("ip route del 10.51.0.0/16");
	await(mirror, &seen, route("10.51.0.0/16"), false);
	run("ip neigh replace 192.0.2.253 lladdr 02:00:00:00:00:fd dev hp-t0 nud stale");
	await(mirror, &seen, neighbor(0, "192.0.2.253"), true);
	run("ip neigh del 192.0.2.253 dev hp-t0");
	await(mirror, &seen, neighbor(0, "192.0.2.253"), false);

	// Of two routes to a prefix the lower metric counts; when it goes, the other one comes
	// back.
	run("ip route add 10.52.0.0/16 via 192.0.2.1 metric 10");
	await(mirror, &seen, route("10.52.0.0/16"), true);
	run("ip route add 10.52.0.0/16 via 192.0.2.3 metric 20");
	run("ip route add 10.53.0.0/16 via 192.0.2.1");
	await(mirror, &seen, route("10.53.0.0/16"), true);
	struct command key = route("10.52.0.0/16");
	assert_string_equal(
		ip_address_format(&find(&seen, &key)->route.next_hop, text), "192.0.2.1");
	run("ip route del 10.52.0.0/16 metric 10");
	await(mirror, &seen, route("10.52.0.0/16"), false);
	c = await(mirror, &seen, route("10.52.0.0/16"), true);
	assert_string_equal(ip_address_format(&c->route.next_hop, text), "192.0.2.3");

	// A TAP that appears later, dies and comes again; dual stack.
	run("ip tuntap add hp-t1 mode tap && ip link set hp-t1 up && ip addr add 10.1.0.1/16 dev "
	    "hp-t1"
	    " && ip addr add 2001:db8:1::1/64 dev hp-t1 nodad");
	c = await(mirror, &seen, local("10.1.0.1"), true);
	assert_int_equal(c->local.port, 1);
	await(mirror, &seen, route("10.1.0.0/16"), true);
	await(mirror, &seen, local("2001:db8:1::1"), true);
	await(mirror, &seen, route("2001:db8:1::/64"), true);
	run("ip link set hp-t1 down"); // Linux is silent about IPv4 routes here
	await(mirror, &seen, route("10.1.0.0/16"), false);
	run("ip link set hp-t1 up");
	await(mirror, &seen, route("10.1.0.0/16"), true);
	run("ip link del hp-t1");
	await(mirror, &seen, local("10.1.0.1"), false);
	await(mirror, &seen, local("2001:db8:1::1"), false);
	key = local("192.0.2.2");
	assert_non_null(find(&seen, &key));
	tap_mirror_free(mirror);
}

static int kernel_says(const char *command, const char *word)
{
	char line[512] = "";
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	if (!fgets(line, sizeof(line), pipe))
		line[0] = '\0';
	pclose(pipe);
	return strstr(line, word) != NULL;
}

static void asks_and_tells_the_kernel(void **state) // HA4-HOME-11
{
	static struct seen seen;
	struct tap_mirror_callbacks callbacks = {
		.context = &seen, .set = on_set, .remove = on_remove};
	struct tap_mirror *mirror;
	struct ip_address address;
	assert_int_equal(tap_mirror_new(&config, &callbacks, &mirror), 0);
	await(mirror, &seen, local("192.0.2.2"), true);
	ip_address_parse("192.0.2.77", &address);
	tap_mirror_resolve(mirror, 0, &address);
	tap_mirror_resolve(mirror, 9, &address); // no such port: nothing
	// A TAP nobody reads has no carrier; the kernel knows that it was asked all the same.
	assert_true(kernel_says("ip neigh show 192.0.2.77 dev hp-t0 nud all", "192.0.2.77"));
	assert_true(tap_mirror_neighbor_set(
		mirror, 0, &address, (const uint8_t *)"\x02\x00\x00\x00\x00\x77"));
	struct command *c = await(mirror, &seen, neighbor(0, "192.0.2.77"), true);
	assert_memory_equal(c->neighbor.mac, "\x02\x00\x00\x00\x00\x77", 6);
	assert_true(tap_mirror_neighbor_set(mirror, 0, &address, NULL));
	await(mirror, &seen, neighbor(0, "192.0.2.77"), false);
	assert_false(tap_mirror_neighbor_set(mirror, 1, &address, NULL)); // its TAP is gone
	tap_mirror_free(mirror);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_kernel),
		cmocka_unit_test(asks_and_tells_the_kernel),
	};
	return cmocka_run_group_tests_name(
		"control/kernel/tap_mirror", tests, enter_namespace, NULL);
}
