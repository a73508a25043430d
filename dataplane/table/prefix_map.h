/*
 * Longest-prefix match to one small immutable object, per VRF and family: routes, mobile networks,
 * home networks.
 *
 * IPv4, and IPv6 up to 32 bits: a multibit trie. The root has 65,536 entries for the first 16 bits,
 * every further node 256 for the next 8. An entry is 0, the slot of the object that owns this piece
 * of address space, or CHILD and a node. So a lookup takes at most three loads. Owners are pushed
 * down to the leaves; an insertion or removal rewrites the entries that change owner with one store
 * each, so a reader sees the old owner or the new one. A node that became uniform is folded into
 * its parent and retired. Roots are touched (made) with the first prefix of a VRF.
 *
 * Longer IPv6 prefixes: the hash of all prefixes, that the writer needs anyway, asked for the
 * lengths that there are near the address (prefix_lengths.h), longest first, and the trie last. A
 * gateway has a few of them: /64 for mobile networks, /56 or /48 for homes, /128 for hosts. So a
 * /64 costs two cold lines, bucket and object, where the trie would touch seven and take a kilobyte
 * or two for each prefix that is far from the others. A table with dozens of lengths in one place
 * is as right, but slow. A lookup that had to ask more than once is repeated when a change came in
 * between (`version`): while one prefix comes and another goes, it finds one of the two.
 *
 * rte_lpm was the other choice: 64 MiB for each VRF and kind, no grace period for IPv6, and EAL
 * memory.
 */
#ifndef DATAPLANE_TABLE_PREFIX_MAP_H
#define DATAPLANE_TABLE_PREFIX_MAP_H

#include "dataplane/table/prefix_lengths.h"
#include "dataplane/table/slab.h"
#include "dataplane/table/slot_table.h"

#define PREFIX_MAP_CHILD   0x80000000u
#define PREFIX_MAP_ROOT    65536 /* entries */
#define PREFIX_MAP_NODE    256
#define PREFIX_MAP_V4_BITS 96 /* skipped: the mapped prefix */

struct prefix_key { /* at the head of every object */
	struct ip_prefix prefix;
	uint16_t vrf;
	uint32_t generation; /* main lcore alone */
};

struct prefix_map {
	struct slot_table rules; /* (vrf, prefix) -> object */
	struct slab objects;     /* struct prefix_key, then the payload */
	struct slab nodes;
	struct prefix_lengths lengths; /* of IPv6 prefixes that are not in the trie */
	uint32_t *roots;               /* [vrf][v4, v6][PREFIX_MAP_ROOT] */
	size_t roots_size;
	struct retirement *retirement;
	uint32_t payload_size;
	uint32_t version; /* another after each change */
	uint16_t vrf_count;
};

int prefix_map_init(struct prefix_map *map, struct retirement *retirement, uint32_t payload_size,
	uint32_t limit, uint16_t vrf_count);
void prefix_map_fini(struct prefix_map *map);
/* 0, -ENOSPC, or -EAGAIN while too much waits for the workers. Host bits must be zero, vrf below
 * vrf_count. */
int prefix_map_set(struct prefix_map *map, uint16_t vrf, const struct ip_prefix *prefix,
	const void *payload, uint32_t generation);
bool prefix_map_remove(struct prefix_map *map, uint16_t vrf, const struct ip_prefix *prefix);
void prefix_map_sweep(struct prefix_map *map, uint32_t generation);
/* Calls visit with every payload; main lcore. */
void prefix_map_walk(const struct prefix_map *map,
	void (*visit)(void *context, const void *payload), void *context);

/* For `rules`. */
static inline uint64_t prefix_map_hash(
	const struct prefix_map *map, uint16_t vrf, const struct ip_prefix *prefix)
{
	return slot_table_hash(&map->rules, &prefix->address, (uint64_t)vrf << 8 | prefix->length);
}

/* The same: key is a struct prefix_key. */
static inline bool prefix_map_match(const void *key, const void *objects, uint32_t slot)
{
	const struct prefix_key *wanted = key, *found = slab_at(objects, slot);

	return found->vrf == wanted->vrf && found->prefix.length == wanted->prefix.length &&
	       ip_address_equal(&found->prefix.address, &wanted->prefix.address);
}

static inline uint32_t *prefix_map_root(const struct prefix_map *map, uint16_t vrf, bool v4)
{
	return map->roots + ((size_t)vrf * 2 + !v4) * PREFIX_MAP_ROOT;
}

static inline const uint32_t *prefix_map_node(const struct prefix_map *map, uint32_t entry)
{
	/* slab_at with the size that all nodes have */
	return (const uint32_t *)(const void *)map->nodes.objects +
	       (size_t)(entry & ~PREFIX_MAP_CHILD) * PREFIX_MAP_NODE;
}

/* One lookup in pieces, so that a burst of them waits for memory together. Each piece asks for the
 * line that the next one reads. Workers. */
struct prefix_walk {
	const uint8_t *key; /* the next octet to look at */
	uint32_t entry;
};

static inline void prefix_walk_fetch(const struct prefix_map *map, const struct prefix_walk *walk)
{
	if (walk->entry & PREFIX_MAP_CHILD) {
		const uint32_t *node = prefix_map_node(map, walk->entry);
		__builtin_prefetch(&node[*walk->key]);
	} else {
		__builtin_prefetch(slab_at(&map->objects, walk->entry));
	}
}

static inline void prefix_walk_descend(const struct prefix_map *map, struct prefix_walk *walk)
{
	const uint32_t *node = prefix_map_node(map, walk->entry);
	walk->entry = __atomic_load_n(&node[*walk->key++], __ATOMIC_ACQUIRE);
}

static inline struct prefix_walk prefix_walk_begin(
	const struct prefix_map *map, uint16_t vrf, const struct ip_address *address)
{
	bool v4 = ip_address_is_v4(address);
	const uint8_t *key = address->bytes + (v4 ? PREFIX_MAP_V4_BITS / 8 : 0);
	struct prefix_walk walk = {.key = key + 2};

	if (vrf < map->vrf_count) {
		const uint32_t *root = prefix_map_root(map, vrf, v4);
		walk.entry = __atomic_load_n(&root[key[0] << 8 | key[1]], __ATOMIC_ACQUIRE);
		prefix_walk_fetch(map, &walk);
	}
	return walk;
}

/* The same of an IPv4 address, which stays where it is until the walk has ended. */
static inline struct prefix_walk prefix_walk_begin_v4(
	const struct prefix_map *map, uint16_t vrf, const be32 *address)
{
	const uint8_t *key = (const uint8_t *)address;
	struct prefix_walk walk = {.key = key + 2};

	if (vrf < map->vrf_count) {
		const uint32_t *root = prefix_map_root(map, vrf, true);
		walk.entry = __atomic_load_n(&root[key[0] << 8 | key[1]], __ATOMIC_ACQUIRE);
		prefix_walk_fetch(map, &walk);
	}
	return walk;
}

/* Down one node, when there is one. */
static inline void prefix_walk_step(const struct prefix_map *map, struct prefix_walk *walk)
{
	if (walk->entry & PREFIX_MAP_CHILD) {
		prefix_walk_descend(map, walk);
		prefix_walk_fetch(map, walk);
	}
}

/* Down to the object. */
static inline void prefix_walk_end(const struct prefix_map *map, struct prefix_walk *walk)
{
	while (walk->entry & PREFIX_MAP_CHILD) {
		prefix_walk_descend(map, walk);
		prefix_walk_fetch(map, walk);
	}
}

static inline const void *prefix_walk_payload(
	const struct prefix_map *map, const struct prefix_walk *walk)
{
	return walk->entry ? (const struct prefix_key *)slab_at(&map->objects, walk->entry) + 1
			   : NULL;
}

/* The payload of the longest prefix that contains the address, or NULL. Workers. */
const void *prefix_map_lookup(
	const struct prefix_map *map, uint16_t vrf, const struct ip_address *address);

/* The same for up to LOOKUP_BURST IPv6 addresses, prefetched. out[i] may be NULL. */
void prefix_map_lookup_v6_burst(const struct prefix_map *map, uint16_t vrf,
	const struct ip_address *addresses, unsigned count, const void **out);

#endif
