/*
 * Fragments that are addressed to us, until their datagram is whole (HA4-MTU-16, RFC 791 3.2, RFC
 * 8200 4.5). Bounded in datagrams, fragments, octets, and in all three per source; an overlap kills
 * the datagram (RFC 5722, used for IPv4 too). Not DPDK's rte_ip_frag: it knows no overlap rule and
 * no limit per source, and frees what timed out without a count.
 */
#ifndef DATAPLANE_INPUT_REASSEMBLY_H
#define DATAPLANE_INPUT_REASSEMBLY_H

#include "dataplane/step.h"

/* `datagrams` at once, each for timeout_tsc at most. NULL without memory. */
struct reassembly *reassembly_new(uint32_t datagrams, uint64_t timeout_tsc);
/* Drops what is held (reasm_timeout). */
void reassembly_free(struct worker *worker, struct reassembly *reassembly);

/* Always STEP_DONE or a drop: a datagram that became whole is emitted to STEP_LOCAL_DEMUX. */
step_result reassembly_input(struct worker *worker, struct rte_mbuf *packet);
void reassembly_input_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);
/* Drops datagrams whose time is over; looks at a bounded number of entries. */
void reassembly_tick(struct worker *worker);

#endif
