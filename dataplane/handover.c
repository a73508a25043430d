#include "dataplane/handover.h"

#include "dataplane/drop.h"
#include "dataplane/pipeline.h"

#include "lib/base/line.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>

/* An entry of a ring is a packet, or with these in its low bits a frame, whose mbuf says its port.
 */
#define FRAME    1u
#define FRAME_IN 2u /* for an inbound SA */
#define MARKS    (FRAME | FRAME_IN)
#define RUN_MOST ((unsigned)BURST_SIZE_ESP)

static struct rte_mbuf *entry_packet(void *entry)
{
	return (struct rte_mbuf *)((uintptr_t)entry & ~(uintptr_t)MARKS);
}

static unsigned entry_marks(void *entry)
{
	return (unsigned)((uintptr_t)entry & MARKS);
}

static uint32_t flag_of(enum sa_direction direction)
{
	return direction == SA_INBOUND ? PACKET_HANDED_IN : PACKET_HANDED_OUT;
}

static int ring_open(struct worker *const *workers, unsigned from, unsigned to)
{
	char name[32];
	struct rte_ring *ring;

	snprintf(name, sizeof(name), "handover_%u_%u", from, to);
	ring = rte_ring_create(name, HANDOVER_SLOTS, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	workers[from]->handover->out[to] = workers[to]->handover->in[from] = ring;
	return ring ? 0 : -rte_errno;
}

int handover_open(struct worker *const *workers, unsigned count, struct sa_owner *owner)
{
	int error = 0;

	for (unsigned i = 0; i < count; i++) {
		workers[i]->handover = calloc(1, sizeof(*workers[i]->handover));
		if (!workers[i]->handover)
			return -ENOMEM;
		workers[i]->handover->owner = owner;
		workers[i]->handover->workers = count;
		workers[i]->handover->self = workers[i]->index;
	}
	for (unsigned from = 0; from < count && !error; from++)
		for (unsigned to = 0; to < count && !error; to++)
			error = ring_open(workers, from, to);
	return error;
}

void handover_close(struct worker *worker)
{
	struct handover *h = worker->handover;

	for (unsigned from = 0; h != NULL && from < h->workers; from++)
		rte_ring_free(h->in[from]);
	free(h);
	worker->handover = NULL;
}

static void batch_send(struct worker *worker, unsigned to)
{
	struct handover *h = worker->handover;
	struct handover_batch *batch = &h->batches[to];
	unsigned sent = rte_ring_sp_enqueue_burst(h->out[to], batch->entries, batch->count, NULL);

	worker->counters->handed_over += sent;
	for (unsigned i = sent; i < batch->count; i++) {
		struct rte_mbuf *packet = entry_packet(batch->entries[i]);
		if (entry_marks(batch->entries[i]) != 0)
			packet_init(packet, &worker->ports[packet->port]);
		drop_packet(worker, packet, DROP_ipsec_handover_full);
	}
	batch->count = 0;
	h->waiting &= ~(1u << to);
}

void handover_flush(struct worker *worker)
{
	struct handover *h = worker->handover;

	while (h->waiting != 0)
		batch_send(worker, (unsigned)__builtin_ctz(h->waiting));
}

static void batch_put(struct worker *worker, unsigned to, void *entry)
{
	struct handover *h = worker->handover;
	struct handover_batch *batch = &h->batches[to];

	if (batch->count == BURST_SIZE)
		batch_send(worker, to);
	batch->entries[batch->count++] = entry;
	h->waiting |= 1u << to;
}

void handover_frame(struct worker *worker, struct rte_mbuf *frame, const struct port *from,
	enum sa_direction direction, unsigned to)
{
	frame->port = from->index;
	batch_put(worker, to,
		(uint8_t *)frame + (direction == SA_INBOUND ? FRAME | FRAME_IN : FRAME));
}

bool handover_take(
	struct worker *worker, struct rte_mbuf *packet, enum sa_direction direction, uint32_t sa_id)
{
	struct handover *h = worker->handover;
	struct packet *p = packet_get(packet);
	uint32_t flag = flag_of(direction);
	bool came = p->flags & flag;
	unsigned to;

	p->flags &= ~flag;
	/* What was handed to the owner is the owner's, also when what follows goes elsewhere. */
	if (came ? sa_owner_of(h->owner, (uint8_t)direction, sa_id) == h->self
		 : handover_is_here(worker, direction, sa_id))
		return false;
	to = sa_owner_next(h->owner, (uint8_t)direction, sa_id);
	p->flags |= flag;
	/* Table entries may go before it does. */
	p->tunnel = p->nested = p->origin = NULL;
	p->route = NULL;
	batch_put(worker, to, packet);
	return true;
}

/* What of them is of one kind, and of one port: how many. */
static unsigned alike_run(struct worker *worker, void **entries, unsigned count)
{
	const unsigned marks = entry_marks(entries[0]);
	struct rte_mbuf *packets[BURST_SIZE];
	unsigned port = 0, run = 0;

	for (; run < count && entry_marks(entries[run]) == marks; run++) {
		packets[run] = entry_packet(entries[run]);
		if (marks == 0)
			continue;
		if (run == 0)
			port = packets[0]->port;
		else if (packets[run]->port != port)
			break;
	}
	if (marks == 0)
		pipeline_handover_burst(worker, packets, run);
	else
		pipeline_handover_frames(worker, port, packets, run,
			flag_of(marks & FRAME_IN ? SA_INBOUND : SA_OUTBOUND));
	return run;
}

/* Up to `most` packets of one ring. */
static unsigned ring_run(struct worker *worker, struct rte_ring *ring, unsigned most)
{
	void *entries[BURST_SIZE];
	unsigned done = 0, count;

	while (done < most) {
		count = rte_ring_sc_dequeue_burst(
			ring, entries, RTE_MIN(most - done, RUN_MOST), NULL);
		if (count == 0)
			break;
		for (unsigned i = 0; i < count; i++) /* they are in the giver's cache, changed */
			line_take(entry_packet(entries[i]));
		worker->counters->taken_over += count;
		for (unsigned i = 0; i < count;)
			i += alike_run(worker, &entries[i], count - i);
		worker_flush(worker);
		done += count;
	}
	return done;
}

unsigned handover_poll(struct worker *worker)
{
	struct handover *h = worker->handover;
	uint32_t arriving = atomic_load_explicit(&h->owner->arriving, memory_order_acquire);
	unsigned found;

	if (unlikely(arriving == h->self)) /* what came for it waits until it is ours */
		return 0;
	found = ring_run(worker, h->in[h->self], rte_ring_count(h->in[h->self]));
	for (unsigned from = 0; from < h->workers; from++) {
		bool all = unlikely(arriving != SA_OWNER_NONE);
		if (from != h->self && !rte_ring_empty(h->in[from]))
			found += ring_run(worker, h->in[from],
				all ? rte_ring_count(h->in[from]) : BURST_SIZE);
	}
	if (unlikely(arriving != SA_OWNER_NONE)) /* pairs with sa_owner.c's acquire */
		atomic_fetch_add_explicit(&h->owner->looks[h->self].count, 1, memory_order_release);
	return found;
}
