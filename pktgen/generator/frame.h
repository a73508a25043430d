/*
 * Builds the frames of flows: Ethernet, the outer headers of the group's encapsulation when the
 * packet goes to the access side, the inner packet, the signature. ESP is laid out but not yet
 * encrypted: header, inner packet and trailer are in place, the rest is the crypto engine's.
 *
 * Pure: octets out, nothing kept; any thread.
 */
#ifndef PKTGEN_GENERATOR_FRAME_H
#define PKTGEN_GENERATOR_FRAME_H

#include "dataplane/crypto/suite.h"
#include "lib/wire/ethernet.h"
#include "pktgen/generator/population.h"
#include "pktgen/generator/signature.h"

/* The most that encapsulation adds to a frame: IPv6, UDP, ESP with the longest IV, padding and ICV,
 * a UDP tunnel of Mobile IP inside it. */
#define FRAME_OVERHEAD_MAX (40 + 8 + 8 + 16 + 17 + 32 + 20 + 8 + 4)
#define FRAME_SIZE_MAX     (PROFILE_SIZE_MAX + FRAME_OVERHEAD_MAX)

struct frame_link { /* of the port it leaves by */
	uint8_t source[6], destination[6];
};

struct frame_number { /* what ESP needs besides keys */
	const struct suite *suite;
	uint64_t number;
};

struct frame_plan {
	const struct population_group *group;
	uint32_t node;
	bool up;
	uint16_t size; /* of the plain frame, check sequence included */
	struct signature signature;
	struct frame_number esp; /* ESP, up */
};

struct frame_esp {            /* where ESP lies, for the crypto engine; offset 0: nowhere */
	uint16_t offset;      /* of the SPI in the frame */
	uint16_t text_length; /* as crypto_operation wants it */
};

/* Writes a frame without check sequence and returns its length. `out` has FRAME_SIZE_MAX octets. */
uint16_t frame_build(const struct population *population, const struct frame_plan *plan,
	const struct frame_link *link, uint8_t *out, struct frame_esp *esp);
/* Once the `esp` of a frame is encrypted: over IPv6 UDP has a checksum (RFC 8200 8.1). */
void frame_finish(const struct population_group *group, uint8_t *esp);
/*
 * Puts a node's own IPv4 packet (a registration) into its ESP, in the mode of its group; the same
 * otherwise. `packet` has `length` octets, its header no options, and lies elsewhere than `out`.
 */
uint16_t frame_seal(const struct population_group *group, uint32_t node,
	const struct frame_number *number, const uint8_t *packet, uint16_t length,
	const struct frame_link *link, uint8_t *out, struct frame_esp *esp);

#endif
