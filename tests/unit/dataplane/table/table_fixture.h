/* Commands in one line, for the table tests. */
#ifndef TESTS_UNIT_DATAPLANE_TABLE_TABLE_FIXTURE_H
#define TESTS_UNIT_DATAPLANE_TABLE_TABLE_FIXTURE_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "dataplane/table/tables.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

static inline struct ip_address address(const char *text)
{
	struct ip_address a;
	if (ip_address_parse(text, &a))
		fail_msg("bad address %s", text);
	return a;
}

static inline struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;
	if (ip_prefix_parse(text, &p))
		fail_msg("bad prefix %s", text);
	return p;
}

static inline struct region_limits small_limits(void)
{
	return (struct region_limits){.workers = 1,
		.ports = 2,
		.bindings = 4096,
		.routes = 4096,
		.neighbors = 1024,
		.prefixes = 1024};
}

static inline struct command agent_command(const char *agent)
{
	return (struct command){.type = COMMAND_AGENT_SET,
		.agent = {.address = address(agent),
			.tunnel_ttl = 64,
			.dscp = DSCP_COPY,
			.flags = AGENT_UDP}};
}

static inline struct command binding_command(uint32_t id, const char *home, const char *care_of)
{
	return (struct command){.type = COMMAND_BINDING_SET,
		.binding = {.home_address = address(home),
			.care_of_address = address(care_of),
			.care_of_field = address(care_of),
			.agent_address = address("192.0.2.1"),
			.expires_ns = CLOCK_NEVER,
			.binding_id = id,
			.home_port = PORT_NONE,
			.encapsulation = ENCAPSULATION_IPIP}};
}

static inline struct command udp_binding_command(
	uint32_t id, const char *home, const char *care_of, uint16_t port)
{
	struct command c = binding_command(id, home, care_of);
	c.binding.flags = BINDING_UDP;
	c.binding.care_of_port = htons(port);
	c.binding.agent_port = htons(434);
	return c;
}

static inline struct command plain_command(enum command_type type)
{
	return (struct command){.type = (uint16_t)type};
}

static inline const struct tunnel *home(const struct tables *t, const char *text)
{
	struct ip_address a = address(text);
	return tables_home_lookup(t, 0, &a);
}

#endif
