/*
 * A worker's loop: receive a burst from each of its queues and run it to completion, then what the
 * kernel and control sent, then flush, then say that no table entry is in use any more. Nothing
 * here allocates, logs, locks or waits; the only system call is the sleep of a worker without
 * traffic.
 *
 *   rx queues ──┐
 *   exception_in├─> pipeline ──> worker->tx ──> device, or the hand-off ring of the worker that
 * owns the port's only queue inject_in ──┘                └─> exception_out, punt, event_out (rings
 * to the main lcore)
 *
 * A device with too few queues belongs to one worker (port index modulo workers); the others hand
 * their frames to it.
 */
#include "dataplane/worker.h"

#include "dataplane/drop.h"
#include "dataplane/handover.h"
#include "dataplane/link/event.h"
#include "dataplane/link/punt.h"
#include "dataplane/pipeline.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>
#include <sys/prctl.h>

#define TIMER_SLACK_NS 1000ul

static _Atomic bool stopping;

int worker_init(struct worker *worker, unsigned index, struct tables *tables,
	const struct config_dataplane *settings)
{
	worker->index = index;
	worker->tables = tables;
	worker->settings = settings;
	worker->qsbr = tables_qsbr(tables);
	worker->clock = tsc_clock_read();
	worker->tsc_hz = worker->clock.hz;
	idle_init(&worker->idle, settings->idle == IDLE_POLL, settings->idle_sleep_max_us,
		worker->tsc_hz);
	worker->burst = BURST_SIZE;
	worker_clock(worker);
	int error = punt_worker_init(worker);
	return error ? error : pipeline_worker_init(worker);
}

void worker_fini(struct worker *worker)
{
	pipeline_worker_fini(worker);
	punt_worker_fini(worker);
}

void worker_stop(void)
{
	atomic_store_explicit(&stopping, true, memory_order_relaxed);
}

void worker_clock(struct worker *worker)
{
	worker->now_tsc = rte_rdtsc();
	if (worker->now_tsc >=
		worker->clock_until_tsc) { /* about ten times a second: no drift adds up */
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		worker->clock.tsc = worker->now_tsc;
		worker->clock.ns = (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
		worker->clock_until_tsc = worker->now_tsc + worker->tsc_hz / 10;
	}
	worker->now_ns = tsc_clock_to_ns(&worker->clock, worker->now_tsc);
}

/* Makes chained frames whole for a device that cannot send them. Returns how many are left. */
static uint16_t frames_linearize(struct worker *worker, struct tx_buffer *tx)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < tx->count; i++) {
		if (tx->packets[i]->nb_segs > 1 && rte_pktmbuf_linearize(tx->packets[i]) != 0)
			drop_packet(worker, tx->packets[i], DROP_no_buffer);
		else
			tx->packets[kept++] = tx->packets[i];
	}
	return kept;
}

/* Some devices want more than flags to finish checksums. Returns how many frames are left. */
static uint16_t frames_prepare(struct worker *worker, const struct port *port, uint16_t queue,
	struct rte_mbuf **frames, uint16_t count)
{
	uint16_t good = 0;

	while ((good += rte_eth_tx_prepare(
			port->ethdev, queue, frames + good, (uint16_t)(count - good))) < count) {
		drop_packet(worker, frames[good], DROP_tx_refused);
		count--;
		memmove(frames + good, frames + good + 1, (count - good) * sizeof(frames[0]));
	}
	return count;
}

static void frames_send(struct worker *worker, const struct port *port, uint16_t queue,
	struct rte_mbuf **frames, uint16_t count)
{
	uint32_t length[BURST_SIZE * 4];

	if (port->tx_ipv4_checksum || port->tx_udp_checksum)
		count = frames_prepare(worker, port, queue, frames, count);

	for (uint16_t i = 0; i < count; i++) /* a sent mbuf is the device's */
		length[i] = rte_pktmbuf_pkt_len(frames[i]);
	uint16_t sent = rte_eth_tx_burst(port->ethdev, queue, frames, count);
	worker->counters->sent_port += sent;
	for (uint16_t i = 0; i < sent; i++)
		worker->counters->sent_port_bytes += length[i];
	for (uint16_t i = sent; i < count; i++)
		drop_packet(worker, frames[i], DROP_tx_full);
}

/* The owner counts them as sent. */
static void frames_hand_off(struct worker *worker, const struct port *port, struct tx_buffer *tx)
{
	for (uint16_t i = 0; i < tx->count; i++) {
		tx->packets[i]->port = port->index;
		if (rte_ring_mp_enqueue(worker->handoff[port->index], tx->packets[i]) != 0)
			drop_packet(worker, tx->packets[i], DROP_tx_full);
	}
}

void worker_flush(struct worker *worker)
{
	for (unsigned i = 0; i < worker->port_count; i++) {
		const struct port *port = &worker->ports[i];
		struct tx_buffer *tx = &worker->tx[i];
		if (tx->count == 0)
			continue;
		if (worker->tx_queue[i] == TX_HANDOFF) {
			frames_hand_off(worker, port, tx);
		} else {
			if (!port->tx_segments)
				tx->count = frames_linearize(worker, tx);
			frames_send(worker, port, worker->tx_queue[i], tx->packets, tx->count);
		}
		tx->count = 0;
	}
}

/* Frames of other workers for our queues; grouped by nothing: hand-off is the slow path of devices
 * with one queue. */
static unsigned handoff_poll(struct worker *worker)
{
	struct rte_mbuf *frames[BURST_SIZE];
	unsigned count = worker->handoff_in ? rte_ring_sc_dequeue_burst(worker->handoff_in,
						      (void **)frames, BURST_SIZE, NULL)
					    : 0;

	for (unsigned i = 0; i < count; i++) {
		struct tx_buffer *tx = &worker->tx[frames[i]->port];
		if (tx->count == RTE_DIM(tx->packets))
			worker_flush(worker);
		tx->packets[tx->count++] = frames[i];
	}
	if (count > 0)
		worker_flush(worker);
	return count;
}

void worker_drain(struct worker *worker)
{
	while (handoff_poll(worker) > 0)
		;
}

static unsigned ring_poll(struct worker *worker, struct rte_ring *ring,
	void (*run)(struct worker *, struct rte_mbuf **, unsigned))
{
	struct rte_mbuf *packets[BURST_SIZE];
	unsigned count = rte_ring_sc_dequeue_burst(ring, (void **)packets, BURST_SIZE, NULL);

	if (count > 0) {
		run(worker, packets, count);
		worker_flush(worker);
	}
	return count;
}

/* One turn over everything; how many packets it found. */
static unsigned worker_turn(struct worker *worker)
{
	struct rte_mbuf *packets[BURST_SIZE];
	unsigned found = 0;

	if (worker->handover != NULL) /* before what is younger */
		found += handover_poll(worker);
	for (unsigned i = 0; i < worker->rx_count; i++) {
		const struct rx_queue *rx = &worker->rx[i];
		uint16_t count = rte_eth_rx_burst(rx->ethdev, rx->queue, packets, worker->burst);
		if (count == 0)
			continue;
		found += count;
		pipeline_receive_burst(worker, rx->port, packets, count);
		worker_flush(worker);
	}
	found += ring_poll(worker, worker->exception_in, pipeline_exception_burst);
	found += ring_poll(worker, worker->inject_in, pipeline_inject_burst);
	found += handoff_poll(worker);
	pipeline_tick(worker);
	worker_flush(worker);
	return found;
}

static void worker_rest(struct worker *worker, uint32_t sleep_ns)
{
	rte_rcu_qsbr_thread_offline(worker->qsbr, worker->index);
	worker->counters->sleeps++;
	worker->counters->slept_ns += sleep_ns;
	idle_sleep(sleep_ns);
	rte_rcu_qsbr_thread_online(worker->qsbr, worker->index);
}

int worker_run(void *argument)
{
	struct worker *worker = argument;
	struct worker_counters *counters = worker->counters;

	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
	rte_rcu_qsbr_thread_online(worker->qsbr, worker->index);
	while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
		worker_clock(worker);
		unsigned found = worker_turn(worker);
		rte_rcu_qsbr_quiescent(worker->qsbr, worker->index);
		uint64_t end_tsc = rte_rdtsc();
		counters->heartbeat++;
		counters->bursts++;
		if (found > 0) {
			counters->busy_tsc += end_tsc - worker->now_tsc;
			idle_busy(&worker->idle, end_tsc);
			continue;
		}
		counters->bursts_empty++;
		uint32_t sleep_ns = idle_turn(&worker->idle, end_tsc);
		if (sleep_ns > 0)
			worker_rest(worker, sleep_ns);
		else
			rte_pause();
		counters->idle_tsc += rte_rdtsc() - worker->now_tsc;
	}
	worker_flush(worker);
	rte_rcu_qsbr_thread_offline(worker->qsbr, worker->index);
	return 0;
}
