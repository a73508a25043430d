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
