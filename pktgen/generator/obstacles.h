/*
 * Says in words what kept frames from leaving, or from being looked at, and what to do about it:
 * tally.h counts it, the report has the names. One thread.
 */
#ifndef PKTGEN_GENERATOR_OBSTACLES_H
#define PKTGEN_GENERATOR_OBSTACLES_H

#include "pktgen/generator/tally.h"

#include <stdio.h>

struct obstacles_trial {
	const char *name; /* begins each line */
	uint64_t wanted, sent;
	bool search; /* more than goes through is tried on purpose */
};

/*
 * A line for each obstacle of the trial. What only holds up for a moment, as a full port does, is
 * named when packets were not sent for it. `told` has a bit for each whose line was written in this
 * run, which is enough; begin with 0.
 */
void obstacles_tell(FILE *out, const struct profile *profile, const struct obstacles_trial *trial,
	const struct tally *tally, uint32_t *told);

#endif
