/*
 * Who is there: from a group's first addresses and counts to the addresses, ports and flows of each
 * node, by arithmetic; what changes about a node (where it is, which port its NAT gave it) is all
 * that is stored. A flow is one node's datagrams in one direction. Flows are numbered over all
 * groups; within one, a node's up flow stands before its down flow.
 *
 * A node's place says which of its two care-of addresses it is at (a move is the change to the
 * other), its mapping how often its NAT has given it another port. The thread that transmits writes
 * them; others read whole octets.
 */
#ifndef PKTGEN_GENERATOR_POPULATION_H
#define PKTGEN_GENERATOR_POPULATION_H

#include "pktgen/generator/profile.h"

#include <arpa/inet.h>
#include <string.h>

enum population_ready {            /* who may send */
	POPULATION_READY_DOWN = 1, /* its correspondent */
	POPULATION_READY_UP = 2,   /* the node */
	POPULATION_READY = 3,
};

struct population_node {
	uint8_t place;   /* 0 or 1 */
	uint8_t mapping; /* 0 or 1: of two ranges of ports */
	uint8_t moved;   /* has been at the other place or port: packets there are old, not wrong */
	uint8_t ready;   /* enum population_ready */
};

struct population_group {
	const struct profile_group *settings;
	unsigned index;
	bool up, down;
	uint32_t associations; /* pairs, of all nodes and their places; 0 without ESP */
	uint32_t flow_first, flow_count;
	uint32_t sharing; /* nodes to an outer address */
	struct population_node *nodes;
};

struct population {
	const struct profile *profile;
	uint16_t magic; /* of signatures */
	uint32_t flow_count;
	unsigned group_count;
	struct population_group groups[PROFILE_GROUPS_MAX];
};

struct population_flow {
	const struct population_group *group;
	uint32_t node;
	bool up;
};

/* NULL when out of memory. `profile` stays the caller's and outlives it. */
struct population *population_new(const struct profile *profile);
void population_free(struct population *population);
/* False when there is no such flow. */
bool population_flow_find(
	const struct population *population, uint32_t flow, struct population_flow *out);

static inline struct ip_address population_offset(const struct ip_address *first, uint32_t by)
{
	struct ip_address address = *first;

	address.words[3] = htonl(ntohl(first->words[3]) + by);
	return address;
}

/* Whether `address` is among the `count` ones from `first` on. */
static inline bool population_has(
	const struct ip_address *first, uint32_t count, const struct ip_address *address)
{
	return memcmp(address, first, 12) == 0 &&
	       ntohl(address->words[3]) - ntohl(first->words[3]) < count;
}

static inline struct ip_address population_node_address(
	const struct population_group *group, uint32_t node)
{
	return population_offset(&group->settings->node, node);
}

static inline struct ip_address population_correspondent(
	const struct population_group *group, uint32_t node)
{
	return population_offset(
		&group->settings->correspondent, node % group->settings->correspondents);
}

static inline struct ip_address population_care_of(
	const struct population_group *group, uint32_t node, uint8_t place)
{
	uint32_t count = group->settings->care_of_count;

	return population_offset(&group->settings->care_of, node % count + place * count);
}

/* Which pair of associations a node uses at a place: each place has one, or both the same. */
static inline uint32_t population_association(
	const struct population_group *group, uint32_t node, uint8_t place)
{
	uint32_t nodes = group->settings->nodes;

	return place && group->associations > nodes ? nodes + node : node;
}

/* What Mobile IP knows as a node's care-of address: of mc, the one inside the tunnel, which is new
 * with each association. */
static inline struct ip_address population_tunnel_end(
	const struct population_group *group, uint32_t node, uint8_t place)
{
	return profile_is_mc(group->settings) ? population_offset(&group->settings->vpn_address,
							population_association(group, node, place))
					      : population_care_of(group, node, place);
}

/* Outer UDP port of a node, host order. */
static inline uint16_t population_nat_port(
	const struct population_group *group, uint32_t node, uint8_t mapping)
{
	return (uint16_t)(group->settings->nat_port + node / group->settings->care_of_count +
			  mapping * group->sharing);
}

/* From which port of its own a node sends to the home agent's 434, as that sees it. No NAT on the
 * way has seen it inside ESP. */
static inline uint16_t population_mip_port(
	const struct population_group *group, uint32_t node, uint8_t mapping)
{
	return profile_is_sealed(group->settings) ? group->settings->nat_port
						  : population_nat_port(group, node, mapping);
}

static inline uint32_t population_flow_of(
	const struct population_group *group, uint32_t node, bool up)
{
	return group->up && group->down ? group->flow_first + 2 * node + !up
					: group->flow_first + node;
}

#endif
