/*
 * Two workers against one, through the whole pipeline: ESP out and in, random pairs of their own,
 * and one fat SA that both workers share. 64 octets, AES-128-GCM, a replay window where it is in.
 *
 *   scale_bench [PAIRS [shared | owned]]     default 1000; shared: on one copy of the crypto
 *                                            library; owned: every SA is one worker's
 *
 * Each worker is a thread on a processor of its own with its own engine and mbufs; all read the
 * same tables. A worker's speed is packets for a second of its thread's processor time; two workers
 * are measured only in pieces during which the other made progress too. "copies": each worker has
 * its own copy of the crypto library, "one library": they share it, whose error word every call
 * writes.
 *
 * The fat SA: each worker has flows of its own inside it. Out, both take numbers from the one
 * counter, each worker's packets must leave with rising numbers, and no number twice; in, packets
 * are sealed in order and dealt out in turn, so both workers move one window, and each worker's
 * must all pass and leave in the order in which they came.
 *
 * "steered": each worker receives packets of SAs of its own, as behind a device that spreads by
 * address or SPI; "unsteered": of anybody's, so both write each SA's state, or, where SAs are owned
 * (docs/decisions/0100), half of the packets are handed over. One worker beside them has its half
 * of the SAs in both cases.
 */
#include "pktgen/bench/esp_pairs.h"
#include "pktgen/bench/runs.h"

#include "dataplane/handover.h"
#include "dataplane/table/sa_table.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_rcu_qsbr.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 2
#define PIECE   512 /* packets between two looks at the other worker */
#define AHEAD   8   /* bursts, of a worker on an SA that it shares */
#define BATCH   16  /* pieces of sealed packets made at once */
#define SIZE    64
#define ROOM    192

enum direction { OUT, IN };

enum sharing { STEERED, UNSTEERED }; /* to the worker whose SA it is, to any */

struct shape {
	enum direction direction;
	enum sharing sharing;
	uint32_t pairs;
	unsigned workers;
};

struct runner {
	const struct shape *shape;
	struct worker *worker;
	uint8_t (*frames)[ROOM];
	uint16_t length;
	struct pair_order {
		uint32_t number;
		bool any;
	} order;
	uint64_t packets, disordered;
	double seconds;
	const struct runner *other; /* NULL: alone */
	_Atomic uint32_t progress, bursts;
	_Atomic bool done;
	pthread_barrier_t *start;
	pthread_t thread;
};

static struct worker *workers;
static uint32_t next_pair;

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- packets ---- */

/* The SAs n, n + WORKERS and so on are worker n's. */
static uint32_t pair_draw(const struct shape *shape, unsigned worker)
{
	uint32_t random = next_pair++ * 2654435761u >> 7;

	if (shape->pairs == 1 || (shape->sharing == UNSTEERED && shape->workers > 1))
		return random % shape->pairs;
	return random % (shape->pairs / WORKERS) * WORKERS + worker;
}

/* Sealed packets of one SA are dealt out in turn: packet i is worker i % workers' own. */
static void frames_make(const struct shape *shape, struct runner *runners)
{
	for (unsigned i = 0; i < PIECE * BATCH * shape->workers; i++) {
		struct runner *r = &runners[i % shape->workers];
		uint8_t *frame = r->frames[i / shape->workers];
		uint32_t pair = pair_draw(shape, i % shape->workers);

		if (shape->direction == IN) {
			r->length = esp_pairs_sealed_frame(frame, pair, SIZE, ESP_PAIRS_PLAIN);
		} else {
			r->length = esp_pairs_clear_frame(frame, esp_pairs_home(pair), SIZE);
		}
	}
}

/* The number that a packet left with: of its SA, or the one in its inner packet. */
static void order_check(struct runner *r, const struct tx_buffer *tx)
{
	for (unsigned i = 0; i < tx->count; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(tx->packets[i], const uint8_t *);
		uint32_t number;

		memcpy(&number, frame + 14 + 20 + (r->shape->direction == OUT ? 4 : 8), 4);
		number = rte_be_to_cpu_32(number);
		r->disordered += r->order.any && number <= r->order.number;
		r->order.number = number;
		r->order.any = true;
	}
}

static void burst_run(struct runner *r, const uint8_t (*frames)[ROOM], unsigned count)
{
	unsigned port = r->shape->direction == OUT ? ESP_PAIRS_PORT : 0;
	struct rte_mbuf *packets[BURST_SIZE];

	if (rte_pktmbuf_alloc_bulk(r->worker->pool, packets, count))
		exit(1);
	for (unsigned i = 0; i < count; i++) {
		memcpy(rte_pktmbuf_mtod(packets[i], void *), frames[i], ROOM);
		packets[i]->data_len = r->length;
		packets[i]->pkt_len = r->length;
	}
	path_bench_receive(r->worker, port, packets, (uint16_t)count);
	if (r->shape->pairs == 1 && r->shape->direction == OUT)
		order_check(r, &r->worker->tx[0]);
	worker_flush(r->worker);
	if (r->worker->handover)
		handover_poll(r->worker);
}

/* ---- threads ---- */

static void pin(unsigned processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* One SA's packets and handed over ones must not get far ahead of the other worker: the window and
 * the rings have an end. Seconds. */
static double other_wait(const struct runner *r)
{
	bool together = r->shape->pairs == 1 && r->shape->direction == IN;
	double start;

	if (!r->other || !(together || r->shape->sharing == UNSTEERED) ||
		r->bursts <= r->other->bursts + AHEAD)
		return 0;
	start = now_s();
	while (r->bursts > r->other->bursts + AHEAD && !r->other->done)
		sched_yield();
	return now_s() - start;
}

/* Seconds of the piece, waiting left out. */
static double piece_run(struct runner *r, const uint8_t (*frames)[ROOM])
{
	double waited = 0, from = now_s();

	for (unsigned done = 0, count; done < PIECE; done += count) {
		count = RTE_MIN(r->worker->burst, PIECE - done);
		waited += other_wait(r);
		burst_run(r, frames + done, count);
		r->bursts++;
	}
	return now_s() - from - waited;
}

/* What the other one still hands over. Seconds of work. */
static double rest_take(struct runner *r)
{
	double took = 0;

	for (bool last = !r->other, done; r->worker->handover; last = done) {
		done = !r->other || r->other->done;
		double start = now_s();
		if (handover_poll(r->worker) > 0)
			took += now_s() - start;
		else if (last && done)
			break;
	}
	return took;
}

static void *run(void *argument)
{
	struct runner *r = argument;
	struct rte_rcu_qsbr *qsbr = tables_qsbr(r->worker->tables);

	pin(r->worker->index);
	if (rte_thread_register())
		exit(1);
	rte_rcu_qsbr_thread_online(qsbr, r->worker->index);
	pthread_barrier_wait(r->start);
	for (unsigned piece = 0; piece < BATCH; piece++) {
		uint32_t before = r->other ? r->other->progress : 0;
		double took = piece_run(r, (const void *)&r->frames[(size_t)piece * PIECE]);
		r->progress++;
		rte_rcu_qsbr_quiescent(qsbr, r->worker->index);
		if (r->other && r->other->progress == before)
			continue; /* it did not run beside this piece */
		r->packets += PIECE;
		r->seconds += took;
	}
	r->done = true;
	r->seconds += rest_take(r);
	rte_rcu_qsbr_thread_offline(qsbr, r->worker->index);
	rte_thread_unregister();
	return NULL;
}

static void batch_run(const struct shape *shape, struct runner *runners)
{
	pthread_barrier_t start;

	frames_make(shape, runners);
	pthread_barrier_init(&start, NULL, shape->workers);
	for (unsigned i = 0; i < shape->workers; i++) {
		runners[i].start = &start;
		runners[i].bursts = 0;
		runners[i].done = false;
		runners[i].other = shape->workers > 1 ? &runners[1 - i] : NULL;
		if (pthread_create(&runners[i].thread, NULL, run, &runners[i]))
			exit(1);
	}
	for (unsigned i = 0; i < shape->workers; i++)
		pthread_join(runners[i].thread, NULL);
	pthread_barrier_destroy(&start);
}

/* ---- figures ---- */

struct speed {
	double mpps, cycles; /* of all workers together; a packet */
	uint64_t disordered;
};

static struct speed measure(const struct shape *shape, double seconds)
{
	static uint8_t memory[WORKERS][PIECE * BATCH][ROOM];
	struct runner runners[WORKERS];
	struct speed speed = {0};
	uint64_t end = rte_rdtsc() + (uint64_t)(1.5 * seconds * (double)rte_get_tsc_hz());

	memset(runners, 0, sizeof(runners));
	for (unsigned i = 0; i < shape->workers; i++) {
		runners[i].shape = shape;
		runners[i].worker = &workers[i];
		runners[i].frames = memory[i];
	}
	for (;;) {
		batch_run(shape, runners);
		bool enough = true;
		for (unsigned i = 0; i < shape->workers; i++)
			enough = enough && runners[i].packets > 0 && runners[i].seconds >= seconds;
		/* A busy machine seldom runs both at once, and sealing takes most of the time. */
		if (enough || (rte_rdtsc() > end && runners[0].packets > 0 &&
				      runners[shape->workers - 1].packets > 0))
			break;
	}
	for (unsigned i = 0; i < shape->workers; i++) {
		double rate = (double)runners[i].packets / runners[i].seconds;
		speed.mpps += rate / 1e6;
		speed.cycles += (double)workers[0].tsc_hz / rate / shape->workers;
		speed.disordered += runners[i].disordered;
	}
	return speed;
}

static void figure(const char *name, const struct shape *shape, const struct runs_values *mpps,
	const struct runs_values *cycles, uint64_t disordered)
{
	printf("{\"figure\": \"%s, %u worker%s\", \"direction\": \"%s\", \"suite\": "
	       "\"aes-128-gcm\", \"size\": %u, \"entries\": %u, \"udp\": false, \"workers\": %u, "
	       "\"cycles_per_packet\": %.0f, \"mpps\": %.3f, \"gbps\": %.3f, \"unit\": \"Mpps\", "
	       "\"disordered\": %llu, ",
		name, shape->workers, shape->workers > 1 ? "s" : "",
		shape->direction == OUT ? "out" : "in", SIZE, shape->pairs, shape->workers,
		runs_median(cycles), runs_median(mpps), runs_median(mpps) * SIZE * 8 / 1000,
		(unsigned long long)disordered);
	runs_print(mpps);
	printf("}\n");
}

static void scale(enum direction direction, enum sharing sharing, uint32_t pairs, const char *how,
	double target)
{
	struct runs runs = runs_wanted(5, 0);
	struct runs_values mpps[WORKERS] = {0}, cycles[WORKERS] = {0}, ratios = {0};
	uint64_t disordered[WORKERS] = {0};
	char name[96];

	snprintf(name, sizeof(name), "ESP %s, %s%u SA%s, %s", direction == OUT ? "out" : "in",
		pairs == 1 ? "the fat one: " : "", pairs, pairs > 1 ? "s" : "", how);
	for (unsigned r = 0; r < runs.count; r++) {
		for (unsigned w = 0; w < WORKERS; w++) {
			struct shape shape = {direction, sharing, pairs, w + 1};
			struct speed speed = measure(&shape, runs.seconds);
			runs_add(&mpps[w], speed.mpps);
			runs_add(&cycles[w], speed.cycles);
			disordered[w] += speed.disordered;
		}
		runs_add(&ratios, mpps[1].values[r] / mpps[0].values[r]);
	}
	for (unsigned w = 0; w < WORKERS; w++)
		figure(name, &(struct shape){direction, sharing, pairs, w + 1}, &mpps[w],
			&cycles[w], disordered[w]);
	printf("{\"figure\": \"%s: two workers to one\", \"unit\": \"ratio\", ", name);
	runs_print(&ratios);
	if (target > 0)
		printf(", \"target\": %.1f, \"pass\": %s", target,
			runs_median(&ratios) >= target && disordered[1] == 0 ? "true" : "false");
	printf("}\n");
	fflush(stdout);
}

static void owners_open(void)
{
	struct worker *all[WORKERS];
	struct sa_owner *owner = tables_sas_own(workers[0].tables, WORKERS);

	for (unsigned i = 0; i < WORKERS; i++)
		all[i] = &workers[i];
	if (!owner || handover_open(all, WORKERS, owner)) {
		fprintf(stderr, "bench: no memory for owners of SAs\n");
		exit(1);
	}
}

static void figures(uint32_t pairs, const char *mode)
{
	bool shared = strcmp(mode, "shared") == 0;

	const char *how = shared ? "one library" : strcmp(mode, "owned") == 0 ? "owned" : "copies";
	char name[48];

	for (enum direction direction = OUT; direction <= IN; direction++) {
		snprintf(name, sizeof(name), "%s, steered", how);
		scale(direction, STEERED, pairs, name, shared ? 0 : 1.9);
		if (shared)
			continue;
		snprintf(name, sizeof(name), "%s, unsteered", how);
		scale(direction, UNSTEERED, pairs, name, 0);
		if (strcmp(mode, "owned") != 0)
			scale(direction, UNSTEERED, 1, how, 1.6);
	}
}

/* A library copy is chosen once a process, and so is who owns SAs. */
int main(int argc, char **argv)
{
	uint32_t pairs = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1000;
	const char *mode = argc > 2 ? argv[2] : "copies";
	struct region_limits limits = {.bindings = 1, .workers = WORKERS};

	if (pairs < 2 || pairs > 100000)
		return 64;
	esp_pairs_limits(&limits, pairs, pairs);
	path_bench_init("scale_bench", &limits, &workers);
	esp_pairs_init(workers, WORKERS, pairs,
		strcmp(mode, "shared") == 0 ? LIBRARY_SHARED : LIBRARY_PRIVATE);
	if (strcmp(mode, "owned") == 0)
		owners_open();
	for (uint32_t i = 0; i < pairs; i++) {
		esp_pairs_set(i, true, false, 0);
		esp_pairs_policy_set(i);
	}
	esp_pairs_policy_commit();
	figures(pairs, mode);
	for (unsigned i = 0; i < WORKERS; i++)
		handover_close(&workers[i]);
	esp_pairs_fini();
	return path_bench_fini();
}
