/*
 * Lanes: the straight way of the usual packet.
 *
 * The steps (pipeline.c) can do anything, and a packet pays for that with some two thousand
 * instructions. Nearly all packets of a gateway need none of it: whole, plain IPv4, one buffer, a
 * way that was taken a microsecond ago. So before step ETHER a burst is shown to the lanes. A lane
 * goes over the whole burst in a few tight passes
 *
 *   parse -> look up, fetch -> check -> number, headers -> cipher -> finish -> transmit
 *
 * takes those frames whose whole way is the usual one and leaves every other frame untouched, in
 * order, to the steps. docs/decisions/0070 says why this is the same:
 *
 *   taken    only when the steps would do exactly this. Whatever a lane does not know for sure, it
 *            leaves: a frame may always be left, until something was done to it.
 *   asked    policy, SA and counters are the tables' own, asked for each packet; so they are right
 *            at once when control changes them.
 *   given    what seldom changes (routes, neighbours, addresses of ours) is found once by the
 *            slow way, kept beside what led there and believed as long as tables_ground is the
 *            same: a change costs every lane one look, and nobody has to be told.
 *   order    frames that a lane takes leave before those that the steps get. So a frame is left
 *            when one before it in the burst was left that may be of the same flow (lane_leave,
 *            HA4-FWD-17), or while packets wait for the neighbour that it goes to.
 *   counted  received here with the rest of the burst, sent by whoever flushes worker->tx, drops by
 *            drop_packet: the sum of lib/ipc/counters.h stays exact.
 *
 *   lane.c      parse, and what the lanes left
 *   esp_out.c   clear from inside, ESP out: tunnel mode over IPv4; into the tunnel of a mobile node
 *               first where that is behind ESP (mip_out.c; RFC 5266, mode mc)
 *   esp_in.c    and back (mip_in.c)
 *   forward.c   what needs no ESP: along a route, into the tunnel of a mobile node (mip_out.c), out
 *               of one (mip_in.c); which of them it is the packet's destination says
 *   forward6.c  IPv6 along a route
 *   way.c       next hops as those last lanes keep them
 *
 * All on the worker's own lcore. worker->lanes_off turns them off (tests compare both).
 */
#ifndef DATAPLANE_LANE_LANE_H
#define DATAPLANE_LANE_LANE_H

#include "dataplane/decap/ecn.h"
#include "dataplane/drop.h"
#include "dataplane/header.h"
#include "dataplane/output/neighbor.h"
#include "dataplane/worker.h"

#include <rte_branch_prediction.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_prefetch.h>

enum lane_kind { /* index of worker->lane_taken */
	LANE_ESP_OUT,
	LANE_ESP_IN,        /* to its end */
	LANE_ESP_IN_JUDGED, /* deciphered by the lane, what was inside is for the steps */
	LANE_FORWARD,
	LANE_MIP_OUT,
	LANE_MIP_IN,
	LANE_FORWARD6,
	LANE_COUNT
};
static_assert((int)LANE_COUNT <= WORKER_LANES, "counters of lanes");

struct lane_burst {
	struct worker *worker;
	const struct port *from;
	uint32_t ground;   /* tables_ground: one value for the whole burst */
	uint64_t usual;    /* bit i: frame i is what lane_parse promises */
	uint64_t usual_v6; /* bit i: the same of IPv6 */
	uint64_t esp;      /* bit i: usual, and may be ESP, in UDP or not */
	uint64_t taken;    /* bit i: a lane took it; it is not the burst's any more */
	bool wide;         /* most of its ESP is what suite_is_wide says */
	unsigned count;
	struct rte_mbuf **frames;
	const struct neighbor *free; /* nobody waits for it: the last one that was asked about */
};

/*
 * Shows the burst to the lanes. Returns a bit for each frame that one of them took; the others are
 * untouched. Frames are counted as received already; struct packet is not set up yet, and a lane
 * that hands a frame to a step gives it its place in the burst, from 1, as packet.order.
 * Says in worker->burst how many frames to ask for next time.
 */
uint64_t lane_receive(
	struct worker *worker, unsigned port, struct rte_mbuf **packets, unsigned count);

/*
 * Sets burst->usual: frames in one buffer that nobody shares, untagged and to the port's own
 * address, with an IPv4 header without options and with the right checksum, a total length that is
 * there (octets behind it are not cut off yet), no fragment, source and destination plain unicast
 * addresses. And burst->usual_v6: the same with an IPv6 header and no extension header behind it
 * that a router may have to look at.
 */
void lane_parse(struct lane_burst *burst);

/* A bit for each of `count` frames, up to 64. */
static inline uint64_t lane_all(unsigned count)
{
	return count < 64 ? (UINT64_C(1) << count) - 1 : UINT64_MAX;
}

/* The IPv4 header of a usual frame. */
static inline struct rte_ipv4_hdr *lane_ip(struct rte_mbuf *frame)
{
	return rte_pktmbuf_mtod_offset(frame, struct rte_ipv4_hdr *, sizeof(struct rte_ether_hdr));
}

static inline struct rte_ipv6_hdr *lane_ipv6(struct rte_mbuf *frame)
{
	return rte_pktmbuf_mtod_offset(frame, struct rte_ipv6_hdr *, sizeof(struct rte_ether_hdr));
}

/*
 * Flows of frames that were left in this burst, as far as a lane has come: a bit for a hash of each
 * end's address. A lane walks the burst once in order, calls lane_leave for each frame that it
 * leaves and asks before it takes one. Two flows may share a bit; then one is left for nothing.
 */
struct lane_left {
	uint64_t sources, destinations;
};

static inline uint64_t lane_flow(be32 address)
{
	return UINT64_C(1) << (address * 0x9e3779b1u >> 26);
}

void lane_leave(struct lane_left *left, const struct rte_mbuf *frame);

/* Must a packet to this neighbour queue up behind others? */
static inline bool lane_is_awaited(struct lane_burst *burst, const struct neighbor *neighbor)
{
	if (likely(burst->worker->counters->held_neighbor == 0) || burst->free == neighbor)
		return false;
	if (neighbor_is_awaited(burst->worker, neighbor->port, &neighbor->address))
		return true;
	burst->free = neighbor;
	return false;
}

/* RFC 6040 at a tunnel's end: the inner TOS octet as it leaves the tunnel. False when that is a
 * reason to count or to drop. */
static inline bool lane_tos(bool dscp_of_outer, uint8_t inner, uint8_t outer, uint8_t *tos)
{
	uint8_t ecn = (uint8_t)(inner & ECN_MASK), outer_ecn = (uint8_t)(outer & ECN_MASK);

	*tos = inner;
	if (likely(!dscp_of_outer && (outer_ecn == ECN_NOT_ECT || outer_ecn == ecn)))
		return true;
	ecn = ecn_decapsulate(inner, outer);
	*tos = (uint8_t)(((dscp_of_outer ? outer : inner) & ~ECN_MASK) | ecn);
	return ecn != ECN_DROP && !ecn_is_anomalous(inner, outer);
}

/* A finished frame for a port that is up, its data start the Ethernet header. */
static inline void lane_put(struct worker *worker, struct tx_buffer *tx, struct rte_mbuf *frame)
{
	if (unlikely(tx->count == RTE_DIM(tx->packets)))
		worker_flush(worker);
	tx->packets[tx->count++] = frame;
}

static inline bool lane_is_up(const struct worker *worker, uint16_t port)
{
	return atomic_load_explicit(&worker->ports[port].up, memory_order_relaxed);
}

/* As output/transmit. */
static inline void lane_send(struct worker *worker, uint16_t port, struct rte_mbuf *frame)
{
	if (unlikely(!lane_is_up(worker, port))) {
		drop_packet(worker, frame, DROP_port_down);
		return;
	}
	lane_put(worker, &worker->tx[port], frame);
}

#endif
