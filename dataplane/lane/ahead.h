/*
 * What the lanes ask about a burst before its turn.
 *
 * A packet's first questions are a chain: hash bucket, policy, SA, each of which names the next,
 * and with many users none of them is in a cache. Asked when the burst runs, each is waited for.
 * But the burst that comes next is here already (pipeline_feed), and while the cipher works on the
 * one before it, memory is idle. So the cipher's loop stops a few times for a pass over the burst
 * that waits:
 *
 *   from inside     hash, bucket fetched    policy found, fetched    its SA and state fetched
 *   from outside    slot of the SPI fetched                          SA and state fetched
 *
 * Passes, and not a packet here and there: a fetch that misses the TLB holds up what follows it,
 * and many side by side do so together (docs/decisions/0180 has what that costs).
 *
 * Nothing is decided here. The outbound lane takes the policies over when the table of policies has
 * the version that it had (ahead_policies): then they are what it would find itself. All else is
 * fetched and forgotten. The worker alone.
 */
#ifndef DATAPLANE_LANE_AHEAD_H
#define DATAPLANE_LANE_AHEAD_H

#include "dataplane/table/policy_host.h"
#include "dataplane/worker.h"

#define AHEAD_PACKETS 6 /* given to the cipher between two passes */

struct lane_ahead;

/* What was found of one burst, for each run of frames to one destination. */
struct ahead_policies {
	struct ahead_run {
		struct policy_entry *policy;  /* NULL: none that can be seen; then neither */
		const struct sa_outbound *sa; /* the object that the policy noted */
		struct sa_outbound_state *state;
		unsigned place; /* of the run's first frame, in the burst; of the run behind the
				   last one: no frame's */
	} runs[BURST_SIZE + 1];
};

struct lane_ahead *lane_ahead_new(void);
void lane_ahead_free(struct lane_ahead *ahead);

/* The next pass over worker->waiting, which is there, if one is left to be made. */
void lane_ahead_pass(struct worker *worker);

static inline void lane_ahead_next(struct worker *worker)
{
	if (worker->waiting != NULL)
		lane_ahead_pass(worker);
}

/* A loop that gives packet after packet to the cipher: before packet i of it. */
static inline void lane_ahead_step(struct worker *worker, unsigned i)
{
	if (i % AHEAD_PACKETS == 0)
		lane_ahead_next(worker);
}

/* What was found of these frames, when all of it is as good as found now; else NULL. Good until the
 * next pass. */
const struct ahead_policies *lane_ahead_policies(
	const struct worker *worker, struct rte_mbuf **frames, const struct policy_hosts *hosts);
/* The burst has run. */
void lane_ahead_forget(struct worker *worker, const struct burst *burst);

#endif
