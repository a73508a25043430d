#include "dataplane/table/sa_owner.h"

#include "dataplane/table/slab.h"

#include <errno.h>
#include <rte_rcu_qsbr.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS 2 /* one may have been under way */

static uint16_t word(uint32_t owner, uint32_t next)
{
	return (uint16_t)(owner | next << 8);
}

struct sa_owner *sa_owner_new(uint32_t slots, uint32_t workers, struct rte_rcu_qsbr *qsbr)
{
	struct sa_owner *owner = aligned_alloc(64, sizeof(*owner));

	if (!owner)
		return NULL;
	memset(owner, 0, sizeof(*owner));
	owner->slots = slots;
	owner->workers = workers;
	owner->qsbr = qsbr;
	atomic_store(&owner->arriving, SA_OWNER_NONE);
	for (unsigned d = 0; d < 2; d++) {
		owner->words[d] = slab_map(slots * sizeof(uint16_t));
		if (!owner->words[d]) {
			sa_owner_free(owner);
			errno = ENOMEM;
			return NULL;
		}
		for (uint32_t i = 0; i < slots; i++)
			atomic_store_explicit(&owner->words[d][i], word(i % workers, i % workers),
				memory_order_relaxed);
	}
	return owner;
}

void sa_owner_free(struct sa_owner *owner)
{
	if (!owner)
		return;
	for (unsigned d = 0; d < 2; d++)
		if (owner->words[d])
			slab_unmap((void *)owner->words[d], owner->slots * sizeof(uint16_t));
	free(owner);
}

static void put(struct sa_owner *owner, uint32_t who, uint32_t next)
{
	atomic_store_explicit(&owner->words[owner->direction][owner->slot], word(who, next),
		memory_order_release);
}

static uint64_t looks_of(const struct sa_owner *owner, uint32_t worker)
{
	/* Pairs with the worker's release after its last packet: what it wrote is seen by who sees
	 * the word of step 4. */
	return atomic_load_explicit(&owner->looks[worker].count, memory_order_acquire);
}

int sa_owner_move(struct sa_owner *owner, uint8_t direction, uint32_t slot, uint32_t worker)
{
	if (direction > 1 || slot >= owner->slots || worker >= owner->workers)
		return -EINVAL;
	sa_owner_step(owner);
	if (owner->phase != SA_OWNER_RESTS)
		return -EAGAIN;
	uint32_t now = sa_owner_of(owner, direction, slot);
	if (now == worker)
		return 0;
	owner->direction = direction;
	owner->slot = slot;
	/* Before the word: N must keep off its rings before anything comes to them. */
	atomic_store_explicit(&owner->arriving, worker, memory_order_seq_cst);
	put(owner, now, worker);
	owner->token = rte_rcu_qsbr_start(owner->qsbr);
	owner->phase = SA_OWNER_GRACE;
	return -EAGAIN;
}

void sa_owner_step(struct sa_owner *owner)
{
	uint32_t from, to;

	if (owner->phase == SA_OWNER_RESTS)
		return;
	from = sa_owner_of(owner, owner->direction, owner->slot);
	to = sa_owner_next(owner, owner->direction, owner->slot);
	if (owner->phase == SA_OWNER_GRACE) {
		if (rte_rcu_qsbr_check(owner->qsbr, owner->token, false) != 1)
			return;
		owner->looks_before = looks_of(owner, from);
		owner->phase = SA_OWNER_EMPTIES;
	}
	if (looks_of(owner, from) - owner->looks_before < LOOKS)
		return;
	put(owner, to, to);
	atomic_store_explicit(&owner->arriving, SA_OWNER_NONE, memory_order_release);
	owner->phase = SA_OWNER_RESTS;
}
