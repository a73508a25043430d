/*
 * Exact address (and a salt: VRF or port) -> one small immutable object: neighbours, local
 * addresses. Writer: main lcore. A change makes a new object and swaps it in by one store; the old
 * one is retired.
 */
#ifndef DATAPLANE_TABLE_ADDRESS_MAP_H
#define DATAPLANE_TABLE_ADDRESS_MAP_H

#include "dataplane/table/slab.h"
#include "dataplane/table/slot_table.h"

struct address_key { /* at the head of every object */
	struct ip_address address;
	uint32_t salt;
	uint32_t generation; /* main lcore alone */
};

struct address_map {
	struct slot_table index;
	struct slab objects; /* struct address_key, then the payload */
	struct retirement *retirement;
	uint32_t payload_size;
};

int address_map_init(struct address_map *map, struct retirement *retirement, uint32_t payload_size,
	uint32_t limit);
void address_map_fini(struct address_map *map);
/* 0, -ENOSPC. The payload is copied. The same payload again only renews the generation. */
int address_map_set(struct address_map *map, const struct ip_address *address, uint32_t salt,
	const void *payload, uint32_t generation);
/* True when it was there. */
bool address_map_remove(struct address_map *map, const struct ip_address *address, uint32_t salt);
/* Removes all of another generation. */
void address_map_sweep(struct address_map *map, uint32_t generation);

static inline bool address_map_match(const void *key, const void *objects, uint32_t slot)
{
	const struct address_key *wanted = key;
	const struct slab *slab = objects;
	const struct address_key *found = slab_at(slab, slot);
	return found->salt == wanted->salt && ip_address_equal(&found->address, &wanted->address);
}

static inline uint32_t address_map_slot(
	const struct address_map *map, const struct ip_address *address, uint32_t salt)
{
	struct address_key key = {.address = *address, .salt = salt};
	return slot_table_find(&map->index, slot_table_hash(&map->index, address, salt),
		address_map_match, &key, &map->objects);
}

/* The payload or NULL. Workers. */
static inline const void *address_map_lookup(
	const struct address_map *map, const struct ip_address *address, uint32_t salt)
{
	uint32_t slot = address_map_slot(map, address, salt);
	return slot ? (const struct address_key *)slab_at(&map->objects, slot) + 1 : NULL;
}

#endif
