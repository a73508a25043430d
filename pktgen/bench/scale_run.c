#include "pktgen/bench/scale_run.h"

#include "pktgen/bench/esp_pairs.h"

#include "dataplane/handover.h"
#include "dataplane/table/sa_table.h"

#include "lib/base/processor.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PIECE     512 /* packets of a worker between two looks at the clocks */
#define WARM      4   /* pieces of a batch that do not count */
#define BATCH     20
#define AHEAD     8 /* bursts, of a worker before the other one where it may not run away */
#define ROOM      192
#define SPINS     4096
#define ADDITIONS 8000 /* rounds of them, some 30 us */
#define ONE_CORE  0.58 /* of the most additions a cycle */
#define SCARCE    20   /* a share of the time, one in so many, that is too little */
#define PATIENCE  3    /* times as long for that */
#define LINES     128  /* octets: a processor may fetch the neighbour of a line too */

struct piece {
	uint64_t from, to; /* TSC */
	uint64_t waited;   /* TSC cycles for the other worker, in between */
	uint64_t packets;  /* that it sent */
	bool whole;        /* nothing else had the processor meanwhile */
};

/* In memory that both processes have. What a worker writes while it runs lies in lines of its own.
 */
struct runner {
	_Alignas(LINES) const struct scale_shape *shape;
	struct worker *worker;
	struct runner *other; /* NULL: alone */
	unsigned processor;
	uint16_t length; /* octets of a frame */
	uint32_t seen;   /* bursts of the other one, as they were last */
	struct pair_order {
		uint32_t number;
		bool any;
	} order;
	uint64_t disordered;
	struct piece pieces[BATCH];
	double additions[2]; /* a TSC cycle, beside the other worker's; before and behind */
	_Alignas(LINES) _Atomic uint32_t bursts;
	_Atomic bool done;
};

static struct both {
	pthread_barrier_t start, turn; /* of a batch's workers; of both processes */
	_Atomic unsigned registered;
	_Atomic bool enough;
	_Atomic uint32_t here; /* workers that came to additions_beside, ever */
	double most;           /* additions a TSC cycle */
	struct runner runners[SCALE_WORKERS];
} * both;

static uint8_t frames[SCALE_WORKERS][PIECE * BATCH][ROOM];
static struct worker *workers;
static int processors[SCALE_WORKERS]; /* that we may run on */
static unsigned processor_count;
static bool processes;
static unsigned process;
static pid_t child;

static uint64_t own_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- packets ---- */

/* The SAs n, n + 2 and so on are worker n's. */
static uint32_t pair_draw(const struct scale_shape *shape, unsigned worker)
{
	static uint32_t next;
	uint32_t random = next++ * 2654435761u >> 7;

	if (shape->pairs == 1 ||
		(shape->sharing == SCALE_UNSTEERED && shape->who == (1u << SCALE_WORKERS) - 1))
		return random % shape->pairs;
	return random % (shape->pairs / SCALE_WORKERS) * SCALE_WORKERS + worker;
}

static bool is_mine(const struct scale_shape *shape, unsigned worker)
{
	return shape->who >> worker & 1 && (!processes || worker == process);
}

/* Sealed packets of one SA are dealt out in turn. */
static void frames_make(const struct scale_shape *shape)
{
	for (unsigned i = 0; i < PIECE * BATCH; i++) {
		for (unsigned w = 0; w < SCALE_WORKERS; w++) {
			struct runner *r = &both->runners[w];
			uint32_t pair = pair_draw(shape, w);
			if (!is_mine(shape, w))
				continue;
			r->length = shape->direction == SCALE_IN
					    ? esp_pairs_sealed_frame(frames[w][i], pair, SCALE_SIZE,
						      ESP_PAIRS_PLAIN)
					    : esp_pairs_clear_frame(frames[w][i],
						      esp_pairs_home(pair), SCALE_SIZE);
		}
	}
}

/* No number was seen yet. */
static void windows_rewind(uint32_t pairs)
{
	const struct sa_table *sas = tables_sas(workers[0].tables);

	for (uint32_t i = 0; i < pairs; i++) {
		struct sa_inbound_state *state = sa_inbound_state(sas, i);
		atomic_store(&state->highest, 0);
		atomic_store(&state->front, 0);
		for (uint32_t k = 0; k < sas->window_words; k++)
			atomic_store(&sas->region.windows[(size_t)i * sas->window_words + k], 0);
	}
}

/* The number that an enciphered packet of the one SA left with. */
static void order_check(struct runner *r, const struct tx_buffer *tx)
{
	for (unsigned i = 0; i < tx->count; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(tx->packets[i], const uint8_t *);
		uint32_t number;

		memcpy(&number, frame + ESP_PAIRS_ETHERNET + 20 + 4, 4);
		number = rte_be_to_cpu_32(number);
		r->disordered += r->order.any && number <= r->order.number;
		r->order.number = number;
		r->order.any = true;
	}
}

static void burst_run(struct runner *r, const uint8_t (*from)[ROOM], unsigned count)
{
	unsigned port = r->shape->direction == SCALE_OUT ? ESP_PAIRS_PORT : 0;
	struct rte_mbuf *packets[BURST_SIZE];

	if (rte_pktmbuf_alloc_bulk(r->worker->pool, packets, count))
		exit(1);
	for (unsigned i = 0; i < count; i++) {
		memcpy(rte_pktmbuf_mtod(packets[i], void *), from[i], ROOM);
		packets[i]->data_len = r->length;
		packets[i]->pkt_len = r->length;
	}
	path_bench_receive(r->worker, port, packets, (uint16_t)count);
	if (r->shape->pairs == 1 && r->shape->direction == SCALE_OUT)
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
	CPU_SET(processors[processor % processor_count], &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* One SA's packets and handed over ones must not get far ahead of the other worker: the window and
 * the rings have an end. It is looked at once for many bursts, as a look takes its line away. TSC
 * cycles. */
static uint64_t other_wait(struct runner *r, uint32_t bursts)
{
	bool together = (r->shape->pairs == 1 && r->shape->direction == SCALE_IN) ||
			r->shape->sharing == SCALE_UNSTEERED;
	uint64_t from;

	if (!r->other || !together || (int32_t)(bursts - r->seen) <= AHEAD)
		return 0;
	from = rte_rdtsc();
	for (unsigned spins = 0; !r->other->done; spins++) {
		r->seen = atomic_load_explicit(&r->other->bursts, memory_order_acquire);
		if ((int32_t)(bursts - r->seen) <= AHEAD)
			break;
		rte_pause();
		if (spins % SPINS == SPINS - 1)
			sched_yield();
	}
	return rte_rdtsc() - from;
}

static void piece_run(struct runner *r, const uint8_t (*from)[ROOM], struct piece *piece)
{
	uint32_t bursts = atomic_load_explicit(&r->bursts, memory_order_relaxed);
	uint64_t before = own_ns();

	piece->packets = r->worker->counters->sent_port;
	piece->waited = 0;
	piece->from = rte_rdtsc();
	for (unsigned done = 0, count; done < PIECE; done += count) {
		count = RTE_MIN(r->worker->burst, PIECE - done);
		piece->waited += other_wait(r, bursts);
		burst_run(r, from + done, count);
		atomic_store_explicit(&r->bursts, ++bursts, memory_order_release);
	}
	piece->to = rte_rdtsc();
	piece->packets = r->worker->counters->sent_port - piece->packets;
	piece->whole = (double)(piece->to - piece->from) <=
		       (double)(own_ns() - before) * 1e-9 * (double)r->worker->tsc_hz;
}

/* Additions a TSC cycle: as many at once as a core can do. */
static double additions(void)
{
	uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, from = rte_rdtsc();

	for (unsigned i = 0; i < ADDITIONS; i++) {
		a += 1, b += 2, c += 3, d += 4, e += 5, f += 6;
		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
		a ^= 1, b ^= 2, c ^= 3, d ^= 4, e ^= 5, f ^= 6;
		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
	}
	return ADDITIONS * 12.0 / (double)(rte_rdtsc() - from);
}

/* While the other one does them too. */
static double additions_beside(const struct runner *r)
{
	uint32_t all;

	if (!r->other)
		return additions();
	all = (atomic_fetch_add(&both->here, 1) / SCALE_WORKERS + 1) * SCALE_WORKERS;
	for (unsigned spins = 1; (int32_t)(both->here - all) < 0; spins++) {
		rte_pause();
		if (spins % SPINS == 0)
			sched_yield();
	}
	return additions();
}

/* What the other one still hands over. */
static void rest_take(struct runner *r)
{
	for (bool last = !r->other, done; r->worker->handover; last = done) {
		done = !r->other || r->other->done;
		if (handover_poll(r->worker) == 0 && last && done)
			break;
	}
}

static void pieces_run(struct runner *r)
{
	struct rte_rcu_qsbr *qsbr = tables_qsbr(r->worker->tables);

	r->additions[0] = additions_beside(r);
	rte_rcu_qsbr_thread_online(qsbr, r->worker->index);
	for (unsigned i = 0; i < BATCH; i++) {
		piece_run(r, (const void *)&frames[r - both->runners][(size_t)i * PIECE],
			&r->pieces[i]);
		rte_rcu_qsbr_quiescent(qsbr, r->worker->index);
	}
	r->done = true;
	rest_take(r);
	rte_rcu_qsbr_thread_offline(qsbr, r->worker->index);
	r->additions[1] = additions_beside(r);
}

/* One after another, so that each has the same lcore, and with it the same mbufs, in each batch. */
static void *thread_run(void *argument)
{
	struct runner *r = argument;
	unsigned place = r->other && r->worker->index != 0;

	pin(r->processor);
	while (atomic_load(&both->registered) != place)
		sched_yield();
	if (rte_thread_register())
		exit(1);
	atomic_fetch_add(&both->registered, 1);
	pthread_barrier_wait(&both->start);
	pieces_run(r);
	rte_thread_unregister();
	return NULL;
}

static void threads_run(const struct scale_shape *shape)
{
	pthread_t threads[SCALE_WORKERS];

	atomic_store(&both->registered, 0);
	pthread_barrier_init(&both->start, NULL, (unsigned)__builtin_popcount(shape->who));
	for (unsigned i = 0; i < SCALE_WORKERS; i++)
		if (shape->who >> i & 1 &&
			pthread_create(&threads[i], NULL, thread_run, &both->runners[i]))
			exit(1);
	for (unsigned i = 0; i < SCALE_WORKERS; i++)
		if (shape->who >> i & 1)
			pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&both->start);
}

/* ---- what counts ---- */

/* Did `other` run all the while, undisturbed? */
static bool is_beside(const struct piece *piece, const struct runner *other)
{
	if (piece->from < other->pieces[0].from || piece->to > other->pieces[BATCH - 1].to)
		return false;
	for (unsigned i = 0; i < BATCH; i++) {
		const struct piece *p = &other->pieces[i];
		if (!p->whole && p->from < piece->to && p->to > piece->from)
			return false;
	}
	return true;
}

/* Were both processors halves of one core? */
static bool was_one_core(const struct scale_shape *shape)
{
	const struct runner *runners = both->runners;
	const bool two = __builtin_popcount(shape->who) > 1;
	bool one = false;

	for (unsigned w = 0; w < SCALE_WORKERS; w++)
		for (unsigned i = 0; i < 2 && shape->who >> w & 1; i++)
			both->most = RTE_MAX(both->most, runners[w].additions[i]);
	for (unsigned i = 0; i < 2 && two; i++)
		one |= runners[0].additions[i] < ONE_CORE * both->most &&
		       runners[1].additions[i] < ONE_CORE * both->most;
	return one;
}

static void batch_count(const struct scale_shape *shape, struct scale_sums *sums)
{
	const bool one_core = was_one_core(shape);

	sums->batches++;
	sums->one_core += one_core;
	for (unsigned w = 0; w < SCALE_WORKERS; w++) {
		const struct runner *r = &both->runners[w];
		sums->disordered += shape->who >> w & 1 ? r->disordered : 0;
		for (unsigned i = WARM; i < BATCH && shape->who >> w & 1; i++) {
			const struct piece *piece = &r->pieces[i];
			uint64_t cycles = piece->to - piece->from - piece->waited;
			sums->pieces++;
			sums->all_packets[w] += piece->packets;
			sums->all_cycles[w] += cycles;
			if (one_core || !piece->whole || !piece[-1].whole ||
				(r->other && !is_beside(piece, r->other)))
				continue;
			sums->good++;
			sums->waited += piece->waited;
			sums->present += cycles + piece->waited;
			sums->packets[w] += piece->packets;
			sums->cycles[w] += cycles;
		}
	}
}

static bool is_enough(const struct scale_shape *shape, const struct scale_sums *sums,
	const struct scale_sums *before, double seconds)
{
	for (unsigned w = 0; w < SCALE_WORKERS; w++)
		if (shape->who >> w & 1 && (double)(sums->cycles[w] - before->cycles[w]) <
						   seconds * (double)workers[0].tsc_hz)
			return false;
	return true;
}

/* Nearly nothing counted until now. */
static bool is_scarce(const struct scale_shape *shape, const struct scale_sums *sums)
{
	for (unsigned w = 0; w < SCALE_WORKERS; w++)
		if (shape->who >> w & 1 && sums->cycles[w] < sums->all_cycles[w] / SCARCE)
			return true;
	return false;
}

double scale_run_rate(const struct scale_sums *sums, unsigned worker)
{
	if (sums->cycles[worker] > 0)
		return (double)sums->packets[worker] / (double)sums->cycles[worker];
	return (double)sums->all_packets[worker] / (double)sums->all_cycles[worker];
}

/* ---- runs ---- */

/* The processes meet here; nothing where there is one. */
static void meet(void)
{
	if (processes)
		pthread_barrier_wait(&both->turn);
}

static void runners_reset(const struct scale_shape *shape)
{
	for (unsigned w = 0; w < SCALE_WORKERS; w++) {
		struct runner *r = &both->runners[w];
		r->bursts = 0;
		r->seen = 0;
		r->done = false;
		r->disordered = 0;
		if (!is_mine(shape, w))
			continue;
		r->shape = shape;
		r->worker = &workers[processes ? 0 : w];
		r->processor = w;
		r->other = __builtin_popcount(shape->who) > 1 ? &both->runners[1 - w] : NULL;
	}
}

static void batch_run(const struct scale_shape *shape)
{
	if (shape->direction == SCALE_IN)
		windows_rewind(shape->pairs);
	if (!processes)
		threads_run(shape);
	else if (is_mine(shape, process))
		pieces_run(&both->runners[process]);
}

void scale_run(const struct scale_shape *shape, double seconds, struct scale_sums *sums)
{
	uint64_t end = rte_rdtsc() + (uint64_t)(1.5 * seconds * (double)rte_get_tsc_hz());
	const uint64_t patience = (uint64_t)(PATIENCE * seconds * (double)rte_get_tsc_hz());
	const struct scale_sums before = *sums;

	frames_make(shape);
	do {
		if (process == 0)
			runners_reset(shape);
		meet();
		if (process != 0)
			runners_reset(shape);
		meet();
		batch_run(shape);
		meet();
		if (process == 0) {
			batch_count(shape, sums);
			both->enough = is_enough(shape, sums, &before, seconds) ||
				       rte_rdtsc() > end + is_scarce(shape, sums) * patience;
		}
		meet();
	} while (!both->enough);
}

unsigned scale_run_begin(bool apart)
{
	pthread_barrierattr_t shared;

	both = mmap(NULL, sizeof(*both), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	processes = apart;
	processor_count = processor_list(processors, SCALE_WORKERS); /* EAL leaves us but one */
	if (processor_count == 0)
		processors[processor_count++] = 0;
	if (both == MAP_FAILED) {
		fprintf(stderr, "bench: no memory\n");
		exit(1);
	}
	if (!apart)
		return 0;
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&both->turn, &shared, SCALE_WORKERS);
	child = fork();
	if (child < 0)
		exit(1);
	process = child == 0;
	return process;
}

void scale_run_workers(struct worker *made)
{
	workers = made;
	if (processes)
		pin(process);
}

int scale_run_end(int status)
{
	int other = 0;

	if (processes && process == 0 && waitpid(child, &other, 0) != child)
		return 1;
	return status || other;
}
