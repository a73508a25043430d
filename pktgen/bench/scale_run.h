/*
 * One or two workers of scale_bench at once: what they run, and what is believed of it.
 *
 * Each worker is a thread on a processor of its own, of those that we may run on, or, apart, a
 * process with tables of its own. A run is made of batches, a batch of pieces of some hundred
 * packets, and the first pieces of a batch only warm what the main thread, which prepares on
 * processor 0, drove out of that processor's caches. A piece counts when its worker had its
 * processor all the while and in the piece before (the TSC moved as much as the thread's processor
 * time), and so had the other one beside it: a build that takes a processor for some time costs
 * pieces, not the figure.
 *
 * Both processors may be the two halves of one core for a while, where a host moves them about.
 * Before and behind each batch of two workers both do additions at once: when each does but half of
 * what a processor here was seen to do, it is one core that does them, and the batch does not
 * count. (A half whose other half is somebody else's does two thirds and more.)
 *
 * Frames are made once for many batches and copied from there into each fresh mbuf, so that no
 * worker reads what another processor wrote a moment ago. Inbound they are sealed once as well;
 * before each batch the windows are put back, and the same numbers are new again.
 *
 * What a worker's speed is made of is what it sent, so that packets that one worker hands to the
 * other are counted once, where they leave.
 */
#ifndef PKTGEN_BENCH_SCALE_RUN_H
#define PKTGEN_BENCH_SCALE_RUN_H

#include <stdbool.h>
#include <stdint.h>

#define SCALE_WORKERS 2
#define SCALE_SIZE    64 /* octets of a user's packet */

enum scale_direction { SCALE_OUT, SCALE_IN };

enum scale_sharing { SCALE_STEERED, SCALE_UNSTEERED }; /* to the worker whose SA it is, to any */

struct scale_shape {
	enum scale_direction direction;
	enum scale_sharing sharing;
	uint32_t pairs; /* 1: the fat one, whose packets are dealt out in turn */
	unsigned who;   /* bit of each worker that runs */
};

struct scale_sums {
	uint64_t pieces, good;    /* all of them after the warm ones, those that count */
	uint64_t waited, present; /* TSC cycles of those that count: waited, which is left out, for
				     the other worker; all of them */
	uint64_t packets[SCALE_WORKERS], cycles[SCALE_WORKERS];         /* TSC */
	uint64_t all_packets[SCALE_WORKERS], all_cycles[SCALE_WORKERS]; /* of all pieces */
	uint64_t disordered;
	uint64_t batches, one_core; /* of two workers; of those, on halves of one core */
};

struct worker;

/* Before path_bench_init. Apart: the caller is two processes from now on. Returns this process's
 * number, 0 when there is but one; exits with a sentence when it cannot. */
unsigned scale_run_begin(bool apart);
/* After path_bench_init: its workers, one where processes are apart. */
void scale_run_workers(struct worker *workers);
/* Adds `seconds` of each worker. Both processes call it alike; process 0 gets the answer. */
void scale_run(const struct scale_shape *shape, double seconds, struct scale_sums *sums);
/* Packets a TSC cycle of a worker that ran; of all pieces on a machine where none counts. */
double scale_run_rate(const struct scale_sums *sums, unsigned worker);
/* The exit status: this process's own, in process 0 also the other one's. */
int scale_run_end(int status);

#endif
