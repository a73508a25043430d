/*
 * A line on standard error now and then, so that whoever waits for a long run sees it go on. One
 * thread.
 */
#ifndef PKTGEN_GENERATOR_PROGRESS_H
#define PKTGEN_GENERATOR_PROGRESS_H

#include <stdint.h>

struct progress {
	const char *name; /* what the line begins with */
	uint64_t hz;      /* cycles a second */
	uint64_t interval, start, next;
	uint64_t sent, received; /* at the line before */
};

/* From `start` (cycles) a line every `interval_ms`; 0: none. */
struct progress progress_make(const char *name, uint64_t start, uint64_t hz, uint32_t interval_ms);
/* Whether a line is due: then progress_tell. */
static inline int progress_is_due(const struct progress *progress, uint64_t now)
{
	return progress->interval && now >= progress->next;
}
/* What was sent, received and wrong since the start. */
void progress_tell(
	struct progress *progress, uint64_t now, uint64_t sent, uint64_t received, uint64_t faults);

#endif
