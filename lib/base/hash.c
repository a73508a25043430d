#include "lib/base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct hash_key hash_key_random(void)
{
	struct hash_key key;
	ssize_t got;

	do
		got = getrandom(&key, sizeof(key), 0);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(key))
		abort();
	return key;
}

static inline uint64_t rotate_left(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline void mix(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v2 = rotate_left(s->v2, 32);
}

static inline void absorb(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	mix(s);
	s->v0 ^= word;
}

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t length)
{
	struct state s = {
		.v0 = key->words[0] ^ 0x736f6d6570736575ull,
		.v1 = key->words[1] ^ 0x646f72616e646f6dull,
		.v2 = key->words[0] ^ 0x6c7967656e657261ull,
		.v3 = key->words[1] ^ 0x7465646279746573ull,
	};
	const uint8_t *p = bytes;
	uint64_t word, last = 0;

	for (size_t left = length; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		absorb(&s, word);
	}
	memcpy(&last, p, length % 8);
	absorb(&s, last | (uint64_t)length << 56);
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		mix(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
