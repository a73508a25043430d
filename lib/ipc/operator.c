#include "lib/ipc/operator.h"

#include <string.h>

#define INSTANCE                                                                                   \
	{                                                                                          \
		"instance", OPERATOR_TEXT, false, false, NULL, "of this home agent instance"       \
	}

static const struct operator_command_row rows[OPERATOR_COMMAND_COUNT] = {
	[OPERATOR_SHOW_BINDINGS] = {"show bindings", OPERATOR_READ_ONLY, true,
		"mobility bindings, one line each",
		{{"home", OPERATOR_PREFIX, false, false, NULL, "home address or prefix"},
			{"nai", OPERATOR_TEXT, false, false, NULL,
				"of this node, or of a realm as \"@realm\""},
			{"care-of", OPERATOR_PREFIX, false, false, NULL, "where the tunnel ends"},
			INSTANCE, {"count", OPERATOR_FLAG, false, false, NULL, "only how many"}}},
	[OPERATOR_SHOW_BINDING] = {"show binding", OPERATOR_READ_ONLY, false,
		"everything about the bindings of a home address",
		{{"address", OPERATOR_ADDRESS, true, true, NULL, "home address"}, INSTANCE}},
	[OPERATOR_SHOW_COUNTERS] = {"show counters", OPERATOR_READ_ONLY, false,
		"what both processes counted, and whether packets add up",
		{{"raw", OPERATOR_FLAG, false, false, NULL,
			"since the start, not since clear counters"}}},
	[OPERATOR_SHOW_DROPS] = {"show drops", OPERATOR_READ_ONLY, false,
		"packets dropped, by reason",
		{{"all", OPERATOR_FLAG, false, false, NULL, "reasons that never happened too"},
			{"raw", OPERATOR_FLAG, false, false, NULL,
				"since the start, not since clear counters"}}},
	[OPERATOR_SHOW_PORTS] = {"show ports", OPERATOR_READ_ONLY, false, "ports of the dataplane",
		{{0}}},
	[OPERATOR_SHOW_WORKERS] = {"show workers", OPERATOR_READ_ONLY, false,
		"workers of the dataplane", {{0}}},
	[OPERATOR_SHOW_CONFIG] = {"show config", OPERATOR_READ_ONLY, false,
		"configuration in effect, without keys", {{0}}},
	[OPERATOR_SHOW_STATUS] = {"show status", OPERATOR_READ_ONLY, false,
		"state of both processes, limits and their use", {{0}}},
	[OPERATOR_SHOW_VIOLATIONS] = {"show violations", OPERATOR_READ_ONLY, true,
		"security exceptions, newest first", {{0}}},
	[OPERATOR_SHOW_MOBILE_NODES] = {"show mobile-nodes", OPERATOR_READ_ONLY, true,
		"configured nodes and their security contexts, without keys", {INSTANCE}},
	[OPERATOR_SHOW_NODES] = {"show nodes", OPERATOR_READ_ONLY, true,
		"mobile nodes that were heard: accepted, denied, time served (RFC 2006)",
		{INSTANCE}},
	[OPERATOR_SHOW_INSTANCES] = {"show instances", OPERATOR_READ_ONLY, false, "home agents",
		{{0}}},
	[OPERATOR_SHOW_POOLS] = {"show pools", OPERATOR_READ_ONLY, false,
		"home address pools and their use", {{0}}},
	[OPERATOR_CLEAR_BINDINGS] = {"clear bindings", OPERATOR_ADMIN, true,
		"remove bindings; their nodes are told where revocation was negotiated",
		{{"which", OPERATOR_TEXT, true, true, NULL, "home address, NAI, or all"},
			INSTANCE}},
	[OPERATOR_CLEAR_COUNTERS] = {"clear counters", OPERATOR_ADMIN, false,
		"count from zero again; the old values stay as a baseline", {{0}}},
	[OPERATOR_REVOKE] = {"revoke", OPERATOR_ADMIN, false,
		"revoke the bindings of a home address (RFC 3543)",
		{{"address", OPERATOR_ADDRESS, true, true, NULL, "home address"}, INSTANCE}},
	[OPERATOR_DRAIN] = {"drain", OPERATOR_ADMIN, false,
		"take no new nodes, serve those that are here",
		{{"state", OPERATOR_WORDS, true, true, "on|off", "on or off"}}},
	[OPERATOR_RELOAD] = {"reload", OPERATOR_ADMIN, false,
		"read the configuration again, all of it or nothing", {{0}}},
	[OPERATOR_TEST_REGISTRATION] = {"test registration", OPERATOR_READ_ONLY, false,
		"at which step a registration would end, without changing anything",
		{{"home", OPERATOR_ADDRESS, true, true, NULL, "home address, 0.0.0.0 with a NAI"},
			{"care-of", OPERATOR_ADDRESS, true, true, NULL, "care-of address"},
			{"nai", OPERATOR_TEXT, false, false, NULL, "of the mobile node"},
			{"source", OPERATOR_ADDRESS, false, false, NULL,
				"of the request; the care-of address when left out"},
			{"port", OPERATOR_TEXT, false, false, NULL,
				"where it comes in; the first one when left out"},
			{"flags", OPERATOR_TEXT, false, false, NULL,
				"of S B D M G T, and U, F: a UDP tunnel asked for, forced; DT when "
				"left out"},
			{"lifetime", OPERATOR_TEXT, false, false, NULL,
				"seconds, 0 deregisters; 600 when left out"},
			INSTANCE}},
	[OPERATOR_WATCH_EVENTS] = {"watch events", OPERATOR_READ_ONLY, false,
		"events as they happen, until interrupted", {{0}}},
	[OPERATOR_HELP] = {"help", OPERATOR_READ_ONLY, false, "all commands", {{0}}},
};

const struct operator_command_row *operator_command_get(unsigned command)
{
	return command < OPERATOR_COMMAND_COUNT ? &rows[command] : NULL;
}

unsigned operator_command_find(const char *words)
{
	unsigned command = 0;

	while (command < OPERATOR_COMMAND_COUNT && strcmp(rows[command].words, words) != 0)
		command++;
	return command;
}

const struct operator_argument *operator_argument_find(
	const struct operator_command_row *row, const char *name)
{
	for (unsigned i = 0; i < OPERATOR_ARGUMENTS_MAX && row->arguments[i].name; i++)
		if (strcmp(row->arguments[i].name, name) == 0)
			return &row->arguments[i];
	return NULL;
}

const char *operator_role_name(enum operator_role role)
{
	return role == OPERATOR_ADMIN ? "admin" : "read-only";
}
