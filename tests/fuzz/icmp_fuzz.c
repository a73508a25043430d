/* ICMP of all kinds at an agent with tunnels: errors that quote them, echo, solicitations. */
#include "tests/fuzz/frames_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world *make(void)
{
	struct world *world = world_new();

	world_agent(world, "192.0.2.1", AGENT_GRE | AGENT_UDP);
	world_local(world, "10.1.0.1", 1);
	world_home_network(world, "10.1.0.0/16", 1);
	world_route(world, "0.0.0.0/0", "192.0.2.254", 0);
	world_route(world, "10.2.0.0/16", NULL, 2);
	world_neighbor(world, "192.0.2.254", 0, 0xfe);
	world_neighbor(world, "10.2.0.5", 2, 0x05);
	world_binding(world, 0, "10.1.0.10", "198.51.100.23", 0, ENCAPSULATION_IPIP, 0);
	world_binding(world, 1, "10.1.0.11", "203.0.113.7", 40007, ENCAPSULATION_IPIP, 0);
	return world;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world *world;

	if (world == NULL)
		world = make();
	frames_play(world, data, size);
	FUZZ_ASSERT(world_settle(world));
	return 0;
}
