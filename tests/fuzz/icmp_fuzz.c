/* ICMP of all kinds at an agent with tunnels: errors that quote them, echo, solicitations. */
#include "tests/fuzz/frames_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world *make(void)
{
	struct world *world = frames_world(AGENT_GRE | AGENT_UDP);

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
