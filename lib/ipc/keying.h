/*
 * The keying protocol: charon's plugin (client) <-> control (server), IPsec keys and policies.
 *
 * A UNIX SOCK_SEQPACKET connection, one message a datagram, at most KEYING_MESSAGE_MAX octets. The
 * server looks at the peer's credentials before it reads and sends nothing to a stranger. Integers
 * are in network byte order, addresses 16 octets (IPv4 mapped), texts NUL-padded; a message has the
 * header, a body of fixed size by its type, and where the body counts them, selectors, SPIs or
 * addresses behind it. keying_encode and keying_decode convert to and from the structs below, whose
 * integers are in host order (but be32 spi, be16 port). What is not exactly of that shape is
 * refused. No keys are on it but in ADD_SA; both ends wipe the octets when they are done.
 *
 *   client                                   server
 *   HELLO (version, instance)  ------------>
 *                              <------------ WELCOME, or STATUS with an error and the end
 *   REPLAY_BEGIN, all it has, REPLAY_END -->  what is not replayed is swept at the end
 *   any request, `id` its own  ------------>
 *                              <------------ one answer with that id: STATUS, SPIS, SA_STATE ...
 *                              <------------ at any time: EXPIRE, MAPPING, ACQUIRE, MIGRATE
 *
 * Requests may be sent without waiting for answers; they take effect in the order in which they
 * were sent (MOB-13). STATUS of ADD_SA, UPDATE_SA and policies comes when every worker of the
 * dataplane uses the new state (KIF-09, MOB-09), or after welcome.wait_ms as KEYING_ACCEPTED:
 * control holds it and the dataplane, absent or stopped, gets it when it returns. Should it refuse
 * then, the client hears EXPIRE (hard). An answer other than OK and ACCEPTED means: nothing
 * changed.
 *
 * Nothing here makes a client wait for control or the dataplane to choose an SPI: LEASE_SPIS hands
 * out a block beforehand. A leased SPI carries its slot, is given to nobody else and rests for 60 s
 * after DEL_SA (SAD-06, LIFE-10), of an SA or of the lease alone.
 *
 * Handles: the client names each SA by a number of its own, never 0, never used twice in one
 * instance; SPIs of outbound SAs are the peers' and may collide (NAT-15). `instance` is new with
 * each charon process: what another instance left goes at the first REPLAY_END (HA-07). Without a
 * client, SAs live until their hard limits (LIFE-14). ADD_SA is idempotent (KIF-10): the client may
 * repeat what it does not know the answer of.
 *
 * A replay follows each HELLO; SPIs are leased after it alone. In it: ADD_SA of every SA, with
 * KEYING_SA_RESUME where it was ever sent before (it may have used numbers) and the seconds of its
 * lifetime that are left, CLAIM_SPI of each SPI
 * that charon has asked for and not keyed yet (SPIs that the client alone holds are forgotten), and
 * ADD_POLICY of every policy in the order of their first calls. Answers come at once, ACCEPTED; the
 * policies take effect together at REPLAY_END. KEYING_STALE to an ADD_SA means that the numbers of
 * the SA are lost with both of the gateway's processes, or that its hard limit was reached: it must
 * be negotiated anew (a hard expire for charon).
 *
 * Addresses, selectors and directions are charon's: source and destination as of the packet.
 * Any thread; nothing allocates.
 */
#ifndef LIB_IPC_KEYING_H
#define LIB_IPC_KEYING_H

#include "lib/base/traffic_selector.h"

#include <assert.h>

#define KEYING_VERSION       2
#define KEYING_MAGIC         0x686b6579u /* "hkey" */
#define KEYING_HEADER_SIZE   16
#define KEYING_MESSAGE_MAX   4096
#define KEYING_SELECTORS_MAX 16 /* of one side; the pairs that fit are at most 16 too */
#define KEYING_SPIS_MAX      256
#define KEYING_ADDRESSES_MAX 16
#define KEYING_KEY_MAX       64
#define KEYING_NAME_SIZE     64  /* with at least one NUL */
#define KEYING_TEXT_SIZE     192 /* likewise */
#define KEYING_PATH          "/run/homeport/keying.sock"

enum keying_type {
	KEYING_HELLO = 1,      /* -> WELCOME */
	KEYING_LEASE_SPIS,     /* -> SPIS, of which there may be fewer; or STATUS */
	KEYING_CLAIM_SPI,      /* in a replay: a leased SPI that charon holds and has no keys for */
	KEYING_ADD_SA,         /* one direction */
	KEYING_UPDATE_SA,      /* in place: numbers, window and keys stay (MOB-02) */
	KEYING_QUERY_SA,       /* -> SA_STATE, or STATUS */
	KEYING_DEL_SA,         /* by handle; handle 0: the lease of an inbound SPI */
	KEYING_FLUSH_SAS,      /* all of this client, leases included */
	KEYING_ADD_POLICY,     /* pushes an entry on the stack of its selectors (KIF-17) */
	KEYING_QUERY_POLICY,   /* -> POLICY_STATE, or STATUS */
	KEYING_DEL_POLICY,     /* the entry that equals it in all fields but the handle */
	KEYING_FLUSH_POLICIES, /* all of this client */
	KEYING_REPLAY_BEGIN,
	KEYING_REPLAY_END,
	KEYING_UDP_PORT, /* enable_udp_decap: does the gateway take ESP on this port? (KIF-26) */
	KEYING_WELCOME = 64,
	KEYING_STATUS,
	KEYING_SPIS,
	KEYING_SA_STATE,
	KEYING_POLICY_STATE,
	KEYING_EXPIRE = 96, /* events: `id` counts them from 1; no answer */
	KEYING_MAPPING,
	KEYING_ACQUIRE,
	KEYING_MIGRATE,
};

/* Each has a name (keying_status_name); STATUS carries a sentence besides. */
enum keying_status {
	KEYING_OK,            /* in force in every worker */
	KEYING_ACCEPTED,      /* control holds it; the dataplane gets it when it can */
	KEYING_MALFORMED,     /* not a message of this protocol; the connection ends */
	KEYING_WRONG_VERSION, /* likewise */
	KEYING_WRONG_STATE,   /* no HELLO yet, or a second; REPLAY_END without its begin */
	KEYING_BUSY,          /* another client is connected; the connection ends */
	KEYING_NOT_FOUND,
	KEYING_EXISTS,  /* the handle, SPI or policy is another's; other keys for a live SPI */
	KEYING_BAD_SPI, /* zero, reserved (1..255) */
	KEYING_BAD_ALGORITHM, /* unknown, or one that may not stand alone */
	KEYING_BAD_KEY,       /* its length */
	KEYING_BAD_ADDRESS,   /* families differ, not unicast, port 0 with UDP encapsulation */
	KEYING_BAD_SELECTOR,  /* families differ, first > last, no pair fits, too many pairs */
	KEYING_UNSUPPORTED,   /* e.g. a UDP port that the gateway does not listen on */
	KEYING_NO_ROOM,       /* SAD-09: slots, policies */
	KEYING_CONFLICT,      /* POLICY_CONFLICT: an inner address of another peer's (SPD-20) */
	KEYING_UNAUTHORISED,  /* TRANSPORT_UNAUTHORISED (TRN-11) */
	KEYING_REFUSED,       /* by the dataplane, or a move that may not be (TRN-12, MOB-11) */
	KEYING_NO_MEMORY,
	KEYING_STALE, /* its numbers are lost, or used up: negotiate anew */
	KEYING_STATUS_COUNT
};

struct keying_header {
	uint16_t version; /* KEYING_VERSION; filled in by keying_encode */
	uint16_t type;
	uint32_t length; /* of the whole message; likewise */
	uint64_t id;     /* of the request, also in its answer; events: their number */
};

struct keying_hello {
	uint32_t magic;
	uint32_t reserved;
	uint64_t instance;            /* random, not 0: one charon process */
	char agent[KEYING_NAME_SIZE]; /* for logs: "strongSwan 5.9.8" */
};

struct keying_welcome {
	uint64_t epoch;     /* new with each control process */
	uint32_t spi_block; /* how many SPIs to lease at once */
	uint32_t wait_ms;   /* after which an answer is KEYING_ACCEPTED at the latest */
	uint32_t replay_window_max;
	uint32_t dataplane; /* 1: attached, 0 not */
};

struct keying_lease_spis {
	uint32_t count; /* 1..KEYING_SPIS_MAX */
};

struct keying_claim_spi {
	be32 spi;
};

enum keying_sa_flag {
	KEYING_SA_INBOUND = 1 << 0,
	KEYING_SA_UPDATE = 1 << 1, /* the SPI came from a lease (KIF-08) */
	KEYING_SA_INITIATOR = 1 << 2,
	KEYING_SA_ESN = 1 << 3,
	KEYING_SA_ENCAP = 1 << 4, /* UDP, with the ports of the addresses (KIF-12) */
	KEYING_SA_COPY_DF = 1 << 5,
	KEYING_SA_COPY_ECN = 1 << 6,
	KEYING_SA_COPY_DSCP_OUT = 1 << 7, /* inner to outer */
	KEYING_SA_COPY_DSCP_IN = 1 << 8,  /* outer to inner */
	KEYING_SA_NO_MAPPING = 1 << 9,    /* NAT-11: do not tell of mappings */
	KEYING_SA_RESUME = 1 << 10,       /* not new: only with the numbers that it has */
	KEYING_SA_FLAGS_ALL = (1 << 11) - 1,
};
enum keying_mode { KEYING_TRANSPORT = 1, KEYING_TUNNEL = 2 }; /* as charon's ipsec_mode_t */

struct keying_endpoint {
	struct ip_address address;
	be16 port; /* meaningless without UDP encapsulation */
	uint16_t reserved;
};

struct keying_lifetime { /* relative to now; 0 none (KIF-14) */
	uint64_t soft_s, hard_s, soft_bytes, hard_bytes, soft_packets, hard_packets;
};

struct keying_selectors {
	uint16_t count;
	struct traffic_selector of[KEYING_SELECTORS_MAX];
};

struct keying_add_sa {
	uint64_t handle;
	be32 spi;
	uint32_t reqid;
	uint32_t flags;      /* enum keying_sa_flag */
	uint16_t mode;       /* enum keying_mode; transport without a port: proxy (TRN-12) */
	uint16_t encryption; /* IKEv2 transform ids of type 1 and 3 */
	uint16_t integrity;  /* 0 with an AEAD */
	uint16_t encryption_length, integrity_length; /* octets, salt included */
	uint16_t reserved;
	uint32_t replay_window; /* packets, 0 off */
	uint32_t tfc;           /* octets to pad to; UINT32_MAX the MTU */
	struct keying_endpoint source, destination;
	struct keying_lifetime lifetime;
	uint8_t encryption_key[KEYING_KEY_MAX], integrity_key[KEYING_KEY_MAX];
	char name[KEYING_NAME_SIZE];     /* of the CHILD_SA's configuration, for operators */
	char identity[KEYING_NAME_SIZE]; /* of the peer, as it authenticated itself; cut off */
	struct keying_selectors source_ts, destination_ts; /* one each at least (KIF-15) */
	uint16_t peer_address_count; /* the IKE peer's address and MOBIKE's others (TRN-11) */
	struct ip_address peer_addresses[KEYING_ADDRESSES_MAX];
};

struct keying_sa_id { /* the SPI is compared, so that a confused client does no harm */
	uint64_t handle;
	be32 spi;
	uint32_t flags; /* KEYING_SA_INBOUND or 0 */
};

struct keying_update_sa {
	struct keying_sa_id sa;
	uint32_t flags; /* KEYING_SA_ENCAP or 0: from now on */
	uint32_t reqid; /* 0: as it was */
	struct keying_endpoint source, destination;
};

enum keying_direction { KEYING_IN, KEYING_OUT, KEYING_FORWARD }; /* as charon's policy_dir_t */
enum keying_action { KEYING_PROTECT = 1, KEYING_PASS, KEYING_DROP };
enum keying_priority {
	KEYING_PRIORITY_PASS,
	KEYING_PRIORITY_DEFAULT,
	KEYING_PRIORITY_ROUTED,
	KEYING_PRIORITY_FALLBACK
};

struct keying_policy {   /* of ADD, QUERY, DEL */
	uint64_t handle; /* outbound KEYING_PROTECT: the SA of that SPI; 0 a trap (KIF-16) */
	be32 spi;
	uint32_t reqid;
	uint16_t direction, action, priority; /* the enums above */
	uint16_t mode;                        /* of the SA; 0 without one */
	uint32_t manual_priority;             /* 0: by class and selectors (KIF-18) */
	uint32_t reserved;
	struct ip_address source, destination; /* of the SA; unspecified: none */
	struct traffic_selector source_ts, destination_ts;
};

struct keying_udp_port {
	be16 port;
	uint16_t family; /* 4 or 6 */
};

struct keying_status_text {
	uint32_t status;             /* enum keying_status */
	char text[KEYING_TEXT_SIZE]; /* "" with OK and ACCEPTED */
};

struct keying_spis {
	uint16_t count;
	be32 of[KEYING_SPIS_MAX];
};

struct keying_sa_state { /* none of these ever goes back (LIFE-12) */
	uint64_t packets, bytes;
	uint64_t last_use_s; /* CLOCK_MONOTONIC, 0 never; authentic, from the peer's own address */
	uint64_t sequence;   /* last sent, or highest received */
};

struct keying_policy_state {
	uint64_t hits;       /* packets */
	uint64_t last_use_s; /* CLOCK_MONOTONIC, 0 never: of the SAs under these selectors */
};

struct keying_expire { /* KIF-40 */
	struct keying_sa_id sa;
	uint32_t hard; /* 1 or 0 */
	uint32_t reserved;
	struct ip_address destination; /* of the SA as it is now (LIFE-04) */
	char cause[KEYING_NAME_SIZE];  /* "time", "bytes", "packets", "sequence", "refused" */
};

struct keying_mapping {         /* KIF-41 */
	struct keying_sa_id sa; /* inbound */
	struct keying_endpoint local, remote;
};

struct keying_acquire { /* KIF-42 */
	uint32_t reqid;
	uint32_t reserved;
	struct traffic_selector source, destination; /* the packet's own addresses and ports */
};

struct keying_migrate { /* KIF-44 */
	uint32_t reqid;
	uint16_t direction; /* enum keying_direction */
	uint16_t reserved;
	struct ip_address local, remote;
	struct traffic_selector source_ts, destination_ts;
};

struct keying_message {
	struct keying_header header;
	union { /* none: FLUSH_*, REPLAY_* */
		struct keying_hello hello;
		struct keying_welcome welcome;
		struct keying_lease_spis lease_spis;
		struct keying_claim_spi claim_spi;
		struct keying_add_sa add_sa;
		struct keying_update_sa update_sa;
		struct keying_sa_id sa; /* QUERY_SA, DEL_SA */
		struct keying_policy policy;
		struct keying_udp_port udp_port;
		struct keying_status_text status;
		struct keying_spis spis;
		struct keying_sa_state sa_state;
		struct keying_policy_state policy_state;
		struct keying_expire expire;
		struct keying_mapping mapping;
		struct keying_acquire acquire;
		struct keying_migrate migrate;
	};
};

/*
 * Octets written, at most KEYING_MESSAGE_MAX; 0 when the message is not one that keying_decode
 * would take. Of the header only type and id are read. ADD_SA: wipe `out` after sending it.
 */
size_t keying_encode(const struct keying_message *message, uint8_t out[KEYING_MESSAGE_MAX]);

/*
 * One datagram. KEYING_OK; else KEYING_WRONG_VERSION or KEYING_MALFORMED with a reason that ends
 * the sentence "the message ...", and of *out the header alone is good, zero where it was not
 * there. Checked here: sizes, counts, enums, flags, reserved octets, terminated texts, and for all
 * else that the values fit their types. Whether an SPI, algorithm, key length or selector makes
 * sense is the server's to say, with a code of its own. ADD_SA: wipe *out after use.
 */
enum keying_status keying_decode(
	const void *datagram, size_t length, struct keying_message *out, const char **reason);

const char *keying_type_name(uint16_t type);     /* "add_sa"; "unknown" */
const char *keying_status_name(uint32_t status); /* "bad_spi"; "unknown" */

static_assert(sizeof(struct keying_endpoint) == 20, "no padding");
static_assert(sizeof(struct keying_sa_id) == 16, "no padding");

#endif
