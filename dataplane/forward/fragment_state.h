/*
 * Stateful fragment checking (RFC 4301 7.4, SPD-17): a later fragment shows no ports, so an entry
 * of the SPD that asks for some cannot say BYPASS to it. It passes when the first fragment of its
 * datagram was bypassed, 30 s ago at most, and no entry before that one decides about it.
 *
 * A table of each worker, with a place for each datagram by a hash that nobody outside knows; a
 * newer one takes it. Fragments of one datagram come to one worker, since a device spreads
 * fragments by addresses alone (MTU-13).
 */
#ifndef DATAPLANE_FORWARD_FRAGMENT_STATE_H
#define DATAPLANE_FORWARD_FRAGMENT_STATE_H

#include "dataplane/step.h"
#include "dataplane/table/policy_table.h"

#define FRAGMENT_STATE_S 30

struct fragment_state;

/* NULL without memory. */
struct fragment_state *fragment_state_new(void);
void fragment_state_free(struct fragment_state *state);

/*
 * The packet is a fragment (PACKET_FRAGMENT) and *verdict is what the policies say of it: a first
 * one that is bypassed is noted, and a later one of the same datagram gets that verdict when its
 * entry stands before the one that it has. Worker.
 */
void fragment_state_judge(struct worker *worker, struct rte_mbuf *packet,
	enum sa_direction direction, struct policy_verdict *verdict);

#endif
