#include "dataplane/table/binding_table.h"

#include "dataplane/table/tunnel_template.h"

#include <errno.h>

/* Tunnels beyond the limit: replaced ones that wait for workers, and old care-of addresses in their
 * grace. */
#define SPARE_MAX 32768u
#define CHAIN_MAX                                                                                  \
	16u /* simultaneous bindings are at most 8; twice that while a resynchronisation renumbers \
	       them */
#define GRACE_MAX 16384u /* power of two; a handover beyond it gets no grace */

struct destination_key {
	const struct binding_table *table;
	struct ip_address agent, care_of;
	be16 port;
	uint16_t vrf;
};

static size_t marks_size(const struct binding_table *table)
{
	return (BINDING_CROWDS / 64 + (size_t)table->destinations.capacity / 64 + 1) *
	       sizeof(uint64_t);
}

int binding_table_init(struct binding_table *table, struct retirement *retirement,
	const struct slab *agents, uint32_t limit)
{
	uint32_t spare = limit < SPARE_MAX ? limit + 64 : SPARE_MAX;
	size_t ids = (size_t)limit * sizeof(uint32_t);
	int error;

	*table = (struct binding_table){.retirement = retirement, .agents = agents, .limit = limit};
	table->grace_mask = spare >= SPARE_MAX ? GRACE_MAX - 1 : 31;
	error = slot_table_init(&table->homes, limit + spare);
	if (!error)
		error = slot_table_init_dense(&table->destination_index, limit + spare);
	if (!error)
		error = slab_init(&table->tunnels, sizeof(struct tunnel), limit + spare);
	if (!error)
		error = slab_init(&table->destinations, sizeof(struct destination), limit + spare);
	if (!error)
		table->crowd_marks = slab_map(marks_size(table));
	table->tunnel_of = slab_map(ids);
	table->generation_of = slab_map(ids);
	table->next_of = slab_map(ids);
	table->previous_of = slab_map(ids);
	table->broadcast_ids = slab_map(ids);
	table->broadcast_place = slab_map(ids);
	table->orphans = slab_map(ids + sizeof(uint32_t));
	table->graces = slab_map((size_t)(table->grace_mask + 1) * sizeof(*table->graces));
	if (!table->crowd_marks || !table->tunnel_of || !table->generation_of || !table->next_of ||
		!table->previous_of || !table->broadcast_ids || !table->broadcast_place ||
		!table->orphans || !table->graces)
		error = -ENOMEM;
	if (error)
		binding_table_fini(table);
	else
		table->marks = table->crowd_marks + BINDING_CROWDS / 64;
	return error;
}

void binding_table_fini(struct binding_table *table)
{
	size_t ids = (size_t)table->limit * sizeof(uint32_t);

	slot_table_fini(&table->homes);
	slot_table_fini(&table->destination_index);
	slab_fini(&table->tunnels);
	slab_unmap(table->crowd_marks, marks_size(table));
	slab_fini(&table->destinations);
	slab_unmap(table->tunnel_of, ids);
	slab_unmap(table->generation_of, ids);
	slab_unmap(table->next_of, ids);
	slab_unmap(table->previous_of, ids);
	slab_unmap(table->broadcast_ids, ids);
	slab_unmap(table->broadcast_place, ids);
	slab_unmap(table->orphans, ids + sizeof(uint32_t));
	slab_unmap(table->graces, (size_t)(table->grace_mask + 1) * sizeof(*table->graces));
	*table = (struct binding_table){0};
}

/* ---- destinations ---- */

static struct destination *destination_at(const struct binding_table *table, uint32_t slot)
{
	return slab_at(&table->destinations, slot);
}

static uint64_t destination_hash(const struct destination_key *key)
{
	const struct slot_table *index = &key->table->destination_index;
	uint64_t agent = slot_table_hash(index, &key->agent, key->vrf);

	return slot_table_hash(index, &key->care_of, agent << 16 | key->port);
}

static bool destination_match(const void *key, const void *objects, uint32_t slot)
{
	const struct destination_key *wanted = key;
	const struct destination *destination = slab_at(objects, slot);
	uint32_t id = __atomic_load_n(&destination->first, __ATOMIC_RELAXED);
	uint32_t tunnel_slot = __atomic_load_n(&wanted->table->tunnel_of[id], __ATOMIC_ACQUIRE);
	if (tunnel_slot == 0)
		return false;
	const struct tunnel *tunnel = binding_table_tunnel(wanted->table, tunnel_slot);
	const struct ip_address care_of = tunnel_care_of_address(tunnel);
	const struct ip_address agent = tunnel_agent_address(tunnel);
	return ip_address_equal(&care_of, &wanted->care_of) &&
	       tunnel_care_of_port(tunnel) == wanted->port && tunnel->vrf == wanted->vrf &&
	       ip_address_equal(&agent, &wanted->agent);
}

static struct destination_key destination_key_of(
	const struct binding_table *table, const struct tunnel *tunnel)
{
	return (struct destination_key){.table = table,
		.agent = tunnel_agent_address(tunnel),
		.care_of = tunnel_care_of_address(tunnel),
		.port = tunnel_care_of_port(tunnel),
		.vrf = tunnel->vrf};
}

static uint32_t destination_find(const struct destination_key *key)
{
	return slot_table_find(&key->table->destination_index, destination_hash(key),
		destination_match, key, &key->table->destinations);
}

const struct tunnel *binding_table_destination_tunnel(const struct binding_table *table,
	uint16_t vrf, const struct ip_address *agent, const struct ip_address *care_of,
	be16 care_of_port)
{
	struct destination_key key = {.table = table,
		.agent = *agent,
		.care_of = *care_of,
		.port = care_of_port,
		.vrf = vrf};
	uint32_t slot = destination_find(&key);
	if (!slot)
		return NULL;
	uint32_t id = __atomic_load_n(&destination_at(table, slot)->first, __ATOMIC_RELAXED);
	uint32_t tunnel = __atomic_load_n(&table->tunnel_of[id], __ATOMIC_ACQUIRE);
	return tunnel ? binding_table_tunnel(table, tunnel) : NULL;
}

/* Takes binding `id`, whose tunnel is still in tunnel_of[], out of its destination. */
static void destination_leave(struct binding_table *table, uint32_t id)
{
	const struct tunnel *tunnel = binding_table_tunnel(table, table->tunnel_of[id]);
	uint32_t slot = tunnel->destination;
	struct destination *destination = destination_at(table, slot);

	if (destination->count == 1) {
		struct destination_key key = destination_key_of(table, tunnel);
		slot_table_remove(&table->destination_index, destination_hash(&key), slot);
		retirement_add(table->retirement, &table->destinations, slot);
		destination->count = 0;
		return;
	}
	uint32_t next = table->next_of[id], previous = table->previous_of[id];
	table->next_of[previous] = next;
	table->previous_of[next] = previous;
	destination->count--;
	if (destination->first == id)
		__atomic_store_n(&destination->first, next, __ATOMIC_RELAXED);
}

/*
 * Finds or makes the new tunnel's destination; 0 when there is no room. tunnel_of[id] must not name
 * a tunnel to another destination any more when this one is published, so publishing is the
 * caller's (destination_publish).
 */
static bool destination_prepare(struct binding_table *table, struct tunnel *tunnel, bool *made)
{
	struct destination_key key = destination_key_of(table, tunnel);

	tunnel->destination = destination_find(&key);
	*made = tunnel->destination == 0;
	if (*made)
		tunnel->destination = slab_take(&table->destinations);
	return tunnel->destination != 0;
}

void binding_table_mark(const struct binding_table *table, uint32_t destination)
{
	uint32_t crowd = destination % BINDING_CROWDS;

	__atomic_fetch_or(&table->marks[destination / 64], UINT64_C(1) << (destination % 64),
		__ATOMIC_SEQ_CST);
	__atomic_fetch_or(
		&table->crowd_marks[crowd / 64], UINT64_C(1) << (crowd % 64), __ATOMIC_SEQ_CST);
}

/*
 * A new destination: what an earlier one with its number learned is not its own. Its crowd's mark
 * goes first and comes back when somebody else there is marked: a worker marks in the other order,
 * so one that is not seen here sets it after us.
 */
static void unmark(struct binding_table *table, uint32_t destination)
{
	uint32_t crowd = destination % BINDING_CROWDS;
	uint64_t bit = UINT64_C(1) << (destination % 64); /* of both: BINDING_CROWDS % 64 is 0 */

	if (!binding_table_bit(table->marks, destination))
		return;
	__atomic_fetch_and(&table->marks[destination / 64], ~bit, __ATOMIC_SEQ_CST);
	__atomic_fetch_and(&table->crowd_marks[crowd / 64], ~bit, __ATOMIC_SEQ_CST);
	for (uint32_t other = crowd; other < table->destinations.capacity; other += BINDING_CROWDS)
		if (__atomic_load_n(&table->marks[other / 64], __ATOMIC_SEQ_CST) & bit)
			__atomic_fetch_or(&table->crowd_marks[crowd / 64], bit, __ATOMIC_SEQ_CST);
}

static void destination_enter(
	struct binding_table *table, uint32_t id, const struct tunnel *tunnel, bool made)
{
	struct destination *destination = destination_at(table, tunnel->destination);

	if (made) {
		struct destination_key key = destination_key_of(table, tunnel);
		*destination = (struct destination){.first = id, .count = 1};
		unmark(table, tunnel->destination);
		table->next_of[id] = table->previous_of[id] = id;
		slot_table_insert(
			&table->destination_index, destination_hash(&key), tunnel->destination);
		return;
	}
	uint32_t first = destination->first, last = table->previous_of[first];
	table->next_of[id] = first;
	table->previous_of[id] = last;
	table->next_of[last] = id;
	table->previous_of[first] = id;
	destination->count++;
}

/* ---- the chain of one home address ---- */

static const struct agent *agent_of(const struct binding_table *table, const struct tunnel *tunnel)
{
	return slab_at(table->agents, tunnel->agent_slot);
}

static void tunnel_retire(
	struct binding_table *table, uint32_t slot, binding_released released, void *context)
{
	released(context, agent_of(table, binding_table_tunnel(table, slot)));
	retirement_add(table->retirement, &table->tunnels, slot);
}

static void chain_insert(struct binding_table *table, uint32_t slot)
{
	struct tunnel *tunnel = binding_table_tunnel(table, slot);
	uint64_t hash = binding_table_hash(table, tunnel->vrf, &tunnel->home_address);
	uint32_t head = binding_table_find(table, hash, tunnel->vrf, &tunnel->home_address);

	tunnel->next = head ? head : TUNNEL_NONE;
	if (head)
		slot_table_replace(&table->homes, hash, head, slot);
	else
		slot_table_insert(&table->homes, hash, slot);
}

/* Puts `slot` in the place of `old`, or nothing when slot is TUNNEL_NONE. */
static void chain_replace(struct binding_table *table, uint32_t old, uint32_t slot)
{
	struct tunnel *gone = binding_table_tunnel(table, old);
	uint64_t hash = binding_table_hash(table, gone->vrf, &gone->home_address);
	uint32_t at = binding_table_find(table, hash, gone->vrf, &gone->home_address);
	uint32_t successor = gone->next;

	if (slot != TUNNEL_NONE) {
		binding_table_tunnel(table, slot)->next = gone->next;
		successor = slot;
	}
	if (at == old) {
		if (successor != TUNNEL_NONE)
			slot_table_replace(&table->homes, hash, old, successor);
		else
			slot_table_remove(&table->homes, hash, old);
		return;
	}
	while (at && at != TUNNEL_NONE) {
		struct tunnel *tunnel = binding_table_tunnel(table, at);
		if (tunnel->next == old) {
			__atomic_store_n(&tunnel->next, successor, __ATOMIC_RELEASE);
			return;
		}
		at = tunnel->next;
	}
}

static bool chain_has_room(const struct binding_table *table, const struct binding_command *command)
{
	uint64_t hash = binding_table_hash(table, command->vrf, &command->home_address);
	uint32_t at = binding_table_find(table, hash, command->vrf, &command->home_address);
	unsigned length = 0;

	for (; at && at != TUNNEL_NONE; at = binding_table_tunnel(table, at)->next)
		length++;
	return length < CHAIN_MAX;
}

/* ---- bindings that want broadcasts ---- */

static void broadcast_set(struct binding_table *table, uint32_t id, bool wanted)
{
	uint32_t place = table->broadcast_place[id];

	if (wanted == (place != 0))
		return;
	if (wanted) {
		__atomic_store_n(
			&table->broadcast_ids[table->broadcast_count], id, __ATOMIC_RELAXED);
		table->broadcast_place[id] = table->broadcast_count + 1;
		__atomic_store_n(
			&table->broadcast_count, table->broadcast_count + 1, __ATOMIC_RELEASE);
		return;
	}
	uint32_t last = table->broadcast_ids[table->broadcast_count - 1];
	__atomic_store_n(&table->broadcast_ids[place - 1], last, __ATOMIC_RELAXED);
	table->broadcast_place[last] = place;
	table->broadcast_place[id] = 0;
	__atomic_store_n(&table->broadcast_count, table->broadcast_count - 1, __ATOMIC_RELEASE);
}

/* ---- orphans ---- */

static void orphan_add(struct binding_table *table, uint32_t slot)
{
	table->orphans[++table->orphan_count] = slot;
	binding_table_tunnel(table, slot)->orphan = table->orphan_count;
}

static void orphan_remove(
	struct binding_table *table, uint32_t slot, binding_released released, void *context)
{
	struct tunnel *tunnel = binding_table_tunnel(table, slot);
	uint32_t last = table->orphans[table->orphan_count--];

	table->orphans[tunnel->orphan] = last;
	binding_table_tunnel(table, last)->orphan = tunnel->orphan;
	chain_replace(table, slot, TUNNEL_NONE);
	tunnel_retire(table, slot, released, context);
}

/* The id goes to another home address; its tunnel works on without one. */
static void binding_detach(struct binding_table *table, uint32_t id)
{
	uint32_t slot = table->tunnel_of[id];

	destination_leave(table, id);
	broadcast_set(table, id, false);
	__atomic_store_n(&binding_table_tunnel(table, slot)->destination, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&table->tunnel_of[id], 0, __ATOMIC_RELEASE);
	table->used--;
	orphan_add(table, slot);
}

/* A home address got a new binding in a resynchronisation: what it had before under other ids is
 * stale. */
static void chain_drop_stale(struct binding_table *table, uint32_t slot, uint32_t generation,
	binding_released released, void *context)
{
	uint32_t at = binding_table_tunnel(table, slot)->next;

	while (at != TUNNEL_NONE) {
		const struct tunnel *tunnel = binding_table_tunnel(table, at);
		uint32_t next = tunnel->next;
		if (tunnel->orphan)
			orphan_remove(table, at, released, context);
		else if (table->generation_of[tunnel->binding_id] != generation)
			binding_table_remove(table, tunnel->binding_id, released, context);
		at = next;
	}
}

/* ---- set and remove ---- */

static uint8_t usual_of(const struct tunnel *tunnel)
{
	const uint16_t never_in = BINDING_HALF_BOUND;
	const uint16_t never_out = never_in | BINDING_SUSPENDED | BINDING_STALE_NAT;

	if (tunnel->encapsulation != ENCAPSULATION_IPIP || tunnel->home == 0 ||
		!tunnel_is_over_ipv4(tunnel))
		return 0;
	return (uint8_t)((tunnel->flags & never_out ? 0 : TUNNEL_USUAL_OUT) |
			 (tunnel->flags & never_in ? 0 : TUNNEL_USUAL_IN) |
			 (tunnel->flags & BINDING_REQUIRES_IPSEC ? 0 : TUNNEL_USUAL_BARE));
}

static void tunnel_fill(struct tunnel *tunnel, const struct binding_change *change)
{
	const struct binding_command *c = change->command;

	memset(tunnel, 0, sizeof(*tunnel));
	tunnel->encapsulation = c->encapsulation;
	tunnel->flags = (uint16_t)c->flags;
	tunnel->expires_tsc = change->expires_tsc;
	tunnel->binding_id = c->binding_id;
	tunnel->next = tunnel->previous = TUNNEL_NONE;
	tunnel->home_address = c->home_address;
	tunnel->vrf = (uint8_t)c->vrf;
	tunnel->home = ip_address_is_v4(&c->home_address) ? ip_address_v4(&c->home_address) : 0;
	tunnel->home_port = c->home_port;
	tunnel->path_mtu = c->path_mtu;
	if (ip_address_is_v4(&c->care_of_field) &&
		!ip_address_equal(&c->care_of_field, &c->care_of_address))
		tunnel->care_of_field = ip_address_v4(&c->care_of_field);
	tunnel->agent_slot = change->agent_slot;
	tunnel_template_build(tunnel, c, change->agent);
	tunnel->usual = usual_of(tunnel);
}

static bool endpoint_equal(const struct tunnel *a, const struct tunnel *b)
{
	const struct ip_address care_of[2] = {tunnel_care_of_address(a), tunnel_care_of_address(b)};
	const struct ip_address agent[2] = {tunnel_agent_address(a), tunnel_agent_address(b)};

	return ip_address_equal(&care_of[0], &care_of[1]) &&
	       tunnel_care_of_port(a) == tunnel_care_of_port(b) &&
	       tunnel_agent_port(a) == tunnel_agent_port(b) &&
	       ip_address_equal(&agent[0], &agent[1]);
}

static bool tunnel_equal(const struct tunnel *a, const struct tunnel *b)
{
	return endpoint_equal(a, b) && a->encapsulation == b->encapsulation &&
	       a->flags == b->flags && a->home_port == b->home_port && a->path_mtu == b->path_mtu &&
	       a->agent_slot == b->agent_slot && a->care_of_field == b->care_of_field;
}

/* Keeps the replaced tunnel for reverse traffic while there is room. */
static bool grace_begin(
	struct binding_table *table, struct tunnel *tunnel, uint32_t old, uint64_t until_tsc)
{
	if (until_tsc == 0 || endpoint_equal(tunnel, binding_table_tunnel(table, old)) ||
		table->grace_tail - table->grace_head > table->grace_mask)
		return false;
	table->graces[table->grace_tail++ & table->grace_mask] =
		(struct grace){.slot = old, .until_tsc = until_tsc};
	tunnel->previous = old;
	tunnel->previous_until_tsc = until_tsc;
	return true;
}

static void binding_swap(struct binding_table *table, uint32_t slot,
	const struct binding_change *change, bool made, binding_released released, void *context)
{
	struct tunnel *tunnel = binding_table_tunnel(table, slot);
	uint32_t id = change->command->binding_id, old = table->tunnel_of[id];
	bool kept = false;

	if (old) {
		const struct tunnel *before = binding_table_tunnel(table, old);
		bool moves = before->destination != tunnel->destination;
		kept = grace_begin(table, tunnel, old, change->grace_until_tsc);
		if (!kept && endpoint_equal(tunnel, before)) { /* a grace that runs goes on */
			tunnel->previous = before->previous;
			tunnel->previous_until_tsc = before->previous_until_tsc;
		}
		if (moves)
			destination_leave(table, id);
		if (kept) /* the destination may go before the tunnel does */
			__atomic_store_n(&binding_table_tunnel(table, old)->destination, 0,
				__ATOMIC_RELAXED);
		chain_replace(table, old, slot);
		__atomic_store_n(&table->tunnel_of[id], slot, __ATOMIC_RELEASE);
		if (moves)
			destination_enter(table, id, tunnel, made);
		if (!kept)
			tunnel_retire(table, old, released, context);
		return;
	}
	chain_insert(table, slot);
	__atomic_store_n(&table->tunnel_of[id], slot, __ATOMIC_RELEASE);
	destination_enter(table, id, tunnel, made);
	table->used++;
}

int binding_table_set(struct binding_table *table, const struct binding_change *change,
	binding_released released, void *context)
{
	uint32_t id = change->command->binding_id, old = table->tunnel_of[id];
	struct tunnel *before = old ? binding_table_tunnel(table, old) : NULL;
	bool made, other = before && (before->vrf != change->command->vrf ||
					     !ip_address_equal(&before->home_address,
						     &change->command->home_address));

	if (other && !(change->syncing && table->generation_of[id] != change->generation))
		return -EEXIST;
	if ((!before || other) && !chain_has_room(table, change->command))
		return -ENOSPC;
	uint32_t slot = slab_take(&table->tunnels);
	if (!slot)
		return -EAGAIN;
	struct tunnel *tunnel = binding_table_tunnel(table, slot);
	tunnel_fill(tunnel, change);
	if (before && !other && tunnel_equal(tunnel, before)) {
		slab_give(&table->tunnels, slot);
		__atomic_store_n(&before->expires_tsc, change->expires_tsc, __ATOMIC_RELAXED);
		table->generation_of[id] = change->generation;
		return 0;
	}
	if (other && table->orphan_count == table->limit) {
		slab_give(&table->tunnels, slot);
		return -ENOSPC;
	}
	if (other)
		binding_detach(table, id);
	if (!destination_prepare(table, tunnel, &made)) {
		slab_give(&table->tunnels, slot);
		return -EAGAIN;
	}
	table->generation_of[id] = change->generation;
	change->agent->users++;
	binding_swap(table, slot, change, made, released, context);
	broadcast_set(table, id, change->command->flags & BINDING_BROADCAST);
	if (change->syncing && (!before || other))
		chain_drop_stale(table, slot, change->generation, released, context);
	return 0;
}

bool binding_table_remove(
	struct binding_table *table, uint32_t binding_id, binding_released released, void *context)
{
	uint32_t slot = table->tunnel_of[binding_id];

	if (!slot)
		return false;
	destination_leave(table, binding_id);
	broadcast_set(table, binding_id, false);
	chain_replace(table, slot, TUNNEL_NONE);
	__atomic_store_n(&table->tunnel_of[binding_id], 0, __ATOMIC_RELEASE);
	table->used--;
	tunnel_retire(table, slot, released, context);
	return true;
}

void binding_table_sweep(
	struct binding_table *table, uint32_t generation, binding_released released, void *context)
{
	for (uint32_t id = 0; id < table->limit; id++)
		if (table->tunnel_of[id] && table->generation_of[id] != generation)
			binding_table_remove(table, id, released, context);
	while (table->orphan_count > 0)
		orphan_remove(table, table->orphans[table->orphan_count], released, context);
}

void binding_table_age(
	struct binding_table *table, uint64_t now_tsc, binding_released released, void *context)
{
	while (table->grace_head != table->grace_tail) {
		const struct grace *grace = &table->graces[table->grace_head & table->grace_mask];
		if (now_tsc < grace->until_tsc)
			return;
		tunnel_retire(table, grace->slot, released, context);
		table->grace_head++;
	}
}

void binding_table_restyle(struct binding_table *table, const struct agent *agent)
{
	for (uint32_t id = 0; id < table->limit; id++) {
		uint32_t slot = table->tunnel_of[id];
		if (slot && agent_of(table, binding_table_tunnel(table, slot)) == agent)
			tunnel_template_restyle(binding_table_tunnel(table, slot), agent);
	}
	for (uint32_t i = 1; i <= table->orphan_count; i++) {
		struct tunnel *tunnel = binding_table_tunnel(table, table->orphans[i]);
		if (agent_of(table, tunnel) == agent)
			tunnel_template_restyle(tunnel, agent);
	}
}
