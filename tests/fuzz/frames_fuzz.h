/*
 * Shared by the targets that throw frames at a whole worker. An input is records: port, kind,
 * length (2 octets, big endian), that many octets. kind 0: received; 1: from the kernel; 2:
 * injected datagram; 3: time passes (length x 8 ms). Whatever comes, every packet is accounted for
 * and every buffer comes back.
 */
#ifndef TESTS_FUZZ_FRAMES_FUZZ_H
#define TESTS_FUZZ_FRAMES_FUZZ_H

#include "tests/fuzz/fuzz_assert.h"
#include "tests/walk/world.h"

#define RECORD_HEADER 4
#define FRAME_MAX     1900
#define RECORDS_MAX   64

/* An agent with these flags, its home network, a way out and one inside, and one node that is away.
 */
static inline struct world *frames_world(uint32_t agent_flags)
{
	struct world *world = world_new();

	world_agent(world, "192.0.2.1", agent_flags);
	world_local(world, "10.1.0.1", 1);
	world_home_network(world, "10.1.0.0/16", 1);
	world_route(world, "0.0.0.0/0", "192.0.2.254", 0);
	world_route(world, "10.2.0.0/16", NULL, 2);
	world_neighbor(world, "192.0.2.254", 0, 0xfe);
	world_neighbor(world, "10.2.0.5", 2, 0x05);
	world_binding(world, 0, "10.1.0.10", "198.51.100.23", 0, ENCAPSULATION_IPIP, 0);
	return world;
}

static inline void frames_play(struct world *world, const uint8_t *data, size_t size)
{
	for (unsigned n = 0; n < RECORDS_MAX && size >= RECORD_HEADER; n++) {
		uint16_t port = data[0] % WORLD_PORTS;
		uint32_t length = (uint32_t)(data[2] << 8 | data[3]);
		uint8_t kind = data[1] % 4, flags = data[0] & 1;

		data += RECORD_HEADER;
		size -= RECORD_HEADER;
		if (kind == 3) {
			world_advance(world, (length & 0xfff) * 8);
			continue;
		}
		length = length < size ? length : (uint32_t)size;
		length = length < FRAME_MAX ? length : FRAME_MAX;
		if (kind == 0)
			world_receive(world, port, data, length);
		else if (kind == 1)
			world_kernel(world, port, data, length);
		else
			world_inject(world, INJECT_DATAGRAM, flags, port, NULL, data, length);
		data += length;
		size -= length;
		FUZZ_ASSERT(world_balance(world) == 0);
		world_forget(world);
	}
}

#endif
