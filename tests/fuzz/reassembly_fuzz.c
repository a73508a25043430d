/* Fragments addressed to the agent, in any order, overlap and number. */
#include "tests/fuzz/frames_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world *world;

	if (world == NULL)
		world = frames_world(AGENT_GRE | AGENT_MINIMAL | AGENT_UDP);
	frames_play(world, data, size);
	FUZZ_ASSERT(world_settle(world));
	return 0;
}
