/*
 * The command ring's consumer: batches are applied to the tables, published, and reported in
 * `applied_sequence` when every worker has passed the grace period (HA4-REG-21). A refused command
 * becomes EVENT_REFUSED before applied_sequence passes it. Main lcore.
 */
#ifndef DATAPLANE_LINK_COMMAND_APPLY_H
#define DATAPLANE_LINK_COMMAND_APPLY_H

#include "dataplane/table/tables.h"

#include "lib/ipc/attach.h"

#define COMMAND_APPLY_BATCH   1024
#define COMMAND_APPLY_BATCHES 32 /* grace periods at once */

struct command_batch {
	uint64_t token, sequence;
};

struct command_apply {
	struct region *region;
	struct tables *tables;
	uint64_t sequence; /* last taken in this session */
	struct command_batch batches[COMMAND_APPLY_BATCHES];
	uint32_t head, tail;
	uint64_t applied, refused; /* for the log */
};

/* A new session: sequences begin anew. */
void command_apply_reset(struct command_apply *apply, struct region *region, struct tables *tables);
/* Takes up to a batch and reports finished ones; never waits. Returns how many commands were taken.
 */
unsigned command_apply_poll(struct command_apply *apply);
/* Batches wait for workers: look again soon. */
bool command_apply_waiting(const struct command_apply *apply);

#endif
