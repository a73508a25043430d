/*
 * Octets of an ESP packet that lies in several buffers. Offsets count from the SPI.
 */
#ifndef DATAPLANE_CRYPTO_SEGMENT_H
#define DATAPLANE_CRYPTO_SEGMENT_H

#include "dataplane/crypto/engine.h"

struct segment_cursor {
	const struct crypto_segment *segment, *end;
	uint32_t offset; /* within segment */
};

/* Octets in all segments. */
uint64_t segment_total(const struct crypto_operation *operation);
void segment_seek(
	struct segment_cursor *cursor, const struct crypto_operation *operation, uint32_t offset);
/* The next contiguous piece, at most `limit` octets; NULL when limit is 0 or nothing is left. */
uint8_t *segment_next(struct segment_cursor *cursor, uint32_t limit, uint32_t *length);

void segment_gather(
	const struct crypto_operation *operation, uint32_t offset, void *to, uint32_t length);
void segment_scatter(const struct crypto_operation *operation, uint32_t offset, const void *from,
	uint32_t length);

#endif
