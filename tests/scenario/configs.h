/* Pieces of configurations and requests that the scenarios share. */
#ifndef TESTS_SCENARIO_CONFIGS_H
#define TESTS_SCENARIO_CONFIGS_H

#include "tests/scenario/home.h"

#define KEY_NODE_TEXT  "0123456789abcdeffedcba9876543210"
#define KEY_AGENT_TEXT "00112233445566778899aabbccddeeff"
#define NODE(extra)    "{ " extra " security = ( { spi = 0x100; key = \"" KEY_NODE_TEXT "\"; } ); }"
#define AGENT(address)                                                                             \
	"{ address = \"" address "\"; security = ( { spi = 0x200; key = \"" KEY_AGENT_TEXT         \
	"\"; } ); }"
#define INSTANCE_OF(name, address, networks, extra)                                                \
	"{ name = \"" name "\"; addresses = [ \"" address "\" ]; node_rate = 0;"                   \
	" home_networks = ( " networks " );"                                                       \
	" police_endpoint_rate = 1000000; police_endpoint_burst = 1000000; police_source_rate = "  \
	"1000000; " extra " }"
#define INSTANCE(extra)                                                                            \
	"instances = ( " INSTANCE_OF("lab", "192.0.2.1",                                           \
		"{ prefix = \"10.1.0.0/16\"; port = \"inside\"; }", extra) " );\n"
#define NODES(list)  "mobile_nodes = ( " list " );\n"
#define AGENTS(list) "foreign_agents = ( " list " );\n"
#define TEN          NODE("home_address = \"10.1.0.10\";")
#define ELEVEN       NODE("home_address = \"10.1.0.11\";")
#define FORWARD      (MIP4_D | MIP4_T)
#define FA           "198.51.100.254"

static const struct ask plain __attribute__((unused)) = {.flags = FORWARD, .lifetime_s = 600};
static const uint8_t udp_request[8] __attribute__((unused)) = {144, 6, 0, 0, 0, 0, 0, 0};

/* Behind a NAT. */
static inline struct ask natted(const void *extension)
{
	return (struct ask){
		.flags = FORWARD,
		.lifetime_s = 600,
		.care_of = "192.168.1.23",
		.source = "203.0.113.7",
		.source_port = 40007,
		.extensions = extension,
		.extensions_length = extension ? 8 : 0,
	};
}

/* Through the foreign agent that shares an association. */
static inline struct ask relayed(void)
{
	return (struct ask){.flags = MIP4_T,
		.lifetime_s = 600,
		.care_of = FA,
		.source_port = 434,
		.agent_spi = 0x200};
}

#endif
