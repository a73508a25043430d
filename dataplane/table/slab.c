#include "dataplane/table/slab.h"

#include "lib/base/secret.h"

#include <errno.h>
#include <rte_rcu_qsbr.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static size_t page_round(size_t size)
{
	return (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

static size_t map_round(size_t size)
{
	return (size + 4095) & ~(size_t)4095;
}

void *slab_map_small(size_t size)
{
	void *memory = mmap(NULL, map_round(size), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory != MAP_FAILED ? memory : NULL;
}

/*
 * In huge pages, but for the part that does not fill one: a random entry costs a miss of the TLB
 * less, and no memory is wasted. A test's small tables have none.
 */
void *slab_map(size_t size)
{
	size_t wanted = map_round(size);
	size_t reserved = wanted + (wanted >= HUGE_PAGE ? HUGE_PAGE : 0);
	uint8_t *memory = slab_map_small(reserved);

	if (memory == NULL || wanted < HUGE_PAGE)
		return memory;

	/* Cut an aligned piece out, so that huge pages fit it. */
	uint8_t *aligned = (uint8_t *)page_round((size_t)memory);
	size_t before = (size_t)(aligned - memory);
	if (before > 0)
		munmap(memory, before);
	if (reserved - before > wanted)
		munmap(aligned + wanted, reserved - before - wanted);
	/* refusal only costs speed */
	madvise(aligned, wanted & ~(HUGE_PAGE - 1), MADV_HUGEPAGE);
	return aligned;
}

void slab_unmap(void *memory, size_t size)
{
	if (memory)
		munmap(memory, map_round(size));
}

int slab_init(struct slab *slab, uint32_t object_size, uint32_t count)
{
	*slab = (struct slab){.object_size = object_size, .capacity = count + 1, .fresh = 1};
	slab->objects = slab_map((size_t)slab->capacity * object_size);
	slab->free = slab_map((size_t)slab->capacity * sizeof(*slab->free));
	if (slab->objects && slab->free)
		return 0;
	slab_fini(slab);
	return -ENOMEM;
}

static void wipe(const struct slab *slab, uint32_t index)
{
	uint8_t *end = (uint8_t *)slab_at(slab, index) + slab->object_size;

	if (slab->secret != 0)
		secret_wipe(end - slab->secret, slab->secret);
}

void slab_fini(struct slab *slab)
{
	if (slab->objects)
		for (uint32_t i = 1; slab->secret != 0 && i < slab->fresh; i++)
			wipe(slab, i);
	slab_unmap(slab->objects, (size_t)slab->capacity * slab->object_size);
	slab_unmap(slab->free, (size_t)slab->capacity * sizeof(*slab->free));
	*slab = (struct slab){0};
}

void slab_keep_secret(struct slab *slab, uint32_t octets)
{
	slab->secret = octets;
	madvise(slab->objects, map_round((size_t)slab->capacity * slab->object_size),
		MADV_DONTDUMP);
}

uint32_t slab_take(struct slab *slab)
{
	uint32_t index = 0;

	if (slab->free_count > 0)
		index = slab->free[--slab->free_count]; /* last given back: still warm */
	else if (slab->fresh < slab->capacity)
		index = slab->fresh++;
	slab->taken += index != 0;
	return index;
}

void slab_give(struct slab *slab, uint32_t index)
{
	wipe(slab, index);
	slab->free[slab->free_count++] = index;
	slab->taken--;
}

int retirement_init(struct retirement *retirement, struct rte_rcu_qsbr *qsbr, uint64_t objects)
{
	uint64_t capacity = 1024;

	while (capacity <= objects)
		capacity *= 2;
	*retirement = (struct retirement){.qsbr = qsbr, .capacity = capacity};
	retirement->items = slab_map(capacity * sizeof(*retirement->items));
	return retirement->items ? 0 : -ENOMEM;
}

void retirement_fini(struct retirement *retirement)
{
	slab_unmap(retirement->items, retirement->capacity * sizeof(*retirement->items));
	*retirement = (struct retirement){0};
}

static void add(struct retirement *retirement, struct retired item)
{
	retirement->items[retirement->tail++ & (retirement->capacity - 1)] = item;
}

void retirement_add(struct retirement *retirement, struct slab *slab, uint32_t index)
{
	add(retirement, (struct retired){.slab = slab, .index = index});
}

void retirement_add_secret(struct retirement *retirement, struct slab *slab, uint32_t index)
{
	add(retirement, (struct retired){.slab = slab, .index = index, .stays = true});
}

uint64_t retirement_publish(struct retirement *retirement)
{
	retirement->token = rte_rcu_qsbr_start(retirement->qsbr);
	for (; retirement->published != retirement->tail; retirement->published++)
		retirement->items[retirement->published & (retirement->capacity - 1)].token =
			retirement->token;
	return retirement->token;
}

void retirement_collect(struct retirement *retirement)
{
	uint64_t passed = 0;

	while (retirement->head != retirement->published) {
		struct retired *item =
			&retirement->items[retirement->head & (retirement->capacity - 1)];
		if (item->token > passed) {
			if (rte_rcu_qsbr_check(retirement->qsbr, item->token, false) != 1)
				return;
			passed = item->token;
		}
		if (item->stays)
			wipe(item->slab, item->index);
		else
			slab_give(item->slab, item->index);
		retirement->head++;
	}
}

uint64_t retirement_count(const struct retirement *retirement)
{
	return retirement->tail - retirement->head;
}
