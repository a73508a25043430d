/*
 * Reading and writing bytes of unknown honesty. A cursor never runs past its end: a read beyond it
 * returns zero and sets `short_read`, a write beyond it writes nothing and sets `overflow`. Check
 * the flag before acting on a value. No allocation, any thread.
 */
#ifndef LIB_WIRE_CURSOR_H
#define LIB_WIRE_CURSOR_H

#include "lib/base/address.h"

struct reader {
	const uint8_t *start, *at, *end;
	bool short_read;
};

struct writer {
	uint8_t *start, *at, *end;
	bool overflow;
};

static inline struct reader reader_make(const void *data, size_t length)
{
	return (struct reader){.start = data, .at = data, .end = (const uint8_t *)data + length};
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

static inline size_t reader_offset(const struct reader *r)
{
	return (size_t)(r->at - r->start);
}

/* `length` octets in place, or NULL with short_read set. */
static inline const uint8_t *reader_take(struct reader *r, size_t length)
{
	const uint8_t *here = r->at;
	if (r->short_read || reader_left(r) < length) {
		r->short_read = true;
		return NULL;
	}
	r->at += length;
	return here;
}

uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r); /* host order */
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
be32 reader_be32(struct reader *r); /* as it lies on the wire */
/* A nested cursor over the next `length` octets; short_read in both when they are not there. */
struct reader reader_nested(struct reader *r, size_t length);

static inline struct writer writer_make(void *data, size_t size)
{
	return (struct writer){.start = data, .at = data, .end = (uint8_t *)data + size};
}

static inline size_t writer_length(const struct writer *w)
{
	return (size_t)(w->at - w->start);
}

uint8_t *writer_reserve(struct writer *w, size_t length);
void writer_u8(struct writer *w, uint8_t v);
void writer_u16(struct writer *w, uint16_t v);
void writer_u32(struct writer *w, uint32_t v);
void writer_u64(struct writer *w, uint64_t v);
void writer_be32(struct writer *w, be32 v);
void writer_bytes(struct writer *w, const void *data, size_t length);

#endif
