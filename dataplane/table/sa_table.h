/*
 * Security associations as the workers see them (RFC 4301 4.4.2). What control configured
 * (lib/ipc/command.h) and what a packet needs are two structures; this is the second, made from the
 * first when the command is applied.
 *
 *   commands SA_KEY, SA_LIMITS, SA_SELECTOR   staged here (one SA at a time)
 *   command SA_SET        -> struct sa_inbound | struct sa_outbound   one or two hot cache lines
 *                            struct crypto_key, right behind it       wiped when it is given back
 *                            struct sa_selector                       the first one in the object
 *   region (sa_state.h)   -> numbers, window, packets, bytes, last use: a line a direction, and
 *                            what the window's line has no room for
 *
 * Lookup: outbound by sa_id, an array. Inbound by SPI alone (SAD-01): the SPI's low bits are the
 * slot, another array, and the whole SPI is compared; an SPI that is not of our choosing is found
 * by a keyed hash (SAD-12).
 *
 * A live SA is moved (MOBIKE, NAT) by building a new object, with a copy of its key, on the same
 * state and storing its index over the old one: a burst sees all old or all new values (MOB-01),
 * numbers and window go on (ESP-SEQ-18). Removing an SA leaves a tombstone in an inbound slot, so
 * that what is still in flight is counted as such for a minute (LIFE-10). Objects and keys that
 * were replaced go back after a grace period.
 *
 * Threads: the main lcore writes, workers read between two quiescent points; but fields marked
 * "workers" are soft state that workers write (relaxed). Everything is preallocated.
 */
#ifndef DATAPLANE_TABLE_SA_TABLE_H
#define DATAPLANE_TABLE_SA_TABLE_H

#include "dataplane/table/replay_window.h"
#include "dataplane/table/sa_owner.h"
#include "dataplane/table/slab.h"
#include "dataplane/table/slot_table.h"

#include "lib/base/hash.h"
#include "lib/ipc/command.h"
#include "lib/ipc/event.h"
#include "lib/ipc/policy_line.h"
#include "lib/ipc/sa_state.h"

struct suite; /* dataplane/crypto */
struct crypto_key;
struct route;
struct crypto_library;
struct tsc_clock; /* dataplane/tsc_clock.h */

#define SA_HEADER_MAX      52          /* IPv6 40, UDP 8, SPI 4 */
#define SA_HEADER_IPV4_MAX 32          /* IPv4 20, UDP 8, SPI 4 */
#define SA_REMOVED_S       60          /* LIFE-10 */
#define SA_ALLOWANCE       (64u << 10) /* sa_table.allowance, unless it is set */
#define SA_PROVED          UINT32_MAX

enum sa_state {
	SA_STATE_NONE,
	SA_STATE_LARVAL, /* SPI given out, no keys yet (SAD-05) */
	SA_STATE_LIVE,
	SA_STATE_REMOVED,
};

struct sa_limits { /* of one SA; UINT64_MAX none */
	uint64_t soft_packets, hard_packets, soft_bytes, hard_bytes, soft_tsc, hard_tsc;
};

/*
 * The next value at which anything is to be told or stopped: the lowest limit that was not reached
 * yet. Workers compare with these alone and look closer when one is passed. Workers.
 */
struct sa_watch {
	_Atomic uint64_t packets, bytes, tsc;
};

struct sa_outbound {
	/* line 0: what is written before the packet. Tunnel mode: outer IP header, UDP header when
	 * SA_UDP, SPI. Transport mode: the same without the IP header. Lengths, identification, TOS
	 * and checksums are to be filled in; an IPv4 header's checksum is the sum of its octets
	 * from the TTL on. Behind an IPv4 header: struct sa_lane. */
	uint8_t header[SA_HEADER_MAX];
	uint8_t header_length; /* octets of header[] in use, SPI included */
	uint8_t ip_length;     /* 20, 40; 0 transport mode */
	uint8_t iv_length;
	uint8_t suite_row;    /* suite_at */
	_Atomic uint8_t lane; /* 1: the SA of its slot, and for lane/esp_out: in tunnel mode over
				 IPv4. Stored by the main lcore in place: sa_lane.h */
	uint8_t dscp;         /* 0..63, or DSCP_COPY */
	uint16_t flags;       /* enum sa_flag */
	uint32_t sa_id;
	/* line 1 */
	const struct suite *suite;
	struct crypto_key *key;
	struct sa_watch watch;
	_Atomic uint32_t allowance; /* octets that may still go to an address that the SA was moved
				       to, SA_PROVED any number (MOB-12); workers */
	uint16_t path_mtu;          /* configured cap, 0 none */
	_Atomic uint16_t learned_mtu; /* of ICMP errors, 0 none; workers. A move forgets it (MTU-11)
				       */
	/* The way to the peer, as it was found at tables_change() == way_change, 0 never; workers
	 */
	_Atomic uint32_t way_change;
	_Atomic uint16_t way_mtu; /* 0: none */
	uint16_t tfc;             /* octets to pad to; 0 none, 0xffff the SA's MTU */
	const struct route *_Atomic way_route;
	/* line 2: rarely read */
	_Alignas(64) struct sa_limits limits;
	uint32_t pair_id;           /* inbound SA of the pair, SA_NONE */
	_Atomic uint32_t learned_s; /* worker clock's seconds of learned_mtu; workers */
	be32 spi;
	uint16_t vrf;
	bool selects_ports; /* a selector asks for ports: no fragments of the inner packet (MTU-06)
			     */
	_Atomic bool way_is_home; /* with way_route: it is a home address, a tunnel leads there */
};

/* RFC 4301 4.4.1.1, as numbers in host order; an IPv4 address is a mapped one. Inclusive. */
struct sa_selector {
	uint64_t local_first[2], local_last[2], remote_first[2], remote_last[2];
	uint16_t local_port_first, local_port_last, remote_port_first, remote_port_last;
	uint32_t next;    /* index in sa_table.selectors, 0 none */
	uint8_t protocol; /* 0 any */
	bool any_port;    /* no port is asked for: fragments match (ESP-IN-07) */
	bool host; /* one remote address and nothing else is asked for: a mobile node's, mostly */
	bool remote_host; /* one remote address, and local ones or not, but no protocol or port */
};

/* Of struct sa_inbound's flags, beside enum sa_flag: the first selector's local addresses are not
 * all there are. */
#define SA_ASKS_LOCAL (1u << 15)

struct sa_inbound {
	/* line 0: all that the usual packet asks for, first what it shows outside */
	union {
		struct {
			be32 outer_remote, outer_local; /* IPv4; remote 0, which nothing comes from:
							   the SA has no usual packets */
			be32 spi;
			be16 remote_port; /* 0 without UDP */
			uint8_t vrf;
			_Atomic bool proved; /* something authentic came from remote (MOB-12);
						workers */
		};
		uint64_t usual[2]; /* the same to compare: sa_usual_word */
	};
	be32 host;     /* the one inner IPv4 source that is right, if the destination is one of the
			  first selector's local addresses (SA_ASKS_LOCAL), or always; 0 none */
	uint8_t state; /* enum sa_state; stored by the main lcore in place */
	uint8_t iv_length, icv_length, alignment;
	uint16_t flags;            /* enum sa_flag */
	uint16_t window;           /* W, packets; 0 off */
	uint8_t window_mask;       /* words of its bitmap - 1 */
	uint8_t gcm_key;           /* octets of an AES-GCM key whose IVs are on the wire; else 0 */
	_Atomic uint16_t failures; /* ICV failures in a row (AUD-14); workers */
	struct crypto_key *key;
	struct sa_watch watch;
	/* line 1 */
	_Alignas(64) const struct suite *suite;
	struct ip_address local; /* outer addresses of now */
	struct ip_address remote;
	uint32_t sa_id;
	_Atomic uint32_t mapping_told_to;  /* a hash of the address and port; workers */
	_Atomic uint64_t mapping_told_tsc; /* EVENT_SA_MAPPING was sent (NAT-10); workers */
	uint64_t removed_until_tsc;        /* SA_STATE_REMOVED */
	/* lines 2 and 3 */
	_Alignas(64) struct sa_selector selector; /* the first one */
	struct sa_limits limits;
};

_Static_assert(sizeof(struct sa_outbound) == 192 && offsetof(struct sa_outbound, suite) == 64,
	"two hot cache lines");
_Static_assert(sizeof(struct sa_inbound) == 256 && offsetof(struct sa_inbound, suite) == 64 &&
		       offsetof(struct sa_inbound, selector) == 128,
	"one hot cache line, another one that the steps read");
_Static_assert(offsetof(struct sa_inbound, spi) == 8 && offsetof(struct sa_inbound, proved) == 15,
	"usual[1] as sa_usual_word has it");

/* The region's arrays, [sas]; windows [sas][window_words]. */
struct sa_region {
	struct sa_inbound_state *inbound;
	struct sa_outbound_state *outbound;
	_Atomic uint64_t *windows;
	struct policy_line
		*policies; /* [policies]; NULL: their hits are not counted in outbound[] */
};

struct sa_staging { /* main lcore */
	bool key, limits;
	uint8_t direction;
	uint32_t sa_id;
	uint32_t selector_count;
	struct sa_key_command key_command;
	struct sa_limits_command limits_command;
	struct selector selectors[SA_SELECTORS_MAX];
};

struct sa_record { /* main lcore: what is behind a slot */
	union {
		uint64_t key_fingerprint; /* of a live SA with keys */
		uint64_t removed_at; /* of none: place in the retirement; the run-time state is free
					once it is over */
	};
	uint32_t generation;
	bool keyed; /* it has a key: live, and not larval */
	uint16_t window, flags;
	uint8_t encryption, integrity;
};

struct sa_table {
	/* workers */
	uint32_t *inbound_of, *outbound_of; /* [sas], indices of the slabs, 0 none */
	struct slab inbound, outbound;      /* each object with its key behind it; kept out of core
					       dumps */
	struct slab selectors;
	struct slot_table spis;  /* inbound SPIs that do not carry their slot */
	struct slot_table peers; /* outbound SAs by remote address and SPI, for ICMP errors */
	struct sa_region region;
	uint32_t count; /* slots of each direction: a power of two, or 0 */
	uint32_t window_words;
	uint32_t allowance; /* octets to an address that is not proved (MOB-12); SA_PROVED: any */
	bool shared;        /* several workers at once may work on an SA */
	struct sa_owner *owner; /* NULL: SAs belong to no worker */
	/* main lcore */
	struct crypto_library *library;
	struct retirement *retirement;
	struct sa_record *records[2]; /* [sas], by enum sa_direction */
	struct sa_staging staging;
	struct hash_key secret; /* of key_fingerprint */
	uint32_t window_max;
	uint32_t used[2];
	uint32_t age_cursor; /* sa_table_age: next slot, and until when it has come */
	monotonic aged;
};

/* 0 or -ENOMEM. Nothing can be set before sa_table_attach. */
int sa_table_init(struct sa_table *table, struct retirement *retirement, uint32_t sas,
	uint32_t window_max, bool shared);
void sa_table_fini(struct sa_table *table);
/* Names the run-time state, and the main lcore's own library, which expands keys; both outlive the
 * table. Before any SA is set. */
void sa_table_attach(
	struct sa_table *table, const struct sa_region *region, struct crypto_library *library);
/* From now on each SA is one worker's (sa_owner.h). 0 or -ENOMEM. Before any worker runs. */
int sa_table_own(struct sa_table *table, uint32_t workers, struct rte_rcu_qsbr *qsbr);
/* Objects that may wait for a grace period at once. */
uint64_t sa_table_objects(const struct sa_table *table);

/*
 * Main lcore. One of COMMAND_SA_*: checks it and does it; 0 or -errno: EINVAL a field, EEXIST
 * another SA or other keys live there, ENOTSUP the algorithms, ENOSPC, EAGAIN (after a grace period
 * there is room). Keys are wiped from the staging when they were used or given up.
 */
int sa_table_apply(struct sa_table *table, const struct command *command,
	const struct tsc_clock *clock, uint32_t generation, bool syncing);
/* Forgets and wipes what was staged: a new session of control begins. */
void sa_table_forget(struct sa_table *table);
/* Removes what was not set in this generation. */
void sa_table_sweep(struct sa_table *table, uint32_t generation, const struct tsc_clock *clock);

/* Who tells of an SA's age: false when nobody was told, then it is told again. */
struct sa_ager {
	bool (*tell)(
		void *context, enum sa_direction direction, uint32_t sa_id, enum sa_expiry kind);
	void *context;
};
/*
 * Main lcore, at every turn: looks at as many slots as time has passed, so that all are seen once a
 * second, but never at more than some thousands; tells limits in time that were reached and that no
 * worker has told (LIFE-02). `now` is not before clock's reading. Returns how many were told.
 */
uint32_t sa_table_age(struct sa_table *table, monotonic now, const struct tsc_clock *clock,
	const struct sa_ager *ager);

/* Workers, between two quiescent points. The number of an outbound slot's object, 0 none; sa_id
 * below table->count. */
static inline uint32_t sa_outbound_number(const struct sa_table *table, uint32_t sa_id)
{
	return __atomic_load_n(&table->outbound_of[sa_id], __ATOMIC_ACQUIRE);
}
static inline const struct sa_outbound *sa_outbound_at(
	const struct sa_table *table, uint32_t number)
{
	return slab_at(&table->outbound, number);
}
/* An SA's key lies behind it: what a packet reads of both costs one miss of the TLB. */
static inline struct crypto_key *sa_outbound_key(const struct sa_outbound *sa)
{
	return (struct crypto_key *)(uintptr_t)(sa + 1);
}
static inline struct crypto_key *sa_inbound_key(const struct sa_inbound *sa)
{
	return (struct crypto_key *)(uintptr_t)(sa + 1);
}
/* The SA of an outbound slot, or NULL. */
static inline const struct sa_outbound *sa_outbound_get(
	const struct sa_table *table, uint32_t sa_id)
{
	uint32_t number = sa_id < table->count ? sa_outbound_number(table, sa_id) : 0;

	return number != 0 ? sa_outbound_at(table, number) : NULL;
}

/* Of an inbound slot, or NULL; larval and removed ones are there too. */
static inline const struct sa_inbound *sa_inbound_get(const struct sa_table *table, uint32_t sa_id)
{
	if (sa_id >= table->count)
		return NULL;
	uint32_t index = __atomic_load_n(&table->inbound_of[sa_id], __ATOMIC_ACQUIRE);
	return index != 0 ? (const struct sa_inbound *)slab_at(&table->inbound, index) : NULL;
}

/* Where an outbound SA leads, as a packet that quotes one of its own shows; ports 0 without UDP. */
struct sa_peer {
	struct ip_address local, remote;
	be32 spi;
	be16 local_port, remote_port;
};
/* The outbound SA that ends there, or NULL. Workers. */
const struct sa_outbound *sa_table_find_outbound(
	const struct sa_table *table, const struct sa_peer *peer);
/*
 * May `octets` more go to the SA's remote address (MOB-12)? Yes until an SA of tunnel mode was
 * moved there, and after its pair received something authentic from it; between, table->allowance
 * octets may. A forged or repeated packet proves nothing. An SA without a pair has nobody to prove
 * it: yes. Worker, when sa->allowance is not SA_PROVED.
 */
bool sa_table_allowance_take(
	const struct sa_table *table, const struct sa_outbound *sa, uint32_t octets);
/* An endpoint as mapping_told_to names it, never 0. */
uint32_t sa_table_endpoint_hash(const struct ip_address *address, be16 port);
/* By SPI that does not carry its slot. */
const struct sa_inbound *sa_table_find(const struct sa_table *table, be32 spi);

/* The inbound SA that an SPI names, larval and removed ones too, or NULL. First reads: the slot's
 * index, line 0 of the object. */
static inline const struct sa_inbound *sa_inbound_lookup(const struct sa_table *table, be32 spi)
{
	if (table->count == 0)
		return NULL;
	const struct sa_inbound *sa =
		sa_inbound_get(table, sa_spi_slot(__builtin_bswap32(spi), table->count));
	if (sa != NULL && sa->spi == spi)
		return sa;
	return table->spis.used != 0 ? sa_table_find(table, spi) : NULL;
}

static inline struct sa_outbound_state *sa_outbound_state(
	const struct sa_table *table, uint32_t sa_id)
{
	return &table->region.outbound[sa_id & (table->count - 1)];
}

static inline struct sa_inbound_state *sa_inbound_state(
	const struct sa_table *table, uint32_t sa_id)
{
	return &table->region.inbound[sa_id & (table->count - 1)];
}

static inline struct replay_window sa_inbound_window(
	const struct sa_table *table, const struct sa_inbound *sa)
{
	struct sa_inbound_state *state = sa_inbound_state(table, sa->sa_id);

	return (struct replay_window){.highest = &state->highest,
		.front = &state->front,
		.words = table->region.windows +
			 (size_t)(sa->sa_id & (table->count - 1)) * table->window_words,
		.mask = sa->window_mask,
		.size = sa->window,
		.extended = sa->flags & SA_ESN,
		.shared = table->shared};
}

/* usual[1] of the SA whose usual packet this is; `port` is where it comes from, 0 without UDP. On
 * processors that begin with the lowest octet, as IPsec-MB's do. */
static inline uint64_t sa_usual_word(be32 spi, be16 port, uint16_t vrf)
{
	return spi | (uint64_t)port << 32 | (uint64_t)vrf << 48 | UINT64_C(1) << 56;
}

static inline bool sa_is_usual(const struct sa_inbound *sa, const uint64_t words[2])
{
	return __atomic_load_n(&sa->usual[0], __ATOMIC_RELAXED) == words[0] &&
	       __atomic_load_n(&sa->usual[1], __ATOMIC_RELAXED) == words[1];
}

/*
 * What the SA would have passed with the packet in question counted in `use`: bits of enum
 * sa_expiry; a soft limit when it is reached, a hard one when it would be exceeded (LIFE-03).
 * *fresh are those that nobody was told of yet: exactly one caller gets each (LIFE-02). Refreshes
 * the watch. Worker, when sa_watch_passed.
 */
struct sa_use {
	uint64_t packets, bytes, now_tsc;
};
uint32_t sa_table_outbound_expired(const struct sa_table *table, const struct sa_outbound *sa,
	const struct sa_use *use, uint32_t *fresh);
uint32_t sa_table_inbound_expired(const struct sa_table *table, const struct sa_inbound *sa,
	const struct sa_use *use, uint32_t *fresh);

static inline bool sa_watch_passed(const struct sa_watch *watch, const struct sa_use *use)
{
	return use->packets >= atomic_load_explicit(&watch->packets, memory_order_relaxed) ||
	       use->bytes >= atomic_load_explicit(&watch->bytes, memory_order_relaxed) ||
	       use->now_tsc >= atomic_load_explicit(&watch->tsc, memory_order_relaxed);
}

#define SA_EXPIRED_HARD                                                                            \
	(1u << SA_EXPIRED_HARD_TIME | 1u << SA_EXPIRED_HARD_BYTES | 1u << SA_EXPIRED_HARD_PACKETS)

/* What a packet shows to selectors; numbers in host order. */
enum sa_ports {
	SA_PORTS_NONE,   /* a later fragment, or a protocol that has none */
	SA_PORTS_BOTH,   /* of UDP, TCP, SCTP ... */
	SA_PORTS_LOCAL,  /* one value, that we send: ICMP type * 256 + code, MH type * 256 (SPD-08)
			  */
	SA_PORTS_REMOTE, /* one value, that we receive */
};
struct sa_selector_key {
	uint64_t local[2], remote[2];
	uint16_t local_port, remote_port;
	uint8_t protocol;
	uint8_t ports; /* enum sa_ports */
};
/* An address as the two numbers that selectors compare. */
static inline void sa_selector_address(const struct ip_address *address, uint64_t number[2])
{
	memcpy(number, address->bytes, 16);
	number[0] = __builtin_bswap64(number[0]);
	number[1] = __builtin_bswap64(number[1]);
}
/* Does a packet from `remote` match by its address alone? False does not mean that it does not. */
static inline bool sa_selector_host_match(
	const struct sa_selector *selector, const struct ip_address *remote)
{
	uint64_t number[2];

	sa_selector_address(remote, number);
	return selector->host && number[0] == selector->remote_first[0] &&
	       number[1] == selector->remote_first[1];
}
/* Any thread. */
bool sa_table_selector_match(const struct sa_selector *selector, const struct sa_selector_key *key);
/* Any of the SA's. Worker. */
bool sa_table_selectors_match(const struct sa_table *table, const struct sa_inbound *sa,
	const struct sa_selector_key *key);

/* sa_table_build.c: objects from commands, which were checked. Main lcore. */
void sa_table_build_outbound(struct sa_outbound *sa, const struct sa_command *command);
/* The ends and ports that are in its header. */
struct sa_peer sa_table_build_peer(const struct sa_outbound *sa);
void sa_table_build_inbound(struct sa_inbound *sa, const struct sa_command *command);
/* Makes the SA known to lane/esp_in; suite, selectors and all else are set already. */
void sa_table_build_usual(struct sa_inbound *sa);
void sa_table_build_selector(struct sa_selector *selector, const struct selector *command);
struct sa_limits sa_table_build_limits(
	const struct sa_limits_command *command, const struct tsc_clock *clock);
/* -EINVAL or 0, from the fields alone. */
int sa_table_check(const struct sa_table *table, const struct sa_command *command);
int sa_table_check_selector(const struct selector *selector);

/* sa_table_limits.c: where the worker has to look closer next. `told`: bits of enum sa_expiry. Any
 * thread; the fields are soft state. */
void sa_table_watch_set(struct sa_watch *watch, const struct sa_limits *limits, uint32_t told);
/* An SA takes the place of `from`: a new address begins with an allowance, the same one goes on
 * with what is left (MOB-12). Main lcore, before the SA is published. */
void sa_table_outbound_prove(
	const struct sa_table *table, struct sa_outbound *sa, const struct sa_outbound *from);
void sa_table_inbound_prove(struct sa_inbound *sa, const struct sa_inbound *from);

#endif
