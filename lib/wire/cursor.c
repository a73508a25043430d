#include "lib/wire/cursor.h"

uint8_t reader_u8(struct reader *r)
{
	const uint8_t *p = reader_take(r, 1);
	return p ? p[0] : 0;
}

uint16_t reader_u16(struct reader *r)
{
	const uint8_t *p = reader_take(r, 2);
	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

uint32_t reader_u32(struct reader *r)
{
	const uint8_t *p = reader_take(r, 4);
	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

uint64_t reader_u64(struct reader *r)
{
	if (reader_left(r) < 8) {
		r->short_read = true;
		return 0;
	}
	uint64_t high = reader_u32(r);
	return high << 32 | reader_u32(r);
}

be32 reader_be32(struct reader *r)
{
	be32 v = 0;
	const uint8_t *p = reader_take(r, sizeof(v));
	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

struct reader reader_nested(struct reader *r, size_t length)
{
	const uint8_t *p = reader_take(r, length);
	struct reader nested = reader_make(p ? p : r->at, p ? length : 0);
	nested.short_read = !p;
	return nested;
}

uint8_t *writer_reserve(struct writer *w, size_t length)
{
	uint8_t *here = w->at;
	if (w->overflow || (size_t)(w->end - w->at) < length) {
		w->overflow = true;
		return NULL;
	}
	w->at += length;
	return here;
}

void writer_bytes(struct writer *w, const void *data, size_t length)
{
	uint8_t *p = writer_reserve(w, length);
	if (p && length)
		memcpy(p, data, length);
}

void writer_u8(struct writer *w, uint8_t v)
{
	writer_bytes(w, &v, 1);
}

void writer_u16(struct writer *w, uint16_t v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};
	writer_bytes(w, b, sizeof(b));
}

void writer_u32(struct writer *w, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
	writer_bytes(w, b, sizeof(b));
}

void writer_u64(struct writer *w, uint64_t v)
{
	writer_u32(w, (uint32_t)(v >> 32));
	writer_u32(w, (uint32_t)v);
}

void writer_be32(struct writer *w, be32 v)
{
	writer_bytes(w, &v, sizeof(v));
}
