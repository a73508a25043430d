#include "dataplane/crypto/segment.h"

#include <string.h>

uint64_t segment_total(const struct crypto_operation *operation)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < operation->segment_count; i++)
		total += operation->segments[i].length;
	return total;
}

void segment_seek(
	struct segment_cursor *cursor, const struct crypto_operation *operation, uint32_t offset)
{
	cursor->segment = operation->segments;
	cursor->end = operation->segments + operation->segment_count;
	while (cursor->segment < cursor->end && offset >= cursor->segment->length) {
		offset -= cursor->segment->length;
		cursor->segment++;
	}
	cursor->offset = offset;
}

uint8_t *segment_next(struct segment_cursor *cursor, uint32_t limit, uint32_t *length)
{
	uint8_t *at;

	while (cursor->segment < cursor->end && cursor->offset == cursor->segment->length) {
		cursor->segment++;
		cursor->offset = 0;
	}
	if (limit == 0 || cursor->segment == cursor->end)
		return NULL;
	at = cursor->segment->data + cursor->offset;
	*length = cursor->segment->length - cursor->offset;
	if (*length > limit)
		*length = limit;
	cursor->offset += *length;
	return at;
}

void segment_gather(
	const struct crypto_operation *operation, uint32_t offset, void *to, uint32_t length)
{
	struct segment_cursor cursor;
	uint8_t *out = to;
	const uint8_t *at;
	uint32_t part;

	segment_seek(&cursor, operation, offset);
	while ((at = segment_next(&cursor, length, &part))) {
		memcpy(out, at, part);
		out += part;
		length -= part;
	}
}

void segment_scatter(const struct crypto_operation *operation, uint32_t offset, const void *from,
	uint32_t length)
{
	struct segment_cursor cursor;
	const uint8_t *in = from;
	uint8_t *at;
	uint32_t part;

	segment_seek(&cursor, operation, offset);
	while ((at = segment_next(&cursor, length, &part))) {
		memcpy(at, in, part);
		in += part;
		length -= part;
	}
}
