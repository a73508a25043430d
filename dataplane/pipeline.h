/*
 * The packet path: fixed order, plain functions, bursts of up to BURST_SIZE. Read pipeline.c first.
 *
 *   input/ether -> input/ipv4|ipv6 -> input/local_demux -> decap/... -> forward/... -> encap/... ->
 * output/...
 */
#ifndef DATAPLANE_PIPELINE_H
#define DATAPLANE_PIPELINE_H

#include "dataplane/worker.h"

/* Sets up and frees what the steps keep per worker (reassembly, ICMP limiter, neighbour queue,
 * ...). 0 or -errno. */
int pipeline_worker_init(struct worker *worker);
void pipeline_worker_fini(struct worker *worker);

/*
 * Up to BURST_SIZE frames received on ports[port]; takes ownership of every mbuf and counts
 * received_*. Sends through worker->tx, which the caller flushes: whoever hands worker->tx to the
 * device counts sent_port, sent_port_bytes and drops tx_full.
 */
void pipeline_receive_burst(
	struct worker *worker, unsigned port, struct rte_mbuf **packets, unsigned count);
/* Frames that the kernel wrote to the TAP of mbuf->port. */
void pipeline_exception_burst(struct worker *worker, struct rte_mbuf **packets, unsigned count);
/* What control injected (struct inject_record, copied into the mbuf's data; kind etc. in struct
 * packet). */
void pipeline_inject_burst(struct worker *worker, struct rte_mbuf **packets, unsigned count);
/* What other workers handed over (handover.h): goes on before step DECAP_ESP or ENCAP_ESP. */
void pipeline_handover_burst(struct worker *worker, struct rte_mbuf **packets, unsigned count);
/* Frames that another worker received on ports[port], up to BURST_SIZE, and counted; `flag`, of
 * enum packet_flag, says for which direction's SA. */
void pipeline_handover_frames(struct worker *worker, unsigned port, struct rte_mbuf **packets,
	unsigned count, uint32_t flag);
/* Housekeeping between bursts: reassembly time-outs, neighbour queue; call at least every 10 ms
 * while awake. */
void pipeline_tick(struct worker *worker);

#endif
