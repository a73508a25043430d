/*
 * Where further lcores wait while the main one works on what is theirs: between trials, or to bring
 * sums together. One gate for all senders, one for all receivers.
 *
 * A lcore passes at the top of its loop. When gate_close has returned, what the lcores wrote can be
 * read and written until gate_open: each is waiting, or on its way from one wait to the next
 * without work in between.
 */
#ifndef PKTGEN_GENERATOR_GATE_H
#define PKTGEN_GENERATOR_GATE_H

#include <rte_cycles.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#define GATE_REST_US 100

struct gate {
	_Atomic bool closed, ended;
	_Atomic unsigned waiting; /* lcores */
};

/* Further lcores. Waits while the gate is closed; false: the loop is to end. */
static inline bool gate_pass(struct gate *gate)
{
	while (gate->closed && !gate->ended) {
		gate->waiting++;
		while (gate->closed && !gate->ended)
			rte_delay_us_sleep(GATE_REST_US);
		gate->waiting--;
	}
	return !gate->ended;
}

/* Main lcore. Returns when all of `lcores` wait. */
static inline void gate_close(struct gate *gate, unsigned lcores)
{
	gate->closed = true;
	while (gate->waiting < lcores)
		sched_yield();
}

static inline void gate_open(struct gate *gate)
{
	gate->closed = false;
}

/* Nobody passes or waits any more. */
static inline void gate_end(struct gate *gate)
{
	gate->ended = true;
}

#endif
