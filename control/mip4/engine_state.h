/*
 * The engine's inside, shared by the files of this folder and nobody else.
 */
#ifndef CONTROL_MIP4_ENGINE_STATE_H
#define CONTROL_MIP4_ENGINE_STATE_H

#include "control/mip4/authenticate.h"
#include "control/mip4/counters.h"
#include "control/mip4/decide.h"
#include "control/mip4/engine.h"
#include "control/mip4/identification.h"
#include "control/mip4/network.h"
#include "control/mip4/node.h"
#include "control/mip4/police.h"
#include "control/mip4/pool.h"
#include "control/mip4/profile.h"
#include "control/mip4/reply.h"
#include "control/mip4/revocation.h"
#include "control/mip4/violations.h"

#define TRANSACTION_NONE UINT32_MAX
#define TRANSACTIONS_MAX 8192  /* registrations waiting for the dataplane */
#define TICKETS_MAX      65536 /* commands of those */

enum transaction_phase {
	TRANSACTION_FREE,
	TRANSACTION_SET,  /* the binding itself is on its way */
	TRANSACTION_REST, /* what follows it: prefixes, removal of other bindings */
};

struct transaction {
	enum transaction_phase phase;
	unsigned outstanding; /* tickets not acknowledged */
	bool refused, deregistration, keep_others, had_before, home_return, has_mac, was_away;
	int error;
	uint32_t node, binding_id;
	struct binding before;
	struct ip_prefix before_networks[NETWORKS_PER_BINDING_MAX];
	unsigned before_network_count;
	struct reply reply;
	uint8_t mac[6];
	uint16_t port, vlan;
	struct punt_record *waiting;     /* a newer request of the same node, owned */
	uint64_t request_identification; /* of the request under way, for its copies */
	struct ip_address request_source;
	be16 request_source_port;
	uint32_t free_next;
};

enum ticket_role { TICKET_SET, TICKET_REST, TICKET_PREFIX };

struct ticket {
	uint64_t number;
	uint32_t transaction;
	uint8_t role;
	uint8_t network; /* index in the reply's networks, TICKET_PREFIX */
	bool settled;    /* refused ahead of its turn */
	int error;
};

/* Everything about one request on its way through the walk. */
struct request {
	const struct punt_record *record;
	struct mip4_message message;
	struct facts facts;
	uint16_t instance;
	const struct config_instance *config;
	const struct config_mobile_node *profile;
	uint32_t profile_index;
	const struct config_security *context; /* that authenticated it */
	uint32_t agent;                        /* configured foreign agent or PROFILE_NONE */
	const struct config_security *agent_context;
	bool agent_authentic;
	struct node_key key;
	uint32_t node;
	struct ip_address home_address; /* resolved */
	uint64_t reply_identification;
	const struct ip_address *redirect; /* Redirected HA of a denial */
	const uint8_t *denied_networks;    /* codes of a denial with 147 */
	bool rehearsed;                    /* nothing may change (HA4-OPS-29) */
	bool pool_reserved;                /* home_address was taken from a pool for this request */
	struct clock_now now;
};

struct trace { /* HA4-OPS-38 */
	bool on;
	char nai[254];             /* "" : by address */
	struct ip_address address; /* home or care-of */
};

struct mip4_engine {
	const struct config *config;
	struct mip4_ops ops;
	void *context;
	uint32_t generation; /* of the configuration */
	struct binding_cache *cache;
	struct node_table *nodes;
	struct network_table *networks;
	struct profile_index *profiles;
	struct police *police;
	struct authenticator *authenticator;
	struct revocations *revocations;
	struct violations violations;
	struct mip4_counters *counters; /* instance_count + 1 */
	struct pool ***pools;           /* [instance][pool] */
	unsigned *pool_counts, pool_instances;
	struct transaction *transactions;
	uint32_t transaction_free, transaction_used;
	uint32_t pending, waiting;
	struct ticket *tickets; /* ring */
	uint32_t ticket_head, ticket_count;
	struct token_bucket failure_replies; /* HA4-OPS-31 */
	monotonic failure_told_ns[4096];     /* last 131 per mobile node, by hash: a collision only
						suppresses */
	struct token_bucket events;          /* rate of log lines */
	uint32_t events_suppressed;
	uint64_t identification_floor; /* HA4-RPL-10 */
	struct trace trace;
	bool draining, statics;      /* statics: some binding is one */
	struct alarm *alarms;        /* instance_count + 1: the last is the whole */
	monotonic alarmed_ns;        /* when they were looked at last */
	struct clock_now last_clock; /* for steps of the wall clock (HA4-OPS-42) */
	bool clock_known, clock_unset_told;
	monotonic node_idle_ns; /* a node silent for so long may be given up (HA4-RPL-09) */
	uint32_t sweep_cursor;  /* after a reload; UINT32_MAX: done */
};

/* receive.c */
/* HA4-BAD-13: 0.0.0.0 only where a home link is. */
bool receive_source_good(const struct mip4_engine *e, const struct request *r);
/* Step 3 of HA4-REG-01: why it came the wrong way for this role (HA4-TNC-02, -03, -08,
 * HA4-MODE-03), or MIP4_COUNTER_COUNT. */
enum mip4_counter receive_way(const struct mip4_engine *e, const struct request *r);
void receive_again(struct mip4_engine *e, const struct punt_record *record, struct clock_now now);

/* event.c */
struct mip4_event event_of(const struct request *r, enum mip4_event_type type, const char *text);
void event_emit(struct mip4_engine *e, struct mip4_event *event, bool limited, monotonic now);
void event_security(
	struct mip4_engine *e, const struct request *r, enum mip4_counter reason, const char *text);

/* trace.c: each does nothing unless this node is traced. */
bool trace_request(const struct mip4_engine *e, const struct request *r);
void trace_received(struct mip4_engine *e, const struct request *r);
void trace_verdict(struct mip4_engine *e, const struct request *r, const struct verdict *v);
void trace_reply(struct mip4_engine *e, const struct reply *reply,
	const struct inject_record *record, monotonic now);

/* counters.c */
void counter_add(struct mip4_engine *e, unsigned instance, enum mip4_counter counter);

/* engine.c */
void engine_home_changed(struct mip4_engine *e, const struct binding *b, bool arrived,
	bool restored, const struct transaction *t);

/* view.c: what decide wants to know. */
void view_gather(struct mip4_engine *e, struct request *r, struct decide_input *input);
bool view_own_address(const struct mip4_engine *e, uint16_t vrf, const struct ip_address *address);
/* It came through a port of zone external, or one that nobody knows. */
bool view_external(const struct mip4_engine *e, const struct punt_record *record);
/* The first or the last address of the home network it is in. */
bool view_network_or_broadcast(
	const struct config_instance *config, const struct ip_address *address);
const struct config_home_network *view_home_network(
	const struct config_instance *config, const struct ip_address *address);

/* commit.c: carries a verdict out; done. */
void commit(struct mip4_engine *e, struct request *r, const struct decide_input *input,
	const struct verdict *verdict);
/* Tells the dataplane how the binding is meant to be; the mirror's ticket, 0 when it has no room.
 */
uint64_t commit_binding_set(struct mip4_engine *e, const struct binding *b);
/* Takes a binding away for good: dataplane, networks, indexes, store, pool lease, event. */
void commit_binding_end(struct mip4_engine *e, struct binding *b, enum mip4_cause cause,
	uint32_t transaction, struct clock_now now);
void commit_networks_drop(struct mip4_engine *e, struct binding *b, uint32_t transaction);

/* transaction.c: what waits for the dataplane. NULL when TRANSACTIONS_MAX wait already. */
struct transaction *transaction_take(
	struct mip4_engine *e, const struct request *r, uint32_t *index);
/* Gives it up or ends it; a request that waited behind it starts now. */
void transaction_end(struct mip4_engine *e, struct transaction *t, struct clock_now now);
/* Goes on when nothing is outstanding any more. */
void transaction_advance(struct mip4_engine *e, struct transaction *t, struct clock_now now);
/*
 * A refresh for a short time that the dataplane, away, never took has run out: the binding that it
 * was to replace was promised for longer and stays. False: it is to expire.
 */
bool transaction_outlived(struct mip4_engine *e, struct binding *b, struct clock_now now);
void transaction_ticket_add(struct mip4_engine *e, uint64_t number, uint32_t transaction,
	enum ticket_role role, uint8_t network);

/* alarm.c: limits nearly reached (HA4-OPS-33, HA4-OPS-09). */
struct alarm *alarm_new(unsigned instances); /* NULL: out of memory; free() it */
void alarm_check(struct mip4_engine *e, monotonic now);

/* answer.c: reply facts of a request, and their sending. */
void answer_prepare(struct mip4_engine *e, const struct request *r, uint8_t code,
	uint16_t lifetime_s, struct reply *out);
void answer_deny(struct mip4_engine *e, struct request *r, uint8_t code, const char *why);
void answer_send(struct mip4_engine *e, struct reply *reply, struct clock_now now);
void answer_count(struct mip4_engine *e, const struct reply *reply);

/* record.c: the store. */
void record_binding_put(struct mip4_engine *e, const struct binding *b, struct clock_now now);
void record_binding_delete(struct mip4_engine *e, const struct binding *b);
void record_node_put(struct mip4_engine *e, const struct node *n);
void record_node_delete(struct mip4_engine *e, const struct node *n);

/* walk.c: an authenticated request is held while an older one of its node waits; run again from
 * here. */
void walk_request(struct mip4_engine *e, struct request *r);
/* Who it is; why nobody, or MIP4_COUNTER_COUNT. */
enum mip4_counter walk_identity(const struct mip4_engine *e, struct request *r);
/*
 * The foreign agent's association: by source, else by care-of field when the agent may be behind a
 * NAT (HA4-AUTH-20). Looked up before anything is answered, for denials carry its authenticator too
 * (HA4-RRP-11); whether its own is right is step 8.
 */
void walk_agent_find(const struct mip4_engine *e, struct request *r);
const struct config_mobile_node *walk_profile(struct mip4_engine *e, uint32_t node);

#endif
