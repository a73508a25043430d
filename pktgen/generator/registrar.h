/*
 * The nodes' side of Mobile IPv4 registration for up to a million nodes: first registrations at a
 * rate, retransmission and refreshing, moves between two care-of addresses, storms in which all
 * register anew. Each reply is judged before it counts (reply.h).
 *
 * Nodes have co-located care-of addresses and ask for reverse tunnels. Those of a mip-udp group are
 * behind a NAT: the request names a private address, so the home agent sees the NAT and answers
 * with a UDP tunnel (RFC 3519 3.1); a reply without one counts as wrong. All others name the
 * address that the home agent sees, whatever ESP in UDP passes on its way.
 *
 * Pure: frames go out through `send`, time comes in as an argument. One thread.
 */
#ifndef PKTGEN_GENERATOR_REGISTRAR_H
#define PKTGEN_GENERATOR_REGISTRAR_H

#include "lib/base/timer_wheel.h"
#include "pktgen/generator/histogram.h"
#include "pktgen/generator/inspect.h"
#include "pktgen/generator/population.h"

#define REGISTRAR_FRAME_MAX 256

struct registrar;

struct registrar_output {
	void *context;
	/* An IP packet of a node, behind room for Ethernet's 14 octets, to leave by the group's
	 * access port, in its ESP if it has any. False: try again. */
	bool (*send)(void *context, const struct population_group *group, uint32_t node,
		uint8_t *frame, uint32_t length);
	/* Whether all that a node was allowed to send before `stamp`, which the first returned, has
	 * left: then it may move. NULL: always. */
	uint64_t (*stamp)(void *context, const struct population_group *group, uint32_t node);
	bool (*has_left)(
		void *context, const struct population_group *group, uint32_t node, uint64_t stamp);
};

struct registrar_counters {
	uint64_t requests, retransmissions; /* the latter are among the former */
	uint64_t accepted, denied;          /* authentic replies */
	uint64_t codes[256];                /* of denials */
	uint64_t unmatched;   /* replies that answer no request under way: doubled, late, foreign */
	uint64_t bad_address; /* from or to other addresses or ports than the request's */
	uint64_t bad_authenticator;
	uint64_t bad_tunnel; /* accepted, but without the UDP tunnel that the NAT needs */
	uint64_t malformed;
	uint64_t expired;         /* nodes whose binding ended without an answer */
	uint64_t moves, storms;   /* storms: of a group */
	uint64_t storm_ns;        /* until the last storm that is over had brought all nodes */
	struct histogram latency; /* nanoseconds, from a node's first request to its acceptance */
};

/* NULL when out of memory or no group registers. `population` outlives it and is written: places
 * and readiness. */
struct registrar *registrar_new(
	struct population *population, const struct registrar_output *output, struct clock_now now);
void registrar_free(struct registrar *registrar);

/* All nodes register, at the rate of their group. */
void registrar_begin(struct registrar *registrar, struct clock_now now);
/* Moves and the storm of a trial begin; and end. */
void registrar_trial(struct registrar *registrar, struct clock_now now, bool begin);
/* Sends what is due, a bounded number. */
void registrar_poll(struct registrar *registrar, struct clock_now now);
/* A Mobile IP message that came in. */
void registrar_receive(
	struct registrar *registrar, struct clock_now now, const struct inspected *what);

uint32_t registrar_node_count(const struct registrar *registrar);
uint32_t registrar_registered(const struct registrar *registrar); /* nodes with a binding */
uint32_t registrar_waiting(
	const struct registrar *registrar); /* nodes whose request is under way */
const struct registrar_counters *registrar_counters_get(const struct registrar *registrar);

#endif
