/*
 * The outbound policy of one IPv4 address, as a lane asks for it: in passes over a burst, each of
 * which fetches what the next one reads.
 *
 *   policy_host_hash      the address' hash      fetches the bucket
 *   policy_host_entry     bucket to entry        fetches it
 *   policy_host_decides   does it decide about a packet?
 *
 * It decides when it is the first one of its address, asks for nothing but perhaps the local
 * address, and no general policy comes before it. When it does not, nothing is known:
 * policy_table_lookup_burst has to be asked. Worker, between two quiescent points.
 */
#ifndef DATAPLANE_TABLE_POLICY_HOST_H
#define DATAPLANE_TABLE_POLICY_HOST_H

#include "dataplane/table/policy_entry.h"
#include "dataplane/table/policy_general.h"
#include "dataplane/table/policy_table.h"

#include <rte_prefetch.h>

struct policy_version {
	uint64_t number;
	struct policy_general
		*general; /* NULL: there is none; neighbours in the ring may share it */
	uint32_t vrfs;    /* bit of each vrf that has policies */
	bool nested;      /* there is one of POLICY_NESTED */
	uint64_t token;   /* main lcore: no worker reads it after this */
};

static inline const struct policy_version *policy_version_read(const struct policy_table *table)
{
	return __atomic_load_n(&table->current, __ATOMIC_ACQUIRE); /* pairs with V1 */
}

static inline bool policy_entry_visible(const struct policy_entry *e, uint64_t number)
{
	return atomic_load_explicit(&e->born, memory_order_relaxed) <= number &&
	       number < atomic_load_explicit(&e->died, memory_order_relaxed);
}

static inline uint64_t policy_host_salt(uint16_t vrf, uint8_t direction)
{
	return (uint64_t)vrf << 1 | direction;
}

static inline uint64_t policy_host_hash_of(const struct policy_table *table,
	const struct ip_address *remote, uint16_t vrf, uint8_t direction)
{
	return slot_table_hash(&table->hosts, remote, policy_host_salt(vrf, direction));
}

struct policy_hosts { /* one version for a whole burst */
	const struct policy_table *table;
	uint64_t number;
	uint64_t seed;  /* slot_table_seed: the first half of a mapped address is 0 */
	uint32_t clear; /* what entry->clear has to be; 0: whatever */
	uint16_t vrf;
};

static inline struct policy_hosts policy_hosts_begin(const struct policy_table *table, uint16_t vrf)
{
	const struct policy_version *version = policy_version_read(table);

	return (struct policy_hosts){.table = table,
		.number = version->number,
		.seed = slot_table_seed(&table->hosts, policy_host_salt(vrf, SA_OUTBOUND)),
		.clear = version->general != NULL ? policy_general_number(version->general) : 0,
		.vrf = vrf};
}

static inline uint64_t policy_host_hash(const struct policy_hosts *hosts, be32 remote)
{
	struct ip_address address = ip_address_from_v4(remote);
	uint64_t low, hash;

	memcpy(&low, address.bytes + 8, sizeof(low));
	hash = slot_table_mix(hosts->seed, low ^ hosts->table->hosts.seed[1]);
	rte_prefetch0(slot_table_home(&hosts->table->hosts, hash));
	return hash;
}

/* The only candidate, or NULL. */
static inline struct policy_entry *policy_host_entry(
	const struct policy_hosts *hosts, uint64_t hash)
{
	const struct slot_bucket *bucket = slot_table_home(&hosts->table->hosts, hash);
	unsigned bits = slot_bucket_match(bucket, slot_table_fingerprint(hash));
	struct policy_entry *e;

	if (bits == 0)
		return NULL;
	e = slab_at(
		&hosts->table->entries, slot_bucket_slot(bucket, (unsigned)__builtin_ctz(bits)));
	rte_prefetch0(e);
	return e;
}

static inline bool policy_host_decides(
	const struct policy_hosts *hosts, const struct policy_entry *e, be32 local, be32 remote)
{
	struct ip_address to = ip_address_from_v4(remote), from;

	if (!ip_address_equal(&e->remote_first, &to) || e->vrf != hosts->vrf ||
		e->direction != SA_OUTBOUND || !policy_entry_visible(e, hosts->number))
		return false;
	if (hosts->clear != 0 &&
		atomic_load_explicit(&e->clear, memory_order_relaxed) != hosts->clear)
		return false;
	from = ip_address_from_v4(local);
	return e->any ||
	       (e->local_only &&
		       policy_address_number(&from) >= policy_address_number(&e->local_first) &&
		       policy_address_number(&from) <= policy_address_number(&e->local_last));
}

#endif
