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
	[OPERATOR_SA_SHOW] = {"sa show", OPERATOR_READ_ONLY, true,
		"security associations with their use, never their keys",
		{{"name", OPERATOR_TEXT, true, false, NULL, "of this pair alone"}}},
	[OPERATOR_SA_ADD] = {"sa add", OPERATOR_ADMIN, false,
		"add a pair of security associations with keys given by hand",
		{{"name", OPERATOR_TEXT, true, true, NULL, "for policies and operators; unique"},
			{"local", OPERATOR_ADDRESS, false, true, NULL, "our outer address"},
			{"remote", OPERATOR_ADDRESS, false, true, NULL, "the peer's outer address"},
			{"spi-in", OPERATOR_NUMBER, false, true, NULL, "of what we receive"},
			{"spi-out", OPERATOR_NUMBER, false, true, NULL, "of what we send"},
			{"algorithm", OPERATOR_TEXT, false, true, NULL,
				"as strongSwan names them: aes128gcm16, aes256-sha256, ..."},
			{"key-file", OPERATOR_KEY_FILE, false, false, NULL,
				"private file with a line \"in HEX\" and a line \"out HEX\""},
			{"key-fd", OPERATOR_KEY_FD, false, false, NULL,
				"descriptor to read the same from"},
			{"keys", OPERATOR_SECRET, false, true, NULL,
				"text of a key file; not on the command line"},
			{"local-ts", OPERATOR_SELECTORS, false, false, NULL,
				"our side of what may pass, as 10.1.0.0/16,10.2.0.1[udp/53]"},
			{"remote-ts", OPERATOR_SELECTORS, false, false, NULL, "the peer's side"},
			{"mode", OPERATOR_WORDS, false, false, "tunnel|transport",
				"tunnel (default) or transport"},
			{"encap", OPERATOR_FLAG, false, false, NULL, "ESP in UDP (RFC 3948)"},
			{"local-port", OPERATOR_NUMBER, false, false, NULL, "our UDP port, 4500"},
			{"remote-port", OPERATOR_NUMBER, false, false, NULL,
				"the peer's UDP port, 4500"},
			{"follow-mapping", OPERATOR_FLAG, false, false, NULL,
				"send to where the newest authentic packet came from"},
			{"esn", OPERATOR_FLAG, false, false, NULL, "64-bit sequence numbers"},
			{"replay-window", OPERATOR_NUMBER, false, false, NULL,
				"packets; 0: replays pass"},
			{"unsafe-static-keys", OPERATOR_FLAG, false, false, NULL,
				"allow a counter mode, whose nonces repeat after a restart"},
			{"vrf", OPERATOR_NUMBER, false, false, NULL, "of outer and inner packets"},
			{"reqid", OPERATOR_NUMBER, false, false, NULL, "for logs and events"},
			{"copy-df", OPERATOR_WORDS, false, false, "yes|set|clear", "outer DF"},
			{"copy-ecn", OPERATOR_WORDS, false, false, "yes|no",
				"no: compatibility mode of RFC 6040"},
			{"copy-dscp", OPERATOR_WORDS, false, false, "out|in|yes|no",
				"which way the DSCP is copied"},
			{"dscp", OPERATOR_NUMBER, false, false, NULL, "when it is not copied"},
			{"path-mtu", OPERATOR_NUMBER, false, false, NULL,
				"cap of the outer path's MTU"},
			{"tfc-padding", OPERATOR_NUMBER, false, false, NULL,
				"pad to this length; 65535: to the MTU"},
			{"rekey-time", OPERATOR_NUMBER, false, false, NULL, "seconds: an event"},
			{"life-time", OPERATOR_NUMBER, false, false, NULL, "seconds: the end"},
			{"rekey-bytes", OPERATOR_NUMBER, false, false, NULL, "octets: an event"},
			{"life-bytes", OPERATOR_NUMBER, false, false, NULL, "octets: the end"},
			{"rekey-packets", OPERATOR_NUMBER, false, false, NULL, "an event"},
			{"life-packets", OPERATOR_NUMBER, false, false, NULL, "the end"}}},
	[OPERATOR_SA_UPDATE] = {"sa update", OPERATOR_ADMIN, false,
		"move a pair to other outer addresses and ports, in place",
		{{"name", OPERATOR_TEXT, true, true, NULL, "of the pair"},
			{"local", OPERATOR_ADDRESS, false, false, NULL, "our outer address"},
			{"remote", OPERATOR_ADDRESS, false, false, NULL,
				"the peer's outer address"},
			{"encap", OPERATOR_WORDS, false, false, "yes|no", "ESP in UDP"},
			{"local-port", OPERATOR_NUMBER, false, false, NULL, "our UDP port"},
			{"remote-port", OPERATOR_NUMBER, false, false, NULL, "the peer's UDP port"},
			{"follow-mapping", OPERATOR_WORDS, false, false, "yes|no",
				"send to where the newest authentic packet came from"},
			{"path-mtu", OPERATOR_NUMBER, false, false, NULL,
				"cap of the outer path's MTU; 0: none"}}},
	[OPERATOR_SA_DEL] = {"sa del", OPERATOR_ADMIN, false,
		"end a pair; what was configured comes back with a restart",
		{{"name", OPERATOR_TEXT, true, true, NULL, "of the pair"}}},
	[OPERATOR_POLICY_SHOW] = {"policy show", OPERATOR_READ_ONLY, true,
		"the ordered policies with their hits",
		{{"name", OPERATOR_TEXT, true, false, NULL, "this one alone"}}},
	[OPERATOR_POLICY_ADD] = {"policy add", OPERATOR_ADMIN, false, "add a policy",
		{{"name", OPERATOR_TEXT, true, true, NULL, "unique"},
			{"order", OPERATOR_NUMBER, false, true, NULL, "lower is looked at first"},
			{"action", OPERATOR_WORDS, false, true, "discard|bypass|protect",
				"discard, bypass or protect"},
			{"local-ts", OPERATOR_SELECTORS, false, true, NULL,
				"our side, whatever the direction"},
			{"remote-ts", OPERATOR_SELECTORS, false, true, NULL, "the other side"},
			{"direction", OPERATOR_WORDS, false, false, "both|out|in",
				"of the packets; both by default"},
			{"sa", OPERATOR_TEXT, false, false, NULL,
				"protect: the pair that carries what goes out"},
			{"vrf", OPERATOR_NUMBER, false, false, NULL, "whose packets"},
			{"mip-signalling", OPERATOR_FLAG, false, false, NULL,
				"bypass: Mobile IP messages 1, 3, 7 and 15 alone"},
			{"answer-icmp", OPERATOR_FLAG, false, false, NULL,
				"discard: answer \"administratively prohibited\""}}},
	[OPERATOR_POLICY_DEL] = {"policy del", OPERATOR_ADMIN, false, "remove a policy",
		{{"name", OPERATOR_TEXT, true, true, NULL, "of the policy"}}},
	[OPERATOR_TRACE] = {"trace", OPERATOR_ADMIN, false,
		"show every message, verdict and reply of one node among the events",
		{{"which", OPERATOR_TEXT, true, true, NULL,
			"home address, care-of address, NAI, or off"}}},
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
