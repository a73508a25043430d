/*
 * The control process's one loop: descriptors, timers and the stages that end each turn.
 *
 * A turn is: wait (epoll) until a descriptor is ready or the earliest deadline has come; call the
 * handlers of ready descriptors; call the timers that are due; call every stage in the order it was
 * added. Stages carry what must happen once for all work of a turn: commit the store, put commands
 * into the ring, ring the doorbell, send replies. Every callback does a bounded amount of work and
 * returns; one that has more to do asks to be called again at once (a stage returns a deadline that
 * has passed; a descriptor is level-triggered anyway).
 *
 * All functions and callbacks: loop thread alone. Sources and timers are embedded in their owners'
 * structures: no allocation, and an owner may remove its own or another's source from inside any
 * callback.
 */
#ifndef CONTROL_LOOP_H
#define CONTROL_LOOP_H

#include "lib/base/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

/* `events` as of epoll: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR. */
typedef void loop_handler(void *context, uint32_t events, const struct clock_now *now);
typedef void loop_timer_handler(void *context, const struct clock_now *now);
/* Returns when it wants its next turn at the latest: CLOCK_NEVER, a deadline, or 0 for at once. */
typedef monotonic loop_stage_handler(void *context, const struct clock_now *now);

struct loop_source { /* zero-initialise; private to loop.c afterwards */
	loop_handler *handler;
	void *context;
	int fd;
	bool added;
};

struct loop_timer { /* zero-initialise; handler and context are the owner's to set */
	loop_timer_handler *handler;
	void *context;
	monotonic deadline_ns; /* read-only for the owner */
	uint32_t position;     /* in the heap, from 1; 0 = not set */
};

#define LOOP_LATENCY_BUCKETS 24

struct loop_statistics {
	uint64_t turns;
	uint64_t turn_ns_max;
	uint64_t turn_ns_total;
	/* Turns that took less than 2^(n+10) ns (n = 0: about a microsecond); the last bucket takes
	 * the rest. */
	uint64_t turn_histogram[LOOP_LATENCY_BUCKETS];
};

/* NULL when out of memory or descriptors. */
struct loop *loop_new(void);
/* Does not close the sources' descriptors. */
void loop_free(struct loop *loop);

/* Watches fd for `events`. The source must stay in place until removed. 0 or -errno. */
int loop_source_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	loop_handler *handler, void *context);
int loop_source_modify(struct loop *loop, struct loop_source *source, uint32_t events);
/* Idempotent; call it before closing the descriptor. No event that was already fetched will be
 * delivered. */
void loop_source_remove(struct loop *loop, struct loop_source *source);

/* Sets or moves the deadline (CLOCK_NEVER cancels). A timer fires once. 0, or -ENOMEM. */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, monotonic deadline_ns);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer); /* idempotent */

/* At most 16. 0 or -ENOSPC. */
int loop_stage_add(struct loop *loop, loop_stage_handler *handler, void *context);

/* One turn; waits at most max_wait_ns (0 = polls). 0 or -errno of epoll. Tests drive the loop with
 * this. */
int loop_turn(struct loop *loop, uint64_t max_wait_ns);
/* Turns until loop_stop. 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

const struct loop_statistics *loop_statistics_get(const struct loop *loop);

#endif
