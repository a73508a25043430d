/*
 * Commands: control -> dataplane, one fixed-size record each, in the order of the command ring.
 *
 * Control owns the desired state and every identifier in it; the dataplane checks each field and
 * refuses a bad record with EVENT_REFUSED (struct event), which it emits before `applied_sequence`
 * in the region passes the record. "Applied" means: every worker's next burst sees the new state
 * and no worker still uses the old one. All SET commands are idempotent: the same SET twice changes
 * nothing. Addresses are struct ip_address (IPv4 mapped); ports be16; everything else host order.
 *
 * Resynchronisation (either side restarted): COMMAND_SYNC_BEGIN, all SETs, COMMAND_SYNC_END; what
 * was not set in between is removed at SYNC_END. Forwarding goes on with the old state meanwhile. A
 * control that lost its memory may use a binding id for another home address than the dataplane
 * knows under it: the first SET of an id within a resynchronisation replaces whatever the id was
 * before.
 */
#ifndef LIB_IPC_COMMAND_H
#define LIB_IPC_COMMAND_H

#include "lib/base/address.h"
#include "lib/base/clock.h"

#include <assert.h>

enum command_type {
	COMMAND_NONE,
	COMMAND_SYNC_BEGIN,
	COMMAND_SYNC_END,
	COMMAND_AGENT_SET, /* an address that is a home agent's, with what it serves */
	COMMAND_AGENT_REMOVE,
	COMMAND_LOCAL_SET, /* an address that is ours but the kernel's business */
	COMMAND_LOCAL_REMOVE,
	COMMAND_HOME_NETWORK_SET,
	COMMAND_HOME_NETWORK_REMOVE,
	COMMAND_BINDING_SET,
	COMMAND_BINDING_REMOVE,
	COMMAND_PREFIX_SET, /* mobile network behind a binding (RFC 5177) */
	COMMAND_PREFIX_REMOVE,
	COMMAND_ROUTE_SET,
	COMMAND_ROUTE_REMOVE,
	COMMAND_NEIGHBOR_SET,
	COMMAND_NEIGHBOR_REMOVE,
	COMMAND_SA_KEY,      /* staged for the next SA_SET of the same direction and sa_id */
	COMMAND_SA_LIMITS,   /* staged likewise; none staged: a new SA has no limits */
	COMMAND_SA_SELECTOR, /* staged likewise, one each, in order; what an inbound packet must
				match */
	COMMAND_SA_SET, /* makes the SA of what was staged, or moves a live one (MOBIKE, NAT) */
	COMMAND_SA_REMOVE,
	COMMAND_POLICY_SET,    /* staged until POLICY_COMMIT */
	COMMAND_POLICY_REMOVE, /* staged until POLICY_COMMIT */
	COMMAND_POLICY_COMMIT, /* all staged policy changes become visible as one step (SPD-22) */
	COMMAND_TYPE_COUNT
};

enum encapsulation { /* values are IP protocol numbers, as in RFC 3519 3.1.4 */
	ENCAPSULATION_IPIP = 4,
	ENCAPSULATION_IPV6 = 41,
	ENCAPSULATION_GRE = 47,
	ENCAPSULATION_MINIMAL = 55,
};

#define PORT_NONE UINT16_MAX /* "virtual" home network; "any port" */

/* Keyed by (vrf, address). */
enum agent_flag {
	AGENT_GRE = 1 << 0,                /* decapsulates GRE */
	AGENT_MINIMAL = 1 << 1,            /* decapsulates minimal encapsulation */
	AGENT_UDP = 1 << 2,                /* RFC 3519 tunnels */
	AGENT_NO_BINDING_CHECK = 1 << 3,   /* HA4-REV-04 */
	AGENT_REQUIRE_T = 1 << 4,          /* HA4-REV-05 */
	AGENT_ECN_COMPATIBILITY = 1 << 5,  /* outer ECN 00 (RFC 6040 4.3) */
	AGENT_DSCP_COPY_IN = 1 << 6,       /* decapsulation: outer DSCP replaces the inner one */
	AGENT_DF_COPY = 1 << 7,            /* tunnel-df copy; else set */
	AGENT_FRAGMENT_AFTER = 1 << 8,     /* HA4-MTU-04, non-UDP tunnels with outer DF=0 */
	AGENT_UDP_CHECKSUM = 1 << 9,       /* fill the UDP checksum of tunnel data */
	AGENT_REVERSE_MULTICAST = 1 << 10, /* HA4-BCM-05 */
	AGENT_AWAY_SOURCE_DROP = 1 << 11,  /* HA4-REV-17 */
	AGENT_AWAY_SOURCE_LOG = 1 << 12,
	AGENT_MSS_CLAMP = 1 << 13,      /* HA4-MTU-15 */
	AGENT_INTERNAL = 1 << 14,       /* role i-HA */
	AGENT_IPV6_IN_TUNNEL = 1 << 15, /* RFC 5454 / later DSMIPv6 */
};

struct agent_command {
	struct ip_address address;
	uint16_t vrf;
	uint16_t instance;
	uint32_t flags;                /* enum agent_flag */
	uint64_t old_care_of_grace_ns; /* HA4-REV-16; 0..5 s */
	uint8_t tunnel_ttl;            /* outer TTL or hop limit, 1..255 */
	uint8_t dscp;                  /* 0..63 fixed outer DSCP, or DSCP_COPY */
	uint8_t reserved[6];
};
#define DSCP_COPY 0xff

struct local_command { /* keyed by (vrf, address) */
	struct ip_address address;
	uint16_t vrf;
	uint16_t port; /* whose exception TAP receives */
	uint8_t reserved[4];
};

enum home_network_flag {
	HOME_NETWORK_VIRTUAL = 1 << 0,           /* no link: all its nodes are always away */
	HOME_NETWORK_BROADCAST_FORWARD = 1 << 1, /* to bindings with B=1 (HA4-BCM-02) */
};

struct home_network_command { /* keyed by (vrf, prefix) */
	struct ip_prefix prefix;
	uint8_t reserved1[1];
	uint16_t vrf;
	uint16_t port; /* the link's port; PORT_NONE when virtual */
	uint16_t instance;
	uint32_t flags;
	uint16_t broadcast_ports[8]; /* UDP destination ports forwarded; 0 unused; first 0xffff =
					all */
	uint32_t broadcast_rate;     /* copies per second and binding, 0 = none */
	uint8_t reserved2[4];
};

enum binding_flag {
	BINDING_UDP = 1 << 0,            /* encapsulated in MIP tunnel data over UDP */
	BINDING_HALF_BOUND = 1 << 1,     /* RFC 3519 R: endpoint comes with the first keepalive */
	BINDING_STALE_NAT = 1 << 2,      /* HA4-NAT-18: sends nothing */
	BINDING_SUSPENDED = 1 << 3,      /* HA4-MODE-11 */
	BINDING_BROADCAST = 1 << 4,      /* B */
	BINDING_REVERSE = 1 << 5,        /* T granted */
	BINDING_COLOCATED = 1 << 6,      /* D */
	BINDING_REQUIRES_IPSEC = 1 << 7, /* HA4-MODE-06, HA4-SPD-14 */
	BINDING_ECN_COMPATIBILITY = 1 << 8,
	BINDING_STATIC = 1 << 9,
};

/*
 * One care-of address of one home address. binding_id is a slot 0..limits.bindings-1 that control
 * owns; a SET for a live id with the same (vrf, home_address) replaces the whole tunnel by one
 * store (a handover); with another home address it is refused. Several ids with one home address
 * are simultaneous bindings.
 */
struct binding_command {
	struct ip_address home_address;
	struct ip_address care_of_address; /* effective: where the tunnel really ends */
	struct ip_address care_of_field;   /* as registered; equals the above without NAT */
	struct ip_address agent_address;   /* outer source; must be a known agent of the vrf */
	monotonic expires_ns; /* the dataplane never uses the binding later; CLOCK_NEVER */
	uint32_t binding_id;
	uint32_t flags; /* enum binding_flag */
	uint32_t sa_id; /* inbound SA of the inner address, for operators; 0 none (HA4-MODE-06) */
	uint16_t vrf;
	uint16_t home_port;    /* port of the home link, PORT_NONE when virtual */
	be16 care_of_port;     /* UDP tunnels; 0 otherwise */
	be16 agent_port;       /* 434 */
	uint16_t path_mtu;     /* configured cap of the outer path, 0 = egress MTU */
	uint8_t encapsulation; /* enum encapsulation */
	uint8_t reserved[1];
};

struct prefix_command { /* keyed by (vrf, prefix) */
	struct ip_prefix prefix;
	uint8_t reserved1[1];
	uint16_t vrf;
	uint32_t binding_id;
};

enum route_flag {
	ROUTE_BLACKHOLE = 1 << 0,
	ROUTE_UNREACHABLE = 1 << 1,
};

struct route_command { /* keyed by (vrf, prefix) */
	struct ip_prefix prefix;
	uint8_t reserved1[1];
	uint16_t vrf;
	uint16_t port;
	uint16_t mtu; /* 0 = the port's */
	uint32_t flags;
	struct ip_address next_hop; /* unspecified (::): on-link */
};

struct neighbor_command { /* keyed by (port, address) */
	struct ip_address address;
	uint16_t port;
	uint8_t mac[6];
};

/*
 * Security associations (RFC 4301 4.4.2), one command a direction. sa_id is a slot 0..limits.sas-1
 * that control owns; inbound and outbound slots are two spaces. An inbound SPI that control chose
 * carries its slot in the low bits (lib/ipc/sa_state.h, sa_spi_slot); any other SPI works too, by a
 * hash. SPIs are unique among inbound SAs.
 *
 * A new SA: SA_KEY, SA_LIMITS, SA_SELECTOR ... then SA_SET, one after another: a staged command of
 * another SA forgets what was staged before. SA_SET for a live id with the same SPI and without
 * staged keys, or with the keys that it has, changes addresses, ports, UDP encapsulation, path MTU
 * and header settings in place: keys, numbers and window stay (ESP-SEQ-18), staged limits and
 * selectors replace those that it has. With another SPI or with other keys for a live id it is
 * refused (EEXIST): remove first. The main lcore wipes the ring slot of SA_KEY when it has read it.
 */
enum sa_direction { SA_INBOUND, SA_OUTBOUND };

#define SA_NONE UINT32_MAX

enum sa_flag {
	SA_TRANSPORT = 1 << 0, /* else tunnel mode; fixed at creation (HA4-SPD-09) */
	SA_UDP = 1 << 1,       /* RFC 3948 encapsulation with the ports below */
	SA_ESN = 1 << 2,       /* 64-bit sequence numbers */
	SA_RESUME = 1 << 3,    /* go on with the state that lies in the region (sa_state.h); else it
				  starts at zero */
	SA_DF_SET = 1 << 4,    /* outer DF: set, clear or (neither) copied */
	SA_DF_CLEAR = 1 << 5,
	SA_ECN_OFF = 1 << 6,           /* outer ECN 00 (RFC 6040 4.3 compatibility) */
	SA_DSCP_COPY_IN = 1 << 7,      /* decapsulation: outer DSCP replaces the inner one */
	SA_FRAGMENT_AFTER = 1 << 8,    /* MTU-03: cut the ESP packet instead of the inner one */
	SA_NO_MAPPING_EVENT = 1 << 9,  /* NAT-11 */
	SA_ICMP_INSPECT_OFF = 1 << 10, /* ESP-IN-09 */
	SA_SHARED = 1 << 11, /* outbound: several workers at once take numbers in blocks */
	SA_LARVAL = 1 << 12, /* inbound, new: an SPI was given out, keys come with a later SET of
				the same id and SPI without this flag (SAD-05) */
	SA_UDP_ZERO_CHECKSUM = 1 << 13, /* over IPv6: sent so, and taken so from the SA's own ends
					   (NAT-06, RFC 6936) */
	SA_STANDBY = 1 << 14, /* neither sent nor taken, its state lies still: another gateway is
				 active (HA-04) */
};

/* Values are IKEv2 transform ids of type 1 and 3 (IANA), as charon hands them over. */
enum sa_encryption {
	SA_ENCRYPTION_NULL = 11,
	SA_ENCRYPTION_AES_CBC = 12,
	SA_ENCRYPTION_AES_CTR = 13,
	SA_ENCRYPTION_AES_CCM_8 = 14,
	SA_ENCRYPTION_AES_CCM_12 = 15,
	SA_ENCRYPTION_AES_CCM_16 = 16,
	SA_ENCRYPTION_AES_GCM_8 = 18,
	SA_ENCRYPTION_AES_GCM_12 = 19,
	SA_ENCRYPTION_AES_GCM_16 = 20,
	SA_ENCRYPTION_NULL_AES_GMAC = 21,
	SA_ENCRYPTION_CHACHA20_POLY1305 = 28,
	SA_ENCRYPTION_AES_CCM_8_IIV = 29,
	SA_ENCRYPTION_AES_GCM_16_IIV = 30,
	SA_ENCRYPTION_CHACHA20_POLY1305_IIV = 31,
};
enum sa_integrity {
	SA_INTEGRITY_NONE = 0,
	SA_INTEGRITY_HMAC_SHA1_96 = 2,
	SA_INTEGRITY_AES_XCBC_96 = 5,
	SA_INTEGRITY_AES_CMAC_96 = 8,
	SA_INTEGRITY_HMAC_SHA2_256_128 = 12,
	SA_INTEGRITY_HMAC_SHA2_384_192 = 13,
	SA_INTEGRITY_HMAC_SHA2_512_256 = 14,
};

#define SA_ENCRYPTION_KEY_MAX 36 /* AES-256 or ChaCha20 key and 4 octets of salt */
#define SA_INTEGRITY_KEY_MAX  64

struct sa_key_command {
	uint32_t sa_id;
	uint8_t direction; /* enum sa_direction */
	uint8_t encryption_length,
		integrity_length; /* octets, salt included; checked exactly (ESP-ALG-10) */
	uint8_t reserved;
	uint8_t encryption_key[SA_ENCRYPTION_KEY_MAX]; /* the last 4 (CCM 3) are the salt */
	uint8_t integrity_key[SA_INTEGRITY_KEY_MAX];
};

struct sa_limits_command { /* 0 = no limit; LIFE-* */
	uint32_t sa_id;
	uint8_t direction;
	uint8_t reserved[3];
	uint64_t soft_bytes, hard_bytes, soft_packets,
		hard_packets;       /* octets given to the cipher (ESP-OUT-12) */
	monotonic soft_ns, hard_ns; /* deadlines; CLOCK_NEVER */
};

/* RFC 4301 4.4.1.1. local is our side, whatever the direction. First > last (ports) is OPAQUE:
 * 65535, 0. */
struct selector {
	struct ip_address local_first, local_last, remote_first,
		remote_last; /* one family; inclusive */
	uint16_t local_port_first,
		local_port_last; /* host order; ICMP: type * 256 + code; MH: type * 256 */
	uint16_t remote_port_first, remote_port_last; /* ANY is 0, 65535 */
	uint8_t protocol;                             /* 0 = ANY */
	uint8_t reserved[7];
};

struct sa_selector_command {
	uint32_t sa_id;
	uint8_t direction;
	uint8_t reserved[3];
	struct selector selector;
};
#define SA_SELECTORS_MAX 16 /* of one SA */

struct sa_command {
	struct ip_address local, remote; /* outer addresses; transport mode: the packet's own */
	uint32_t sa_id;
	be32 spi;
	uint32_t reqid;
	uint32_t flags;                 /* enum sa_flag */
	uint32_t pair_id;               /* slot of the SA of the other direction, SA_NONE */
	be16 local_port, remote_port;   /* UDP encapsulation (NAT-07) */
	uint16_t encryption, integrity; /* enum sa_encryption, sa_integrity */
	uint16_t replay_window;         /* packets, 0 off; inbound; at most limits.replay_window */
	uint16_t path_mtu;              /* configured cap of the outer path, 0 = egress MTU */
	uint16_t vrf;                   /* of the outer and the inner packet */
	uint16_t tfc;                   /* octets to pad to; 0 none, 0xffff the SA's MTU */
	uint8_t direction;              /* enum sa_direction */
	uint8_t tunnel_ttl;             /* outer TTL or hop limit, 1..255 */
	uint8_t dscp;                   /* 0..63 fixed, or DSCP_COPY */
	uint8_t worker; /* + 1: the one that is to own it, where SAs are owned (MP-05); 0 any */
};

enum policy_action { POLICY_DISCARD, POLICY_BYPASS, POLICY_PROTECT };
enum policy_flag {
	POLICY_MIP_SIGNALLING =
		1 << 0, /* bypass that covers Mobile IP messages 1, 3, 7, 15 alone (HA4-SPD-06) */
	POLICY_HIT_ICMP = 1 << 1, /* discard answers with "administratively prohibited" (AUD-09) */
	POLICY_NESTED = 1 << 2,   /* outbound protect: asked about ESP of ours too (ESP-OUT-04) */
};

/*
 * One entry of the ordered SPD, keyed by policy_id (0..limits.policies-1, control's). Lower `order`
 * is looked at first; equal order: lower policy_id. Outbound PROTECT sends through sa_id (SA_NONE:
 * EVENT_ACQUIRE, packet dropped). Inbound PROTECT means: clear packets that match are dropped
 * (SPD-16). A vrf without any policy bypasses; with at least one, what matches none is discarded
 * (SPD-15).
 */
struct policy_command {
	struct selector selector;
	uint32_t policy_id;
	uint32_t order;
	uint32_t sa_id; /* outbound SA */
	uint32_t reqid;
	uint32_t flags; /* enum policy_flag */
	uint16_t vrf;
	uint8_t direction; /* enum sa_direction: of the packet */
	uint8_t action;    /* enum policy_action */
};

struct command {
	uint64_t sequence; /* strictly rising from 1 in a session */
	uint16_t type;     /* enum command_type */
	uint8_t reserved[6];
	union {
		struct agent_command agent;
		struct local_command local;
		struct home_network_command home_network;
		struct binding_command binding;
		struct prefix_command prefix;
		struct route_command route;
		struct neighbor_command neighbor;
		struct sa_key_command sa_key;
		struct sa_limits_command sa_limits;
		struct sa_selector_command sa_selector;
		struct sa_command sa;
		struct policy_command policy;
		uint8_t payload[112];
	};
};

static_assert(sizeof(struct binding_command) == 96, "binding command layout");
static_assert(sizeof(struct selector) == 80, "selector layout");
static_assert(sizeof(struct sa_command) == 72, "SA command layout");
static_assert(sizeof(struct sa_key_command) == 108, "SA key layout");
static_assert(sizeof(struct policy_command) == 104, "policy layout");
static_assert(sizeof(struct command) == 128, "two cache lines a command");

#endif
