/*
 * Everything that can be seen of a world after a step, written down in one piece of memory, so that
 * two worlds can be compared octet by octet. What differs for no reason is made the same: frames of
 * different flows have no order among each other; identifications and times count from a beginning.
 */
#ifndef TESTS_UNIT_DATAPLANE_LANE_RECORD_H
#define TESTS_UNIT_DATAPLANE_LANE_RECORD_H

#include "tests/walk/world.h"

#define RECORD_HOSTS 1024
#define RECORD_HERE  0xc0000201u /* 192.0.2.1: the source of what is of our making */

struct record {
	uint8_t *octets;
	size_t length, room;
	monotonic from_ns; /* times are relative to it */
	unsigned hosts;
	be32 host[RECORD_HOSTS]; /* destinations and the first identification of each */
	uint16_t first[RECORD_HOSTS];
	uint64_t taken[RECORD_HOSTS]; /* sum of their distances from the first */
	uint64_t frames;              /* written down so far */
	bool seen[65536];             /* identifications of errors of ours */
	unsigned strays;              /* errors with another one's, or nobody's */
};

struct record *record_new(const struct world *world);
void record_free(struct record *record);
/* What the world caught since the last time, which it forgets, and all its counters and states. */
void record_write(struct record *record, struct world *world, unsigned step);
/* Text of the first difference, NULL when there is none. */
const char *record_differs(const struct record *a, const struct record *b);

#endif
