/*
 * A histogram of durations: each power of two in 64 equal steps, so a quantile is at most 1.6 % too
 * high, from a nanosecond to centuries in 30 KiB. Pure; one thread at a time.
 */
#ifndef PKTGEN_GENERATOR_HISTOGRAM_H
#define PKTGEN_GENERATOR_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS_LOG 6
#define HISTOGRAM_STEPS     (1u << HISTOGRAM_STEPS_LOG)
#define HISTOGRAM_BUCKETS   ((64 - HISTOGRAM_STEPS_LOG + 1) * HISTOGRAM_STEPS)

struct histogram {
	uint64_t count, sum, min, max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *to, const struct histogram *from);
/*
 * The smallest value of which the histogram can say that at least `part` of a million values are
 * not above it; never above the maximum. 0 when empty.
 */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t part_ppm);
/* 0 when empty. */
uint64_t histogram_mean(const struct histogram *histogram);

#endif
