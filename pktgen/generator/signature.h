/*
 * What each measured datagram carries at the front of its UDP payload, so that the receiver knows
 * where it came from, whether one is missing, late or doubled, and how long it was under way. It is
 * 18 octets so that an IPv4 frame of 64 octets still holds it.
 *
 *   magic 2 | flow 4 | sequence 4 | timestamp 8          network order, unaligned
 *
 * The magic is made from the seed: packets of another run are not ours. The rest of the payload is
 * zero and the UDP checksum covers all of it. Pure; any thread.
 */
#ifndef PKTGEN_GENERATOR_SIGNATURE_H
#define PKTGEN_GENERATOR_SIGNATURE_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SIGNATURE_SIZE 18
/* Frames with their check sequence: Ethernet 18, IP 20 or 40, UDP 8, the signature. */
#define SIGNATURE_FRAME_MIN_V4 64
#define SIGNATURE_FRAME_MIN_V6 84

struct signature {
	uint32_t flow;
	uint32_t sequence;  /* of the flow: 1, 2, ...; the low half of a long run's */
	uint64_t timestamp; /* cycles of the sender's clock */
};

static inline void signature_write(uint8_t *out, uint16_t magic, const struct signature *signature)
{
	uint16_t magic_wire = htobe16(magic);
	uint32_t flow = htobe32(signature->flow), sequence = htobe32(signature->sequence);
	uint64_t timestamp = htobe64(signature->timestamp);

	memcpy(out, &magic_wire, 2);
	memcpy(out + 2, &flow, 4);
	memcpy(out + 6, &sequence, 4);
	memcpy(out + 10, &timestamp, 8);
}

/* False when the payload is too short or of another run. */
static inline bool signature_read(
	const uint8_t *payload, uint32_t length, uint16_t magic, struct signature *out)
{
	uint16_t magic_wire;
	uint32_t flow, sequence;
	uint64_t timestamp;

	if (length < SIGNATURE_SIZE)
		return false;
	memcpy(&magic_wire, payload, 2);
	if (be16toh(magic_wire) != magic)
		return false;
	memcpy(&flow, payload + 2, 4);
	memcpy(&sequence, payload + 6, 4);
	memcpy(&timestamp, payload + 10, 8);
	*out = (struct signature){be32toh(flow), be32toh(sequence), be64toh(timestamp)};
	return true;
}

#endif
