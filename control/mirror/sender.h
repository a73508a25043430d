/*
 * The mirror's way to the dataplane: how far the ring and the resynchronisation have come. Only
 * mirror.c uses this, on the loop thread; entries, tickets and callbacks are the mirror's.
 *
 * Commands bear sequences that rise from 1 at each attach. Up to `applied` the dataplane has dealt
 * with them; from there to `sequence` they are in flight, and what each of them carried is
 * remembered.
 */
#ifndef CONTROL_MIRROR_SENDER_H
#define CONTROL_MIRROR_SENDER_H

#include "control/mirror/entries.h"
#include "control/mirror/mirror.h"
#include "control/mirror/tickets.h"

enum sync_step { /* of a resynchronisation; each step sends its entries, then the next begins */
	SYNC_BEGIN,
	SYNC_BASE,
	SYNC_SA,
	SYNC_POLICY,
	SYNC_ROUTE,
	SYNC_BINDING, /* from here on changes are sent first */
	SYNC_PREFIX,
	SYNC_END,
	SYNC_SENT, /* waits for SYNC_END to be applied */
	SYNC_DONE,
};

struct in_flight { /* what a command carried, until it is applied */
	uint64_t last_ticket;
	uint32_t entry; /* ENTRY_NONE: none hears of it */
	bool remove;
};

struct sender {
	struct attachment *attachment; /* NULL: no dataplane */
	struct entries *entries;
	struct tickets *tickets;
	const struct mirror_callbacks *callbacks;
	uint32_t session;  /* counts attaches */
	uint64_t sequence; /* last command put on the ring */
	uint64_t applied;  /* as the dataplane said, believed */
	uint32_t pending;  /* reserved on the ring, not yet visible */
	enum sync_step step;
	uint32_t cursor; /* entry that the step looks at next */
	uint64_t end_sequence;
	bool held;
	bool uncommitted; /* policies were sent since the last commit */
	struct command expansion[MIRROR_EXPANSION_MAX]; /* zero but while it is sent */
	struct in_flight *in_flight;
	uint64_t sent, syncs; /* since start */
};

/* 0 or -ENOMEM; sender_fini follows either. What is passed outlives the sender. */
int sender_init(struct sender *sender, struct entries *entries, struct tickets *tickets,
	const struct mirror_callbacks *callbacks);
void sender_fini(struct sender *sender);

/* Begins a resynchronisation. */
void sender_attach(struct sender *sender, struct attachment *attachment);
void sender_detach(struct sender *sender);

/* Sends what the ring takes; true when the turn's budget, not the ring, ended it. Attached. */
bool sender_poll(struct sender *sender);
/* The dataplane says how far it came; false, and not believed, when that cannot be. */
bool sender_applied(struct sender *sender, uint64_t applied);
/* NULL when the command is not in flight. */
struct in_flight *sender_in_flight(const struct sender *sender, uint64_t sequence);

/* The dataplane was told in this session to have the entry. */
bool sender_told(const struct sender *sender, const struct entry *entry);
/* mirror_hold and mirror_synced */
void sender_hold(struct sender *sender, bool hold);
bool sender_synced(const struct sender *sender);

#endif
