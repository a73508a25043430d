/*
 * What the tests of the lane into ESP play with: clients behind SAs of all kinds, each a mobile
 * node, too (RFC 5266, mode mc), a server inside that sends to them, and the commands that change
 * all this.
 */
#ifndef TESTS_UNIT_DATAPLANE_LANE_SCENE_H
#define TESTS_UNIT_DATAPLANE_LANE_SCENE_H

#include "tests/unit/dataplane/player.h"
#include "tests/unit/selector_any.h"

#define HERE          0xc0000201u /* 192.0.2.1 */
#define GATEWAY       0xc00002feu /* 192.0.2.254 */
#define GATEWAY_2     0xc00002fdu
#define SERVER        0x0a090005u                                 /* 10.9.0.5 */
#define CLIENT(n)     (0x0a140000u + ((uint32_t)(n) << 16) + (n)) /* 10.(20 + n).0.n */
#define PEER(n)       (0xcb007100u + ((uint32_t)(n) << 16) + (n)) /* 203.n.113.n */
#define NODE(n)       (0x0a3c0000u + (n))                         /* 10.60.0.n */
#define INSIDE        1                                           /* port */
#define CLIENTS       16
#define FIRST_BINDING 8
#define LAST_SA       13
#define LIMITED_SA    12
#define EXPIRING_SA   13

enum expectation { STEPS_ONLY, LANE };

/* SA n leads to client n. */
struct sa_row {
	const char *name;
	uint32_t flags;
	uint16_t encryption, integrity, path_mtu, tfc;
	uint8_t dscp;
	uint8_t encryption_length, integrity_length;
	enum expectation expected;
};
extern const struct sa_row sa_rows[CLIENTS];

/* All packets of a burst are to nodes, or to clients: those to nodes go more steps, and would get
 * other numbers of the same SA. */
extern bool to_nodes;

int apply(struct world *w, struct command command);
/* Remote addresses first to last, in host order. */
struct selector selector(uint32_t first, uint32_t last);
void commit(struct world *w);
/* Not committed. */
void policy(struct world *w, uint32_t id, uint32_t order, struct selector s, uint8_t action,
	uint32_t sa_id);
void host_policy(struct world *w, unsigned client, uint8_t action, uint32_t sa_id);
/* The key of SA n, which begins with first_octet, and its limits. */
void sa_stage(struct world *w, unsigned n, uint8_t first_octet);
/* 0 or the errno of the refusal, negative. */
int sa_set(struct world *w, unsigned n, uint32_t peer, uint32_t spi);
void sa_remove(struct world *w, unsigned n);
/* A mobile node whose care-of address is client n's, behind the client's SA (RFC 5266, mode mc). */
void node_bind(struct world *w, unsigned n, uint32_t flags, uint8_t encapsulation);
void setup(struct player *player, bool lanes, uint64_t seed);

/* From the server; returns the frame's length. */
uint32_t frame_to(struct player *player, uint8_t *frame, uint32_t host);
uint32_t frame_plain(struct player *player, uint8_t *frame, unsigned client);

#endif
