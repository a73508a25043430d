/*
 * The one connection to the dataplane: attaches, notices its death, comes back (50 ms .. 1 s),
 * reads punts fairly, injects.
 *
 * Per turn a bounded number of punt records is taken from the workers' rings in turn. Records of
 * senders that the owner prefers (nodes with a binding) are handed on at once; all others wait in a
 * bounded queue of which each turn serves a part, so a flood of strangers neither starves a refresh
 * nor fills the rings in front of it. What is injected waits in a bounded queue for the end of the
 * turn, or until the ring has room.
 *
 * The mirror is attached, polled and detached from here. Loop thread.
 */
#ifndef CONTROL_DATAPLANE_LINK_H
#define CONTROL_DATAPLANE_LINK_H

#include "control/loop.h"
#include "control/mirror/mirror.h"

struct dataplane_link;

struct dataplane_link_callbacks {
	void *context;
	/* `restarted`: another dataplane process than before, or the first one. The mirror
	 * resynchronises already. */
	void (*attached)(void *context, bool restarted);
	void (*detached)(void *context);
	/* Before `detached`: the mapping of the region that is left behind, its descriptors closed;
	 * taken over by clearing *former. May be NULL. */
	void (*former)(void *context, struct attachment *former);
	/* A copy of the record with `length` within data[]; nothing else in it is checked. */
	void (*punt)(void *context, const struct punt_record *record, const struct clock_now *now);
	/* Is the sender one to serve first? Cheap, no side effects. */
	bool (*preferred)(void *context, const struct punt_record *record);
};

struct dataplane_link_statistics {
	uint64_t punts, punts_deferred,
		punts_dropped; /* dropped: the queue of strangers was full */
	uint64_t injected, inject_dropped;
	uint64_t attaches;
	uint32_t deferred_now, waiting_now; /* in the two queues */
};

/* Starts to connect at once, from the loop. The mirror is borrowed. 0 or -errno. */
int dataplane_link_new(struct loop *loop, const char *path, struct mirror *mirror,
	const struct dataplane_link_callbacks *callbacks, struct dataplane_link **out);
void dataplane_link_free(struct dataplane_link *link);

/* Queues the record for this turn's flush: it leaves after the store was committed. False when full
 * or no dataplane is there. */
bool dataplane_link_send(struct dataplane_link *link, const struct inject_record *record);
/* Hardware address of a port as the dataplane told; false while unknown. */
bool dataplane_link_port_mac(const struct dataplane_link *link, uint16_t port, uint8_t mac[6]);
/* NULL while detached. */
const struct attachment *dataplane_link_attachment(const struct dataplane_link *link);

/*
 * The two stages of a turn. `receive` reads punts, doorbells and the mirror's acknowledgements;
 * `flush`, after everything else of the turn, sends what waits and rings. Each says when it wants
 * its next turn (0 = at once).
 */
monotonic dataplane_link_receive(struct dataplane_link *link, const struct clock_now *now);
monotonic dataplane_link_flush(struct dataplane_link *link, const struct clock_now *now);

struct dataplane_link_statistics dataplane_link_statistics_get(const struct dataplane_link *link);

#endif
