#include "pktgen/bench/load.h"

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_rcu_qsbr.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define SIZE 64 /* of a packet in clear */

static uint8_t frames[LOAD_FRAMES][128];
static uint16_t lengths[LOAD_FRAMES];

/* ---- tables ---- */

void load_binding_set(uint32_t binding, uint32_t generation)
{
	esp_pairs_node_set(binding, 0x14000000u + (generation << 24) + binding);
}

static void frame_make(unsigned i, uint32_t stable)
{
	uint32_t n = (uint32_t)(((uint64_t)i * 2654435761u >> 8) % stable);

	lengths[i] = esp_pairs_clear_frame(
		frames[i], i % 2 ? esp_pairs_home(n) : esp_pairs_node(n), SIZE);
}

void load_tables(struct worker *worker, uint32_t stable)
{
	esp_pairs_nodes_init();
	for (uint32_t i = 0; i < stable; i++) {
		load_binding_set(i, 0);
		esp_pairs_set(i, true, false, 0);
		esp_pairs_policy_set(i);
	}
	esp_pairs_policy_commit();
	tables_synced(worker->tables, tables_publish(worker->tables));
	for (unsigned i = 0; i < LOAD_FRAMES && stable; i++)
		frame_make(i, stable);
}

/* ---- the worker's thread ---- */

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pin_to_last(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(path_bench_processor_last(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void burst_run(struct worker *worker, unsigned *next, unsigned count)
{
	struct rte_mbuf *packets[BURST_SIZE];

	if (rte_pktmbuf_alloc_bulk(worker->pool, packets, count))
		exit(1);
	for (unsigned i = 0; i < count; i++, *next = (*next + 1) % LOAD_FRAMES) {
		memcpy(rte_pktmbuf_mtod(packets[i], void *), frames[*next], 128);
		packets[i]->data_len = lengths[*next];
		packets[i]->pkt_len = lengths[*next];
	}
	path_bench_receive(worker, ESP_PAIRS_PORT, packets, (uint16_t)count);
	worker_flush(worker);
}

static void latency_count(struct load_phase *phase, double arrived, double done)
{
	double ns = (done - arrived) * 1e9;
	unsigned bin = ns < 0 ? 0 : (unsigned)RTE_MIN(ns / LOAD_BIN_NS, LOAD_BINS - 1);

	phase->latencies[bin]++;
}

/* Taken packets come due at taken / rate after `from`. */
struct schedule {
	double from, taken;
};

static void loss_count(struct load *load, struct load_phase *phase, uint64_t lost)
{
	uint64_t in_gaps = (uint64_t)RTE_MIN(load->gap_packets, (double)lost);

	phase->lost += lost;
	phase->lost_in_gaps += in_gaps;
	load->gap_packets -= (double)in_gaps;
}

static void gap_count(struct load *load, struct load_phase *phase, double seconds)
{
	phase->gaps++;
	phase->gap_seconds += seconds;
	load->gap_packets += seconds * load->rate;
}

static void turn(struct load *load, struct schedule *schedule, unsigned *next, double *now)
{
	const double most = load->worker->burst;
	struct load_phase *phase = &load->phases[load->phase];
	double due = load->rate > 0 ? (*now - schedule->from) * load->rate - schedule->taken : most;
	unsigned count = due < 0 ? 0 : (unsigned)RTE_MIN(due, most);

	if (load->rate > 0 && due > LOAD_QUEUE) {
		uint64_t lost = (uint64_t)(due - LOAD_QUEUE);
		loss_count(load, phase, lost);
		schedule->taken += (double)lost;
	}
	if (due < most) /* it has caught up */
		load->gap_packets = 0;
	if (count > 0)
		burst_run(load->worker, next, count);
	double end = now_s();
	for (unsigned i = 0; load->rate > 0 && i < count; i++)
		latency_count(phase, schedule->from + (schedule->taken + i + 1) / load->rate, end);
	schedule->taken += count;
	phase->packets += count;
	phase->seconds += end - *now;
	if (count > 0) {
		phase->busy_seconds += end - *now;
		phase->blocked_max_s = RTE_MAX(phase->blocked_max_s, end - *now);
	}
	if (end - *now > LOAD_GAP_S)
		gap_count(load, phase, end - *now);
	*now = end;
}

static void *run(void *argument)
{
	struct load *load = argument;
	struct rte_rcu_qsbr *qsbr = tables_qsbr(load->worker->tables);
	unsigned index = load->worker->index, next = 0;
	struct rusage before, after;

	pin_to_last();
	if (rte_thread_register()) {
		fprintf(stderr, "bench: no place for another thread\n");
		exit(1);
	}
	rte_rcu_qsbr_thread_online(qsbr, index);
	getrusage(RUSAGE_THREAD, &before);
	double now = now_s();
	struct schedule schedule = {.from = now};
	load->online = true;
	while (!load->stop) {
		turn(load, &schedule, &next, &now);
		rte_rcu_qsbr_quiescent(qsbr, index);
	}
	getrusage(RUSAGE_THREAD, &after);
	load->switches = (uint64_t)(after.ru_nvcsw - before.ru_nvcsw);
	rte_rcu_qsbr_thread_offline(qsbr, index);
	rte_thread_unregister();
	return NULL;
}

/* ---- the main thread ---- */

void load_start(struct load *load, struct worker *worker, uint32_t stable, double rate)
{
	memset(load, 0, sizeof(*load));
	load->worker = worker;
	load->stable = stable;
	load->rate = rate;
	if (pthread_create(&load->thread, NULL, run, load))
		exit(1);
	while (!load->online)
		sched_yield();
}

void load_wait(const struct load *load, unsigned phase, double seconds)
{
	const struct timespec millisecond = {.tv_nsec = 1000000};

	while (*(const volatile double *)&load->phases[phase].seconds < seconds)
		nanosleep(&millisecond, NULL);
}

void load_end(struct load *load)
{
	load->stop = true;
	pthread_join(load->thread, NULL);
}

double load_most(struct worker *worker, uint32_t stable, double seconds)
{
	struct load *load = malloc(sizeof(*load));

	if (!load)
		exit(1);
	load_start(load, worker, stable, 0);
	load_wait(load, 0, seconds / 4); /* warm */
	load->phase = 1;
	load_wait(load, 1, seconds);
	load_end(load);
	double rate = (double)load->phases[1].packets / load->phases[1].seconds;
	free(load);
	return rate;
}

double load_without_loss(struct worker *worker, uint32_t stable, double seconds)
{
	struct load *load = malloc(sizeof(*load));
	double rate = load_most(worker, stable, seconds);

	for (unsigned tries = 0; load && tries < (seconds < 0.5 ? 2 : 40); tries++) {
		load_start(load, worker, stable, rate);
		load_wait(load, 0, seconds / 4);
		load->phase = 1;
		load_wait(load, 1, seconds / 2);
		load_end(load);
		if (load->phases[1].lost == load->phases[1].lost_in_gaps)
			break;
		rate *= 0.95;
	}
	free(load);
	return rate;
}

double load_latency(const struct load_phase *phase, double share)
{
	uint64_t total = 0, seen = 0;

	for (unsigned i = 0; i < LOAD_BINS; i++)
		total += phase->latencies[i];
	for (unsigned i = 0; i < LOAD_BINS; i++) {
		seen += phase->latencies[i];
		if ((double)seen >= share * (double)total)
			return (i + 1.0) * LOAD_BIN_NS;
	}
	return 0;
}
