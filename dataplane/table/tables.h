/*
 * What workers read. All tables live in the dataplane alone. The main lcore is the only writer
 * (tables_apply); workers read without locks inside one burst. The main lcore publishes by one
 * pointer or index store and frees after a grace period (rte_rcu QSBR, one reader id per worker,
 * quiescent between bursts, offline while asleep). Everything is allocated at start from the
 * configured limits.
 */
#ifndef DATAPLANE_TABLE_TABLES_H
#define DATAPLANE_TABLE_TABLES_H

#include "dataplane/table/vicinity.h"

#include "lib/ipc/command.h"
#include "lib/ipc/region.h"

#include <stdbool.h>
#include <stddef.h>

struct rte_rcu_qsbr;
struct sa_region;
struct sa_table;
struct crypto_library;
struct policy_key;     /* policy_classifier.h */
struct policy_verdict; /* policy_table.h */

#define TUNNEL_OUTER_MAX                                                                           \
	56 /* octets of the longest outer header: IPv6 40 + UDP 8 + MIP tunnel data 4 + GRE 4 */
#define TUNNEL_USUAL_OUTER 32 /* of the longest usual one: IPv4 20 + UDP 8 + MIP tunnel data 4 */

/*
 * What the lanes may ask of a tunnel's line 0 alone: IP-in-IP, in UDP or not, with home address,
 * agent and care-of address IPv4, its outer header 20 or, with BINDING_UDP, 32 octets. It never
 * changes, as what it is made of does not.
 */
enum tunnel_usual {
	TUNNEL_USUAL_OUT = 1 << 0,  /* nothing in flags keeps a packet from going in */
	TUNNEL_USUAL_IN = 1 << 1,   /* nor from coming out */
	TUNNEL_USUAL_BARE = 1 << 2, /* and it may do so without ESP around */
};

/*
 * One way to a mobile node, swapped whole at a handover: care-of address, ports, encapsulation and
 * agent never change in place (HA4-REG-22). Only these do, by one store each, and mixing old and
 * new of them harms nobody: expires_tsc (a refresh), next (a simultaneous binding came or went),
 * TTL, DSCP and DF in outer[] (the agent was reconfigured).
 *
 * The outer header is built once; a packet needs total/payload length, IPv4 identification and
 * checksum, TOS/traffic class and UDP length/checksum filled in. After the IPv4 (20) or IPv6 (40)
 * header outer[] holds:
 *
 *   IP-in-IP  nothing; protocol 4 for an IPv4 home address, 41 for an IPv6 one
 *   GRE       00 00 and the protocol type 08 00 or 86 dd
 *   minimal   12 octets in place of the inner header: protocol (to fill), 80, checksum, original
 *             destination, original source (to fill)
 *   UDP       UDP header, 04 NH 00 00 (RFC 3519 3.3), then what NH says as above
 */
struct tunnel {
	/* line 0: all that a usual packet asks for, in and out (dataplane/lane) */
	_Alignas(64) uint64_t expires_tsc; /* UINT64_MAX never */
	uint32_t binding_id;
	be32 home;            /* home_address when that is IPv4, else 0 */
	uint32_t next;        /* further tunnel of the same home address (simultaneous bindings),
				 TUNNEL_NONE */
	uint32_t destination; /* shared by all tunnels to this agent, care-of address, port: soft
				 state */
	uint16_t flags;       /* enum binding_flag */
	uint16_t agent_slot;  /* tables_agent_of */
	uint16_t path_mtu;    /* configured cap, 0 none */
	uint8_t vrf;
	uint8_t usual; /* enum tunnel_usual */
	uint8_t outer[TUNNEL_OUTER_MAX];
	/* the rest of line 1: what the steps ask besides */
	struct ip_address home_address;
	uint64_t previous_until_tsc; /* HA4-REV-16 */
	uint32_t previous;           /* replaced tunnel in its grace, TUNNEL_NONE */
	uint32_t orphan; /* main lcore: place in the list of tunnels whose id was given away, 0 */
	be32 care_of_field; /* IPv4 address that was asked for, where it is not the care-of address
			       (NAT); else 0 */
	uint16_t home_port;
	uint8_t encapsulation; /* enum encapsulation */
	uint8_t outer_length;  /* octets of outer[] in use; 20/40 + 0, 4 (GRE), 12 (minimal, in
				  place), 12 (UDP + MIP) ... */
};
_Static_assert(sizeof(struct tunnel) == 128, "lines of a tunnel");
_Static_assert(offsetof(struct tunnel, outer) + TUNNEL_USUAL_OUTER == 64,
	"the usual outer header ends line 0");

/* The ends of a tunnel are those of its outer header; the ports are 0 without UDP. */
static inline bool tunnel_is_over_ipv4(const struct tunnel *t)
{
	return t->outer[0] >> 4 == 4;
}

static inline struct ip_address tunnel_end(const struct tunnel *t, size_t v4_at, size_t v6_at)
{
	be32 v4;

	if (!tunnel_is_over_ipv4(t))
		return ip_address_from_v6(t->outer + v6_at);
	memcpy(&v4, t->outer + v4_at, sizeof(v4));
	return ip_address_from_v4(v4);
}

static inline struct ip_address tunnel_agent_address(const struct tunnel *t)
{
	return tunnel_end(t, 12, 8);
}

static inline struct ip_address tunnel_care_of_address(const struct tunnel *t)
{
	return tunnel_end(t, 16, 24);
}

static inline be16 tunnel_port(const struct tunnel *t, size_t at)
{
	be16 port = 0;

	if (t->flags & BINDING_UDP)
		memcpy(&port, t->outer + (tunnel_is_over_ipv4(t) ? 20 : 40) + at, sizeof(port));
	return port;
}

static inline be16 tunnel_agent_port(const struct tunnel *t)
{
	return tunnel_port(t, 0);
}

static inline be16 tunnel_care_of_port(const struct tunnel *t)
{
	return tunnel_port(t, 2);
}

#define TUNNEL_NONE    UINT32_MAX
#define TABLES_VRF_MAX 16

/* Mutable soft state of a tunnel destination (agent, care-of address, port), written by workers
 * (relaxed): HA4-MTU-01, -06, -07, -11. Made with its first binding, gone with its last. */
struct tunnel_path {
	_Atomic uint16_t path_mtu;        /* 0 = not lowered */
	_Atomic uint8_t unreachable_code; /* 0, or ICMP type 3/11 seen (HA4-MTU-11) */
	uint8_t reserved;
	_Atomic uint32_t changed_s; /* seconds of the worker clock when either changed */
};

struct agent { /* an address of a home agent */
	struct ip_address address;
	uint64_t old_care_of_grace_tsc;
	uint32_t flags; /* enum agent_flag */
	uint16_t vrf, instance;
	uint8_t tunnel_ttl, dscp;
	uint32_t users;      /* main lcore: tunnels that point here */
	uint32_t generation; /* main lcore */
	bool removed;        /* main lcore: gone for new bindings and for what arrives */
};

struct home_network {
	struct ip_prefix prefix;
	uint16_t vrf, port, instance;
	uint32_t flags; /* enum home_network_flag */
	uint16_t broadcast_ports[8];
	uint32_t broadcast_rate;
};

struct route {
	struct ip_address next_hop; /* unspecified: on-link */
	uint16_t port, mtu, vrf;
	uint32_t flags;          /* enum route_flag */
	struct ip_prefix prefix; /* beyond the object's first line */
};

struct neighbor {
	struct ip_address address;
	uint16_t port;
	uint8_t mac[6];
};

enum local_kind { LOCAL_NONE, LOCAL_AGENT, LOCAL_KERNEL };

struct local {
	enum local_kind kind;
	uint16_t port; /* whose TAP; of an agent PORT_NONE when the kernel does not have the address
			*/
	const struct agent *agent; /* LOCAL_AGENT */
};

struct tables;

/* Allocates all tables for the limits. NULL with errno. `workers` reader ids are registered in the
 * returned QSBR. */
struct tables *tables_new(const struct region_limits *limits, unsigned workers);
void tables_free(struct tables *tables);
struct rte_rcu_qsbr *tables_qsbr(struct tables *tables);
/* Names the run-time state of security associations in the region and the main lcore's own crypto
 * library (sa_table_attach); without it SA_SET is refused. Before the first command. */
void tables_sas_attach(
	struct tables *tables, const struct sa_region *region, struct crypto_library *library);

/* Octets to an address that an SA was moved to and that is not proved (MOB-12); 0: any number.
 * Before any worker runs. */
void tables_sas_allow(struct tables *tables, uint32_t octets);

/* Each SA belongs to one worker from now on (sa_owner.h): who that is, or NULL with errno. Before
 * any worker runs. */
struct sa_owner *tables_sas_own(struct tables *tables, uint32_t workers);

/*
 * Main lcore: checks and applies one command; 0 or a positive errno (EINVAL, ENOSPC, ENOENT for an
 * agent that is not known, EEXIST for a binding id in use; EAGAIN when so many replaced objects
 * wait for the workers that none is left: publish, wait until synced, apply it again). Removing
 * what is not there is 0. The command is this thread's own copy: nobody changes it meanwhile.
 */
int tables_apply(struct tables *tables, const struct command *command);
/* Main lcore: starts a grace period for what was replaced so far; returns a token for
 * tables_synced. */
uint64_t tables_publish(struct tables *tables);
/* True when every worker has passed the token: nothing old is in use. Frees what it can. */
bool tables_synced(struct tables *tables, uint64_t token);

/* Replaced objects that wait for the end of a grace period. */
uint64_t tables_waiting(const struct tables *tables);
/* Tells limits in time of SAs without traffic (sa_table_age); not while control replays its state,
 * whose numbers are not settled yet. Returns how many. */
struct sa_ager;
uint32_t tables_sas_age(struct tables *tables, monotonic now, const struct sa_ager *ager);
/* Reads the clocks anew; about once a second. */
void tables_clock_update(struct tables *tables);
struct tables_use {
	uint32_t bindings, routes, neighbors, prefixes, policies;
	uint32_t sas; /* of the direction that has more */
};
struct tables_use tables_use(const struct tables *tables);

/*
 * Workers, and only between two quiescent points. Pointers stay valid until the next one. A tunnel
 * may have expired: compare expires_tsc with the burst's time before using it (HA4-BND-06),
 * tables_tunnel_live does.
 */
static inline bool tables_tunnel_live(const struct tunnel *tunnel, uint64_t now_tsc)
{
	return now_tsc < __atomic_load_n(&tunnel->expires_tsc, __ATOMIC_RELAXED);
}
/* Bits of enum vicinity_bit: which of the lookups below may find something; 0: only a route. */
static inline unsigned tables_near(
	const struct tables *t, uint16_t vrf, const struct ip_address *address)
{
	return vicinity_of((const struct vicinity *)(const void *)t, vrf, address);
}
static inline unsigned tables_near_v4(const struct tables *t, uint16_t vrf, be32 address)
{
	return vicinity_of_v4((const struct vicinity *)(const void *)t, vrf, address);
}
/* For many addresses of one vrf: vicinity_part_v4 tells of each. NULL: no vrf of ours. */
static inline const uint8_t *tables_near_v4_parts(const struct tables *t, uint16_t vrf)
{
	return vicinity_parts_v4((const struct vicinity *)(const void *)t, vrf);
}
const struct tunnel *tables_home_lookup(const struct tables *t, uint16_t vrf,
	const struct ip_address *home); /* exact home address */
/* The same for a burst, prefetched: out[i] may be NULL. */
void tables_home_lookup_burst(const struct tables *t, const uint16_t *vrf,
	const struct ip_address *home, unsigned count, const struct tunnel **out);
/* For the lanes, which look IPv4 addresses up in pieces (binding_table.h). */
struct binding_table;
const struct binding_table *tables_bindings(const struct tables *t);
const struct tunnel *tables_prefix_lookup(const struct tables *t, uint16_t vrf,
	const struct ip_address *address); /* mobile network, longest prefix */
const struct tunnel *tables_tunnel_next(const struct tables *t, const struct tunnel *tunnel);
/* A replaced tunnel of the same binding whose grace (HA4-REV-16) still runs at now_tsc, or NULL. */
const struct tunnel *tables_tunnel_previous(
	const struct tables *t, const struct tunnel *tunnel, uint64_t now_tsc);
struct tunnel_path *tables_tunnel_path(
	const struct tables *t, uint32_t binding_id); /* never NULL */
struct tunnel_path *tables_path_of(
	const struct tables *t, const struct tunnel *tunnel); /* the same, one load */
/* The same for a worker that has learned something: tables_path_learned finds it from now on. */
struct tunnel_path *tables_path_write(const struct tables *t, const struct tunnel *tunnel);
/* NULL when nothing was ever written there, which spares nearly all packets a miss. */
struct tunnel_path *tables_path_learned(const struct tables *t, const struct tunnel *tunnel);
/* The tunnel's agent; never NULL. Its object is hot. */
const struct agent *tables_agent_of(const struct tables *t, const struct tunnel *tunnel);
/* Tunnel whose effective care-of address, agent address and encapsulation match an ICMP error's
 * quoted outer header; NULL. */
const struct tunnel *tables_care_of_lookup(const struct tables *t, uint16_t vrf,
	const struct ip_address *agent, const struct ip_address *care_of, be16 care_of_port);
struct local tables_local_lookup(
	const struct tables *t, uint16_t vrf, const struct ip_address *address);
const struct home_network *tables_home_network_lookup(
	const struct tables *t, uint16_t vrf, const struct ip_address *address);
const struct home_network *tables_home_network_of_port(const struct tables *t, uint16_t port);
const struct route *tables_route_lookup(
	const struct tables *t, uint16_t vrf, const struct ip_address *destination);
/* The same for a burst of up to LOOKUP_BURST, prefetched: out[i] may be NULL. */
void tables_route_lookup_burst(const struct tables *t, const uint16_t *vrf,
	const struct ip_address *const *destination, unsigned count, const struct route **out);
/* The same for IPv4 addresses of one vrf. */
void tables_route_v4_burst(const struct tables *t, uint16_t vrf, const be32 *destinations,
	unsigned count, const struct route **out);
/* The same for IPv6 ones. */
void tables_route_v6_burst(const struct tables *t, uint16_t vrf,
	const struct ip_address *destinations, unsigned count, const struct route **out);
/* An address of ours in the vrf and family for errors of our own: an agent's, else a kernel
 * address of `port`, else any; NULL. */
const struct ip_address *tables_own_address(
	const struct tables *t, uint16_t vrf, uint16_t port, bool ipv6);
/* All flags that any agent of any vrf has: lets a step skip work that nobody asked for. */
uint32_t tables_agent_flags(const struct tables *t);
/* Tunnels with BINDING_BROADCAST and home_port `port`, one after another; *cursor starts at 0;
 * NULL at the end. A walk beside a removal may miss one. */
const struct tunnel *tables_broadcast_next(const struct tables *t, uint16_t port, uint32_t *cursor);
/* Another value, never 0, after each change of anything that leads a packet somewhere: routes,
 * bindings, networks. What was found at one value is good at the same value. */
uint32_t tables_change(const struct tables *t);
/*
 * Another value, never 0, after each change of what seldom changes: routes, neighbours, addresses
 * of ours, agents, home and mobile networks, and the first home address in an address' vicinity.
 * Not after changes of bindings, policies and SAs. Read once, before anything else of a burst: what
 * was found at one value is good for every burst that begins at the same one.
 */
uint32_t tables_ground(const struct tables *t);
/* Security associations: dataplane/table/sa_table.h has what may be asked of them. */
const struct sa_table *tables_sas(const struct tables *t);
const struct neighbor *tables_neighbor_lookup(
	const struct tables *t, uint16_t port, const struct ip_address *address);
/* A neighbour's number, never 0, and the neighbour of one: as long as tables_ground is the same. */
uint32_t tables_neighbor_number(const struct tables *t, const struct neighbor *neighbor);
const struct neighbor *tables_neighbor_at(const struct tables *t, uint32_t number);

/* True when the vrf has any security policy: then what matches none is discarded, else bypassed. */
bool tables_policies_used(const struct tables *t, uint16_t vrf);
bool tables_policies_nested(const struct tables *t);
/* First match for each of up to LOOKUP_BURST keys, all judged by one version of the SPD. */
void tables_policy_lookup_burst(const struct tables *t, const struct policy_key *keys,
	unsigned count, struct policy_verdict *verdicts);
/* For policy_host.h. */
struct policy_table;
const struct policy_table *tables_policies(const struct tables *t);

#endif
