/*
 * Run-time state of SAs over restarts (lib/ipc/sa_state.h): who owns which line of the region, and
 * the copy from a dead dataplane's region into the next one's.
 *
 *   the dataplane restarted   control kept the mapping of the old region: the lines and windows of
 *                             every SA are copied into the new region, its SA_SET says SA_RESUME
 *   control restarted         the lines of the living region name SPI and identity: an SA that the
 *                             configuration gives again gets its old slot, and resumes
 *   both restarted            nothing is left; numbers begin anew (docs/decisions/0030)
 *
 * A line keeps its owner when the SA is removed, until another one takes the slot: an SA that comes
 * back with the same SPI and keys goes on where it stopped (ESP-ALG-20). Loop thread.
 */
#ifndef CONTROL_IPSEC_SA_HANDOVER_H
#define CONTROL_IPSEC_SA_HANDOVER_H

#include "control/ipsec/sa_database.h"
#include "lib/ipc/attach.h"

struct sa_handover;

struct sa_handover_counters {
	uint64_t copied;  /* SAs whose state went into a new region */
	uint64_t adopted; /* whose state was found in a living one */
	uint64_t reset;   /* windows moved right because the region's layout changed */
};

/* NULL with errno. */
struct sa_handover *sa_handover_new(uint32_t slots);
void sa_handover_free(struct sa_handover *handover);

/* The dataplane went: takes the mapping over (its descriptors are closed). */
void sa_handover_keep(struct sa_handover *handover, struct attachment *former);
/*
 * A dataplane is attached, nothing was sent to it yet; borrowed until sa_handover_keep or the next
 * call. Copies from the kept region when it is another one's, and gives that back.
 */
void sa_handover_attached(struct sa_handover *handover, const struct attachment *attachment);

/* The slot whose state is that of this SA; SA_SLOT_NONE when there is none. */
uint32_t sa_handover_find(const struct sa_handover *handover, const struct sa *sa);
/* Whether somebody's state lies in this line, or did and nobody else's came. */
bool sa_handover_owned(
	const struct sa_handover *handover, enum sa_direction direction, uint32_t slot);
/* Whether the line of its slot is this SA's, in the region to read from. */
bool sa_handover_is_own(const struct sa_handover *handover, const struct sa *sa);
/* How many lines have an owner. */
uint32_t sa_handover_lines(const struct sa_handover *handover);
/* The region to read from: the attached one, else the one left behind; NULL. */
const struct attachment *sa_handover_region(const struct sa_handover *handover);
/*
 * Before SA_SET of an SA that has a slot: true when the line is its own, so that it resumes; else
 * the line is made its own.
 */
bool sa_handover_claim(struct sa_handover *handover, const struct sa *sa);

/* Notes when the SA was made and where it sends to (struct sa_note); it has a slot. */
void sa_handover_note(struct sa_handover *handover, const struct sa *sa);
/*
 * After a restart of control, before anything of it was sent: takes over what was noted of the SA
 * in `slot`, which sa_handover_find gave. Its lifetimes in seconds go on, and one that follows a
 * NAT goes on sending to where that led, unless the configuration gives it other ends now.
 */
void sa_handover_recall(const struct sa_handover *handover, struct sa *sa, uint32_t slot);
/* struct sa.wanted, of the ends in its command. */
uint32_t sa_handover_ends(const struct sa_command *command);

struct sa_handover_counters sa_handover_counters_get(const struct sa_handover *handover);

#endif
