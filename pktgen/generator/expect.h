/*
 * What a packet of a flow should look like when it comes back: on which port, in which layers, with
 * which addresses and ports inside and outside, by where its node is now. A node that has moved, or
 * whose NAT has, may still be reached at the other place for a while.
 *
 * Pure; any thread. Places and mappings are read as the sending thread writes them.
 */
#ifndef PKTGEN_GENERATOR_EXPECT_H
#define PKTGEN_GENERATOR_EXPECT_H

#include "pktgen/generator/inspect.h"
#include "pktgen/generator/population.h"

enum expect_verdict {
	EXPECT_RIGHT,
	EXPECT_OLD, /* right, but to where the node was before */
	EXPECT_PORT,
	EXPECT_ENCAPSULATION, /* in other layers: in clear, say */
	EXPECT_INNER,
	EXPECT_OUTER,
};

/* `port` is where it came in; `what` is of kind INSPECT_DATA. */
enum expect_verdict expect_judge(const struct population *population,
	const struct population_flow *flow, unsigned port, const struct inspected *what);

#endif
