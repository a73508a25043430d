/*
 * A worker under a load of so many packets a second, on a thread of its own: what a port with a
 * queue of 1,024 descriptors would do to it.
 *
 * The load's clock is the thread's own processor time. Packets come due by that clock; those that
 * are due wait in the queue; what finds it full is lost. So a worker that something in this process
 * holds up loses packets just as behind a port, but one that the kernel preempts for another
 * process does not: its clock stands still. A worker that sleeps on a lock would not show; it may
 * not, and is counted (`switches`).
 *
 * A burst that takes more than LOAD_GAP_S, many times what its packets can cost, is a gap: the
 * machine took the processor away where the thread's clock does not see it (another guest, an
 * interrupt), or somebody held the worker up. What is lost because of a gap is counted apart, and
 * so are gaps: whoever compares phases with and without changes can tell which it was.
 *
 * Half of the packets go to bindings (IP-in-IP), half to pairs of SAs (ESP, AES-128-GCM), 64
 * octets, random among the first `stable` of each, which stay while others change.
 */
#ifndef PKTGEN_BENCH_LOAD_H
#define PKTGEN_BENCH_LOAD_H

#include "pktgen/bench/esp_pairs.h"

#include <pthread.h>

#define LOAD_QUEUE  1024
#define LOAD_FRAMES 16384
#define LOAD_PHASES 8
#define LOAD_BINS   4096 /* of LOAD_BIN_NS */
#define LOAD_BIN_NS 250
#define LOAD_GAP_S  100e-6

struct load_phase {
	uint64_t packets, lost;
	uint64_t gaps, lost_in_gaps; /* the latter are among `lost` */
	double gap_seconds;
	double seconds, busy_seconds; /* of processor time; busy: with packets */
	double blocked_max_s;         /* longest time for one burst */
	uint64_t latencies[LOAD_BINS];
};

struct load {
	struct worker *worker;
	uint32_t stable;
	double rate;            /* packets a second; 0: as many as go */
	_Atomic unsigned phase; /* which of `phases` counts; the main thread sets it */
	_Atomic bool stop, online;
	struct load_phase phases[LOAD_PHASES];
	uint64_t switches;  /* the thread gave its processor up by itself */
	double gap_packets; /* that came due in gaps and still wait */
	pthread_t thread;
};

/* Bindings and pairs 0..stable-1 with their policies, and frames to them. Main thread, once. */
void load_tables(struct worker *worker, uint32_t stable);
/* One binding, IP-in-IP; `generation` another care-of address of it. */
void load_binding_set(uint32_t binding, uint32_t generation);

/* Begins at phase 0, on the last processor that this process may use. */
void load_start(struct load *load, struct worker *worker, uint32_t stable, double rate);
/* Until phase `phase` has had so many seconds of processor time. */
void load_wait(const struct load *load, unsigned phase, double seconds);
void load_end(struct load *load);

/* Packets a second with nothing else to do, over so many seconds. */
double load_most(struct worker *worker, uint32_t stable, double seconds);
/* NDR: the first rate, from there down in steps of 5 %, at which half as long a trial loses
 * nothing but in gaps. */
double load_without_loss(struct worker *worker, uint32_t stable, double seconds);
/* Nanoseconds that `share` of the phase's packets did not exceed. */
double load_latency(const struct load_phase *phase, double share);

#endif
