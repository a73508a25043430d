#include "dataplane/idle.h"

#include <time.h>

#define HOLD_US      100
#define SLEEP_MIN_NS 50000u

void idle_init(struct idle *idle, bool poll, uint32_t sleep_max_us, uint64_t tsc_hz)
{
	uint32_t sleep_max_ns = sleep_max_us * 1000;

	*idle = (struct idle){
		.poll = poll,
		.hold_tsc = tsc_hz / 1000000 * HOLD_US,
		.sleep_max_ns = sleep_max_ns < SLEEP_MIN_NS ? SLEEP_MIN_NS : sleep_max_ns,
		.sleep_ns = SLEEP_MIN_NS,
	};
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
	if (idle->sleep_ns > idle->sleep_max_ns)
		idle->sleep_ns = idle->sleep_max_ns;
	return sleep_ns;
}

void idle_sleep(uint32_t nanoseconds)
{
	struct timespec length = {.tv_nsec = nanoseconds};

	nanosleep(&length, NULL);
}
