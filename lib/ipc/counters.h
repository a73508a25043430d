/*
 * Counters in the shared region: one block per worker, written by that worker alone with plain
 * 64-bit stores, read by control at any time. Never reset; "clear" is a baseline that control keeps
 * (HA4-OPS-24).
 *
 * Conservation, exact whenever workers are quiescent, and asserted at the end of every test:
 *
 *   received + created == sent + dropped + punted + joined + held
 *
 * of all workers; of one, handed_over stands on the right as well and taken_over on the left: what
 * lies in a ring between workers is held.
 *
 *   received = received_port + received_exception + received_inject
 *   created  = copies (simultaneous bindings), fragments beyond the first, ICMP errors and replies
 * of our own sent     = sent_port                        punted = punted_control + punted_exception
 *   dropped  = sum of drops[]                   joined = fragments swallowed by a reassembled
 * datagram (n - 1 each) held     = held_reassembly + held_neighbor (gauges)
 */
#ifndef LIB_IPC_COUNTERS_H
#define LIB_IPC_COUNTERS_H

#include "lib/ipc/drop_reasons.h"

#include <assert.h>
#include <stdint.h>

#define COUNTERS_DROPS_MAX 120

struct worker_counters {
	uint64_t received_port, received_port_bytes;
	uint64_t received_exception, received_inject;
	uint64_t created;
	uint64_t sent_port, sent_port_bytes;
	uint64_t punted_control, punted_exception;
	uint64_t joined;
	uint64_t held_reassembly, held_neighbor; /* gauges */
	uint64_t icmp_sent, icmp_suppressed;
	uint64_t keepalives_answered;
	uint64_t proxy_arp_sent;
	uint64_t fragments_made, reassembled;
	uint64_t encapsulated, decapsulated;
	uint64_t ecn_anomalies;
	uint64_t bursts, bursts_empty, sleeps;
	uint64_t busy_tsc, idle_tsc;
	uint64_t heartbeat;    /* rises while the worker lives */
	uint64_t udp_trailing; /* datagrams with octets after their UDP length (HA4-MSG-08) */
	uint64_t events_lost;  /* the main lcore was too slow to take them */
	uint64_t slept_ns;     /* asked for in `sleeps`; the kernel may add to each */
	uint64_t esp_encrypted, esp_decrypted; /* packets; decrypted: authentic and new */
	uint64_t ipsec_outer_mismatch; /* from elsewhere, or in the other encapsulation (NAT-12) */
	uint64_t ipsec_ptb_reject;     /* "too big" about no SA of ours (MTU-08) */
	uint64_t audits_held_back;     /* too many of one kind (AUD-05) */
	uint64_t handed_over, taken_over; /* between workers, where SAs are owned */
	uint64_t reserved[3];
	uint64_t drops[COUNTERS_DROPS_MAX]; /* by enum drop_reason */
};

static_assert((int)DROP_REASON_COUNT <= COUNTERS_DROPS_MAX, "drop counters");
static_assert(sizeof(struct worker_counters) == 160 * sizeof(uint64_t), "whole cache lines");

/* Per binding and worker (HA4-OPS-23): index binding_id. */
struct binding_counters {
	uint64_t forward_packets, forward_bytes; /* to the mobile node, inner octets */
	uint64_t reverse_packets, reverse_bytes;
};

/* Per port, written by the main lcore about once a second. */
struct port_counters {
	char name[32];
	uint8_t mac[6];
	uint16_t mtu;
	uint32_t link_up;
	uint32_t speed_mbps;
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors,
		rx_no_buffer;
	/* Outside the sum: counted as punted before, not received yet. */
	uint64_t exception_lost;    /* frames that the kernel's TAP did not take */
	uint64_t exception_refused; /* frames from it that found no buffer */
};

static_assert(sizeof(struct port_counters) == 128, "two cache lines");

#endif
