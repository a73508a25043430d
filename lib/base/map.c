#include "lib/base/map.h"

#include "lib/base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct record {
	uint64_t value;
	uint32_t tag; /* 0 = free; else the hash's low bits, which are also its place, with TAG_USED
		       */
	uint8_t key[];
};
#define TAG_USED 0x80000000u

struct map {
	struct hash_key hash_key;
	uint8_t *records;
	size_t key_size, stride;
	uint32_t mask; /* records - 1 */
	uint32_t count, capacity;
};

static struct record *record_at(const struct map *map, uint32_t place)
{
	return (struct record *)(void *)(map->records + (size_t)place * map->stride);
}

struct map *map_new(size_t key_size, uint32_t capacity)
{
	if (!key_size || key_size > MAP_KEY_SIZE_MAX || !capacity || capacity > MAP_CAPACITY_MAX) {
		errno = EINVAL;
		return NULL;
	}
	uint32_t records = 8;
	while ((uint64_t)records * 3 / 4 < capacity)
		records *= 2;
	struct map *map = calloc(1, sizeof(*map));
	if (!map)
		return NULL;
	map->hash_key = hash_key_random();
	map->key_size = key_size;
	map->stride = (offsetof(struct record, key) + key_size + 7) & ~(size_t)7;
	map->mask = records - 1;
	map->capacity = capacity;
	map->records = calloc(records, map->stride);
	if (!map->records) {
		free(map);
		return NULL;
	}
	return map;
}

void map_free(struct map *map)
{
	if (!map)
		return;
	free(map->records);
	free(map);
}

uint32_t map_count(const struct map *map)
{
	return map->count;
}

/* Place of key, or of the free record that ends its chain. */
static uint32_t find(const struct map *map, const void *key, uint32_t *tag)
{
	*tag = (uint32_t)hash_bytes(&map->hash_key, key, map->key_size) | TAG_USED;
	for (uint32_t place = *tag & map->mask;; place = (place + 1) & map->mask) {
		const struct record *r = record_at(map, place);
		if (!r->tag || (r->tag == *tag && !memcmp(r->key, key, map->key_size)))
			return place;
	}
}

int map_put(struct map *map, const void *key, uint64_t value)
{
	uint32_t tag;
	struct record *r = record_at(map, find(map, key, &tag));

	if (!r->tag) {
		if (map->count == map->capacity)
			return -ENOSPC;
		r->tag = tag;
		memcpy(r->key, key, map->key_size);
		map->count++;
	}
	r->value = value;
	return 0;
}

int map_put_pointer(struct map *map, const void *key, void *pointer)
{
	return map_put(map, key, (uint64_t)(uintptr_t)pointer);
}

bool map_get(const struct map *map, const void *key, uint64_t *value)
{
	uint32_t tag;
	const struct record *r = record_at(map, find(map, key, &tag));

	if (!r->tag)
		return false;
	if (value)
		*value = r->value;
	return true;
}

/* Moves later records of the chain into the gap, so that each stays reachable from its own place.
 */
static void close_gap(struct map *map, uint32_t gap)
{
	for (uint32_t place = (gap + 1) & map->mask;; place = (place + 1) & map->mask) {
		const struct record *r = record_at(map, place);
		if (!r->tag)
			break;
		uint32_t wandered = (place - (r->tag & map->mask)) & map->mask;
		uint32_t to_gap = (place - gap) & map->mask;
		if (wandered < to_gap)
			continue; /* the gap lies before its own place */
		memcpy(record_at(map, gap), r, map->stride);
		gap = place;
	}
	memset(record_at(map, gap), 0, map->stride);
}

bool map_remove(struct map *map, const void *key, uint64_t *value)
{
	uint32_t tag, place = find(map, key, &tag);
	const struct record *r = record_at(map, place);

	if (!r->tag)
		return false;
	if (value)
		*value = r->value;
	close_gap(map, place);
	map->count--;
	return true;
}

void map_clear(struct map *map)
{
	memset(map->records, 0, ((size_t)map->mask + 1) * map->stride);
	map->count = 0;
}

bool map_next(const struct map *map, uint32_t *cursor, const void **key, uint64_t *value)
{
	while (*cursor <= map->mask) {
		const struct record *r = record_at(map, (*cursor)++);
		if (!r->tag)
			continue;
		*key = r->key;
		*value = r->value;
		return true;
	}
	return false;
}
