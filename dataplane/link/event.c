#include "dataplane/link/event.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <stdio.h>
#include <stdlib.h>

#define RING_EVENTS   1024
#define COLLECT_BURST 64

struct event_limiter { /* a token bucket for each kind; worker's own */
	uint64_t full_tsc[EVENT_TYPE_COUNT];
};

int event_worker_init(struct worker *worker)
{
	char name[32];

	snprintf(name, sizeof(name), "event_out_%u", worker->index);
	worker->event_out = rte_ring_create_elem(name, sizeof(struct event), RING_EVENTS,
		(int)rte_socket_id(), RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (!worker->event_out)
		return -rte_errno;
	worker->event_limiter = calloc(1, sizeof(*worker->event_limiter));
	return worker->event_limiter ? 0 : -ENOMEM;
}

void event_worker_fini(struct worker *worker)
{
	rte_ring_free(worker->event_out);
	free(worker->event_limiter);
	worker->event_out = NULL;
	worker->event_limiter = NULL;
}

bool event_emit(struct worker *worker, const struct event *event)
{
	uint64_t cost = worker->tsc_hz / EVENT_RATE;

	if (!worker->event_out || event->type >= EVENT_TYPE_COUNT)
		return false;
	if (worker->event_limiter) {
		uint64_t *full = &worker->event_limiter->full_tsc[event->type];
		uint64_t from = *full > worker->now_tsc ? *full : worker->now_tsc;
		if (from + cost > worker->now_tsc + worker->tsc_hz / 8)
			return false;
		*full = from + cost;
	}
	if (rte_ring_sp_enqueue_elem(worker->event_out, (void *)event, sizeof(*event)) == 0)
		return true;
	worker->counters->events_lost++;
	return false;
}

bool event_put(struct region *region, const struct event *event)
{
	if (ring_put(&region->event, event))
		return true;
	atomic_fetch_add_explicit(&region->header->events_lost, 1, memory_order_relaxed);
	return false;
}

unsigned event_collect(struct worker *worker, struct region *region, bool attached)
{
	struct event events[COLLECT_BURST];
	unsigned moved = 0;

	if (!worker->event_out)
		return 0;
	unsigned count = rte_ring_sc_dequeue_burst_elem(
		worker->event_out, events, sizeof(events[0]), COLLECT_BURST, NULL);
	for (unsigned i = 0; attached && i < count; i++)
		moved += event_put(region, &events[i]);
	return moved;
}
