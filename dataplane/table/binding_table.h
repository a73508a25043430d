/*
 * Bindings: home address -> chain of tunnels (one for each simultaneous care-of address), and the
 * soft state that tunnels to one destination share. Writer: main lcore; arguments were checked by
 * tables_check.
 *
 *   homes         (vrf, home address)            -> first tunnel, tunnel.next -> the others
 *   destinations  (vrf, agent, care-of, port)    -> struct destination: path MTU, reachability,
 * list of bindings tunnel_of     binding id                     -> its tunnel
 *
 * A handover builds a new tunnel and swaps it in with one store; the old one is retired, or first
 * waits out its grace (HA4-REV-16) in `graces`. A resynchronisation may give an id to another home
 * address before the old owner's new id is known: the old tunnel goes on as an orphan until its
 * home address is set again or the resynchronisation ends.
 */
#ifndef DATAPLANE_TABLE_BINDING_TABLE_H
#define DATAPLANE_TABLE_BINDING_TABLE_H

#include "dataplane/table/slab.h"
#include "dataplane/table/slot_table.h"
#include "dataplane/table/tables.h"

#define BINDING_CROWDS 16384u

struct destination {
	struct tunnel_path path;
	uint32_t first; /* a binding id; its tunnel holds the key */
	uint32_t count; /* bindings */
};

struct grace { /* a replaced tunnel that reverse traffic may still come from */
	uint32_t slot;
	uint64_t until_tsc;
};

struct binding_table {
	struct slot_table homes;
	struct slot_table destination_index;
	struct slab tunnels;
	struct slab destinations; /* object 0 is everybody's who has none */
	uint64_t *marks;          /* a bit for each destination: workers learned something of it */
	uint64_t *crowd_marks;    /* one for all whose numbers end alike: so few that they stay in
				     the first cache */
	struct retirement *retirement;
	const struct slab *agents;       /* tables.c's: of tunnel.agent_slot */
	uint32_t *tunnel_of;             /* [limit], 0 none; workers read */
	uint32_t *generation_of;         /* [limit] */
	uint32_t *next_of, *previous_of; /* [limit] ids with the same destination, a ring */
	uint32_t *orphans;               /* tunnel slots, from 1 */
	uint32_t orphan_count;
	struct grace *graces; /* ring, by time */
	uint32_t grace_mask, grace_head, grace_tail;
	uint32_t *broadcast_ids;   /* ids with BINDING_BROADCAST, dense; workers read */
	uint32_t *broadcast_place; /* [limit] place of the id in broadcast_ids + 1, 0 not in it */
	uint32_t broadcast_count;
	uint32_t limit, used;
};

/* `agents`: struct agent, by tunnel.agent_slot. 0 or -ENOMEM. */
int binding_table_init(struct binding_table *table, struct retirement *retirement,
	const struct slab *agents, uint32_t limit);
void binding_table_fini(struct binding_table *table);

struct binding_change {
	const struct binding_command *command;
	struct agent *agent;
	uint16_t agent_slot;
	uint64_t expires_tsc, grace_until_tsc; /* grace 0: none */
	uint32_t generation;
	bool syncing; /* what is of an older generation may be stale */
};
/*
 * 0, -EEXIST, -EAGAIN. `released` is called for each tunnel that stopped using its agent, which
 * counts its users.
 */
typedef void (*binding_released)(void *context, const struct agent *agent);
int binding_table_set(struct binding_table *table, const struct binding_change *change,
	binding_released released, void *context);
bool binding_table_remove(
	struct binding_table *table, uint32_t binding_id, binding_released released, void *context);
void binding_table_sweep(
	struct binding_table *table, uint32_t generation, binding_released released, void *context);
/* Retires tunnels whose grace is over. */
void binding_table_age(
	struct binding_table *table, uint64_t now_tsc, binding_released released, void *context);
/* Writes an agent's changed settings into its tunnels. */
void binding_table_restyle(struct binding_table *table, const struct agent *agent);

static inline struct tunnel *binding_table_tunnel(const struct binding_table *table, uint32_t slot)
{
	return (struct tunnel *)(void *)table->tunnels.objects + slot; /* slab_at, its size known */
}

static inline uint64_t binding_table_hash(
	const struct binding_table *table, uint16_t vrf, const struct ip_address *home)
{
	return slot_table_hash(&table->homes, home, vrf);
}

struct binding_key {
	const struct ip_address *home;
	uint16_t vrf;
};

static inline bool binding_table_match(const void *key, const void *objects, uint32_t slot)
{
	const struct binding_key *wanted = key;
	const struct tunnel *tunnel = slab_at(objects, slot);
	return ip_address_equal(&tunnel->home_address, wanted->home) && tunnel->vrf == wanted->vrf;
}

static inline uint32_t binding_table_find(const struct binding_table *table, uint64_t hash,
	uint16_t vrf, const struct ip_address *home)
{
	struct binding_key key = {.home = home, .vrf = vrf};
	return slot_table_find(&table->homes, hash, binding_table_match, &key, &table->tunnels);
}

static inline bool binding_table_bit(const uint64_t *bits, uint32_t bit)
{
	return __atomic_load_n(&bits[bit / 64], __ATOMIC_RELAXED) >> (bit % 64) & 1;
}

/* Did a worker learn something of the destination, ever since it is there? Any thread. */
static inline bool binding_table_is_marked(const struct binding_table *table, uint32_t destination)
{
	return binding_table_bit(table->crowd_marks, destination % BINDING_CROWDS) &&
	       binding_table_bit(table->marks, destination);
}

void binding_table_mark(const struct binding_table *table, uint32_t destination);

/*
 * An IPv4 home address looked up in pieces, so that a burst of them waits for memory together:
 * each asks for the line that the next one reads. The last one gives NULL when this is not the
 * home address' first tunnel; then tables_home_lookup knows. Workers.
 */
static inline uint64_t binding_table_ask_v4(
	const struct binding_table *table, uint16_t vrf, be32 home)
{
	const struct ip_address address = ip_address_from_v4(home);
	uint64_t hash = binding_table_hash(table, vrf, &address);

	__builtin_prefetch(slot_table_home(&table->homes, hash));
	return hash;
}

static inline const struct tunnel *binding_table_candidate(
	const struct binding_table *table, uint64_t hash)
{
	const struct slot_bucket *bucket = slot_table_home(&table->homes, hash);
	unsigned bits = slot_bucket_match(bucket, slot_table_fingerprint(hash));
	const struct tunnel *tunnel = binding_table_tunnel(
		table, bits != 0 ? slot_bucket_slot(bucket, (unsigned)__builtin_ctz(bits)) : 0);

	__builtin_prefetch(tunnel);
	return tunnel;
}

/* The tunnel of no slot has no home address. */
static inline const struct tunnel *binding_table_confirm_v4(
	const struct tunnel *candidate, uint16_t vrf, be32 home)
{
	return candidate->home == home && candidate->vrf == vrf ? candidate : NULL;
}

/* A tunnel that ends at (agent, care_of, port), or NULL. Workers. */
const struct tunnel *binding_table_destination_tunnel(const struct binding_table *table,
	uint16_t vrf, const struct ip_address *agent, const struct ip_address *care_of,
	be16 care_of_port);

#endif
