/*
 * The keying server: what charon's plugin asks for (lib/ipc/keying.h), applied to control/ipsec.
 *
 *   socket -> connection.c -> request.c -+-> association.c -> model.c -> authorise.c, inner.c
 *                                        +-> move.c, migrate.c
 *                                        +-> policy_stack.c
 *                                        +-> replay.c
 *   all of these -> control/ipsec -> mirror's tickets -> pending.c -> answers
 *                   control/ipsec's events -> tell.c -> events
 *
 * Every request is checked whole before anything changes, and answered once: when the dataplane has
 * it, or after CHARON_WAIT_NS as accepted (pending.c). What the dataplane refuses is taken back.
 *
 * Clients come one after another. Each begins with a replay (replay.c): a round, in which it names
 * what it has. What an earlier round named and this one does not is taken out at the end, so SAs
 * live through restarts of charon's plugin, of control and of the dataplane, and nothing outlives
 * charon by more than its next start (HA-07). After a restart of control alone the dataplane goes
 * on with policies and SAs that control does not know yet: the mirror is held until the replay has
 * named them, or the grace is over.
 *
 * Loop thread; nothing blocks.
 */
#ifndef CONTROL_CHARON_CHARON_H
#define CONTROL_CHARON_CHARON_H

#include "control/ipsec/ipsec.h"
#include "control/loop.h"
#include "lib/ipc/keying.h"

#include <sys/types.h>

#define CHARON_WAIT_NS (100 * CLOCK_NS_PER_S / 1000) /* MOB-09 */

struct charon;

struct charon_ops {
	void *context;
	uint64_t (*ticket)(void *context);      /* the mirror's last */
	void (*hold)(void *context, bool hold); /* mirror_hold */
	void (*random)(void *context, void *out, size_t length);
	/* What the client has is known now, or the grace for it is over: all SAs that there are are
	 * here. May be NULL. */
	void (*known)(void *context);
	/* Whether the address is the gateway's own in this vrf (TRN-11). */
	bool (*is_local)(void *context, uint16_t vrf, const struct ip_address *address);
};

enum charon_counter {
	CHARON_REQUESTS,
	CHARON_REFUSED,       /* answered with an error */
	CHARON_ACCEPTED_LATE, /* answered before the dataplane had them */
	CHARON_TAKEN_BACK,    /* the dataplane refused them later */
	CHARON_MALFORMED,
	CHARON_STRANGERS, /* connections of others than charon, or a second one */
	CHARON_CONNECTIONS,
	CHARON_REPLAYS,
	CHARON_SWEPT, /* SAs, leases and policies that a replay did not name */
	CHARON_STALE, /* SAs whose numbers were lost */
	CHARON_EXPIRES,
	CHARON_MAPPINGS,
	CHARON_ACQUIRES,
	CHARON_MIGRATES,
	CHARON_EVENTS_LOST,   /* nobody was connected */
	CHARON_MOVES_DELAYED, /* MOB-17 */
	CHARON_CONFLICTS,     /* BAD-57 */
	CHARON_OVERLAPS,      /* SPD-20 */
	CHARON_UNAUTHORISED,  /* BAD-58 */
	CHARON_COUNTER_COUNT
};

struct charon_summary {
	bool connected, replaying, replayed, held;
	char agent[KEYING_NAME_SIZE]; /* of the last client */
	uint64_t instance;
	uint32_t associations, leases, policies, waiting; /* waiting: for the dataplane */
};

/*
 * Listens at config->keying.socket (mode 0600; a stale socket is replaced), before privileges are
 * given up: the socket goes to `owner`, when that is not (uid_t)-1. Both are borrowed. 0;
 * -EADDRINUSE when a live server is there; other -errno.
 */
int charon_new(struct loop *loop, const struct config *config, struct ipsec *ipsec,
	const struct charon_ops *ops, uid_t owner, struct charon **out);
void charon_free(struct charon *charon);
/* Another configuration: its keying group counts from now on. */
void charon_configure(struct charon *charon, const struct config *config);

/*
 * After ipsec_attached. `session`: of the dataplane, counts the controls that it has seen.
 */
void charon_attached(struct charon *charon, uint64_t session, monotonic now);
void charon_detached(struct charon *charon);
/* A ticket of the mirror is done, whosever it is; in order. Before ipsec_done. */
void charon_done(struct charon *charon, uint64_t ticket, int error, monotonic now);
/*
 * Asks charon to move the IKE association and, in place, both directions of its outbound one to
 * other addresses (KIF-44). 0 when it was asked; -ENOTCONN; -EINVAL what charon 5.9.8 cannot do: an
 * association in UDP, ports, one between home addresses.
 */
int charon_migrate(struct charon *charon, const struct sa *outbound, const struct ipsec_move *move,
	struct config_error *error);
/* What control/ipsec tells (struct ipsec_ops). */
void charon_tell(struct charon *charon, const struct ipsec_event *event);
/* Late answers, delayed moves, the grace. When to call again. */
monotonic charon_tick(struct charon *charon, monotonic now);

/*
 * One request of a client that is connected: `answer` is filled in and true, or it comes later
 * (pending.c) and false. Sets *end when the connection has to end. For the connection and for
 * tests.
 */
bool charon_request(struct charon *charon, const struct keying_message *request,
	struct keying_message *answer, bool *end, monotonic now);

struct charon_summary charon_summary_get(const struct charon *charon);
uint64_t charon_counter(const struct charon *charon, enum charon_counter counter);
const char *charon_counter_name(enum charon_counter counter);
const char *charon_counter_help(enum charon_counter counter);

#endif
