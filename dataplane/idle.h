/*
 * What a worker does when its queues are empty: a few turns at full speed, then short sleeps that
 * grow to about a millisecond. Traffic ends the sleeping at once, so a worker under load never
 * sleeps and one without traffic takes a few per cent of a core. In poll mode it never sleeps.
 */
#ifndef DATAPLANE_IDLE_H
#define DATAPLANE_IDLE_H

#include <stdbool.h>
#include <stdint.h>

struct idle {
	bool poll;         /* never sleep */
	uint64_t hold_tsc; /* stay awake this long after the last packet */
	uint64_t last_tsc; /* of the last packet */
	uint32_t sleep_ns; /* next sleep */
};

void idle_init(struct idle *idle, bool poll, uint64_t tsc_hz);
/* A turn that found work. */
void idle_busy(struct idle *idle, uint64_t now_tsc);
/* A turn that found none: nanoseconds to sleep, 0 to go on polling. */
uint32_t idle_turn(struct idle *idle, uint64_t now_tsc);
/* Sleeps; the caller has gone offline for the QSBR. */
void idle_sleep(uint32_t nanoseconds);

#endif
