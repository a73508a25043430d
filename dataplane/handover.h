/*
 * Packets of an SA that another worker owns (dataplane/table/sa_owner.h, MP-04) go to it through a
 * ring for each pair of workers with one producer and one consumer, in bursts, without a lock, in
 * one of two ways:
 *
 *   frames    as they were received, by a lane that knows the SA before it has touched anything of
 *             it: from the SPI, or from the policy. The owner runs them as if it had received them
 *             on that port itself, lanes and all. So the giver pays for a look at the frame, and no
 *             line of the SA leaves the owner's cache.
 *   packets   what no lane takes, as it stands before step DECAP_ESP or ENCAP_ESP, metadata and
 *             all. The same while the SA is on its way to another worker.
 *
 * Both take the same ring, so all that a worker receives of a flow stays in order. A ring that is
 * full costs the packet (ipsec_handover_full).
 *
 * The giver counts handed_over, the taker taken_over; both are terms of the conservation sum, so
 * what lies in a ring is in flight. The ring to oneself is for what arrives while an SA is on its
 * way here, and it is emptied before anything else is.
 *
 * Only where SAs are owned: worker->handover is NULL else. All on the worker's own lcore.
 */
#ifndef DATAPLANE_HANDOVER_H
#define DATAPLANE_HANDOVER_H

#include "dataplane/packet.h"
#include "dataplane/table/sa_owner.h"

#include "lib/ipc/command.h"

#include <rte_ring.h>

#define HANDOVER_SLOTS 1024

struct handover_batch { /* for one worker, until the end of the burst */
	unsigned count;
	void *entries[BURST_SIZE]; /* handover.c has what they are */
};

struct handover {
	struct sa_owner *owner;
	unsigned workers, self;
	uint32_t waiting; /* bit of each batch that is not empty */
	struct rte_ring *in[REGION_WORKERS_MAX], *out[REGION_WORKERS_MAX]; /* [workers] */
	struct handover_batch batches[REGION_WORKERS_MAX];
};

/* Gives each of the workers its rings to all of them and sets worker->handover. 0 or -errno; what
 * was made is freed by handover_close. Before they run. */
int handover_open(struct worker *const *workers, unsigned count, struct sa_owner *owner);
/* Frees the rings that lead to the worker, which are empty. */
void handover_close(struct worker *worker);

/*
 * Takes a packet that is somebody else's: true, and the packet is gone. False: it is for this
 * worker to go on with. `sa_id`: of the SA that it is about to go through.
 */
bool handover_take(struct worker *worker, struct rte_mbuf *packet, enum sa_direction direction,
	uint32_t sa_id);
/* Gives a frame that nobody changed yet, received on this port, to worker `to`, which owns the SA
 * (handover_is_elsewhere); frames of a flow before those that handover_take takes. */
void handover_frame(struct worker *worker, struct rte_mbuf *frame, const struct port *from,
	enum sa_direction direction, unsigned to);
/* What was taken goes into the rings; at the end of a burst. */
void handover_flush(struct worker *worker);
/* A turn's share of what others handed over, run to its end. How many packets that was. */
unsigned handover_poll(struct worker *worker);

/* May a lane go on with what it just received for the SA? */
static inline bool handover_is_here(
	const struct worker *worker, enum sa_direction direction, uint32_t sa_id)
{
	const struct handover *handover = worker->handover;

	return likely(handover == NULL) ||
	       (sa_owner_is(handover->owner, (uint8_t)direction, sa_id, handover->self) &&
		       rte_ring_empty(handover->in[handover->self]));
}

/* Whoever fetches a line of an SA takes a copy of what its owner is about to write. Any sa_id. */
static inline bool handover_may_fetch(
	const struct worker *worker, enum sa_direction direction, uint32_t sa_id)
{
	const struct handover *handover = worker->handover;

	return likely(handover == NULL) ||
	       (sa_id < handover->owner->slots &&
		       sa_owner_is(handover->owner, (uint8_t)direction, sa_id, handover->self));
}

/* Does the SA rest at another worker? False also while it is on its way. */
static inline bool handover_is_elsewhere(
	const struct worker *worker, enum sa_direction direction, uint32_t sa_id, unsigned *owner)
{
	const struct handover *handover = worker->handover;

	return sa_owner_rests(handover->owner, (uint8_t)direction, sa_id, owner) &&
	       *owner != handover->self;
}

#endif
