/*
 * The mirror: what control wants the dataplane to know (desired) against what the dataplane has
 * acknowledged.
 *
 * Control tells the mirror every SET and REMOVE and gets a ticket for each. The mirror keeps the
 * desired state, puts commands on the ring as it has room, and reports each ticket done, in order,
 * once the dataplane has applied the command (or something later with the same key) or refused it.
 * What changes twice before it was sent is sent once.
 *
 * At each attach it sends SYNC_BEGIN, everything desired, SYNC_END, a bounded piece per call, so a
 * restart of either side ends with the dataplane holding exactly the desired state; setting again
 * what is there already sends nothing. New changes do not wait for the end of that: a registration
 * during a resynchronisation of a million bindings is answered at once. Order on the ring: agents,
 * local addresses and home networks; security associations; policies, made visible together by one
 * commit; routes and neighbours; bindings; prefixes; removals of agents, local addresses, home
 * networks and security associations. Within each of these, the order of the calls.
 *
 * Without a dataplane tickets wait. Loop thread alone. Memory for the limits is reserved at start
 * and touched as it is used.
 */
#ifndef CONTROL_MIRROR_MIRROR_H
#define CONTROL_MIRROR_MIRROR_H

#include "lib/ipc/attach.h"

#include <stdbool.h>
#include <stdint.h>

struct mirror;

/*
 * A security association or a policy: the mirror knows its id alone, and asks its owner for the
 * commands when it sends them. So keys lie in one place. In the payload of COMMAND_SA_SET, _REMOVE,
 * COMMAND_POLICY_SET and _REMOVE that the mirror is given.
 */
struct mirror_reference {
	uint32_t id;
	uint16_t direction;   /* enum sa_direction; 0 of a policy */
	uint16_t reserved;    /* 0 */
	uint32_t incarnation; /* SA: another one than before under this id is removed first */
	uint32_t version;     /* sent again when it differs */
};
#define MIRROR_EXPANSION_MAX 24 /* commands that one reference makes */

struct mirror_limits {
	uint32_t bindings; /* binding ids 0..bindings-1 */
	uint32_t others;   /* agents, local addresses, home networks, prefixes, routes, neighbours,
			      SAs (each direction) and policies together */
};

struct mirror_callbacks {
	void *context;
	/* error 0 = applied, else the positive errno of the refusal. May call mirror_set and
	 * mirror_remove. */
	void (*on_done)(void *context, uint64_t ticket, int error);
	/* Every event but EVENT_REFUSED; a copy, its fields as the dataplane wrote them. May be
	 * NULL. */
	void (*on_event)(void *context, const struct event *event);
	/*
	 * The commands that set what `reference` (COMMAND_SA_SET or COMMAND_POLICY_SET) stands for,
	 * at most MIRROR_EXPANSION_MAX into zeroed out[]; the last is the SET. `told`: this
	 * dataplane has the same incarnation already. The mirror wipes out[]. 0: nothing is sent.
	 * NULL when neither is ever set.
	 */
	unsigned (*expand)(void *context, uint16_t type, const struct mirror_reference *reference,
		bool told, struct command *out);
};

struct mirror_stats {
	uint64_t desired;              /* entries wanted in the dataplane */
	uint64_t waiting;              /* changes not yet on the ring */
	uint64_t in_flight;            /* commands on the ring, not yet acknowledged */
	uint64_t tickets;              /* not yet done */
	uint64_t sent, refused, syncs; /* since start */
	uint64_t violations;           /* nonsense read from the dataplane, ignored */
	bool attached, synced;
};

/* NULL with errno. */
struct mirror *mirror_new(
	const struct mirror_limits *limits, const struct mirror_callbacks *callbacks);
void mirror_free(struct mirror *mirror);

/*
 * Wants what the SET command says (its type is COMMAND_*_SET; `sequence` is ignored). Returns the
 * ticket, rising from 1; or 0 with errno: EINVAL not a SET or binding_id out of range, ENOSPC the
 * mirror is full, ENOMEM.
 */
uint64_t mirror_set(struct mirror *mirror, const struct command *desired);
/* Wants it gone: the type is COMMAND_*_REMOVE, and the key fields alone count. A ticket also when
 * it was not there. */
uint64_t mirror_remove(struct mirror *mirror, const struct command *command);
/* The same two for a reference: the type is one of those four. */
uint64_t mirror_refer(
	struct mirror *mirror, uint16_t type, const struct mirror_reference *reference);
/* The desired entry with the key of *command (a SET's type), copied over it; false when there is
 * none. */
bool mirror_get(const struct mirror *mirror, struct command *command);

/*
 * Takes up a fresh attachment (owned by the caller, valid until mirror_detach) and starts the
 * resynchronisation.
 */
void mirror_attach(struct mirror *mirror, struct attachment *attachment);
/* The dataplane went away: outstanding tickets wait for the next one. */
void mirror_detach(struct mirror *mirror);

/*
 * Reads events and applied_sequence, calls back, sends what the ring has room for. Call at each
 * event doorbell and once at the end of a loop turn after changes. True when it stopped to keep the
 * turn short: call again without waiting.
 */
bool mirror_poll(struct mirror *mirror);

/*
 * While held: policies are not sent and the resynchronisation does not end, so that the dataplane
 * goes on with the policies and security associations of an earlier session, which an owner may
 * name yet. Everything else goes on as ever.
 */
void mirror_hold(struct mirror *mirror, bool hold);

/* An attached dataplane holds everything that was desired when it was attached. */
bool mirror_synced(const struct mirror *mirror);
/* The ticket last given out. */
uint64_t mirror_ticket(const struct mirror *mirror);
struct mirror_stats mirror_stats(const struct mirror *mirror);

#endif
