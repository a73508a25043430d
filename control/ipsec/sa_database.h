/*
 * The security associations that control wants, one struct a direction, by slot (the sa_id of
 * commands), by inbound SPI and by name. Nothing here talks to the dataplane: ipsec.c tells the
 * mirror what changed, and fills its commands from here.
 *
 * Slot 0 is never given out: 0 means "no SA" where Mobile IP keeps an id. A slot and an inbound SPI
 * that were given back rest for a minute (SAD-06, LIFE-10). An association has no slot before the
 * first dataplane is attached, which may hold its state in a slot already (sa_handover.h).
 *
 * Keys lie in memory of their own: locked as far as the limits allow, kept out of core dumps, wiped
 * when given back (ESP-ALG-25). Loop thread.
 */
#ifndef CONTROL_IPSEC_SA_DATABASE_H
#define CONTROL_IPSEC_SA_DATABASE_H

#include "lib/base/secret.h"
#include "lib/ipc/command.h"

#include <stdbool.h>

#define SA_NAME_SIZE 32
#define SA_REST_NS   (60 * CLOCK_NS_PER_S)
#define SA_LARVAL_NS (165 * CLOCK_NS_PER_S) /* SAD-05 */
#define SA_SLOT_NONE 0u
#define SA_SPI_TRIES 64

enum sa_origin { SA_FROM_CONFIG, SA_FROM_OPERATOR, SA_FROM_IKE };
enum sa_state { SA_IS_LARVAL, SA_IS_LIVE, SA_IS_EXPIRED };

struct sa_keys {
	uint8_t encryption[SA_ENCRYPTION_KEY_MAX];
	uint8_t integrity[SA_INTEGRITY_KEY_MAX];
	uint8_t encryption_length, integrity_length;
};

struct sa_lifetime { /* relative to `created_ns`; 0 none */
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets, soft_s, hard_s;
};

struct sa {
	char name[SA_NAME_SIZE]; /* of the pair */
	enum sa_origin origin;
	enum sa_state state;
	bool follow_mapping;
	struct sa_command command; /* sa_id and pair_id filled in here; SA_RESUME never */
	struct sa_lifetime lifetime;
	struct selector *selectors; /* owned */
	unsigned selector_count;
	struct sa_keys *keys; /* in the database's memory; NULL of a larval one */
	uint32_t identity[2]; /* of SPI, algorithms and keys (sa_identity.h) */
	uint32_t incarnation; /* another SA than before in this slot: remove, then set */
	uint32_t version;     /* another setting of the same SA */
	struct sa *pair;      /* the other direction, or NULL */
	monotonic created_ns, larval_until_ns;
	monotonic moves_since_ns; /* MOB-17 */
	unsigned moves;
	uint32_t wanted; /* hash of the ends that were asked for, before any NAT's mapping */
	uint8_t expired; /* bits of enum sa_expiry that were told */
	uint32_t place;  /* the database's own */
	/* Of an SA that charon negotiated (control/charon): */
	uint64_t handle;      /* its client's name of it; 0: none */
	uint64_t peer;        /* hash of the peer's identity; 0: not known */
	uint32_t round;       /* replay in which it was named last */
	uint32_t users;       /* policies that send through it */
	bool resume;          /* it may have used numbers: never without its state */
	bool selectors_moved; /* told again with each setting from now on */
	bool proxy;   /* transport mode between home addresses: its ends do not move (TRN-12) */
	uint8_t told; /* bits of `expired` that the client knows */
};

struct sa_database;

/* For slots 1..slots-1 of each direction (a power of two, or 0: none). NULL with errno. */
struct sa_database *sa_database_new(uint32_t slots);
void sa_database_free(struct sa_database *database);

/*
 * Makes an association of `command.direction`: settings, selectors and keys are copied, `keys` NULL
 * makes a larval one. No slot yet. NULL with errno: EEXIST the inbound SPI lives, ENOSPC,
 * ENOMEM.
 */
struct sa *sa_database_add(struct sa_database *database, const struct sa *model,
	const struct sa_keys *keys, monotonic now);
/* Gives it a slot: `wanted` when that is free, else any. 0 or -ENOSPC. */
int sa_database_place(struct sa_database *database, struct sa *sa, uint32_t wanted, monotonic now);
/*
 * Takes the settings, selectors and keys of `model` in the same slot: another incarnation. A name
 * stays, where there is one. 0;
 * -EEXIST its inbound SPI is another's; -ENOMEM. On error nothing changed.
 */
int sa_database_replace(struct sa_database *database, struct sa *sa, const struct sa *model,
	const struct sa_keys *keys, monotonic now);
/* Wipes and frees it; slot and SPI rest. */
void sa_database_remove(struct sa_database *database, struct sa *sa, monotonic now);

/* NULL when there is none. */
struct sa *sa_database_slot(
	const struct sa_database *database, enum sa_direction direction, uint32_t slot);
struct sa *sa_database_inbound(const struct sa_database *database, uint32_t spi);
struct sa *sa_database_named(
	const struct sa_database *database, enum sa_direction direction, const char *name);
/* Walks all of one direction, those without a slot too: *cursor starts at 0, NULL at the end. */
struct sa *sa_database_next(
	const struct sa_database *database, enum sa_direction direction, uint32_t *cursor);
uint32_t sa_database_count(const struct sa_database *database, enum sa_direction direction);
uint32_t sa_database_slots(const struct sa_database *database);

/*
 * A random inbound SPI in host order that carries `slot` and is unique among live, larval and
 * resting ones (SAD-06); 0 when none was found. `random` fills octets.
 */
uint32_t sa_database_spi(const struct sa_database *database, uint32_t slot,
	void (*random)(void *context, void *out, size_t length), void *context);
/*
 * Ends the rest of a slot early, by its number or (`slot` 0) by the inbound SPI that it had: what
 * comes back with the same keys must go on with the numbers there, and what comes back with the
 * same SPI must take the place of the old one. The slot; SA_SLOT_NONE when none rests.
 */
uint32_t sa_database_wake(
	struct sa_database *database, enum sa_direction direction, uint32_t slot, uint32_t spi);
/* A slot that is free in both directions, 0 when there is none. */
uint32_t sa_database_free_slot(struct sa_database *database, monotonic now);
/* Ends the rest of what has rested; the time of the next, or CLOCK_NEVER. */
monotonic sa_database_tick(struct sa_database *database, monotonic now);

#endif
