/*
 * Events from workers to control. A worker puts a copy into its own ring (event_out, elements of
 * sizeof(struct event)) and goes on; the main lcore moves them into the region. Per kind at most
 * EVENT_RATE a second leave a worker, so that traffic cannot flood control.
 */
#ifndef DATAPLANE_LINK_EVENT_H
#define DATAPLANE_LINK_EVENT_H

#include "dataplane/worker.h"

#define EVENT_RATE 2000

int event_worker_init(struct worker *worker);
void event_worker_fini(struct worker *worker);

/* Worker. False when limited or the ring is full: tell it again when it matters again. */
bool event_emit(struct worker *worker, const struct event *event);

/* Main lcore: moves what waits into the region's ring, or counts it as lost. Returns how many
 * control can now read. */
unsigned event_collect(struct worker *worker, struct region *region, bool attached);
/* Main lcore's own event. False when control's ring is full. */
bool event_put(struct region *region, const struct event *event);

#endif
