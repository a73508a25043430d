/*
 * What a worker does when its queues are empty: turns at full speed for 100 us, then sleeps that
 * begin at 50 us and grow by a quarter each to dataplane.idle_sleep_max_us, which they reach after
 * about five times that. Traffic ends the sleeping at once, so a worker under load never sleeps.
 * One without traffic makes one turn for each longest sleep: with 2 ms, 500 a second, which at 20
 * us a turn (wake-up included) are 1 % of a core; the first packet after a pause waits half a sleep
 * on average and one at most. In poll mode it never sleeps.
 */
#ifndef DATAPLANE_IDLE_H
#define DATAPLANE_IDLE_H

#include <stdbool.h>
#include <stdint.h>

struct idle {
	bool poll;         /* never sleep */
	uint64_t hold_tsc; /* stay awake this long after the last packet */
	uint64_t last_tsc; /* of the last packet */
	uint32_t sleep_max_ns;
	uint32_t sleep_ns; /* next sleep */
};

void idle_init(struct idle *idle, bool poll, uint32_t sleep_max_us, uint64_t tsc_hz);
/* A turn that found work. */
void idle_busy(struct idle *idle, uint64_t now_tsc);
/* A turn that found none: nanoseconds to sleep, 0 to go on polling. */
uint32_t idle_turn(struct idle *idle, uint64_t now_tsc);
/* Sleeps; the caller has gone offline for the QSBR. */
void idle_sleep(uint32_t nanoseconds);

#endif
