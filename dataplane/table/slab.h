/*
 * Memory of the tables: preallocated, never given back while the process lives, in 2 MiB pages
 * where the kernel has them (transparent huge pages, so that --no-huge has them too). Pages are
 * touched when they are first used.
 *
 * A slab is an array of equal objects with a stack of free indices. Index 0 is never handed out: it
 * means "none". What workers may still read is not given back but retired: it goes back to its slab
 * when a grace period that began after the retirement is over.
 *
 * Main lcore alone.
 */
#ifndef DATAPLANE_TABLE_SLAB_H
#define DATAPLANE_TABLE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_rcu_qsbr;

/* Zeroed pages or NULL. `size` octets are reserved, not touched. */
void *slab_map(size_t size);
/* The same in small pages: for what no worker reads, where a page that is half used is waste. */
void *slab_map_small(size_t size);
void slab_unmap(void *memory, size_t size);

struct slab {
	uint8_t *objects;
	uint32_t object_size;
	uint32_t capacity; /* objects, index 0 included */
	uint32_t fresh;    /* indices from here on were never used */
	uint32_t free_count;
	uint32_t *free;
	uint32_t taken;
	uint32_t secret; /* octets at the end of an object that are wiped when it is given back */
};

/* The object size rounded up to whole cache lines. */
static inline uint32_t slab_lines(uint32_t object_size)
{
	return (object_size + 63) & ~63u;
}

/* Room for `count` objects beside index 0. 0 or -ENOMEM. */
int slab_init(struct slab *slab, uint32_t object_size, uint32_t count);
void slab_fini(struct slab *slab);
/* The last `octets` of an object are keys from now on: wiped when it is given back, and all objects
 * are kept out of core dumps. */
void slab_keep_secret(struct slab *slab, uint32_t octets);
/* An index, contents undefined; 0 when all are taken. */
uint32_t slab_take(struct slab *slab);
/* Nobody reads the object any more. */
void slab_give(struct slab *slab, uint32_t index);

static inline void *slab_at(const struct slab *slab, uint32_t index)
{
	return slab->objects + (size_t)index * slab->object_size;
}

/* And back. */
static inline uint32_t slab_index(const struct slab *slab, const void *object)
{
	return (uint32_t)((size_t)((const uint8_t *)object - slab->objects) / slab->object_size);
}

struct retired {
	struct slab *slab;
	uint32_t index;
	bool stays; /* only its secret goes */
	uint64_t token;
};

/* First in, first out: what waits for the end of its grace period. */
struct retirement {
	struct rte_rcu_qsbr *qsbr;
	struct retired *items;
	uint64_t capacity; /* power of two, more than all objects of all slabs */
	uint64_t head, published, tail;
	uint64_t token; /* of the last grace period begun */
};

int retirement_init(struct retirement *retirement, struct rte_rcu_qsbr *qsbr, uint64_t objects);
void retirement_fini(struct retirement *retirement);
/* The object was just made unreachable for a worker's next burst. */
void retirement_add(struct retirement *retirement, struct slab *slab, uint32_t index);
/* The same of the object's secret alone: it is wiped when it would be given back. */
void retirement_add_secret(struct retirement *retirement, struct slab *slab, uint32_t index);
/* Begins a grace period for all that was added so far and returns its token. */
uint64_t retirement_publish(struct retirement *retirement);
/* Gives back what no worker can use any more; never waits. */
void retirement_collect(struct retirement *retirement);
/* Objects that wait. */
uint64_t retirement_count(const struct retirement *retirement);

#endif
