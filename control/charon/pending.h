/*
 * Requests whose answer waits for the dataplane: a queue in the order of the mirror's tickets, as
 * these are done in order. Each holds the range of tickets that its request made; the last one
 * done, the request is in force, one refused, it is taken back. Loop thread.
 */
#ifndef CONTROL_CHARON_PENDING_H
#define CONTROL_CHARON_PENDING_H

#include "lib/base/clock.h"
#include "lib/ipc/command.h"
#include "lib/ipc/keying.h"

#define PENDING_MAX 131072u /* further ones are answered at once, as accepted, and not watched */

enum pending_kind { PENDING_ADD_SA, PENDING_UPDATE_SA, PENDING_POLICY, PENDING_OTHER };

struct pending {
	uint64_t id;          /* of the request */
	uint64_t first, last; /* tickets */
	uint64_t about;       /* handle, or number of the policy's entry */
	monotonic due_ns;
	struct sa_command former; /* PENDING_UPDATE_SA: to go back to */
	uint32_t connection;      /* whose request it was */
	int error;
	enum pending_kind kind;
	bool answered;
};

struct pending_queue {         /* zero-initialise */
	struct pending *items; /* ring */
	uint32_t size, first, count;
	uint32_t late; /* so many at the front are answered */
};

struct charon;

/* False when there is no room. */
bool pending_put(struct charon *c, const struct pending *pending);
void pending_done(struct charon *c, uint64_t ticket, int error, monotonic now);
/* Answers those that are due. When the next is. */
monotonic pending_tick(struct charon *c, monotonic now);
void pending_free(struct pending_queue *queue);

#endif
