/*
 * One poll-mode worker: its queues, its counters, its clock, its rings to the main lcore. One per
 * lcore, touched by that lcore alone but for the rings. A test makes one on its own thread
 * (worker_init without ports) and calls the pipeline as a function.
 */
#ifndef DATAPLANE_WORKER_H
#define DATAPLANE_WORKER_H

#include "dataplane/idle.h"
#include "dataplane/table/slot_table.h"
#include "dataplane/table/tables.h"
#include "dataplane/tsc_clock.h"

#include "config/config.h"
#include "lib/ipc/attach.h"
#include "lib/ipc/counters.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

/*
 * Packets that go through lanes and steps together. More of them hide more of the memory behind one
 * packet's lines, until they drive each other out of the first cache: what ESP touches is so much
 * that fewer are best (docs/decisions/0130).
 */
#define BURST_SIZE     64
#define BURST_SIZE_ESP 48
static_assert(BURST_SIZE <= LOOKUP_BURST, "one lookup for a whole burst");

#define WORKER_LANES 8

struct port {            /* read-only for workers after start, but for `up` */
	uint16_t index;  /* in the configuration, and in every command */
	uint16_t ethdev; /* DPDK port id */
	uint16_t vrf;
	uint16_t mtu; /* IP octets */
	uint8_t mac[6];
	uint8_t zone;
	bool has_exception;                     /* has a TAP */
	bool checksum_check;                    /* verify UDP checksums of packets that end here */
	bool tx_ipv4_checksum, tx_udp_checksum; /* device offloads in use */
	bool tx_segments;                       /* the device takes chained mbufs */
	_Atomic bool up;
	char name[32];
};

struct crypto_engine; /* dataplane/crypto/engine.h */
struct handover;      /* dataplane/handover.h */
struct worker;        /* fields below are public to dataplane/ */

struct rx_queue {
	uint16_t port, ethdev, queue;
};
#define TX_HANDOFF UINT16_MAX

struct tx_buffer {
	uint16_t count;
	struct rte_mbuf *packets[BURST_SIZE * 4];
};

struct worker {
	unsigned index;
	unsigned lcore;
	struct tables *tables;
	struct worker_counters *counters;    /* in the region */
	const _Atomic uint32_t *drop_switch; /* of lib/ipc/drop_trace.h; NULL until worker_init:
						off */
	struct drop_trace *drop_trace;       /* in the region, both */
	struct binding_counters *binding_counters; /* [bindings], in the region */
	uint64_t *policy_hits; /* [policies], in the region; NULL: not counted */
	struct port *ports;
	unsigned port_count;
	struct tx_buffer *tx;         /* [ports], flushed at the end of a burst */
	struct rte_mempool *pool;     /* for copies, fragments, own packets */
	struct crypto_engine *crypto; /* its own; NULL when there are no security associations */
	struct handover *handover;    /* NULL: SAs are shared by all workers */
	bool lanes_off;               /* dataplane/lane: every packet takes the steps */
	struct lane_way *ways;        /* lane/way.c */
	uint64_t lane_taken[WORKER_LANES]; /* packets, by enum lane_kind */
	uint16_t burst;   /* how many to ask a device for, as the last one was: BURST_SIZE or
			     BURST_SIZE_ESP */
	uint64_t now_tsc; /* read once a burst */
	uint64_t tsc_hz;
	monotonic now_ns; /* CLOCK_MONOTONIC that belongs to now_tsc */
	const struct config_dataplane *settings;

	struct ring *punt; /* this worker's producer side; NULL in tests that look at punted[] */
	struct rte_ring *exception_out; /* mbufs for the TAPs, main lcore writes them to the kernel;
					   mbuf->port = port index */
	struct rte_ring *exception_in;  /* mbufs the kernel sent, to be transmitted on mbuf->port */
	struct rte_ring *
		inject_in; /* mbufs control injected, metadata set (struct packet, inject fields) */
	struct rte_ring *event_out; /* elements are struct event, see link/event */

	struct reassembly *reassembly;                       /* input/reassembly.c */
	struct icmp_limiter *icmp_limiter;                   /* icmp_error.c */
	struct neighbor_queue *neighbor_queue;               /* output/neighbor.c */
	struct ike_police *ike_police;                       /* input/ike.c */
	struct fragment_state *fragment_state;               /* forward/fragment_state.c */
	struct punt_police *punt_police;                     /* link/punt.c */
	struct outer_identifications *outer_identifications; /* encap/outer.h */
	struct event_limiter *event_limiter;                 /* link/event.c */
	void *step_state;                                    /* room for a step that needs more */

	/* The loop's own (worker.c); a test that calls the pipeline as a function leaves them zero.
	 */
	struct rx_queue rx[REGION_PORTS_MAX];
	unsigned rx_count;
	uint16_t tx_queue[REGION_PORTS_MAX]; /* [ports]; TX_HANDOFF: the port's owner sends */
	struct rte_ring *handoff[REGION_PORTS_MAX]; /* [ports] owner's handoff_in */
	struct rte_ring *handoff_in; /* frames that other workers send through our queues */
	struct rte_rcu_qsbr *qsbr;
	struct idle idle;
	uint64_t clock_until_tsc; /* read CLOCK_MONOTONIC again */
	struct tsc_clock clock;
};

/*
 * Sets index, tables and what does not depend on ports; counters, rings, ports and pool are the
 * caller's. Calls pipeline_worker_init, punt_worker_init. 0 or -errno.
 */
int worker_init(struct worker *worker, unsigned index, struct tables *tables,
	const struct config_dataplane *settings);
void worker_fini(struct worker *worker);
/* Reads now_tsc and now_ns. */
void worker_clock(struct worker *worker);
/* Hands what waits in worker->tx to the devices; counts sent_port or drops tx_full. */
void worker_flush(struct worker *worker);
/* Main lcore, after every worker has ended: sends what others handed to this one last. */
void worker_drain(struct worker *worker);
/* The loop, on the worker's lcore, until worker_stop. */
int worker_run(void *worker);
/* Any thread: every worker finishes its burst and returns. */
void worker_stop(void);

#endif
