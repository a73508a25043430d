/*
 * Security exceptions by source (HA4-BAD-06, RFC 2006 mipSecViolationTable): a ring of 1024, the
 * oldest replaced, found by a small hash so that a flood from one source raises one count.
 */
#ifndef CONTROL_MIP4_VIOLATIONS_H
#define CONTROL_MIP4_VIOLATIONS_H

#include "control/mip4/engine.h"

#define VIOLATIONS_MAX 1024u

struct violations {
	struct mip4_violation entries[VIOLATIONS_MAX];
	monotonic told_ns[VIOLATIONS_MAX];                    /* last line in the log */
	uint32_t untold[VIOLATIONS_MAX];                      /* since then */
	uint16_t heads[VIOLATIONS_MAX], next[VIOLATIONS_MAX]; /* index + 1 */
	uint32_t newest, count;
};

/* Counts it; true when it deserves a line now (one a second and source), *suppressed: how many were
 * left out before. */
bool violations_add(struct violations *v, const struct mip4_violation *what, monotonic now,
	uint32_t *suppressed);

/* Entry `index` counted from the newest; false at the end. */
bool violations_get(const struct violations *v, unsigned index, struct mip4_violation *out);

#endif
