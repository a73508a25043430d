/*
 * When packets are due: an exact rate, by the cycles since a start. No rate is "all of them, now".
 * With several parts the n-th packet is that of part n modulo their number, so that together they
 * keep the rate and the limit. Pure; one thread.
 */
#ifndef PKTGEN_GENERATOR_PACE_H
#define PKTGEN_GENERATOR_PACE_H

#include <stdint.h>

struct pace {
	uint64_t start;       /* cycles */
	uint64_t hz;          /* cycles a second */
	uint64_t rate;        /* a second; 0: no limit */
	uint64_t limit;       /* in all; 0: no limit */
	uint32_t part, parts; /* whose due is asked for; no parts: all are one */
};

/* Those due at `now` since the start, the first at once. */
static inline uint64_t pace_due(const struct pace *pace, uint64_t now)
{
	uint64_t due = pace->rate && now >= pace->start
			       ? (uint64_t)((unsigned __int128)(now - pace->start) * pace->rate /
					    pace->hz) +
					 1
			       : UINT64_MAX;

	if (now < pace->start)
		return 0;
	if (pace->limit && due > pace->limit)
		due = pace->limit;
	if (pace->parts <= 1)
		return due;
	return due > pace->part ? (due - pace->part - 1) / pace->parts + 1 : 0;
}

#endif
