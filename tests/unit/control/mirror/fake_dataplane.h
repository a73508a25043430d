/*
 * A dataplane in the test's own process: a real region, a table of what it was told, and refusals
 * on demand. Each step is a call, so that a test decides when the dataplane reads, applies, dies or
 * forgets.
 */
#ifndef TESTS_UNIT_CONTROL_MIRROR_FAKE_DATAPLANE_H
#define TESTS_UNIT_CONTROL_MIRROR_FAKE_DATAPLANE_H

#include "lib/ipc/attach.h"

#define FAKE_SLOTS 4096

struct fake_slot {
	struct command set; /* type 0: free */
	uint32_t generation;
};

struct fake_dataplane {
	struct region region;
	struct attachment attachment; /* control's end */
	struct fake_slot slots[FAKE_SLOTS];
	unsigned slot_count; /* ever used */
	uint32_t generation; /* of the resynchronisation */
	bool syncing;
	uint64_t taken; /* last sequence read */
	unsigned read, changes, sets, removes, syncs_begun, syncs_ended;
	/* Refuses the next command of this type with this errno, once. */
	uint16_t refuse_type;
	int refuse_errno;
	struct command log[64]; /* the last ones read */
};

void fake_init(struct fake_dataplane *fake, const struct region_limits *limits);
void fake_fini(struct fake_dataplane *fake);
/* A new session, as attach_accept would start it; returns control's end. */
struct attachment *fake_session(struct fake_dataplane *fake);
/* Loses all that it was told, as a restarted process does. */
void fake_forget(struct fake_dataplane *fake);
/* Reads at most `count` commands and acts on them; they count as applied only after fake_publish.
 * Returns how many. */
unsigned fake_read(struct fake_dataplane *fake, unsigned count);
void fake_publish(struct fake_dataplane *fake);
/* What it has under the key of *command (a SET type), or NULL. */
const struct command *fake_find(const struct fake_dataplane *fake, const struct command *command);
unsigned fake_count(const struct fake_dataplane *fake);

#endif
