#include "pktgen/generator/progress.h"

#include <inttypes.h>
#include <stdio.h>

struct progress progress_make(const char *name, uint64_t start, uint64_t hz, uint32_t interval_ms)
{
	uint64_t interval = interval_ms * (hz / 1000);

	return (struct progress){.name = name,
		.hz = hz,
		.interval = interval,
		.start = start,
		.next = start + interval};
}

void progress_tell(
	struct progress *progress, uint64_t now, uint64_t sent, uint64_t received, uint64_t faults)
{
	double span = (double)(now - progress->next + progress->interval) / (double)progress->hz;

	fprintf(stderr,
		"%s: %.1f s, sent %.0f/s, received %.0f/s, under way or lost %" PRId64
		", faults %" PRIu64 "\n",
		progress->name, (double)(now - progress->start) / (double)progress->hz,
		(double)(sent - progress->sent) / span,
		(double)(received - progress->received) / span, (int64_t)(sent - received), faults);
	progress->sent = sent;
	progress->received = received;
	progress->next = now + progress->interval;
}
