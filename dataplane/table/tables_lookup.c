#include "dataplane/table/tables_private.h"

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

const struct tunnel *tables_home_lookup(
	const struct tables *t, uint16_t vrf, const struct ip_address *home)
{
	if (!(vicinity_of(&t->vicinity, vrf, home) & VICINITY_HOME))
		return NULL;
	uint32_t slot = binding_table_find(
		&t->bindings, binding_table_hash(&t->bindings, vrf, home), vrf, home);
	return slot ? binding_table_tunnel(&t->bindings, slot) : NULL;
}

/* The first tunnel that its fingerprint names, unverified, its lines on their way; 0 when the home
 * bucket has none. */
static inline uint32_t candidate_fetch(const struct binding_table *table, uint64_t hash)
{
	const struct slot_bucket *bucket = slot_table_home(&table->homes, hash);
	unsigned bits = slot_bucket_match(bucket, slot_table_fingerprint(hash));

	if (!bits)
		return 0;
	uint32_t slot = slot_bucket_slot(bucket, (unsigned)__builtin_ctz(bits));
	rte_prefetch0(binding_table_tunnel(table, slot));
	rte_prefetch0(&binding_table_tunnel(table, slot)->home_address);
	return slot;
}

/* Those of a burst that may be home addresses. */
struct candidates {
	unsigned count;
	uint8_t index[LOOKUP_BURST]; /* place in the burst */
	uint64_t hash[LOOKUP_BURST];
	uint32_t slot[LOOKUP_BURST];
};

static void candidates_find(const struct tables *t, const uint16_t *vrf,
	const struct ip_address *home, unsigned count, struct candidates *c)
{
	c->count = 0;
	for (unsigned i = 0; i < count; i++) {
		if (!(vicinity_of(&t->vicinity, vrf[i], &home[i]) & VICINITY_HOME))
			continue;
		c->hash[c->count] = binding_table_hash(&t->bindings, vrf[i], &home[i]);
		rte_prefetch0(slot_table_home(&t->bindings.homes, c->hash[c->count]));
		c->index[c->count++] = (uint8_t)i;
	}
	for (unsigned i = 0; i < c->count; i++)
		c->slot[i] = candidate_fetch(&t->bindings, c->hash[i]);
}

static void lookup_piece(const struct tables *t, const uint16_t *vrf, const struct ip_address *home,
	unsigned count, const struct tunnel **out)
{
	const struct binding_table *table = &t->bindings;
	struct candidates c;

	candidates_find(t, vrf, home, count, &c);
	for (unsigned i = 0; i < count; i++)
		out[i] = NULL;
	for (unsigned i = 0; i < c.count; i++) {
		unsigned at = c.index[i];
		struct binding_key key = {.home = &home[at], .vrf = vrf[at]};
		/* Otherwise another key with this fingerprint, a full home bucket, or no binding:
		 * the bucket is here by now. */
		if (unlikely(c.slot[i] == 0) ||
			unlikely(!binding_table_match(&key, &table->tunnels, c.slot[i])))
			c.slot[i] = binding_table_find(table, c.hash[i], vrf[at], &home[at]);
		out[at] = c.slot[i] ? binding_table_tunnel(table, c.slot[i]) : NULL;
	}
}

void tables_home_lookup_burst(const struct tables *t, const uint16_t *vrf,
	const struct ip_address *home, unsigned count, const struct tunnel **out)
{
	for (unsigned at = 0; at < count; at += LOOKUP_BURST) {
		unsigned piece = count - at < LOOKUP_BURST ? count - at : LOOKUP_BURST;
		lookup_piece(t, vrf + at, home + at, piece, out + at);
	}
}

const struct binding_table *tables_bindings(const struct tables *t)
{
	return &t->bindings;
}

const struct tunnel *tables_prefix_lookup(
	const struct tables *t, uint16_t vrf, const struct ip_address *address)
{
	if (!(vicinity_of(&t->vicinity, vrf, address) & VICINITY_PREFIX))
		return NULL;
	const struct prefix_record *record = prefix_map_lookup(&t->prefixes, vrf, address);

	/* The head of the home address' chain: a mobile network is reached through every
	 * simultaneous binding. */
	return record ? tables_home_lookup(t, vrf, &record->home_address) : NULL;
}

const struct tunnel *tables_tunnel_next(const struct tables *t, const struct tunnel *tunnel)
{
	uint32_t next = __atomic_load_n(&tunnel->next, __ATOMIC_ACQUIRE);
	return next != TUNNEL_NONE ? binding_table_tunnel(&t->bindings, next) : NULL;
}

const struct tunnel *tables_tunnel_previous(
	const struct tables *t, const struct tunnel *tunnel, uint64_t now_tsc)
{
	if (tunnel->previous == TUNNEL_NONE || now_tsc >= tunnel->previous_until_tsc)
		return NULL;
	return binding_table_tunnel(&t->bindings, tunnel->previous);
}

static struct tunnel_path *path_at(const struct tables *t, uint32_t destination)
{
	return &((struct destination *)slab_at(&t->bindings.destinations, destination))->path;
}

static uint32_t destination_of(const struct tunnel *tunnel)
{
	return __atomic_load_n(&tunnel->destination, __ATOMIC_RELAXED);
}

struct tunnel_path *tables_path_of(const struct tables *t, const struct tunnel *tunnel)
{
	return path_at(t, destination_of(tunnel));
}

struct tunnel_path *tables_path_write(const struct tables *t, const struct tunnel *tunnel)
{
	binding_table_mark(&t->bindings, destination_of(tunnel));
	return tables_path_of(t, tunnel);
}

struct tunnel_path *tables_path_learned(const struct tables *t, const struct tunnel *tunnel)
{
	uint32_t destination = destination_of(tunnel);
	return binding_table_is_marked(&t->bindings, destination) ? path_at(t, destination) : NULL;
}

const struct agent *tables_agent_of(const struct tables *t, const struct tunnel *tunnel)
{
	return slab_at(&t->agents, tunnel->agent_slot);
}

struct tunnel_path *tables_tunnel_path(const struct tables *t, uint32_t binding_id)
{
	uint32_t slot =
		binding_id < t->bindings.limit
			? __atomic_load_n(&t->bindings.tunnel_of[binding_id], __ATOMIC_ACQUIRE)
			: 0;
	return slot ? tables_path_of(t, binding_table_tunnel(&t->bindings, slot)) : path_at(t, 0);
}

const struct tunnel *tables_care_of_lookup(const struct tables *t, uint16_t vrf,
	const struct ip_address *agent, const struct ip_address *care_of, be16 care_of_port)
{
	return binding_table_destination_tunnel(&t->bindings, vrf, agent, care_of, care_of_port);
}

struct local tables_local_lookup(
	const struct tables *t, uint16_t vrf, const struct ip_address *address)
{
	const struct local_record *record = NULL;

	if (vicinity_of(&t->vicinity, vrf, address) & VICINITY_LOCAL)
		record = address_map_lookup(&t->locals, address, vrf);
	if (!record)
		return (struct local){.kind = LOCAL_NONE, .port = PORT_NONE};
	uint16_t port = record->kernel ? record->kernel_port : PORT_NONE;
	if (!record->agent)
		return (struct local){.kind = LOCAL_KERNEL, .port = port};
	return (struct local){
		.kind = LOCAL_AGENT, .port = port, .agent = slab_at(&t->agents, record->agent)};
}

const struct home_network *tables_home_network_lookup(
	const struct tables *t, uint16_t vrf, const struct ip_address *address)
{
	if (!(vicinity_of(&t->vicinity, vrf, address) & VICINITY_HOME_NETWORK))
		return NULL;
	return prefix_map_lookup(&t->home_networks, vrf, address);
}

const struct home_network *tables_home_network_of_port(const struct tables *t, uint16_t port)
{
	if (port >= REGION_PORTS_MAX)
		return NULL;
	return __atomic_load_n(&t->home_network_of_port[port], __ATOMIC_ACQUIRE);
}

const struct route *tables_route_lookup(
	const struct tables *t, uint16_t vrf, const struct ip_address *destination)
{
	return prefix_map_lookup(&t->routes, vrf, destination);
}

/* Of mixed families: who has many of one asks as below. */
void tables_route_lookup_burst(const struct tables *t, const uint16_t *vrf,
	const struct ip_address *const *destination, unsigned count, const struct route **out)
{
	struct prefix_walk walks[LOOKUP_BURST];
	uint32_t children = 0;

	for (unsigned i = 0; i < count; i++) {
		walks[i] = prefix_walk_begin(&t->routes, vrf[i], destination[i]);
		children |= walks[i].entry;
	}
	if (children & PREFIX_MAP_CHILD) {
		for (unsigned i = 0; i < count; i++)
			prefix_walk_step(&t->routes, &walks[i]);
		for (unsigned i = 0; i < count; i++) /* here a walk ends at the latest */
			prefix_walk_end(&t->routes, &walks[i]);
	}
	for (unsigned i = 0; i < count; i++)
		out[i] = ip_address_is_v4(destination[i])
				 ? prefix_walk_payload(&t->routes, &walks[i])
				 : prefix_map_lookup(&t->routes, vrf[i], destination[i]);
}

void tables_route_v4_burst(const struct tables *t, uint16_t vrf, const be32 *destinations,
	unsigned count, const struct route **out)
{
	const struct prefix_map *map = &t->routes;
	struct prefix_walk walks[LOOKUP_BURST];
	uint32_t children = 0;

	for (unsigned i = 0; i < count; i++) {
		walks[i] = prefix_walk_begin_v4(map, vrf, &destinations[i]);
		children |= walks[i].entry;
	}
	if (children & PREFIX_MAP_CHILD) {
		for (unsigned i = 0; i < count; i++)
			prefix_walk_step(map, &walks[i]);
		for (unsigned i = 0; i < count; i++) /* here a walk ends at the latest */
			prefix_walk_end(map, &walks[i]);
	}
	for (unsigned i = 0; i < count; i++)
		out[i] = prefix_walk_payload(map, &walks[i]);
}

void tables_route_v6_burst(const struct tables *t, uint16_t vrf,
	const struct ip_address *destinations, unsigned count, const struct route **out)
{
	const void *found[LOOKUP_BURST];

	prefix_map_lookup_v6_burst(&t->routes, vrf, destinations, count, found);
	for (unsigned i = 0; i < count; i++)
		out[i] = found[i];
}

const struct neighbor *tables_neighbor_lookup(
	const struct tables *t, uint16_t port, const struct ip_address *address)
{
	return address_map_lookup(&t->neighbors, address, port);
}

uint32_t tables_neighbor_number(const struct tables *t, const struct neighbor *neighbor)
{
	const uint8_t *object = (const uint8_t *)((const struct address_key *)neighbor - 1);

	return (uint32_t)((size_t)(object - t->neighbors.objects.objects) /
			  t->neighbors.objects.object_size);
}

const struct neighbor *tables_neighbor_at(const struct tables *t, uint32_t number)
{
	return (const void *)((const struct address_key *)slab_at(&t->neighbors.objects, number) +
			      1);
}

static const struct ip_address *own_load(const struct ip_address *const *place)
{
	return __atomic_load_n(place, __ATOMIC_ACQUIRE);
}

const struct ip_address *tables_own_address(
	const struct tables *t, uint16_t vrf, uint16_t port, bool ipv6)
{
	const struct ip_address *found = NULL;

	if (vrf < TABLES_VRF_MAX)
		found = own_load(&t->own.agent[vrf][ipv6]);
	if (!found && port < REGION_PORTS_MAX)
		found = own_load(&t->own.of_port[port][ipv6]);
	if (!found && vrf < TABLES_VRF_MAX)
		found = own_load(&t->own.kernel[vrf][ipv6]);
	return found;
}

uint32_t tables_agent_flags(const struct tables *t)
{
	return __atomic_load_n(&t->own.agent_flags, __ATOMIC_RELAXED);
}

const struct tunnel *tables_broadcast_next(const struct tables *t, uint16_t port, uint32_t *cursor)
{
	const struct binding_table *table = &t->bindings;

	while (*cursor < __atomic_load_n(&table->broadcast_count, __ATOMIC_ACQUIRE)) {
		uint32_t id = __atomic_load_n(&table->broadcast_ids[(*cursor)++], __ATOMIC_RELAXED);
		uint32_t slot = __atomic_load_n(&table->tunnel_of[id], __ATOMIC_ACQUIRE);
		const struct tunnel *tunnel = binding_table_tunnel(table, slot);
		if (slot && tunnel->home_port == port && (tunnel->flags & BINDING_BROADCAST))
			return tunnel;
	}
	return NULL;
}

bool tables_policies_used(const struct tables *t, uint16_t vrf)
{
	return policy_table_vrf_used(&t->policies, vrf);
}

bool tables_policies_nested(const struct tables *t)
{
	return policy_table_nested(&t->policies);
}

void tables_policy_lookup_burst(const struct tables *t, const struct policy_key *keys,
	unsigned count, struct policy_verdict *verdicts)
{
	policy_table_lookup_burst(&t->policies, keys, count, verdicts);
}

const struct policy_table *tables_policies(const struct tables *t)
{
	return &t->policies;
}

const struct sa_table *tables_sas(const struct tables *t)
{
	return &t->sas;
}

uint32_t tables_ground(const struct tables *t)
{
	return __atomic_load_n(&t->ground, __ATOMIC_ACQUIRE);
}

uint32_t tables_change(const struct tables *t)
{
	return __atomic_load_n(&t->change, __ATOMIC_ACQUIRE);
}
