/*
 * CLOCK_MONOTONIC by the cycle counter. Deadlines cross the processes in nanoseconds; workers
 * compare cycle counts.
 *
 * The frequency is measured against CLOCK_MONOTONIC over the whole life of the process, so it gets
 * better with time: DPDK's own figure is rounded to 10 MHz, which would let a binding of half an
 * hour live seconds too long.
 */
#ifndef DATAPLANE_TSC_CLOCK_H
#define DATAPLANE_TSC_CLOCK_H

#include "lib/base/clock.h"

struct tsc_clock {
	uint64_t tsc; /* belongs to ns */
	monotonic ns;
	uint64_t hz;
};

/* Reads both clocks and the frequency so far. Spins 10 ms when it is the first call of the process.
 * Main lcore. */
struct tsc_clock tsc_clock_read(void);

/* Cycle count of a deadline; UINT64_MAX for CLOCK_NEVER, 1 for what is before the counter's start.
 */
static inline uint64_t tsc_clock_from_ns(const struct tsc_clock *clock, monotonic ns)
{
	if (ns == CLOCK_NEVER)
		return UINT64_MAX;
	if (ns >= clock->ns) {
		unsigned __int128 t =
			(unsigned __int128)(ns - clock->ns) * clock->hz / CLOCK_NS_PER_S;
		return t < UINT64_MAX - clock->tsc ? clock->tsc + (uint64_t)t : UINT64_MAX;
	}
	unsigned __int128 t = (unsigned __int128)(clock->ns - ns) * clock->hz / CLOCK_NS_PER_S;
	return t < clock->tsc ? clock->tsc - (uint64_t)t : 1;
}

static inline uint64_t tsc_clock_cycles(const struct tsc_clock *clock, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * clock->hz / CLOCK_NS_PER_S);
}

/* Nanoseconds of a cycle count at or shortly after the reading. */
static inline monotonic tsc_clock_to_ns(const struct tsc_clock *clock, uint64_t tsc)
{
	return clock->ns +
	       (uint64_t)((unsigned __int128)(tsc - clock->tsc) * CLOCK_NS_PER_S / clock->hz);
}

#endif
