/*
 * The Mobile IPv4 home agent (RFC 5944, 3519, 3024, 3543, 4433, 5177, 5265) without sockets, files
 * or clocks.
 *
 * In: punted messages, events and acknowledgements from the dataplane, operators' orders, the time
 * as a value. Out: the functions of struct mip4_ops. So a scenario runs a day in a second, and a
 * fuzzer the whole of it.
 *
 * The walk of a registration, by file: receive (which message, which instance) -> facts (what the
 * extensions say) -> police -> node (who is it) -> authenticate -> identification -> view + decide
 * (pure: verdict) -> commit (binding cache, binding_set) ... mip4_transaction_done -> reply. The
 * reply leaves only after the dataplane acknowledged (HA4-REG-21).
 *
 * One thread, never blocks. The configuration is borrowed and must outlive the engine or its
 * replacement.
 */
#ifndef CONTROL_MIP4_ENGINE_H
#define CONTROL_MIP4_ENGINE_H

#include "config/config.h"
#include "control/binding/binding_cache.h"
#include "lib/base/clock.h"
#include "lib/ipc/command.h"
#include "lib/ipc/event.h"
#include "lib/ipc/packet_record.h"

struct mip4_engine;

enum mip4_cause { /* why a binding went */
	MIP4_CAUSE_DEREGISTERED,
	MIP4_CAUSE_EXPIRED,
	MIP4_CAUSE_REPLACED, /* handover, S=0 */
	MIP4_CAUSE_CLEARED,  /* operator */
	MIP4_CAUSE_REVOKED,  /* by the foreign agent */
	MIP4_CAUSE_SERVICE,  /* service no longer allowed (HA4-XTN-06) */
	MIP4_CAUSE_REFUSED,  /* by the dataplane */
	MIP4_CAUSE_CONFIG,   /* user or prefix left the configuration (HA4-OPS-21) */
	MIP4_CAUSE_COUNT
};
const char *mip4_event_cause_name(enum mip4_cause cause);

/* What gratuitous ARP needs to know (HA4-HOME-03..07). */
struct mip4_home_change {
	struct ip_address home_address;
	uint16_t instance, vrf;
	uint16_t port; /* home link's port, never PORT_NONE */
	uint16_t vlan;
	bool restored; /* arrival after a restart: pace it (HA4-HOME-12) */
	bool has_mac;  /* return: the node's own MAC is known: announce it (HA4-HOME-06); else only
			  stop repeating */
	uint8_t mac[6];
};

enum mip4_event_type {
	MIP4_EVENT_BINDING_ADDED,
	MIP4_EVENT_BINDING_REFRESHED,
	MIP4_EVENT_BINDING_MOVED,
	MIP4_EVENT_BINDING_DELETED, /* cause */
	MIP4_EVENT_DENIED,          /* code, text says step and values (HA4-CODE-04) */
	MIP4_EVENT_SECURITY,        /* a security exception (HA4-OPS-37) */
	MIP4_EVENT_TRACE,           /* of the node that mip4_trace_set named */
	MIP4_EVENT_ALARM,           /* limits at 90 %, clock step, wall clock unset */
	MIP4_EVENT_COUNT
};
const char *mip4_event_name(enum mip4_event_type type);

struct mip4_event {
	enum mip4_event_type type;
	enum mip4_cause cause;
	uint16_t instance;
	uint8_t code;                   /* reply code of a denial */
	struct ip_address home_address; /* unspecified when unknown */
	struct ip_address source;
	const char *nai;               /* "" when none; borrowed for the call */
	const struct binding *binding; /* NULL when none; borrowed for the call */
	const char *text;              /* one line for the log, borrowed */
	uint32_t suppressed; /* lines like this left out since the last one (rate limit) */
};

/*
 * What the engine needs from the process around it. A ticket is a rising number > 0 that
 * mip4_transaction_done is called with later, in order, never from inside one of these functions. 0
 * = not taken (nowhere to keep it): the engine answers 128.
 */
struct mip4_ops {
	void (*send)(void *context, const struct inject_record *record);
	uint64_t (*binding_set)(void *context, const struct binding_command *command);
	uint64_t (*binding_remove)(void *context, const struct binding_command *command);
	uint64_t (*prefix_set)(void *context, const struct prefix_command *command);
	uint64_t (*prefix_remove)(void *context, const struct prefix_command *command);
	void (*home_arrived)(void *context, const struct mip4_home_change *change);
	void (*home_returned)(void *context, const struct mip4_home_change *change);
	/* Records that survive a restart; `key` identifies, put replaces. Never contain keys of an
	 * MSA. */
	void (*store_put)(void *context, const void *key, size_t key_length, const void *record,
		size_t length);
	void (*store_delete)(void *context, const void *key, size_t key_length);
	void (*event)(void *context, const struct mip4_event *event);
	void (*random)(
		void *context, void *out, size_t length); /* from the OS; nonces (HA4-RPL-13) */
	/* Whether this SA's peer was assigned this tunnel inner address (HA4-MODE-03). NULL: no
	 * IPsec here, nobody owns any. */
	bool (*inner_address_owned)(
		void *context, uint32_t sa_id, const struct ip_address *address);
	/* The inbound SA whose peer it is given to now, 0 nobody's. NULL: nobody owns any. */
	uint32_t (*inner_address_owner)(
		void *context, uint16_t vrf, const struct ip_address *address);
};
#define MIP4_STORE_KEY_MAX    272
#define MIP4_STORE_RECORD_MAX 1024

/* 0 or -errno. Call mip4_engine_started after
 * the last restore. */
int mip4_engine_new(const struct config *config, const struct mip4_ops *ops, void *context,
	struct clock_now now, struct mip4_engine **out);
void mip4_engine_free(struct mip4_engine *engine);
/*
 * One record as store_put gave it, before mip4_engine_started; order does not matter. -EINVAL: not
 * ours, another version, or the node is no longer configured (the caller may delete it); bindings
 * already expired are dropped with 0. Restored bindings are set in the dataplane again.
 */
int mip4_record_restore(struct mip4_engine *engine, const void *key, size_t key_length,
	const void *record, size_t length, struct clock_now now);
/* Sets the configuration's static bindings. `complete`: the store was there and whole. If not,
 * timestamps up to now are refused for unknown nodes (HA4-RPL-10). */
void mip4_engine_started(struct mip4_engine *engine, bool complete, struct clock_now now);
/*
 * This inbound SA is gone. Bindings that came through it go over to the SA that has their care-of
 * address now (a rekey), else they are suspended until their node registers again: nothing for them
 * leaves in clear, or into another user's tunnel (HA4-MODE-11). How many were suspended.
 */
unsigned mip4_engine_inner_lost(struct mip4_engine *engine, uint32_t sa_id, struct clock_now now);
/*
 * After a restart the SAs are known again, or given up: bindings whose own SA is not among them are
 * suspended, before their tunnel inner address may be given to another user (HA4-MODE-11). How
 * many.
 */
unsigned mip4_engine_inner_check(struct mip4_engine *engine, struct clock_now now);
/* New configuration (SIGHUP). Bindings stay; those without a user or prefix are revoked in later
 * ticks. 0 or -ENOMEM, then nothing changed. */
int mip4_engine_configure(
	struct mip4_engine *engine, const struct config *config, struct clock_now now);

/* A PUNT_MOBILE_IPV4 record. Its contents are not trusted beyond `length`. */
void mip4_receive(
	struct mip4_engine *engine, const struct punt_record *record, struct clock_now now);
/*
 * The dataplane applied (error 0) or refused (positive or negative errno) the command of this
 * ticket. Error 0 acknowledges every earlier ticket that was not refused, too: applied-up-to events
 * need one call.
 */
void mip4_transaction_done(
	struct mip4_engine *engine, uint64_t ticket, int error, struct clock_now now);
/* EVENT_BINDING_BOUND, EVENT_TUNNEL_UNREACHABLE, EVENT_TUNNEL_SPOOFED, EVENT_AWAY_SOURCE; others
 * are ignored. */
void mip4_engine_event(struct mip4_engine *engine, const struct event *event, struct clock_now now);
/* Timers; bounded work. Returns when to call again (at the latest). */
monotonic mip4_engine_tick(struct mip4_engine *engine, struct clock_now now);

/* Operators. Clear removes with Revocation where negotiated (HA4-RVK-05); -ENOENT when the id is
 * not live. */
int mip4_engine_clear(struct mip4_engine *engine, uint32_t binding_id, struct clock_now now);
/* All of a home address, or of a NAI; the count removed. */
unsigned mip4_engine_clear_home(struct mip4_engine *engine, uint16_t instance,
	const struct ip_address *home_address, struct clock_now now);
unsigned mip4_engine_clear_nai(
	struct mip4_engine *engine, uint16_t instance, const char *nai, struct clock_now now);
/* A registration as an operator describes it (HA4-OPS-29). */
struct mip4_rehearsal {
	const char *nai; /* "" none */
	struct ip_address home_address, home_agent, care_of_address, source;
	be16 source_port;
	uint16_t instance, lifetime_s, port; /* port: index, where it would come in */
	uint8_t flags;                       /* enum mip4_flag */
	bool udp_tunnel, udp_forced;         /* extension 144, its F bit */
};
struct mip4_rehearsed {
	uint8_t step;    /* of HA4-REG-01: 20 accepted */
	uint8_t code;    /* of the reply */
	bool discarded;  /* no reply: `why` is a counter's name */
	const char *why; /* static text */
	uint16_t lifetime_s;
	uint8_t encapsulation;
	bool udp;
	struct ip_address home_address; /* unspecified: one from a pool */
	struct ip_address effective;
	be16 effective_port;
};
/* Where it would end, were its authenticators right and its Identification fresh. Changes nothing.
 */
void mip4_rehearse(struct mip4_engine *engine, const struct mip4_rehearsal *rehearsal,
	struct clock_now now, struct mip4_rehearsed *out);
/* Traces one node by home address, care-of address or NAI, or nobody ("off"); false: neither. */
bool mip4_trace_set(struct mip4_engine *engine, const char *which);
/* Drain: no new mobile nodes (130), refreshes served (HA4-OPS-20). */
void mip4_engine_drain(struct mip4_engine *engine, bool on);

/* Read-only views for show, metrics and the watch. */
const struct binding_cache *mip4_show_cache(const struct mip4_engine *engine);
const struct config *mip4_show_config(const struct mip4_engine *engine);
/* NAI of a binding's node, "" when it has none. Borrowed until the node goes. */
const char *mip4_show_nai(const struct mip4_engine *engine, const struct binding *binding);
/* The first binding of a NAI (exact user part, realm case-insensitive); *cursor 0 at first; NULL at
 * the end. */
const struct binding *mip4_show_find_nai(
	const struct mip4_engine *engine, uint16_t instance, const char *nai, unsigned *cursor);
/* Mobile networks of a binding into `out`; how many. */
unsigned mip4_show_networks(const struct mip4_engine *engine, const struct binding *binding,
	struct ip_prefix *out, unsigned size);
/* "c", "f", "mc" or "-" as seen (HA4-MODE-18). */
const char *mip4_show_mode(const struct mip4_engine *engine, const struct binding *binding);
uint32_t mip4_show_node_count(const struct mip4_engine *engine);
uint32_t mip4_show_pending_count(const struct mip4_engine *engine);
bool mip4_show_draining(const struct mip4_engine *engine);

struct mip4_pool_view {
	const char *name;
	struct ip_address first, last;
	uint32_t size, leased, held_down;
};
/* false when the pool does not exist. */
bool mip4_show_pool(const struct mip4_engine *engine, uint16_t instance, unsigned pool,
	struct mip4_pool_view *out);

struct mip4_node_view {                 /* RFC 2006 haCounterTable (HA4-OPS-22) */
	const char *nai;                /* "" none */
	struct ip_address home_address; /* its identity without a NAI, else its dynamic one */
	uint64_t accepted, denied;
	uint64_t service_ns;              /* away and served, in all */
	monotonic accepted_ns, denied_ns; /* last; 0 never */
	uint32_t bindings;
	uint16_t instance;
	uint8_t denied_code; /* last */
};
/* Of slot *cursor or the next one in use within `look` slots; false when there was none. *cursor
 * becomes UINT32_MAX at the end. Texts borrowed until the node goes. */
bool mip4_show_node(const struct mip4_engine *engine, uint32_t *cursor, uint32_t look,
	monotonic now, struct mip4_node_view *out);

struct mip4_violation { /* HA4-BAD-06: per source, at most 1024, oldest replaced */
	struct ip_address source, home_address;
	uint64_t identification;
	uint64_t last_wall_ns;
	uint64_t count;
	uint32_t spi;
	uint16_t instance;
	uint16_t counter; /* enum mip4_counter: the reason */
	char nai[64];     /* cut when longer */
};
/* Entry `index` counted from the newest; false at the end. */
bool mip4_show_violation(
	const struct mip4_engine *engine, unsigned index, struct mip4_violation *out);

#endif
