/*
 * Packets of an SA that another worker owns (dataplane/table/sa_owner.h, MP-04): they go to it as
 * they stand before step DECAP_ESP or ENCAP_ESP, metadata and all, through a ring for each pair of
 * workers with one producer and one consumer, in bursts, without a lock. All that a worker receives
 * of a flow takes one ring, so order stays. A ring that is full costs the packet
 * (ipsec_handover_full).
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
	struct rte_mbuf *packets[BURST_SIZE];
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

#endif
