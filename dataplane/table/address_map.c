#include "dataplane/table/address_map.h"

#include <errno.h>

/* Objects beyond the limit, for those that wait for the end of their grace period. */
#define SPARE_MAX 4096

int address_map_init(struct address_map *map, struct retirement *retirement, uint32_t payload_size,
	uint32_t limit)
{
	uint32_t spare = limit < SPARE_MAX ? limit + 16 : SPARE_MAX;
	int error;

	*map = (struct address_map){.retirement = retirement, .payload_size = payload_size};
	error = slot_table_init(&map->index, limit);
	if (!error)
		error = slab_init(&map->objects,
			slab_lines((uint32_t)sizeof(struct address_key) + payload_size),
			limit + spare);
	if (error)
		address_map_fini(map);
	return error;
}

void address_map_fini(struct address_map *map)
{
	slot_table_fini(&map->index);
	slab_fini(&map->objects);
}

int address_map_set(struct address_map *map, const struct ip_address *address, uint32_t salt,
	const void *payload, uint32_t generation)
{
	uint64_t hash = slot_table_hash(&map->index, address, salt);
	uint32_t old = address_map_slot(map, address, salt);

	if (old) {
		struct address_key *key = slab_at(&map->objects, old);
		if (memcmp(key + 1, payload, map->payload_size) == 0) {
			key->generation = generation;
			return 0;
		}
	} else if (map->index.used == map->index.limit) {
		return -ENOSPC;
	}
	uint32_t slot = slab_take(&map->objects);
	if (!slot)
		return -EAGAIN;
	struct address_key *key = slab_at(&map->objects, slot);
	*key = (struct address_key){.address = *address, .salt = salt, .generation = generation};
	memcpy(key + 1, payload, map->payload_size);
	if (old) {
		slot_table_replace(&map->index, hash, old, slot);
		retirement_add(map->retirement, &map->objects, old);
	} else {
		slot_table_insert(&map->index, hash, slot);
	}
	return 0;
}

bool address_map_remove(struct address_map *map, const struct ip_address *address, uint32_t salt)
{
	uint32_t slot = address_map_slot(map, address, salt);

	if (!slot)
		return false;
	slot_table_remove(&map->index, slot_table_hash(&map->index, address, salt), slot);
	retirement_add(map->retirement, &map->objects, slot);
	return true;
}

void address_map_sweep(struct address_map *map, uint32_t generation)
{
	/* Every entry of the index is alive; removal touches no other entry, so the walk may
	 * remove. */
	for (uint32_t b = 0; b <= map->index.mask; b++) {
		for (unsigned i = 0; i < SLOT_BUCKET_ENTRIES; i++) {
			const struct slot_bucket *bucket = &map->index.buckets[b];
			if (bucket->fingerprint[i] == 0)
				continue;
			const struct address_key *key = slab_at(&map->objects, bucket->slot[i]);
			if (key->generation != generation)
				address_map_remove(map, &key->address, key->salt);
		}
	}
}
