/*
 * A hash from keys that the caller holds elsewhere to 32-bit slots, for one writer and many readers
 * without locks.
 *
 * One bucket is one cache line: seven fingerprints, seven slots and a count of how many living
 * entries found this bucket full and went on. A probe walks home, home ^ 1, home ^ 2, ... (the
 * neighbour line first) and ends at the first bucket whose count is 0. Entries never move, so a
 * reader never misses one that is there; a removed entry leaves no tombstone: its fingerprint
 * becomes 0 and the counts along its way go down, so a table that churned for a year probes like a
 * new one.
 *
 * A fingerprint is 32 bits of the key's hash, never 0. The caller checks the key in the object that
 * the slot names; so a reader that sees the fingerprint of one entry and the slot of the next one
 * there reads a wrong key and goes on. Ordering: S1 the writer stores the slot, then releases the
 * fingerprint; the reader loads the fingerprint, then acquires the slot (S2). What the slot names
 * was written before S1 (release) and is read after S2.
 */
#ifndef DATAPLANE_TABLE_SLOT_TABLE_H
#define DATAPLANE_TABLE_SLOT_TABLE_H

#include "lib/base/address.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define SLOT_TABLE_PLAIN_LOADS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLOT_TABLE_PLAIN_LOADS 1
#endif
#endif
#ifndef SLOT_TABLE_PLAIN_LOADS
#ifdef __SSE2__
#define SLOT_TABLE_PLAIN_LOADS 0
#else
#define SLOT_TABLE_PLAIN_LOADS 1
#endif
#endif

#define LOOKUP_BURST        64 /* keys that one lookup of a burst takes at most */
#define SLOT_BUCKET_ENTRIES 7

struct slot_bucket { /* written by the main lcore, read by all */
	_Alignas(64) uint32_t fingerprint[SLOT_BUCKET_ENTRIES]; /* 0 empty */
	uint32_t overflow; /* living entries that went on from here */
	uint32_t slot[SLOT_BUCKET_ENTRIES];
	uint32_t reserved;
};

_Static_assert(sizeof(struct slot_bucket) == 64, "one cache line a bucket");

struct slot_table {
	struct slot_bucket *buckets;
	uint32_t mask; /* buckets - 1 */
	uint32_t used, limit;
	uint64_t seed[2];
};

/* 0 or -ENOMEM. Holds up to `limit` entries; the seed is random, so that nobody outside can aim at
 * one bucket. */
int slot_table_init(struct slot_table *table, uint32_t limit);
/* In half the memory: for keys that only slot_table_find is asked for, and seldom. */
int slot_table_init_dense(struct slot_table *table, uint32_t limit);
void slot_table_fini(struct slot_table *table);

/* Writer. The key must not be in the table yet; false when `limit` entries are. */
bool slot_table_insert(struct slot_table *table, uint64_t hash, uint32_t slot);
/* Writer. One store: readers see the old slot or the new one. The entry must be there. */
void slot_table_replace(
	struct slot_table *table, uint64_t hash, uint32_t old_slot, uint32_t new_slot);
void slot_table_remove(struct slot_table *table, uint64_t hash, uint32_t slot);

/* Parts of slot_table_hash, for whoever asks for many addresses that differ in a half. */
static inline uint64_t slot_table_seed(const struct slot_table *table, uint64_t salt)
{
	return table->seed[0] ^ salt * 0x9e3779b97f4a7c15ull;
}

static inline uint64_t slot_table_mix(uint64_t low, uint64_t high)
{
	unsigned __int128 product = (unsigned __int128)low * high;
	uint64_t h = (uint64_t)product ^ (uint64_t)(product >> 64);

	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
	return h ^ h >> 32;
}

/* `salt` is the VRF, port or whatever else belongs to the key. */
static inline uint64_t slot_table_hash(
	const struct slot_table *table, const struct ip_address *address, uint64_t salt)
{
	uint64_t low, high;

	memcpy(&low, address->bytes, 8);
	memcpy(&high, address->bytes + 8, 8);
	return slot_table_mix(low ^ slot_table_seed(table, salt), high ^ table->seed[1]);
}

static inline uint32_t slot_table_fingerprint(uint64_t hash)
{
	uint32_t high = (uint32_t)(hash >> 32);
	return high ? high : 1;
}

static inline const struct slot_bucket *slot_table_home(
	const struct slot_table *table, uint64_t hash)
{
	return &table->buckets[(uint32_t)hash & table->mask];
}

/* Bit i: entry i has this fingerprint. */
static inline unsigned slot_bucket_match(const struct slot_bucket *bucket, uint32_t fingerprint)
{
#if SLOT_TABLE_PLAIN_LOADS
	unsigned bits = 0;
	for (unsigned i = 0; i < SLOT_BUCKET_ENTRIES; i++)
		bits |= (unsigned)(__atomic_load_n(&bucket->fingerprint[i], __ATOMIC_ACQUIRE) ==
				   fingerprint)
			<< i;
	return bits;
#else
	const __m128i *line = (const __m128i *)(const void *)bucket;
	__m128i wanted = _mm_set1_epi32((int)fingerprint);
	__m128i low = _mm_cmpeq_epi32(_mm_load_si128(line), wanted);
	__m128i high = _mm_cmpeq_epi32(_mm_load_si128(line + 1), wanted);
	return ((unsigned)_mm_movemask_ps(_mm_castsi128_ps(low)) |
		       (unsigned)_mm_movemask_ps(_mm_castsi128_ps(high)) << 4) &
	       ((1u << SLOT_BUCKET_ENTRIES) - 1);
#endif
}

static inline uint32_t slot_bucket_slot(const struct slot_bucket *bucket, unsigned entry)
{
	return __atomic_load_n(&bucket->slot[entry], __ATOMIC_ACQUIRE); /* S2 */
}

static inline uint32_t slot_bucket_overflow(const struct slot_bucket *bucket)
{
	return __atomic_load_n(&bucket->overflow, __ATOMIC_RELAXED);
}

typedef bool (*slot_table_match)(const void *key, const void *objects, uint32_t slot);

/* The slot whose object `match` says has the key, or 0. Inlined with its match. */
static inline __attribute__((always_inline)) uint32_t slot_table_find(
	const struct slot_table *table, uint64_t hash, slot_table_match match, const void *key,
	const void *objects)
{
	uint32_t fingerprint = slot_table_fingerprint(hash);

	for (uint32_t step = 0; step <= table->mask; step++) {
		const struct slot_bucket *bucket =
			&table->buckets[((uint32_t)hash ^ step) & table->mask];
		for (unsigned bits = slot_bucket_match(bucket, fingerprint); bits;
			bits &= bits - 1) {
			uint32_t slot = slot_bucket_slot(bucket, (unsigned)__builtin_ctz(bits));
			if (match(key, objects, slot))
				return slot;
		}
		if (slot_bucket_overflow(bucket) == 0)
			return 0;
	}
	return 0;
}

#endif
