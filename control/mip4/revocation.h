/*
 * Registration revocation (RFC 3543, HA4-RVK): ours to a foreign agent or a direct mobile node,
 * repeated until acknowledged or the binding's natural end; theirs, carried out and acknowledged,
 * again for a while when the acknowledgment was lost.
 */
#ifndef CONTROL_MIP4_REVOCATION_H
#define CONTROL_MIP4_REVOCATION_H

#include "control/binding/binding_cache.h"
#include "lib/base/clock.h"

struct config;
struct mip4_engine;
struct request;
struct revocations;

/* 0 or -ENOMEM. */
int revocation_table_new(struct revocations **out);
void revocation_table_free(struct revocations *r);

/* Starts revoking; the binding still has its facts and is removed by the caller right after.
 * Nothing when not negotiated. */
void revocation_start(struct mip4_engine *e, const struct binding *b, struct clock_now now);
/* Messages 7 and 15; each counts where it ended. */
void revocation_receive(struct mip4_engine *e, struct request *r);
void revocation_ack_receive(struct mip4_engine *e, struct request *r);
/* Retransmissions; bounded. When to come again. */
monotonic revocation_tick(struct mip4_engine *e, struct clock_now now);
/* A configuration replaced: indexes of foreign agents are found again in the one in effect. */
void revocation_agents_found_again(struct mip4_engine *e, const struct config *before);
unsigned revocation_outstanding(const struct mip4_engine *e);

#endif
