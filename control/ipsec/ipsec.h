/*
 * IPsec in control: what security associations and policies are wanted, who wants them, and what
 * became of them.
 *
 *   configuration  -> configure.c -.
 *   homeportctl    -> manual.c ----+-> sa_database, policy_database -> mirror (a reference each)
 *   control/charon -> ipsec.c, ipsec_lease.c                                   |
 *        mirror, when it sends: expand.c  <- keys, limits, selectors <---'
 *        dataplane's events: event.c      -> log, operators, moves (NAT), removals (hard limit)
 *        its coming and going: sa_handover -> the state of SAs goes on
 *
 * The dataplane holds the numbers and windows (lib/ipc/sa_state.h); everything else about an SA is
 * here, keys included, and nowhere on a disk. The SPD is an ordered list (RFC 4301 4.4.1); a policy
 * that protects names a pair, so a rekey that replaces the pair needs no policy change, and one
 * that adds a second pair moves the policy by policy_database.
 *
 * Without any dataplane everything can be changed; slots are given out at the first attach. Loop
 * thread; nothing blocks.
 */
#ifndef CONTROL_IPSEC_IPSEC_H
#define CONTROL_IPSEC_IPSEC_H

#include "config/config.h"
#include "control/ipsec/policy_database.h"
#include "control/ipsec/sa_database.h"
#include "control/ipsec/sa_handover.h"
#include "lib/ipc/event.h"
#include "lib/ipc/packet_record.h"

struct ipsec;
struct mirror_reference;

enum ipsec_event_type {
	IPSEC_EVENT_SA_ADDED,
	IPSEC_EVENT_SA_REMOVED,
	IPSEC_EVENT_SA_SOFT_EXPIRED,
	IPSEC_EVENT_SA_HARD_EXPIRED,
	IPSEC_EVENT_SA_MOVED, /* by a NAT's new mapping or an operator */
	IPSEC_EVENT_MAPPING,  /* the peer's address changed and nobody followed */
	IPSEC_EVENT_ACQUIRE,  /* a policy asks for an SA that is not there */
	IPSEC_EVENT_REJECTED, /* audit (AUD-02) */
	IPSEC_EVENT_REFUSED,  /* the dataplane did not take an SA or a policy */
	IPSEC_EVENT_LIVENESS, /* after a takeover: a peer uses an SA that is not here (HA-06) */
	IPSEC_EVENT_TYPE_COUNT
};

struct ipsec_event {
	enum ipsec_event_type type;
	const struct sa *sa;         /* or NULL */
	const struct policy *policy; /* or NULL */
	struct ip_address source, destination;
	uint32_t spi;                           /* host order; 0 none */
	be16 port;                              /* of `source`: a mapping */
	uint16_t source_port, destination_port; /* host order, of an acquire's packet */
	uint8_t protocol;
	const char *cause; /* "bytes", a drop reason's name, ...; or NULL */
	int error;
	const struct event_audit *audit; /* IPSEC_EVENT_REJECTED, else NULL */
};

struct ipsec_counters { /* since start */
	uint64_t events[IPSEC_EVENT_TYPE_COUNT];
	uint64_t moves_limited; /* MOB-17 */
	uint64_t dummies;       /* handed to the dataplane */
};

struct ipsec_ops {
	void *context;
	/* As mirror_refer. */
	uint64_t (*refer)(void *context, uint16_t type, const struct mirror_reference *reference);
	void (*random)(void *context, void *out, size_t length);
	/* Log and operators; the pointers in it are good for the call. May be NULL. */
	void (*tell)(void *context, const struct ipsec_event *event);
	/* As dataplane_link_send; false when it cannot leave. May be NULL. */
	bool (*send)(void *context, const struct inject_record *record);
	/* The tunnel inner addresses behind this inbound SA belong to nobody any more: HA4-MODE-11.
	 * May be NULL. */
	void (*inner_lost)(void *context, const struct sa *sa);
};

/* Takes the configuration's pairs and policies over. NULL with errno. */
struct ipsec *ipsec_new(const struct config *config, const struct ipsec_ops *ops, monotonic now);
void ipsec_free(struct ipsec *ipsec);

/*
 * Another configuration: the pairs and policies that it lacks go, those that changed are moved or
 * replaced, new ones come; what operators added stays. All or nothing: 0, or -errno with the reason
 * and nothing changed (a name or SPI of an operator's, no room).
 */
int ipsec_configure(struct ipsec *ipsec, const struct config *before, const struct config *after,
	struct config_error *error, monotonic now);

/* The mirror is about to be attached to it, nothing was sent yet. */
void ipsec_attached(struct ipsec *ipsec, const struct attachment *attachment, monotonic now);
/* It went; takes the mapping over. */
void ipsec_detached(struct ipsec *ipsec, struct attachment *former);
/* expand.c: as mirror_callbacks.expand. */
unsigned ipsec_expand(struct ipsec *ipsec, uint16_t type, const struct mirror_reference *reference,
	bool told, struct command *out);
/* event.c: an event of the dataplane; false when it is not about IPsec. */
bool ipsec_event(struct ipsec *ipsec, const struct event *event, monotonic now);
/* A ticket of the mirror is done; false when it is none of ours. */
bool ipsec_done(struct ipsec *ipsec, uint64_t ticket, int error);
/* Larval SAs end, slots wake up. When to call again. */
monotonic ipsec_tick(struct ipsec *ipsec, monotonic now);

/* ---- associations of charon ---- */

/* A larval inbound SA (SAD-05): its SPI in host order, 0 with errno. */
uint32_t ipsec_get_spi(struct ipsec *ipsec, uint16_t vrf, monotonic now);
/*
 * One direction. A larval SA of the same inbound SPI becomes this one. `model`: name, origin,
 * command, lifetime, selectors, follow_mapping. NULL with errno as sa_database_add.
 */
struct sa *ipsec_add_sa(
	struct ipsec *ipsec, const struct sa *model, const struct sa_keys *keys, monotonic now);
/* Names each other's pair and policies' target. */
void ipsec_pair(struct ipsec *ipsec, struct sa *inbound, struct sa *outbound);
/* Outer addresses, ports, encapsulation, header settings (MOB-01). 0; -EINVAL another mode. */
int ipsec_update_sa(struct ipsec *ipsec, struct sa *sa, const struct sa_command *settings,
	bool follow_mapping, monotonic now);
void ipsec_del_sa(struct ipsec *ipsec, struct sa *sa, monotonic now);

/*
 * ipsec_lease.c: inbound SPIs for charon's plugin, with their slots: larval SAs without an end. An
 * SPI in host order, 0 with errno. Before any dataplane was there the SPI carries no slot.
 */
uint32_t ipsec_lease_spi(struct ipsec *ipsec, uint16_t vrf, uint32_t round, monotonic now);
/* The lease of this very SPI, made where it is not there. 0; -EEXIST an SA has it; -ENOSPC. */
int ipsec_claim_spi(struct ipsec *ipsec, uint32_t spi, uint16_t vrf, uint32_t round, monotonic now);
uint32_t ipsec_leases(const struct ipsec *ipsec);
/*
 * Control was restarted and the dataplane was not: until the SAs are named again that it forwards
 * with, new ones keep off their slots.
 */
void ipsec_hold(struct ipsec *ipsec, bool hold);
/* The region holds lines of SAs that are not known here. */
bool ipsec_has_strangers(const struct ipsec *ipsec);
/* A dataplane was there once: slots are given out, and numbers are where they are or lost. */
bool ipsec_is_placed(const struct ipsec *ipsec);
/* Whether the region has the numbers of an SA with this command (SPI, algorithms) and keys. */
bool ipsec_has_numbers(
	const struct ipsec *ipsec, const struct sa_command *command, const struct sa_keys *keys);
/* Policies of charon: the settings' name is unique. NULL with errno as policy_database_add. */
struct policy *ipsec_keyed_policy_add(
	struct ipsec *ipsec, const struct config_policy *settings, uint32_t reqid, void *owner);
void ipsec_keyed_policy_change(struct ipsec *ipsec, struct policy *policy,
	enum config_policy_action action, uint32_t order, const char *security_association,
	uint32_t reqid);
void ipsec_keyed_policy_remove(struct ipsec *ipsec, struct policy *policy);

struct ipsec_sa_state { /* query_sa, out of the region: no round trip (KIF-24) */
	bool known;     /* a dataplane holds it; else what the last one left, or zero */
	uint64_t packets, bytes, sequence, last_use_ns;
	uint32_t replays, replays_late, bad_icv; /* inbound */
	uint64_t front;                          /* inbound: of the window */
};
struct ipsec_sa_state ipsec_query_sa(const struct ipsec *ipsec, const struct sa *sa);

/* ---- pairs and policies by name: manual.c ---- */

/* Checked by the rules of the configuration. 0, or -errno and a sentence in error. */
int ipsec_manual_add(struct ipsec *ipsec, const struct config *config,
	struct config_security_association *pair, struct config_error *error, monotonic now);
struct ipsec_move { /* what an update changes; NULL and negative: stays */
	const struct ip_address *local, *remote;
	int local_port, remote_port, encap, follow_mapping, path_mtu;
};
int ipsec_manual_update(struct ipsec *ipsec, const char *name, const struct ipsec_move *move,
	struct config_error *error, monotonic now);
int ipsec_manual_del(
	struct ipsec *ipsec, const char *name, struct config_error *error, monotonic now);
/*
 * dummy.c: `count` dummy packets (ESP-FMT-12) of `length` octets of payload through the pair's
 * outbound SA. 0; -ENOENT no such live pair, -ENOTCONN no dataplane has it, -EINVAL, -EAGAIN not
 * all could be handed over.
 */
#define IPSEC_DUMMY_COUNT_MAX  1000u
#define IPSEC_DUMMY_LENGTH_MIN 40u /* an IPv6 header */
#define IPSEC_DUMMY_LENGTH_MAX 1800u
int ipsec_dummy(struct ipsec *ipsec, const char *name, unsigned count, unsigned length,
	struct config_error *error);
int ipsec_manual_policy_add(struct ipsec *ipsec, const struct config *config,
	const struct config_policy *policy, struct config_error *error);
int ipsec_manual_policy_del(struct ipsec *ipsec, const char *name, struct config_error *error);

/* ---- one of two gateways: ipsec_takeover.c ---- */

struct sa_export; /* sa_export.h */
struct ipsec_takeover {
	uint32_t known, unknown; /* SAs that the file told of, and did not */
	uint64_t gap_ms;         /* that was estimated over */
};
/* Of the SAs that nothing is sent and taken in, until a takeover. */
bool ipsec_is_standby(const struct ipsec *ipsec);
/* From standby to active, with the numbers of the file. 0; or -errno, a sentence, and nothing
 * changed: EALREADY active, ENOTCONN, EAGAIN, ESTALE the file is older than what runs (HA-05). */
int ipsec_takeover(struct ipsec *ipsec, const struct sa_export *export, struct clock_now now,
	struct ipsec_takeover *result, struct config_error *error);
/* To standby; the dataplane stops with its next bursts. */
void ipsec_release(struct ipsec *ipsec);
/* The SAs with this SPI (host order) go to another worker, where they are owned (MP-05). 0 or
 * -ENOENT. */
int ipsec_own(struct ipsec *ipsec, uint32_t spi, unsigned worker);

/* ---- looking ---- */

struct sa_database *ipsec_associations(const struct ipsec *ipsec);
struct policy_database *ipsec_policies(const struct ipsec *ipsec);
struct ipsec_counters ipsec_counters_get(const struct ipsec *ipsec);
struct sa_handover_counters ipsec_handover_counters(const struct ipsec *ipsec);
const struct attachment *ipsec_attachment(const struct ipsec *ipsec);
const char *ipsec_event_name(enum ipsec_event_type type);

/*
 * Whether the inbound SA with this id was given this tunnel inner address: it is inside the remote
 * selectors (HA4-MODE-03). ipsec_owner_of: the inbound SA that was, SA_SLOT_NONE when none is;
 * walks all SAs, not for the path of registrations.
 */
bool ipsec_inner_owned(const struct ipsec *ipsec, uint32_t sa_id, const struct ip_address *address);
uint32_t ipsec_owner_of(const struct ipsec *ipsec, uint16_t vrf, const struct ip_address *address);

#endif
