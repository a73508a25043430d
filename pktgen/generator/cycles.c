#include "pktgen/generator/cycles.h"

#include "lib/base/clock.h"

#include <rte_cycles.h>

#define MEASURE_MS 100
#define READINGS   16

struct reading {
	uint64_t cycles;
	monotonic ns;
};

/* Both clocks at one moment: of several readings the one between whose halves least time passed. */
static struct reading read_both(void)
{
	struct reading best = {0};
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < READINGS; i++) {
		uint64_t before = rte_rdtsc_precise();
		monotonic ns = clock_read().monotonic_ns;
		uint64_t passed = rte_rdtsc_precise() - before;
		if (passed < least) {
			least = passed;
			best = (struct reading){before + passed / 2, ns};
		}
	}
	return best;
}

uint64_t cycles_hz(void)
{
	static uint64_t hz;

	if (hz)
		return hz;
	struct reading first = read_both();
	rte_delay_us_sleep(MEASURE_MS * 1000);
	struct reading last = read_both();
	hz = (uint64_t)((unsigned __int128)(last.cycles - first.cycles) * CLOCK_NS_PER_S /
			(last.ns - first.ns));
	return hz;
}
