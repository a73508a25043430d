/*
 * Keyed hash for tables whose keys come from the network: SipHash-1-3 with a key drawn once per
 * process, so that nobody outside can choose addresses that all fall into one chain. Not for
 * authentication. Any thread once the key is drawn.
 */
#ifndef LIB_BASE_HASH_H
#define LIB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t words[2];
};

/* A key from the operating system's random generator. Aborts when there is none: only before any
 * packet is served. */
struct hash_key hash_key_random(void);
uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t length);

#endif
