/* What the files of control/charon share. */
#ifndef CONTROL_CHARON_CHARON_STATE_H
#define CONTROL_CHARON_CHARON_STATE_H

#include "control/charon/charon.h"
#include "control/charon/connection.h"
#include "control/charon/pending.h"
#include "control/ipsec/sa_database.h"
#include "lib/base/hash.h"
#include "lib/base/map.h"

#include <stdarg.h>
#include <stdio.h>

struct policy_stacks;
struct inner_key;

struct delayed_move { /* MOB-17: the latest of an SA that moved too often */
	struct keying_update_sa update;
	monotonic due_ns;
};
#define DELAYED_MOVES_MAX 1024

struct charon {
	struct loop *loop;
	const struct config *config;
	struct ipsec *ipsec;
	struct charon_ops ops;
	struct connection *connection;
	struct hash_key hash;
	struct map *handles;         /* of the present instance -> struct sa */
	struct map *unpaired;        /* (reqid, direction) -> handle that has no partner yet */
	struct map *inner;           /* remote selectors -> whose (inner.c) */
	uint32_t inner_lengths[129]; /* how many prefixes of each are in it, in bits */
	struct inner_key *odds;      /* what is in it and no prefix */
	uint32_t odd_count;
	struct policy_stacks *policies;
	struct pending_queue pending;
	struct delayed_move delayed[DELAYED_MOVES_MAX];
	unsigned delayed_count;
	char agent[KEYING_NAME_SIZE];
	uint64_t epoch, instance, events;
	uint32_t round; /* of replays */
	uint32_t names; /* made so far */
	bool greeted, replaying, replayed, held, deleting, attached;
	monotonic grace_until_ns;
	uint64_t counters[CHARON_COUNTER_COUNT];
};

/* What becomes of a request. */
struct verdict {
	enum keying_status status;
	char text[KEYING_TEXT_SIZE];
};
__attribute__((format(printf, 3, 4))) static inline bool verdict_refuse(
	struct verdict *verdict, enum keying_status status, const char *format, ...)
{
	va_list arguments;

	verdict->status = status;
	va_start(arguments, format);
	vsnprintf(verdict->text, sizeof(verdict->text), format, arguments);
	va_end(arguments);
	return false;
}

/* model.c */
struct model {
	struct sa sa;
	struct sa_keys keys;
	struct selector selectors[CONFIG_SELECTORS_MAX];
};
/* False with a verdict. Wipe it after use. */
bool model_make(const struct charon *c, const struct keying_add_sa *add, struct model *model,
	struct verdict *verdict);
bool model_ends_are_good(const struct charon *c, const struct keying_endpoint *a,
	const struct keying_endpoint *b, uint32_t flags, struct verdict *verdict);
void model_set_ends(struct sa_command *command, const struct keying_endpoint *source,
	const struct keying_endpoint *destination);

/* association.c */
void association_add(
	struct charon *c, const struct keying_add_sa *add, struct verdict *verdict, monotonic now);
void association_del(
	struct charon *c, const struct keying_sa_id *id, struct verdict *verdict, monotonic now);
/* NULL when the handle is not that SA's. */
struct sa *association_find(const struct charon *c, const struct keying_sa_id *id);
/* Takes an SA of charon out without telling it. */
void association_drop(struct charon *c, struct sa *sa, monotonic now);
/* Those that the predicate finds, leases too; how many went. */
unsigned association_drop_all(struct charon *c,
	bool (*unwanted)(const struct charon *c, const struct sa *sa), monotonic now);
/* The SA leaves the databases. */
void association_gone(struct charon *c, struct sa *sa);

/* move.c */
/* `former`: the settings before. */
void move_update(struct charon *c, const struct keying_update_sa *update, struct sa_command *former,
	struct verdict *verdict, monotonic now);
/* A host range that is `former` becomes `now`, of the same family; whether it did. */
bool move_address(struct ip_address *first, struct ip_address *last,
	const struct ip_address *former, const struct ip_address *now);
monotonic move_tick(struct charon *c, monotonic now);

/* authorise.c: whether the SA may be; both ends are of one family. */
bool authorise_sa(const struct charon *c, const struct keying_add_sa *add, const struct sa *model,
	struct verdict *verdict);
/* MOB-11 */
bool authorise_remote(
	const struct charon *c, const struct ip_address *remote, struct verdict *verdict);
/* Whether the gateway takes ESP on it; host order. */
bool authorise_is_esp_port(const struct charon *c, uint16_t port);
/* TRN-12: what its addresses are is the selectors' business. */
bool authorise_is_proxy(const struct sa *sa);

/* inner.c: SPD-20, BAD-57 */
uint64_t inner_peer(const struct charon *c, const char *identity);
bool inner_free(struct charon *c, const struct sa *model, struct verdict *verdict);
void inner_take(struct charon *c, const struct sa *sa, const char *identity);
/* Whose the SA's addresses are; "" nobody's. */
void inner_identity(const struct charon *c, const struct sa *sa, char out[KEYING_NAME_SIZE]);
void inner_release(struct charon *c, const struct sa *sa);
void inner_clear(struct charon *c);

/* replay.c */
void replay_hello(struct charon *c, const struct keying_hello *hello);
void replay_begin(struct charon *c, struct verdict *verdict);
void replay_end(struct charon *c, struct verdict *verdict, monotonic now);
void replay_release(struct charon *c);

/* tell.c */
/* Numbers an event, sends and counts it; false when nobody hears. */
bool tell_event(struct charon *c, struct keying_message *m, enum charon_counter counter);
bool tell_expire(struct charon *c, struct sa *sa, bool hard, const char *cause);
/* What the client missed while it was away. */
void tell_missed(struct charon *c);

#endif
