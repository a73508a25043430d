/*
 * Two workers on one SA, each a thread with its own struct worker, crypto engine and pipeline, as
 * worker.c has them, over one set of tables; and what the two made of the SA's numbers. Each
 * encrypts its own packets, and each is given every ESP packet that either of them sent.
 *
 * Port 0 is outside, port 2 inside; port 1, of another vrf, stands for the far gateway.
 */
#ifndef TESTS_UNIT_DATAPLANE_TWO_WORKERS_H
#define TESTS_UNIT_DATAPLANE_TWO_WORKERS_H

#include "dataplane/crypto/library.h"
#include "dataplane/table/sa_table.h"
#include "dataplane/worker.h"

#define WORKERS   2
#define PORTS     3
#define ROUNDS    200
#define BURSTS    8 /* of each worker in a round */
#define PER_ROUND (WORKERS * BURSTS * BURST_SIZE_ESP)
#define PACKETS   (ROUNDS * PER_ROUND)
#define WINDOW    1024 /* above PER_ROUND: nothing is late */
#define SAS       4
#define SA_OUT    3
#define SA_IN     1
#define SERVER    0xc0000281u /* sends to CLIENT */
#define CLIENT    0xcb0071c1u

struct side {
	struct worker worker;
	struct worker_counters counters;
	uint64_t policy_hits[SAS];
	struct tx_buffer tx[PORTS];
	struct rte_ring *wire; /* ESP packets that it is to receive */
	uint64_t numbers_twice, identities_twice, strangers, delivered, encrypted, lost;
	uint32_t first_identity;
};

/* What a race is like; a test changes it before and back behind. */
struct race_kind {
	uint16_t replay_window; /* WINDOW */
	bool owned;             /* MP-04: one worker has the SA, the other hands over to it */
	bool hosts;             /* selectors are of one host each, which the lanes know */
	bool by_turns;          /* in each round one worker sends all before it receives any */
};
extern struct race_kind race_kind;

extern struct side sides[WORKERS];
/* Made anew for each race, as its tables are. */
extern struct tables *tables;
extern struct sa_region region;

/* The group's setup: EAL and the library. */
int workers_start(void **state);
/* All that race() makes before the threads begin; `before`: the last number that the SA used. */
void sides_make(uint32_t flags, uint64_t before);
/* Runs to the end: PACKETS packets. moving: the SA goes from worker to worker meanwhile. */
void race(uint32_t flags, uint64_t before, bool moving);
/* One burst of the side's own packets. */
void send_clear(struct side *side);
/* A burst of what the two sent; false when nothing waited. */
bool receive_wire(struct side *side);
/* Nobody is to receive what waits. */
void wires_empty(void);
/* What was handed over to it; false when nothing was. */
bool take_over(struct side *side);
/* Nothing is lost, nothing twice; frees all. */
void finish(void);

/* Of both workers. */
uint64_t drops(enum drop_reason reason);
/* Identities that arrived more than once. */
uint64_t arrived_twice(void);
/* `sent` numbers were used: each once, and one of the two copies of each was accepted. */
void check(uint64_t sent);
/* In the order of the numbers, each worker's packets are in the order in which it received them. */
void check_order(uint64_t sent);

/* two_workers_tables.c: the tables, with an SA of each direction. */
void two_tables_make(uint32_t flags, uint64_t before, struct crypto_library *library);
void two_tables_free(void);
struct command two_tables_sa(uint8_t direction, uint32_t id, uint32_t flags, uint8_t worker);

#endif
