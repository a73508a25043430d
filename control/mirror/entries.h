/*
 * Desired state, one entry of two cache lines per key: bindings at the index of their id, all
 * others behind a map. Entries whose change is not yet on the ring stand in one of a few queues,
 * which keep an order that the dataplane can accept. Only the mirror uses this.
 */
#ifndef CONTROL_MIRROR_ENTRIES_H
#define CONTROL_MIRROR_ENTRIES_H

#include "lib/base/map.h"
#include "lib/ipc/command.h"

#include <stdbool.h>

#define ENTRY_NONE         UINT32_MAX
#define ENTRY_PAYLOAD_SIZE 96

enum entry_queue {     /* in the order in which they are sent */
	QUEUE_BASE,    /* agents, local addresses, home networks: set */
	QUEUE_SA,      /* security associations: set */
	QUEUE_POLICY,  /* policies; then a commit. Before any route: nothing leaves in clear */
	QUEUE_ROUTE,   /* routes and neighbours */
	QUEUE_BINDING, /* bindings; prefixes: remove */
	QUEUE_PREFIX,  /* prefixes: set */
	QUEUE_LATE,    /* agents, local addresses, home networks, security associations: remove */
	QUEUE_SWEEP,   /* gone before a resynchronisation told of them: SYNC_END removes them */
	QUEUE_COUNT,
	QUEUE_NONE = QUEUE_COUNT
};

enum entry_flag {
	ENTRY_DESIRED = 1 << 0,
	ENTRY_REMOVE_FIRST = 1 << 1, /* the dataplane has another binding or SA under this id */
	ENTRY_REFUSED = 1 << 2,      /* the last SET was refused */
};

struct entry {
	uint8_t payload[ENTRY_PAYLOAD_SIZE];
	uint64_t last_ticket; /* newest ticket that waits for this to be sent, 0 none */
	uint32_t sequence;    /* low half of the sequence of the last command about it */
	uint32_t session; /* mirror's session in which the dataplane was told to have it; 0 it was
			     not, or to remove it */
	uint32_t next, prev; /* in the queue */
	uint32_t tickets;    /* not yet done */
	uint16_t type;       /* COMMAND_*_SET; 0 = free */
	uint8_t flags;       /* enum entry_flag */
	uint8_t queue;       /* enum entry_queue */
};

static_assert(sizeof(struct entry) == 128, "two cache lines an entry");

struct entries {
	struct entry *table; /* [bindings] by id, then [others] */
	struct map *map;     /* key of an other -> index */
	uint32_t bindings, others;
	uint32_t bindings_end, others_end; /* indices ever used end here */
	uint32_t free_other;               /* list through next */
	uint64_t desired;
	struct {
		uint32_t head, tail, count;
	} queues[QUEUE_COUNT];
};

/* 0 or -errno. */
int entries_init(struct entries *entries, uint32_t bindings, uint32_t others);
void entries_fini(struct entries *entries);

/* The SET type of a SET or REMOVE type; COMMAND_NONE for anything else. */
enum command_type entries_set_type(uint16_t type);
enum command_type entries_remove_type(uint16_t set_type);
/* Where SETs of this type are queued; also the step of a resynchronisation in which they are sent.
 */
enum entry_queue entries_set_queue(uint16_t set_type);

/* Of security associations and policies the entry holds a reference (mirror.h). */
bool entries_is_reference(uint16_t set_type);

struct entry *entries_get(const struct entries *entries, uint32_t index);
/* Index of the entry with the command's key, ENTRY_NONE when there is none. */
uint32_t entries_find(const struct entries *entries, const struct command *command);
/* The same, made when it is not there; ENTRY_NONE with errno EINVAL (binding id) or ENOSPC. */
uint32_t entries_make(struct entries *entries, const struct command *command);
/* Gives an entry back that nobody wants or waits for. */
void entries_release(struct entries *entries, uint32_t index);

/* The queue that the entry's type and flags call for. */
enum entry_queue entries_queue_of(const struct entry *entry);
/* Puts the entry at the end of a queue, unless it is in that one already. */
void entries_enqueue(struct entries *entries, uint32_t index, enum entry_queue queue);
void entries_dequeue(struct entries *entries, uint32_t index);

#endif
