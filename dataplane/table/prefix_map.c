#include "dataplane/table/prefix_map.h"

#include <errno.h>

#define SPARE_MAX 4096

int prefix_map_init(struct prefix_map *map, struct retirement *retirement, uint32_t payload_size,
	uint32_t limit, uint16_t vrf_count)
{
	uint32_t spare = limit < SPARE_MAX ? limit + 16 : SPARE_MAX;
	/* A prefix makes at most two nodes; neighbours share. Address space only. */
	uint32_t nodes = (limit < 1u << 20 ? limit : 1u << 20) * 2 + 4096;
	int error;

	*map = (struct prefix_map){
		.retirement = retirement, .payload_size = payload_size, .vrf_count = vrf_count};
	map->roots_size = (size_t)vrf_count * 2 * PREFIX_MAP_ROOT * sizeof(uint32_t);
	map->roots = slab_map(map->roots_size);
	error = map->roots ? 0 : -ENOMEM;
	if (!error)
		error = slot_table_init(&map->rules, limit);
	if (!error)
		error = slab_init(&map->objects,
			slab_lines((uint32_t)sizeof(struct prefix_key) + payload_size),
			limit + spare);
	if (!error)
		error = slab_init(&map->nodes, PREFIX_MAP_NODE * sizeof(uint32_t), nodes);
	if (!error)
		error = prefix_lengths_init(&map->lengths, vrf_count);
	if (error)
		prefix_map_fini(map);
	return error;
}

void prefix_map_fini(struct prefix_map *map)
{
	slab_unmap(map->roots, map->roots_size);
	map->roots = NULL;
	slot_table_fini(&map->rules);
	slab_fini(&map->objects);
	slab_fini(&map->nodes);
	prefix_lengths_fini(&map->lengths);
}

static struct prefix_key *object_at(const struct prefix_map *map, uint32_t slot)
{
	return slab_at(&map->objects, slot);
}

static uint32_t *node_at(const struct prefix_map *map, uint32_t entry)
{
	return slab_at(&map->nodes, entry & ~PREFIX_MAP_CHILD);
}

static uint32_t rule_find(
	const struct prefix_map *map, uint16_t vrf, const struct ip_prefix *prefix)
{
	struct prefix_key key = {.prefix = *prefix, .vrf = vrf};
	return slot_table_find(&map->rules, prefix_map_hash(map, vrf, prefix), prefix_map_match,
		&key, &map->objects);
}

static bool prefix_is_v4(const struct ip_prefix *prefix)
{
	return ip_address_is_v4(&prefix->address) && prefix->length >= PREFIX_MAP_V4_BITS;
}

/* Found by the hash alone, not in the trie. */
static bool prefix_is_long(const struct ip_prefix *prefix)
{
	return !prefix_is_v4(prefix) && prefix->length >= PREFIX_LENGTHS_BELOW;
}

/* One rewriting of the entries under a prefix: from what, to what. */
struct change {
	const uint8_t *key; /* address octets from the root's first bit */
	unsigned length;    /* bits from the root's first */
	bool insert;        /* take over from every shorter owner; else only from old_slot */
	uint32_t old_slot, new_slot;
	unsigned new_length; /* the prefix's own, as in struct ip_prefix */
};

static void entry_change(const struct prefix_map *map, uint32_t *entry, const struct change *change)
{
	bool take = change->insert ? *entry == 0 || object_at(map, *entry)->prefix.length <
							    change->new_length
				   : *entry == change->old_slot;

	if (take)
		__atomic_store_n(entry, change->new_slot, __ATOMIC_RELEASE);
}

static bool node_uniform(const uint32_t *node)
{
	if (node[0] & PREFIX_MAP_CHILD)
		return false;
	for (unsigned i = 1; i < PREFIX_MAP_NODE; i++)
		if (node[i] != node[0])
			return false;
	return true;
}

static void entries_change(
	struct prefix_map *map, uint32_t *entries, unsigned count, const struct change *change);

static void child_change(struct prefix_map *map, uint32_t *entry, const struct change *change)
{
	uint32_t child = *entry;
	uint32_t *node = node_at(map, child);

	entries_change(map, node, PREFIX_MAP_NODE, change);
	if (!change->insert && node_uniform(node)) {
		__atomic_store_n(entry, node[0], __ATOMIC_RELEASE);
		retirement_add(map->retirement, &map->nodes, child & ~PREFIX_MAP_CHILD);
	}
}

/* All of `entries` lies under the prefix. */
static void entries_change(
	struct prefix_map *map, uint32_t *entries, unsigned count, const struct change *change)
{
	for (unsigned i = 0; i < count; i++) {
		if (entries[i] & PREFIX_MAP_CHILD)
			child_change(map, &entries[i], change);
		else
			entry_change(map, &entries[i], change);
	}
}

static uint32_t entry_index(const uint8_t *key, unsigned bits_before)
{
	return bits_before == 0 ? (uint32_t)key[0] << 8 | key[1] : key[bits_before / 8];
}

/* Walks down to the node in which the prefix ends, changes its range there, folds uniform nodes on
 * the way back. */
static void change_apply(struct prefix_map *map, uint32_t *entries, const struct change *change)
{
	uint32_t *path[16];
	unsigned depth = 0, before = 0, stride = 16;

	while (change->length > before + stride) {
		uint32_t *entry = &entries[entry_index(change->key, before)];
		if (!(*entry & PREFIX_MAP_CHILD))
			return; /* prefix_map_set has made the nodes of what is there */
		path[depth++] = entry;
		entries = node_at(map, *entry);
		before += stride;
		stride = 8;
	}
	unsigned free_bits = before + stride - change->length;
	uint32_t first = entry_index(change->key, before) >> free_bits << free_bits;
	entries_change(map, &entries[first], 1u << free_bits, change);
	while (!change->insert && depth-- > 0) {
		uint32_t child = *path[depth];
		if (!node_uniform(node_at(map, child)))
			return;
		__atomic_store_n(path[depth], node_at(map, child)[0], __ATOMIC_RELEASE);
		retirement_add(map->retirement, &map->nodes, child & ~PREFIX_MAP_CHILD);
	}
}

/* Makes the nodes down to the prefix's own; each starts as a copy of the entry it stands for. */
static int nodes_make(
	struct prefix_map *map, uint32_t *entries, const uint8_t *key, unsigned length)
{
	unsigned needed = length > 16 ? (length - 16 + 7) / 8 : 0;
	unsigned before = 0, stride = 16;

	if (map->nodes.free_count + (map->nodes.capacity - map->nodes.fresh) < needed)
		return -ENOSPC;
	while (length > before + stride) {
		uint32_t *entry = &entries[entry_index(key, before)];
		if (!(*entry & PREFIX_MAP_CHILD)) {
			uint32_t index = slab_take(&map->nodes);
			uint32_t *node = node_at(map, index);
			for (unsigned i = 0; i < PREFIX_MAP_NODE; i++)
				node[i] = *entry;
			__atomic_store_n(entry, index | PREFIX_MAP_CHILD, __ATOMIC_RELEASE);
		}
		entries = node_at(map, *entry);
		before += stride;
		stride = 8;
	}
	return 0;
}

static struct change change_make(const struct ip_prefix *prefix)
{
	bool v4 = prefix_is_v4(prefix);

	return (struct change){
		.key = prefix->address.bytes + (v4 ? PREFIX_MAP_V4_BITS / 8 : 0),
		.length = prefix->length - (v4 ? PREFIX_MAP_V4_BITS : 0),
		.new_length = prefix->length,
	};
}

static void version_change(struct prefix_map *map)
{
	__atomic_store_n(&map->version, map->version + 1, __ATOMIC_RELEASE);
}

int prefix_map_set(struct prefix_map *map, uint16_t vrf, const struct ip_prefix *prefix,
	const void *payload, uint32_t generation)
{
	uint32_t old = rule_find(map, vrf, prefix);
	uint32_t *root = prefix_map_root(map, vrf, prefix_is_v4(prefix));
	struct change change = change_make(prefix);

	if (old && memcmp(object_at(map, old) + 1, payload, map->payload_size) == 0) {
		object_at(map, old)->generation = generation;
		return 0;
	}
	if (!old && map->rules.used == map->rules.limit)
		return -ENOSPC;
	uint32_t slot = slab_take(&map->objects);
	if (!slot)
		return -EAGAIN;
	struct prefix_key *key = object_at(map, slot);
	*key = (struct prefix_key){.prefix = *prefix, .vrf = vrf, .generation = generation};
	memcpy(key + 1, payload, map->payload_size);
	change.new_slot = slot;
	if (old) {
		change.old_slot = old;
		if (!prefix_is_long(prefix))
			change_apply(map, root, &change);
		slot_table_replace(&map->rules, prefix_map_hash(map, vrf, prefix), old, slot);
		retirement_add(map->retirement, &map->objects, old);
		version_change(map);
		return 0;
	}
	if (prefix_is_long(prefix)) {
		prefix_lengths_add(&map->lengths, vrf, prefix);
	} else if (nodes_make(map, root, change.key, change.length)) {
		slab_give(&map->objects, slot);
		return -ENOSPC;
	} else {
		change.insert = true;
		change_apply(map, root, &change);
	}
	slot_table_insert(&map->rules, prefix_map_hash(map, vrf, prefix), slot);
	version_change(map);
	return 0;
}

/* The next shorter prefix that covers this one, or 0. */
static uint32_t covering_find(
	const struct prefix_map *map, uint16_t vrf, const struct ip_prefix *prefix)
{
	unsigned shortest = prefix_is_v4(prefix) ? PREFIX_MAP_V4_BITS : 0;

	for (unsigned length = prefix->length; length-- > shortest;) {
		struct ip_prefix shorter = ip_prefix_make(&prefix->address, (uint8_t)length);
		uint32_t slot = rule_find(map, vrf, &shorter);
		if (slot)
			return slot;
	}
	return 0;
}

bool prefix_map_remove(struct prefix_map *map, uint16_t vrf, const struct ip_prefix *prefix)
{
	struct change change = change_make(prefix);
	uint32_t slot = rule_find(map, vrf, prefix);

	if (!slot)
		return false;
	if (prefix_is_long(prefix)) {
		prefix_lengths_remove(&map->lengths, vrf, prefix);
	} else {
		change.old_slot = slot;
		change.new_slot = covering_find(map, vrf, prefix);
		change_apply(map, prefix_map_root(map, vrf, prefix_is_v4(prefix)), &change);
	}
	slot_table_remove(&map->rules, prefix_map_hash(map, vrf, prefix), slot);
	retirement_add(map->retirement, &map->objects, slot);
	version_change(map);
	return true;
}

void prefix_map_sweep(struct prefix_map *map, uint32_t generation)
{
	for (uint32_t b = 0; b <= map->rules.mask; b++) {
		for (unsigned i = 0; i < SLOT_BUCKET_ENTRIES; i++) {
			const struct slot_bucket *bucket = &map->rules.buckets[b];
			if (bucket->fingerprint[i] == 0)
				continue;
			struct prefix_key key = *object_at(map, bucket->slot[i]);
			if (key.generation != generation)
				prefix_map_remove(map, key.vrf, &key.prefix);
		}
	}
}

void prefix_map_walk(const struct prefix_map *map,
	void (*visit)(void *context, const void *payload), void *context)
{
	for (uint32_t b = 0; b <= map->rules.mask; b++)
		for (unsigned i = 0; i < SLOT_BUCKET_ENTRIES; i++)
			if (map->rules.buckets[b].fingerprint[i])
				visit(context, object_at(map, map->rules.buckets[b].slot[i]) + 1);
}
