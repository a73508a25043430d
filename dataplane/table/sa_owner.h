/*
 * Which worker an SA belongs to, where SAs are owned (dataplane.sa_sharing = "owned", MP-04):
 * numbers, window and counters of an SA are then touched by its owner alone, without atomic
 * read-modify-writes, and packets that come in elsewhere are handed over (dataplane/handover.h).
 * At first slot n belongs to worker n modulo workers, in both directions; an operator may move it.
 *
 * A word for each slot and direction holds two workers: `owner`, who works on the SA, and `next`,
 * who packets are handed to. They differ while the SA moves (MP-05). The state itself lies still
 * in the region; what has to be right is the order of who looks at it:
 *
 *   1. next = N.        Whoever has a packet of the SA hands it to N, the owner too; N looks at
 *                       none of its rings yet. Packets already on their way to the owner are its
 *                       to finish.
 *   2. a grace period   now nobody hands to the owner any more, and it has finished all that came
 *                       to it directly.
 *   3. two whole looks of the owner at its rings, so all that was handed to it before is done.
 *   4. owner = N        (release; N reads it with acquire). N opens its rings, those of packets
 *                       that it had received itself first: order is what it was.
 *
 * One SA moves at a time. Threads: the main lcore writes words and steps the move; workers read,
 * and each writes its own `looks`.
 */
#ifndef DATAPLANE_TABLE_SA_OWNER_H
#define DATAPLANE_TABLE_SA_OWNER_H

#include "lib/ipc/region.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rte_rcu_qsbr;

#define SA_OWNER_NONE UINT32_MAX

enum sa_owner_phase { SA_OWNER_RESTS, SA_OWNER_GRACE, SA_OWNER_EMPTIES };

struct sa_owner_looks {
	_Alignas(64) _Atomic uint64_t count; /* of whole looks at all rings while an SA moved */
};

struct sa_owner {
	_Atomic uint16_t *words[2]; /* [slots], by enum sa_direction: owner, next << 8 */
	uint32_t slots, workers;
	_Atomic uint32_t arriving; /* the worker that an SA moves to, SA_OWNER_NONE */
	struct sa_owner_looks looks[REGION_WORKERS_MAX];
	/* main lcore */
	struct rte_rcu_qsbr *qsbr;
	enum sa_owner_phase phase;
	uint8_t direction;
	uint32_t slot;
	uint64_t token, looks_before;
};

/* NULL with errno. */
struct sa_owner *sa_owner_new(uint32_t slots, uint32_t workers, struct rte_rcu_qsbr *qsbr);
void sa_owner_free(struct sa_owner *owner);

/*
 * Moves an SA: 0 when it is there; -EAGAIN while it or another one is on its way (say it again),
 * -EINVAL no such slot or worker. Main lcore; never waits.
 */
int sa_owner_move(struct sa_owner *owner, uint8_t direction, uint32_t slot, uint32_t worker);
/* Takes the move that is under way as far as the workers let it. Main lcore, at every turn. */
void sa_owner_step(struct sa_owner *owner);

/* Who works on it now. Worker. */
static inline uint32_t sa_owner_of(const struct sa_owner *owner, uint8_t direction, uint32_t slot)
{
	return atomic_load_explicit(&owner->words[direction][slot], memory_order_acquire) & 0xff;
}
/* Who gets what arrives for it now. Worker. */
static inline uint32_t sa_owner_next(const struct sa_owner *owner, uint8_t direction, uint32_t slot)
{
	return atomic_load_explicit(&owner->words[direction][slot], memory_order_relaxed) >> 8;
}
/* It is on its way to nobody; *worker: whose it is. Worker. */
static inline bool sa_owner_rests(
	const struct sa_owner *owner, uint8_t direction, uint32_t slot, unsigned *worker)
{
	uint16_t word = atomic_load_explicit(&owner->words[direction][slot], memory_order_relaxed);

	*worker = word & 0xff;
	return word >> 8 == *worker;
}
/* It is this worker's, and on its way to nobody. Worker. */
static inline bool sa_owner_is(
	const struct sa_owner *owner, uint8_t direction, uint32_t slot, uint32_t worker)
{
	return atomic_load_explicit(&owner->words[direction][slot], memory_order_acquire) ==
	       (worker | worker << 8);
}

#endif
