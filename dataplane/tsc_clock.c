#include "dataplane/tsc_clock.h"

#include <rte_cycles.h>

#define FIRST_NS 10000000ull

static struct tsc_clock pair_read(void)
{
	struct tsc_clock pair = {0};
	uint64_t best = UINT64_MAX;

	/* The tightest of three, in case the scheduler came between. */
	for (int i = 0; i < 3; i++) {
		uint64_t before = rte_rdtsc();
		monotonic ns = clock_read().monotonic_ns;
		uint64_t after = rte_rdtsc();
		if (after - before < best) {
			best = after - before;
			pair.tsc = before + best / 2;
			pair.ns = ns;
		}
	}
	return pair;
}

struct tsc_clock tsc_clock_read(void)
{
	static struct tsc_clock first;
	struct tsc_clock now = pair_read();

	if (first.ns == 0)
		first = now;
	while (now.ns - first.ns < FIRST_NS)
		now = pair_read();
	now.hz = (uint64_t)((unsigned __int128)(now.tsc - first.tsc) * CLOCK_NS_PER_S /
			    (now.ns - first.ns));
	return now;
}
