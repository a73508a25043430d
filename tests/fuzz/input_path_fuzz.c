/* Hostile frames through the whole packet path, on tables that hold every kind of tunnel. */
#include "tests/fuzz/frames_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world *make(void)
{
	struct world *world = frames_world(
		AGENT_GRE | AGENT_MINIMAL | AGENT_UDP | AGENT_UDP_CHECKSUM | AGENT_DF_COPY |
		AGENT_FRAGMENT_AFTER | AGENT_MSS_CLAMP | AGENT_REVERSE_MULTICAST);

	world_binding(world, 1, "10.1.0.10", "203.0.113.7", 40007, ENCAPSULATION_IPIP, 0);
	world_binding(world, 2, "10.1.0.11", "10.1.0.10", 0, ENCAPSULATION_GRE, BINDING_BROADCAST);
	world_binding(world, 3, "10.1.0.12", "198.51.100.23", 0, ENCAPSULATION_MINIMAL, 0);
	world_binding(world, 4, "10.1.0.13", "203.0.113.8", 40008, ENCAPSULATION_MINIMAL,
		BINDING_HALF_BOUND);
	world_binding(world, 5, "10.1.0.14", "10.1.0.15", 0, ENCAPSULATION_IPIP, 0);
	world_binding(world, 6, "10.1.0.15", "10.1.0.14", 0, ENCAPSULATION_IPIP, 0);
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
