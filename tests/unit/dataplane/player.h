/*
 * What scripts that are played with lanes and without have in common: chance from a seed, the usual
 * commands, and frames that are whole and plain or wrong in one of many ways.
 */
#ifndef TESTS_UNIT_DATAPLANE_PLAYER_H
#define TESTS_UNIT_DATAPLANE_PLAYER_H

#include "tests/unit/dataplane/lane_record.h"

#include <rte_ip.h>

#define PLAYER_FRAME 1664 /* octets of room that a frame needs */

struct player_hop {
	uint32_t via; /* host order */
	uint16_t port;
};

struct player {
	struct world *world;
	struct record *record;
	uint64_t random; /* never 0 */
	unsigned step;
	/* From here on the script's own, before player_begin. For player_spoil, in host order:
	 * sources and destinations that are wrong or somebody else's, and a usual destination. */
	const uint32_t *sources, *others;
	unsigned source_count, other_count;
	uint32_t (*destination)(struct player *player);
	/* For player_route_change: the usual way, another gateway there, out of another port. */
	struct player_hop hops[3];
};

/* A new world, which is returned, and chance from the seed; with an odd one port 0's device makes
 * the header checksums. */
struct world *player_begin(struct player *player, bool lanes, uint64_t seed);

/* 0 to limit - 1. */
uint32_t player_below(struct player *player, uint32_t limit);
bool player_chance(struct player *player, unsigned percent);
/* From host order. */
struct ip_address player_v4(uint32_t host);

/* Addresses in host order; via 0: on link. */
void player_route(struct world *w, uint32_t network, uint8_t length, uint32_t via, uint16_t port,
	uint16_t mtu, uint32_t flags);
void player_route_remove(struct world *w, uint32_t network, uint8_t length);
/* A path's, 0 (as the port's) often. */
uint16_t player_mtu(struct player *player);
/* A route of its own for one host. 0: over either gateway with any MTU; 1: perhaps a black hole; 2:
 * out of the other port. */
void player_route_change(struct player *player, uint32_t host, unsigned what);
void player_neighbor(struct world *w, uint32_t host, uint16_t port, uint8_t mac);

/* One policy for all packets of a family, or none any more: the lanes have nothing to do then. */
void player_policy_change(struct player *player, unsigned percent_set, bool ipv6);
void player_policy_remove(struct world *w);

struct rte_ipv4_hdr *player_ip(uint8_t *frame);
/* Of a header without options. */
void player_checksum(uint8_t *frame);
/* A whole UDP datagram, mostly, to the port's address, of any length; returns the frame's length.
 */
uint32_t player_datagram(struct player *player, uint8_t *frame, uint16_t port, uint32_t source,
	uint32_t destination);
/* Makes one thing different; returns the frame's length. */
uint32_t player_spoil(struct player *player, uint8_t *frame, uint32_t length);
/* Frames that arrive together; at most BURST_SIZE. */
struct player_burst {
	struct rte_mbuf *packets[BURST_SIZE], *shared[BURST_SIZE];
	unsigned count;
};
/* A copy of the frame, in any of the buffers that player_buffer makes. */
void player_burst_add(
	struct player *player, struct player_burst *burst, const uint8_t *frame, uint32_t length);
void player_burst_receive(struct player *player, struct player_burst *burst, uint16_t port);
/*
 * Buffers that differ: pieces, shared ones (*shared: to be freed by the caller), with no room
 * before or behind. A frame begins at an even address, as every driver has it and as rte_ether_hdr
 * asks.
 */
struct rte_mbuf *player_buffer(
	struct player *player, const uint8_t *frame, uint32_t length, struct rte_mbuf **shared);

/* Plays a script for `seeds` seeds with lanes and without, and fails where anything that can be
 * seen differs. taken_lane: of enum lane_kind. enough: asserts that the lanes took their share. */
struct player_script {
	void (*setup)(struct player *player, bool lanes, uint64_t seed);
	void (*play)(struct player *player);
	void (*enough)(const struct world *with);
};
void player_compare(const struct player_script *script, uint64_t seeds, unsigned taken_lane);
/* Frees the world, which has to have lost nothing, and the record. */
void player_end(struct player *player);

#endif
