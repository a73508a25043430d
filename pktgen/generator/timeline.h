/*
 * When each frame of a capture is due that is sent again: at a rate, or as far apart as they were
 * when they were captured, faster or slower by a factor. Each loop over the file begins a mean
 * distance between its frames behind the last one of the loop before. Pure; any thread.
 */
#ifndef PKTGEN_GENERATOR_TIMELINE_H
#define PKTGEN_GENERATOR_TIMELINE_H

#include "pktgen/generator/capture.h"
#include "pktgen/generator/profile.h"

struct timeline {
	const struct capture_file *file;
	enum profile_timing timing;
	uint64_t rate;          /* a second; 0: all at once */
	uint32_t speed_percent; /* of the recorded one */
	uint64_t loop_ns;       /* from one loop's first frame to the next one's, as recorded */
};

/* The file has a frame at least and outlives it. */
struct timeline timeline_make(
	const struct capture_file *file, const struct profile_replay *settings, uint64_t rate);
/* Nanoseconds from the start until frame number `index` over all loops is due; never less than of
 * the one before. */
uint64_t timeline_due_ns(const struct timeline *timeline, uint64_t index);

#endif
