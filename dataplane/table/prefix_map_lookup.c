#include "dataplane/table/prefix_map.h"

#include <rte_branch_prediction.h>

#define ROUNDS 3 /* questions for each address that a burst asks together */

/* One question to the hash of prefixes: is there one of this length over the address? */
struct probe {
	struct prefix_key key;
	uint64_t hash;
	uint32_t slot;   /* the first that its fingerprint names, unverified; 0 none */
	unsigned length; /* 0: nothing to ask */
};

static inline uint64_t mask_64(unsigned bits)
{
	uint64_t mask = bits == 0 ? 0 : UINT64_MAX << (64 - bits);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	mask = __builtin_bswap64(mask);
#endif
	return mask;
}

static inline void probe_make(const struct prefix_map *map, uint16_t vrf,
	const struct ip_address *address, unsigned length, struct probe *probe)
{
	uint64_t halves[2];

	memcpy(halves, address->bytes, sizeof(halves));
	halves[0] &= mask_64(length < 64 ? length : 64);
	halves[1] &= mask_64(length < 64 ? 0 : length - 64);
	probe->key = (struct prefix_key){.prefix.length = (uint8_t)length, .vrf = vrf};
	memcpy(probe->key.prefix.address.bytes, halves, sizeof(halves));
	probe->hash = prefix_map_hash(map, vrf, &probe->key.prefix);
	probe->length = length;
}

/* The long prefixes, then the trie. */
static const void *lookup_v6_once(
	const struct prefix_map *map, uint16_t vrf, const struct ip_address *address)
{
	unsigned below = PREFIX_LENGTHS_ALL;
	struct prefix_walk walk;
	struct probe probe;

	while ((below = prefix_lengths_next(&map->lengths, vrf, address, below)) != 0) {
		probe_make(map, vrf, address, below, &probe);
		uint32_t slot = slot_table_find(
			&map->rules, probe.hash, prefix_map_match, &probe.key, &map->objects);
		if (slot)
			return (const struct prefix_key *)slab_at(&map->objects, slot) + 1;
	}
	walk = prefix_walk_begin(map, vrf, address);
	prefix_walk_end(map, &walk);
	return prefix_walk_payload(map, &walk);
}

/* All loads of a lookup acquire, but for those of a bucket, which x86 does not move and the
 * compiler must not. */
static inline bool version_is(const struct prefix_map *map, uint32_t version)
{
	__atomic_signal_fence(__ATOMIC_ACQUIRE);
	return likely(__atomic_load_n(&map->version, __ATOMIC_RELAXED) == version);
}

static const void *lookup_v6(
	const struct prefix_map *map, uint16_t vrf, const struct ip_address *address)
{
	for (;;) {
		uint32_t version = __atomic_load_n(&map->version, __ATOMIC_ACQUIRE);
		const void *found = lookup_v6_once(map, vrf, address);
		if (version_is(map, version))
			return found;
	}
}

const void *prefix_map_lookup(
	const struct prefix_map *map, uint16_t vrf, const struct ip_address *address)
{
	struct prefix_walk walk;

	if (vrf >= map->vrf_count)
		return NULL;
	if (!ip_address_is_v4(address))
		return lookup_v6(map, vrf, address);
	walk = prefix_walk_begin(map, vrf, address);
	prefix_walk_end(map, &walk);
	return prefix_walk_payload(map, &walk);
}

/* Asks for the bucket of the next shorter one that may be there. */
static inline void probe_begin(const struct prefix_map *map, uint16_t vrf,
	const struct ip_address *address, struct probe *probe)
{
	unsigned length = prefix_lengths_next(&map->lengths, vrf, address, probe->length);

	if (length == 0) {
		probe->length = 0;
		(void)prefix_walk_begin(map, vrf, address);
		return;
	}
	probe_make(map, vrf, address, length, probe);
	__builtin_prefetch(slot_table_home(&map->rules, probe->hash));
}

/* Asks for the object that the bucket names. */
static inline void probe_fetch(const struct prefix_map *map, struct probe *probe)
{
	const struct slot_bucket *bucket;
	unsigned bits;

	probe->slot = 0;
	if (probe->length == 0)
		return;
	bucket = slot_table_home(&map->rules, probe->hash);
	bits = slot_bucket_match(bucket, slot_table_fingerprint(probe->hash));
	if (bits == 0)
		return;
	probe->slot = slot_bucket_slot(bucket, (unsigned)__builtin_ctz(bits));
	__builtin_prefetch(slab_at(&map->objects, probe->slot));
}

/* The payload, NULL when there is no such prefix. */
static inline const void *probe_end(const struct prefix_map *map, const struct probe *probe)
{
	uint32_t slot = probe->slot;

	if (probe->length == 0)
		return NULL;
	if (unlikely(slot == 0) || unlikely(!prefix_map_match(&probe->key, &map->objects, slot)))
		slot = slot_table_find(
			&map->rules, probe->hash, prefix_map_match, &probe->key, &map->objects);
	return slot ? (const struct prefix_key *)slab_at(&map->objects, slot) + 1 : NULL;
}

/* What a burst asks. */
struct question {
	const struct prefix_map *map;
	const struct ip_address *addresses;
	const void **out;
	uint16_t vrf;
};

/* Lookups of a burst that have no answer yet. */
struct waiting {
	unsigned count;
	uint8_t of[LOOKUP_BURST];
};

/* One question for each that waits. Answers after the first need that nothing changed since. */
static inline void round_run(const struct question *question, struct probe *probes,
	struct waiting *waiting, const uint32_t *version)
{
	const struct prefix_map *map = question->map;
	const void **out = question->out;
	unsigned left = 0;

	for (unsigned w = 0; w < waiting->count; w++)
		probe_begin(map, question->vrf, &question->addresses[waiting->of[w]],
			&probes[waiting->of[w]]);
	for (unsigned w = 0; w < waiting->count; w++)
		probe_fetch(map, &probes[waiting->of[w]]);
	for (unsigned w = 0; w < waiting->count; w++) {
		uint8_t i = waiting->of[w];
		out[i] = probe_end(map, &probes[i]);
		if (unlikely(out[i] == NULL) || (version != NULL && !version_is(map, *version)))
			waiting->of[left++] = i;
	}
	waiting->count = left;
}

void prefix_map_lookup_v6_burst(const struct prefix_map *map, uint16_t vrf,
	const struct ip_address *addresses, unsigned count, const void **out)
{
	const struct question question = {
		.map = map, .addresses = addresses, .out = out, .vrf = vrf};
	uint32_t version = __atomic_load_n(&map->version, __ATOMIC_ACQUIRE);
	struct probe probes[LOOKUP_BURST];
	struct waiting waiting = {.count = count};

	if (vrf >= map->vrf_count) {
		memset(out, 0, count * sizeof(*out));
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		waiting.of[i] = (uint8_t)i;
		probes[i].length = PREFIX_LENGTHS_ALL;
	}
	round_run(&question, probes, &waiting, NULL);
	for (unsigned round = 1; round < ROUNDS && waiting.count > 0; round++)
		round_run(&question, probes, &waiting, &version);
	for (unsigned w = 0; w < waiting.count; w++)
		out[waiting.of[w]] = lookup_v6(map, vrf, &addresses[waiting.of[w]]);
}
