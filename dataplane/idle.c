#include "dataplane/idle.h"

#include <time.h>

#define HOLD_US      100
#define SLEEP_MIN_NS 50000u
#define SLEEP_MAX_NS 1000000u

void idle_init(struct idle *idle, bool poll, uint64_t tsc_hz)
{
	*idle = (struct idle){
		.poll = poll, .hold_tsc = tsc_hz / 1000000 * HOLD_US, .sleep_ns = SLEEP_MIN_NS};
}

void idle_busy(struct idle *idle, uint64_t now_tsc)
{
	idle->last_tsc = now_tsc;
	idle->sleep_ns = SLEEP_MIN_NS;
}

uint32_t idle_turn(struct idle *idle, uint64_t now_tsc)
{
	uint32_t sleep_ns = idle->sleep_ns;

	if (idle->poll || now_tsc - idle->last_tsc < idle->hold_tsc)
		return 0;
	idle->sleep_ns += idle->sleep_ns / 4;
	if (idle->sleep_ns > SLEEP_MAX_NS)
		idle->sleep_ns = SLEEP_MAX_NS;
	return sleep_ns;
}

void idle_sleep(uint32_t nanoseconds)
{
	struct timespec length = {.tv_nsec = nanoseconds};

	nanosleep(&length, NULL);
}
