/*
 * What the tests of the lanes of Mobile IP tunnels play with: an agent, mobile nodes of all kinds
 * with their bindings, routes and neighbours on three ports, and packets out of the nodes' tunnels.
 */
#ifndef TESTS_UNIT_DATAPLANE_FORWARD_SCENE_H
#define TESTS_UNIT_DATAPLANE_FORWARD_SCENE_H

#include "tests/unit/dataplane/player.h"

#define HERE       0xc0000201u /* 192.0.2.1, the agent */
#define GATEWAY    0xc00002feu /* 192.0.2.254, outside */
#define GATEWAY_2  0xc00002fdu
#define ROUTER     0xac100102u                               /* 172.16.1.2, inside */
#define HOME(n)    (0x0a320000u + (uint32_t)(n))             /* 10.50.0.n */
#define NETWORK(n) (0x0a460000u + ((uint32_t)(n) << 8))      /* 10.70.n.0/24: behind node n */
#define CARE_OF(n) (0xcb007100u + ((uint32_t)(n) << 16) + 7) /* 203.n.113.7 */
#define PEER       0x08080808u                               /* a correspondent */
#define OUTSIDE    0
#define INSIDE     1
#define HOME_LINK  2
#define NODES      16

enum expectation { STEPS_ONLY, LANE };

/* Node n has home address HOME(n) and binding n. */
struct node {
	const char *name;
	uint32_t flags;
	uint16_t care_of_port, path_mtu;
	uint8_t encapsulation;
	uint8_t out, in;  /* enum expectation */
	uint32_t care_of; /* 0: CARE_OF(n) */
};
extern const struct node nodes[NODES];

/* What is counted in whole seconds is to begin alike: the worker's clock is that much behind. */
extern monotonic behind_ns;

/* Correspondents' and nodes' packets go there: routed, or nobody's. Host order. */
uint32_t destination(struct player *player);
int apply(struct world *w, struct command command);
void agent(struct world *w, uint32_t flags, uint8_t dscp);
/* Host order. */
uint32_t care_of(unsigned n);
/* Node n at this care-of address, in host order. */
void binding(struct world *w, uint32_t id, unsigned n, uint32_t address, monotonic expires_ns);
void home_network(struct world *w, uint32_t network, uint8_t length, uint16_t port);
/* All as it is in the beginning, but for what was learned. */
void heal(struct player *player);
void setup(struct player *player, bool lanes, uint64_t seed);
/* What came out of node n's tunnel to `to`, something wrong inside when asked for; returns the
 * frame's length. */
uint32_t tunnel_frame(
	struct player *player, uint8_t *frame, unsigned n, uint32_t to, bool odd_inside);
/* Makes something about the tunnel's own headers different. */
void tunnel_spoil(struct player *player, uint8_t *frame);

#endif
