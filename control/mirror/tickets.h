/*
 * Tickets not yet done, in the order in which they were given out: a ring that grows by doubling.
 * Only the mirror uses this.
 *
 * A ticket waits for its entry to be sent (sequence TICKET_UNSENT, linked into the entry's chain by
 * `back`), then for the command with `sequence` to be applied. Tickets that one command carries
 * stay linked, so that its refusal finds all of them.
 */
#ifndef CONTROL_MIRROR_TICKETS_H
#define CONTROL_MIRROR_TICKETS_H

#include <stdint.h>

#define TICKET_UNSENT UINT64_MAX

struct ticket {
	uint64_t sequence; /* command to wait for; 0 = done as soon as it is first */
	uint32_t entry;
	uint32_t
		back; /* this number minus that of the next older ticket in the chain; 0 = oldest */
	int error;    /* positive errno of a refusal */
};

struct tickets {
	struct ticket *ring;
	uint64_t mask;
	uint64_t first, next; /* numbers: oldest not done, next to be given out */
};

int tickets_init(struct tickets *tickets);
void tickets_fini(struct tickets *tickets);
/* A new ticket for entry; 0 when out of memory. */
uint64_t tickets_new(struct tickets *tickets, uint32_t entry);
/* Valid until the next tickets_new. */
struct ticket *tickets_get(const struct tickets *tickets, uint64_t number);
/* Links number in front of the chain that ends in last (0 = empty). */
void tickets_chain(struct tickets *tickets, uint64_t number, uint64_t last);
/* The next older ticket of the chain, 0 when there is none. */
uint64_t tickets_older(const struct tickets *tickets, uint64_t number);

#endif
