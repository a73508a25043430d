#include "dataplane/table/policy_table.h"

#include "dataplane/table/policy_hits.h"
#include "dataplane/table/policy_host.h"

#include <errno.h>
#include <rte_branch_prediction.h>
#include <rte_prefetch.h>
#include <rte_rcu_qsbr.h>
#include <stdatomic.h>
#include <stdlib.h>

#define POLICY_GOES UINT32_MAX
#define VERSIONS    1024u /* power of two */
#define NEVER       UINT64_MAX
#define SPARE_MAX   65536u

struct policy_change {
	uint32_t slot;
	uint32_t reserved;
	uint64_t token;
};

static struct policy_entry *entry_at(const struct policy_table *table, uint32_t slot)
{
	return slab_at(&table->entries, slot);
}

static uint32_t ring_size(const struct policy_table *table)
{
	uint32_t size = 64;

	while (size < table->entries.capacity)
		size *= 2;
	return size;
}

int policy_table_init(struct policy_table *table, struct rte_rcu_qsbr *qsbr,
	struct retirement *retirement, uint32_t limit)
{
	uint32_t spare = limit < SPARE_MAX ? limit + 64 : SPARE_MAX;
	size_t ids = (size_t)limit * sizeof(uint32_t);
	int error;

	*table = (struct policy_table){.qsbr = qsbr, .retirement = retirement, .limit = limit};
	error = slab_init(&table->entries, sizeof(struct policy_entry), limit + spare);
	if (!error)
		error = slot_table_init(&table->hosts, limit + spare);
	table->live = slab_map(ids + 1);
	table->staged = slab_map(ids + 1);
	table->generation = slab_map(ids + 1);
	table->changed = slab_map(ids + 1);
	table->versions = calloc(VERSIONS, sizeof(*table->versions));
	if (!error)
		table->dying = slab_map(ring_size(table) * sizeof(*table->dying));
	if (error || !table->live || !table->staged || !table->generation || !table->changed ||
		!table->versions || !table->dying) {
		policy_table_fini(table);
		return -ENOMEM;
	}
	table->current = &table->versions[0];
	table->version_next = 1;
	return 0;
}

/* Versions share what they have in common. */
static void general_release(const struct policy_table *table, uint64_t version)
{
	struct policy_general *general = table->versions[version % VERSIONS].general;

	if (version + 1 == table->version_next ||
		table->versions[(version + 1) % VERSIONS].general != general)
		policy_general_free(general);
}

void policy_table_fini(struct policy_table *table)
{
	size_t ids = (size_t)table->limit * sizeof(uint32_t);

	for (; table->versions && table->version_first < table->version_next;
		table->version_first++)
		general_release(table, table->version_first);
	slab_unmap(table->dying, table->dying ? ring_size(table) * sizeof(*table->dying) : 0);
	slab_fini(&table->entries);
	slot_table_fini(&table->hosts);
	slab_unmap(table->live, ids + 1);
	slab_unmap(table->staged, ids + 1);
	slab_unmap(table->generation, ids + 1);
	slab_unmap(table->changed, ids + 1);
	free(table->versions);
	*table = (struct policy_table){0};
}

uint32_t policy_table_objects(const struct policy_table *table)
{
	return table->entries.capacity;
}

/* ---- chains of host policies ---- */

struct host_key {
	const struct ip_address *remote;
	uint16_t vrf;
	uint8_t direction;
};

static bool host_match(const void *key, const void *objects, uint32_t slot)
{
	const struct host_key *wanted = key;
	const struct policy_entry *e = slab_at(objects, slot);

	return ip_address_equal(&e->remote_first, wanted->remote) && e->vrf == wanted->vrf &&
	       e->direction == wanted->direction;
}

static uint64_t host_hash(const struct policy_table *table, const struct host_key *key)
{
	return policy_host_hash_of(table, key->remote, key->vrf, key->direction);
}

static uint32_t next_of(const struct policy_entry *e)
{
	return atomic_load_explicit(&e->next, memory_order_acquire);
}

static bool host_link(struct policy_table *table, uint32_t slot)
{
	struct policy_entry *e = entry_at(table, slot), *previous = NULL;
	struct host_key key = {&e->remote_first, e->vrf, e->direction};
	uint64_t hash = host_hash(table, &key);
	uint32_t head = slot_table_find(&table->hosts, hash, host_match, &key, &table->entries);
	uint32_t at = head;

	for (; at != 0 && !policy_entry_before(e, entry_at(table, at)); at = next_of(previous))
		previous = entry_at(table, at);
	atomic_store_explicit(&e->next, at, memory_order_relaxed);
	if (previous != NULL) {
		atomic_store_explicit(&previous->next, slot, memory_order_release);
		return true;
	}
	if (head == 0)
		return slot_table_insert(&table->hosts, hash, slot);
	slot_table_replace(&table->hosts, hash, head, slot);
	return true;
}

static void host_unlink(struct policy_table *table, uint32_t slot)
{
	struct policy_entry *e = entry_at(table, slot), *previous = NULL;
	struct host_key key = {&e->remote_first, e->vrf, e->direction};
	uint64_t hash = host_hash(table, &key);
	uint32_t head = slot_table_find(&table->hosts, hash, host_match, &key, &table->entries);

	for (uint32_t at = head; at != 0 && at != slot; at = next_of(previous))
		previous = entry_at(table, at);
	if (previous != NULL)
		atomic_store_explicit(&previous->next, next_of(e), memory_order_release);
	else if (next_of(e) != 0)
		slot_table_replace(&table->hosts, hash, slot, next_of(e));
	else
		slot_table_remove(&table->hosts, hash, slot);
}

/* ---- staging ---- */

static bool range_valid(const struct ip_address *first, const struct ip_address *last)
{
	return ip_address_is_v4(first) == ip_address_is_v4(last) &&
	       memcmp(first->bytes, last->bytes, 16) <= 0;
}

static bool port_is_any(uint16_t first, uint16_t last)
{
	return first == 0 && last == UINT16_MAX;
}

static bool port_valid(uint8_t protocol, uint16_t first, uint16_t last)
{
	if (first > last)
		return first == UINT16_MAX && last == 0; /* OPAQUE */
	return protocol != 0 || port_is_any(first, last);
}

int policy_table_check(const struct policy_command *command)
{
	const struct selector *s = &command->selector;

	if (command->vrf >= POLICY_VRFS || command->direction > SA_OUTBOUND ||
		command->action > POLICY_PROTECT)
		return EINVAL;
	if (!range_valid(&s->local_first, &s->local_last) ||
		!range_valid(&s->remote_first, &s->remote_last) ||
		ip_address_is_v4(&s->local_first) != ip_address_is_v4(&s->remote_first))
		return EINVAL;
	if (!port_valid(s->protocol, s->local_port_first, s->local_port_last) ||
		!port_valid(s->protocol, s->remote_port_first, s->remote_port_last))
		return EINVAL;
	return 0;
}

static void entry_fill(struct policy_entry *e, const struct policy_command *c)
{
	const struct selector *s = &c->selector;

	*e = (struct policy_entry){.remote_first = s->remote_first,
		.remote_last = s->remote_last,
		.local_first = s->local_first,
		.local_last = s->local_last,
		.local_port_first = s->local_port_first,
		.local_port_last = s->local_port_last,
		.remote_port_first = s->remote_port_first,
		.remote_port_last = s->remote_port_last,
		.policy_id = c->policy_id,
		.order = c->order,
		.sa_id = c->sa_id,
		.flags = (uint8_t)c->flags,
		.reqid = c->reqid,
		.vrf = (uint8_t)c->vrf,
		.direction = c->direction,
		.action = c->action,
		.protocol = s->protocol,
		.host = ip_address_equal(&s->remote_first, &s->remote_last),
		.local_only = s->protocol == 0 && !(c->flags & POLICY_MIP_SIGNALLING) &&
			      port_is_any(s->local_port_first, s->local_port_last) &&
			      port_is_any(s->remote_port_first, s->remote_port_last)};
	e->any = e->local_only && ip_address_range_is_all(&s->local_first, &s->local_last);
	atomic_store_explicit(&e->born, NEVER, memory_order_relaxed);
	atomic_store_explicit(&e->died, NEVER, memory_order_relaxed);
}

static bool entry_says(const struct policy_entry *e, const struct policy_command *c)
{
	struct selector s = policy_entry_selector(e), wanted = c->selector;

	memset(wanted.reserved, 0, sizeof(wanted.reserved));
	return memcmp(&s, &wanted, sizeof(s)) == 0 && e->order == c->order &&
	       e->sa_id == c->sa_id && e->flags == c->flags && e->reqid == c->reqid &&
	       e->vrf == c->vrf && e->direction == c->direction && e->action == c->action;
}

/* The entry is in no version or will be in none after the last one published. */
static void entry_dies(struct policy_table *table, uint32_t slot)
{
	uint32_t mask = ring_size(table) - 1;

	table->dying[table->dying_next++ & mask] = (struct policy_change){.slot = slot};
}

static void stage(struct policy_table *table, uint32_t id, uint32_t what)
{
	uint32_t before = table->staged[id];

	if (before == 0)
		table->changed[table->changed_count++] = id;
	else if (before != POLICY_GOES)
		entry_dies(table, before);
	table->staged[id] = what;
}

int policy_table_set(
	struct policy_table *table, const struct policy_command *command, uint32_t generation)
{
	uint32_t id = command->policy_id, slot;

	if (id >= table->limit)
		return -EINVAL;
	table->generation[id] = generation;
	if (table->staged[id] == 0 && table->live[id] != 0 &&
		entry_says(entry_at(table, table->live[id]), command))
		return 0;
	slot = slab_take(&table->entries);
	if (slot == 0)
		return table->dying_first != table->dying_next ||
				       retirement_count(table->retirement) > 0
			       ? -EAGAIN
			       : -ENOSPC;
	entry_fill(entry_at(table, slot), command);
	if (entry_at(table, slot)->host && !host_link(table, slot)) {
		slab_give(&table->entries, slot);
		return -EAGAIN;
	}
	stage(table, id, slot);
	return 0;
}

int policy_table_remove(struct policy_table *table, uint32_t policy_id)
{
	if (policy_id >= table->limit)
		return -EINVAL;
	if (table->live[policy_id] != 0 || table->staged[policy_id] != 0)
		stage(table, policy_id, POLICY_GOES);
	return 0;
}

/* ---- commit ---- */

/* The entry that policy `id` will have after the commit, NULL none. */
static struct policy_entry *entry_after(const struct policy_table *table, uint32_t id)
{
	uint32_t slot = table->staged[id] != 0 ? table->staged[id] : table->live[id];

	return slot != 0 && slot != POLICY_GOES ? entry_at(table, slot) : NULL;
}

/* All general policies as they will be, and what each host policy has to ask of them; NULL and 0
 * when there is none. */
static int general_new(const struct policy_table *table, struct policy_general **out)
{
	struct policy_general *general = policy_general_new(table->entries.capacity);
	int error = general == NULL ? -ENOMEM : 0;
	uint32_t total = 0;

	*out = NULL;
	for (uint32_t id = 0; id < table->limit && !error; id++) {
		const struct policy_entry *e = entry_after(table, id);
		if (e != NULL && !e->host) {
			error = policy_general_add(general, e);
			total++;
		}
	}
	if (!error)
		error = policy_general_build(general);
	if (error || total == 0) {
		policy_general_free(general);
		return error;
	}
	for (uint32_t id = 0; id < table->limit; id++) {
		struct policy_entry *e = entry_after(table, id);
		if (e != NULL && e->host)
			policy_general_hint(general, policy_entry_slot(table, e), e);
	}
	*out = general;
	return 0;
}

static bool general_changes(const struct policy_table *table)
{
	for (uint32_t i = 0; i < table->changed_count; i++) {
		uint32_t id = table->changed[i];
		const struct policy_entry *after = entry_after(table, id);
		if ((after != NULL && !after->host) ||
			(table->live[id] != 0 && !entry_at(table, table->live[id])->host))
			return true;
	}
	return false;
}

/* Births and deaths of the version `number`, not visible yet. */
static void changes_apply(
	struct policy_table *table, uint64_t number, struct policy_general *general)
{
	for (uint32_t i = 0; i < table->changed_count; i++) {
		uint32_t id = table->changed[i], dead = table->live[id];
		struct policy_entry *after = entry_after(table, id);

		if (dead != 0) {
			atomic_store_explicit(
				&entry_at(table, dead)->died, number, memory_order_relaxed);
			entry_dies(table, dead);
			table->vrf_used[entry_at(table, dead)->vrf]--;
			table->nested_used -= !!(entry_at(table, dead)->flags & POLICY_NESTED);
		}
		if (after != NULL) {
			table->vrf_used[after->vrf]++;
			table->nested_used += !!(after->flags & POLICY_NESTED);
			atomic_store_explicit(&after->born, number, memory_order_relaxed);
			policy_hits_take(table, after);
			if (general != NULL && after->host)
				policy_general_hint(
					general, policy_entry_slot(table, after), after);
		}
		table->used += (after != NULL) - (dead != 0);
		table->live[id] = after != NULL ? table->staged[id] : 0;
		table->staged[id] = 0;
	}
	table->changed_count = 0;
}

static uint32_t vrfs_used(const struct policy_table *table)
{
	uint32_t vrfs = 0;

	for (unsigned i = 0; i < POLICY_VRFS; i++)
		vrfs |= (uint32_t)(table->vrf_used[i] > 0) << i;
	return vrfs;
}

int policy_table_commit(struct policy_table *table)
{
	struct policy_version *old = table->current, *new;
	struct policy_general *general = old->general;
	int error;

	if (table->changed_count == 0)
		return 0;
	policy_table_collect(table);
	if (table->version_next - table->version_first == VERSIONS)
		return -EAGAIN;
	if (general_changes(table)) {
		error = general_new(table, &general);
		if (error)
			return error;
	}
	new = &table->versions[table->version_next++ % VERSIONS];
	*new = (struct policy_version){.number = ++table->number, .general = general};
	uint64_t dying_from = table->dying_next;
	changes_apply(table, new->number, general);
	new->vrfs = vrfs_used(table);
	new->nested = table->nested_used > 0;
	__atomic_store_n(&table->current, new, __ATOMIC_RELEASE); /* V1 */
	old->token = rte_rcu_qsbr_start(table->qsbr);
	for (uint64_t i = dying_from; i < table->dying_next; i++)
		table->dying[i & (ring_size(table) - 1)].token = old->token;
	return 0;
}

int policy_table_sweep(struct policy_table *table, uint32_t generation)
{
	for (uint32_t id = 0; id < table->limit; id++)
		if (table->live[id] != 0 && table->staged[id] == 0 &&
			table->generation[id] != generation)
			stage(table, id, POLICY_GOES);
	return policy_table_commit(table);
}

void policy_table_collect(struct policy_table *table)
{
	uint32_t mask = ring_size(table) - 1;

	while (table->dying_first != table->dying_next) {
		const struct policy_change *dead = &table->dying[table->dying_first & mask];
		if (dead->token > 0 && rte_rcu_qsbr_check(table->qsbr, dead->token, false) != 1)
			break;
		if (entry_at(table, dead->slot)->host)
			host_unlink(table, dead->slot);
		policy_hits_give(table, entry_at(table, dead->slot));
		retirement_add(table->retirement, &table->entries, dead->slot);
		table->dying_first++;
	}
	while (table->version_first + 1 < table->version_next) {
		uint64_t token = table->versions[table->version_first % VERSIONS].token;
		if (rte_rcu_qsbr_check(table->qsbr, token, false) != 1)
			break;
		general_release(table, table->version_first++);
	}
}

/* ---- workers ---- */

/* The head of a key's chain, probably, is fetched for the whole burst before the first is read. */
static uint32_t head_prefetch(
	const struct policy_table *table, const struct policy_version *version, uint64_t hash)
{
	const struct slot_bucket *bucket = slot_table_home(&table->hosts, hash);
	unsigned bits = slot_bucket_match(bucket, slot_table_fingerprint(hash));
	uint32_t slot = 0;

	if (bits != 0) {
		slot = slot_bucket_slot(bucket, (unsigned)__builtin_ctz(bits));
		const struct policy_entry *e = entry_at(table, slot);
		rte_prefetch0(e);
		if (version->general != NULL)
			rte_prefetch0(&e->local_first);
		if (version->general != NULL)
			policy_general_prefetch(version->general, slot);
	}
	return slot;
}

bool policy_table_vrf_used(const struct policy_table *table, uint16_t vrf)
{
	return policy_version_read(table)->vrfs >> vrf & 1;
}

bool policy_table_nested(const struct policy_table *table)
{
	return policy_version_read(table)->nested;
}

static void lookup(const struct policy_table *table, const struct policy_version *version,
	const struct policy_key *key, uint32_t slot, struct policy_verdict *verdict)
{
	const struct policy_entry *host = NULL, *first;

	for (; slot != 0 && host == NULL; slot = next_of(entry_at(table, slot))) {
		const struct policy_entry *e = entry_at(table, slot);
		if (policy_entry_visible(e, version->number) && policy_entry_match(e, key))
			host = e;
	}
	first = host;
	if (version->general != NULL) {
		const struct policy_entry *e = policy_general_match(version->general, key,
			host != NULL ? policy_entry_slot(table, host) : 0, host);
		first = e != NULL ? e : host;
	}
	if (first == NULL)
		*verdict = (struct policy_verdict){
			.policy_id = POLICY_NONE, .sa_id = SA_NONE, .action = POLICY_DISCARD};
	else
		*verdict = (struct policy_verdict){.policy_id = first->policy_id,
			.sa_id = first->sa_id,
			.order = first->order,
			.flags = first->flags,
			.action = first->action};
}

void policy_table_lookup_burst(const struct policy_table *table, const struct policy_key *keys,
	unsigned count, struct policy_verdict *verdicts)
{
	const struct policy_version *version = policy_version_read(table);
	uint64_t hashes[LOOKUP_BURST];
	uint32_t slots[LOOKUP_BURST];

	for (unsigned i = 0; i < count; i++) {
		struct host_key key = {&keys[i].remote, keys[i].vrf, keys[i].direction};
		hashes[i] = host_hash(table, &key);
		rte_prefetch0(slot_table_home(&table->hosts, hashes[i]));
	}
	for (unsigned i = 0; i < count; i++)
		slots[i] = head_prefetch(table, version, hashes[i]);
	for (unsigned i = 0; i < count; i++) {
		struct host_key key = {&keys[i].remote, keys[i].vrf, keys[i].direction};
		if (!(version->vrfs >> keys[i].vrf & 1) ||
			(slots[i] != 0 && host_match(&key, &table->entries, slots[i])))
			continue;
		slots[i] = slot_table_find(
			&table->hosts, hashes[i], host_match, &key, &table->entries);
	}
	for (unsigned i = 0; i < count; i++) {
		if (version->vrfs >> keys[i].vrf & 1)
			lookup(table, version, &keys[i], slots[i], &verdicts[i]);
		else
			verdicts[i] = (struct policy_verdict){.policy_id = POLICY_NONE,
				.sa_id = SA_NONE,
				.action = POLICY_BYPASS};
	}
}
