#include "dataplane/table/slot_table.h"

#include "dataplane/table/slab.h"

#include <errno.h>
#include <sys/random.h>

/* `most`: entries of a bucket that are in use on average when the table is full, or half as many;
 * buckets are a power of two. */
static int init(struct slot_table *table, uint32_t limit, uint32_t most)
{
	uint32_t buckets = 8;

	while ((uint64_t)buckets * most < limit)
		buckets *= 2;
	*table = (struct slot_table){.mask = buckets - 1, .limit = limit};
	if (getrandom(table->seed, sizeof(table->seed), 0) != (ssize_t)sizeof(table->seed))
		return -errno;
	table->buckets = slab_map((size_t)buckets * sizeof(*table->buckets));
	return table->buckets ? 0 : -ENOMEM;
}

/* Nearly every key is in its home bucket, where the lanes look alone. With four of seven entries it
 * is one in fifty that is not. */
int slot_table_init(struct slot_table *table, uint32_t limit)
{
	return init(table, limit, 3);
}

int slot_table_init_dense(struct slot_table *table, uint32_t limit)
{
	return init(table, limit, 5);
}

void slot_table_fini(struct slot_table *table)
{
	slab_unmap(table->buckets, ((size_t)table->mask + 1) * sizeof(*table->buckets));
	*table = (struct slot_table){0};
}

static struct slot_bucket *probe(struct slot_table *table, uint64_t hash, uint32_t step)
{
	return &table->buckets[((uint32_t)hash ^ step) & table->mask];
}

bool slot_table_insert(struct slot_table *table, uint64_t hash, uint32_t slot)
{
	if (table->used == table->limit)
		return false;
	/* The table has half as many entries again as its limit: the walk ends. */
	for (uint32_t step = 0;; step++) {
		struct slot_bucket *bucket = probe(table, hash, step);
		unsigned free = slot_bucket_match(bucket, 0);
		if (free) {
			unsigned i = (unsigned)__builtin_ctz(free);
			__atomic_store_n(&bucket->slot[i], slot, __ATOMIC_RELEASE);
			__atomic_store_n(&bucket->fingerprint[i], slot_table_fingerprint(hash),
				__ATOMIC_RELEASE); /* S1 */
			table->used++;
			return true;
		}
		__atomic_store_n(&bucket->overflow, bucket->overflow + 1, __ATOMIC_RELAXED);
	}
}

/* The bucket and entry of (hash, slot), how many steps from home. NULL when it is not there. */
static struct slot_bucket *entry_find(
	struct slot_table *table, uint64_t hash, uint32_t slot, unsigned *entry, uint32_t *steps)
{
	for (uint32_t step = 0; step <= table->mask; step++) {
		struct slot_bucket *bucket = probe(table, hash, step);
		unsigned bits = slot_bucket_match(bucket, slot_table_fingerprint(hash));
		for (; bits; bits &= bits - 1) {
			*entry = (unsigned)__builtin_ctz(bits);
			*steps = step;
			if (bucket->slot[*entry] == slot)
				return bucket;
		}
		if (bucket->overflow == 0)
			return NULL;
	}
	return NULL;
}

void slot_table_replace(
	struct slot_table *table, uint64_t hash, uint32_t old_slot, uint32_t new_slot)
{
	unsigned entry;
	uint32_t steps;
	struct slot_bucket *bucket = entry_find(table, hash, old_slot, &entry, &steps);

	if (bucket)
		__atomic_store_n(&bucket->slot[entry], new_slot, __ATOMIC_RELEASE);
}

void slot_table_remove(struct slot_table *table, uint64_t hash, uint32_t slot)
{
	unsigned entry;
	uint32_t steps;
	struct slot_bucket *bucket = entry_find(table, hash, slot, &entry, &steps);

	if (!bucket)
		return;
	__atomic_store_n(&bucket->fingerprint[entry], 0, __ATOMIC_RELEASE);
	for (uint32_t step = 0; step < steps; step++) {
		struct slot_bucket *passed = probe(table, hash, step);
		__atomic_store_n(&passed->overflow, passed->overflow - 1, __ATOMIC_RELAXED);
	}
	table->used--;
}
