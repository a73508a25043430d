/*
 * A step takes one packet and says where it goes next: another step, or the reason it dies. Steps
 * do not know each other; only pipeline.c knows which function stands behind a name. Packets that a
 * step makes besides (copies, fragments, errors) enter through pipeline_emit.
 *
 * Each step has two functions: x(worker, packet), which unit tests call on bytes, and x_burst,
 * which first loads what the packets of a burst need and then works. All on the worker's own lcore.
 */
#ifndef DATAPLANE_STEP_H
#define DATAPLANE_STEP_H

#include "dataplane/packet.h"

#include "lib/ipc/event.h"

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

enum step { /* in the order in which the pipeline visits them */
	STEP_ETHER,
	STEP_ARP,
	STEP_IPV4,
	STEP_IPV6,
	STEP_REASSEMBLY,
	STEP_POLICY_INBOUND,
	STEP_LOCAL_DEMUX,
	STEP_UDP,
	STEP_ICMP,
	STEP_DECAP_IPIP,
	STEP_DECAP_GRE,
	STEP_DECAP_MINIMAL,
	STEP_DECAP_UDP,
	STEP_DECAP_ESP,
	STEP_INNER_CHECK,
	STEP_DESTINATION,
	STEP_BINDING,
	STEP_MTU_CHECK,
	STEP_ENCAP_HOME,
	STEP_ENCAP_IPIP,
	STEP_ENCAP_GRE,
	STEP_ENCAP_MINIMAL,
	STEP_ENCAP_UDP,
	STEP_ROUTE,
	STEP_POLICY_OUTBOUND,
	STEP_ENCAP_ESP,
	STEP_LINK_MTU,
	STEP_NEIGHBOR,
	STEP_TRANSMIT,
	STEP_PUNT,      /* to control; takes the packet */
	STEP_EXCEPTION, /* to the kernel; takes the packet */
	STEP_DONE,      /* the step kept or freed the packet itself */
	STEP_COUNT
};

/* What a step returns: an enum step, or STEP_DROP(reason). */
typedef int step_result;
#define STEP_DROP(reason) (-(int)(reason))

typedef step_result (*step_function)(struct worker *worker, struct rte_mbuf *packet);

/* Sends a packet on as a step's result says: into the queue of a step, or to its end. Takes
 * ownership. */
void pipeline_emit(struct worker *worker, struct rte_mbuf *packet, step_result next);
/* Packets of one flow take different ways in this burst: put them in order where the ways meet.
 * pipeline_emit does so by itself. */
void pipeline_disorder(struct worker *worker);
/* May the event `key` (a hash over all that counts) happen once more, at `rate` a second with
 * `burst` at once? */
bool pipeline_limit(struct worker *worker, uint64_t key, uint32_t rate, uint32_t burst);

/* Hands an event to the main lcore through link/; lost when its ring is full (the state it tells of
 * stays). */
void pipeline_event(struct worker *worker, const struct event *event);

/* Has the packet to be judged at the boundary that port `port` is (RFC 4301 3.1)? */
static inline bool step_policy_asked(
	const struct worker *worker, const struct packet *p, uint16_t port)
{
	return worker->ports[port].zone == ZONE_EXTERNAL &&
	       tables_policies_used(worker->tables, p->vrf);
}

/* Where a packet goes that came in from a port: to `next`, by way of the policy when it came in
 * clear from outside. */
static inline step_result step_inbound(
	const struct worker *worker, struct packet *p, enum step next)
{
	if (p->layer_count > 0 || p->flags & (PACKET_POLICY_PASSED | PACKET_LOCAL) ||
		!step_policy_asked(worker, p, p->port))
		return next;
	p->after_policy = (uint8_t)next;
	return STEP_POLICY_INBOUND;
}

/* Where a packet goes whose egress port is known. */
static inline step_result step_outbound(const struct worker *worker, const struct packet *p)
{
	if (likely(p->flags & PACKET_PROTECTED) && likely(!tables_policies_nested(worker->tables)))
		return STEP_LINK_MTU;
	return step_policy_asked(worker, p, p->out_port) ? STEP_POLICY_OUTBOUND : STEP_LINK_MTU;
}

/* The burst of a step that needs nothing but the packets' own first lines, which
 * pipeline_receive_burst fetched. */
static inline __attribute__((always_inline)) void step_burst(step_function function,
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	for (unsigned i = 0; i < count; i++)
		next[i] = function(worker, packets[i]);
}

#endif
