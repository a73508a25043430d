/*
 * A map from a fixed number of key octets to one 64-bit value: an index, or a pointer through the
 * two wrappers below.
 *
 * Open addressing with linear probing in one array of records (value, tag, key), at most 3/4 full,
 * allocated whole by map_new: no call ever rehashes, so a million entries cost no pause; a full map
 * says -ENOSPC, which is the configured limit that the caller answers politely. The hash is keyed
 * (lib/base/hash.h) against chosen keys. Removal closes the gap (no tombstones), so lookups stay
 * short for ever.
 *
 * Keys are compared as bytes: zero the padding of a key struct. One thread at a time.
 */
#ifndef LIB_BASE_MAP_H
#define LIB_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_KEY_SIZE_MAX 256
#define MAP_CAPACITY_MAX (1u << 29)

struct map;

/* For keys of key_size octets and at most `capacity` entries. NULL with errno (EINVAL, ENOMEM). */
struct map *map_new(size_t key_size, uint32_t capacity);
void map_free(struct map *map);
uint32_t map_count(const struct map *map);

/* Sets key to value: 0, or -ENOSPC when key is new and the map holds `capacity` entries already. */
int map_put(struct map *map, const void *key, uint64_t value);
/* True and *value (when not NULL) if key is there. */
bool map_get(const struct map *map, const void *key, uint64_t *value);
/* True and the value it had (when not NULL) if key was there. */
bool map_remove(struct map *map, const void *key, uint64_t *value);
void map_clear(struct map *map);

/*
 * Walks the map a piece at a time: start with *cursor = 0, each call yields one entry, false at the
 * end. `key` points into the map until the next change. Entries put or removed between calls may or
 * may not be seen; one that stays put is missed only when a removal moved it back across the
 * cursor, so collect first when every entry matters.
 */
bool map_next(const struct map *map, uint32_t *cursor, const void **key, uint64_t *value);

/* The same with pointers; NULL when not there. */
int map_put_pointer(struct map *map, const void *key, void *pointer);

static inline void *map_get_pointer(const struct map *map, const void *key)
{
	uint64_t value;

	return map_get(map, key, &value) ? (void *)(uintptr_t)value : NULL;
}

#endif
