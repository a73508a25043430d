/*
 * A hierarchical timer wheel: adding and cancelling are O(1) for a millisecond and for months, a
 * million timers wait without cost, and one call of timer_wheel_advance does bounded work however
 * many fall due at once.
 *
 * Eight wheels of 64 slots, one millisecond, 64 ms, 4 s, 4.4 min, 4.7 h, 12 days, 2.2 years, 139
 * years a slot. A timer lies in the wheel of the highest base-64 digit in which its tick differs
 * from the current tick, and moves to a lower wheel when that slot's time comes. Ticks round
 * deadlines up: a timer is never early; it is late by under 1 ms plus what a busy caller adds.
 *
 * Time is an argument: simulated in tests. A wheel and its timers belong to one thread. `struct
 * timer` lives in the caller's object; the wheel only links it.
 */
#ifndef LIB_BASE_TIMER_WHEEL_H
#define LIB_BASE_TIMER_WHEEL_H

#include "lib/base/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct timer;

/* Called when due, after the timer has left the wheel: it may add it again, free its object, add or
 * cancel others. */
typedef void timer_expired(struct timer *timer, void *owner, monotonic now);

struct timer {
	struct timer *next, **link; /* link: who points here; NULL = not in a wheel */
	monotonic deadline_ns;
	timer_expired *expired;
	void *owner;
	uint16_t slot;
};

#define TIMER_WHEEL_LEVELS 8
#define TIMER_WHEEL_SLOTS  64

struct timer_wheel {
	uint64_t tick; /* milliseconds handled so far */
	uint64_t occupied[TIMER_WHEEL_LEVELS];
	int cascading;     /* level whose slot is being moved down, or -1 */
	uint32_t count;    /* timers waiting */
	struct timer *due; /* taken out of their slot, not yet expired */
	struct timer *slots[TIMER_WHEEL_LEVELS * TIMER_WHEEL_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, monotonic now);
/* Makes a timer that does not run. */
void timer_init(struct timer *timer, timer_expired *expired, void *owner);
/* Starts or restarts; deadline_ns CLOCK_NEVER only stops it. A deadline in the past falls due at
 * the next advance. */
void timer_wheel_add(struct timer_wheel *wheel, struct timer *timer, monotonic deadline_ns);
/* Stops; harmless when it does not run. */
void timer_wheel_cancel(struct timer_wheel *wheel, struct timer *timer);

static inline bool timer_running(const struct timer *timer)
{
	return timer->link;
}

/*
 * Expires what is due at `now`, at most max_work steps (one per timer expired or moved down). True
 * when work is left: call again soon, with other things done in between. `now` never runs backwards
 * (an earlier one is taken as no time passed).
 */
bool timer_wheel_advance(struct timer_wheel *wheel, monotonic now, uint32_t max_work);
/* When to call advance again: never later than the earliest deadline rounded up to its tick,
 * CLOCK_NEVER when empty. */
monotonic timer_wheel_next(const struct timer_wheel *wheel);

#endif
