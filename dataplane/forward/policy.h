/*
 * The boundary of RFC 4301: what passes between a port of zone "external" (the unprotected side)
 * and anything else is judged by the ordered SPD of its vrf, unless that vrf has no policy at all.
 *
 *   inbound   a packet in clear from an external port, once, after the reassembly of what is
 * addressed to us and before anything is done with it. ESP, AH and UDP 500 and 4500 to us are not
 * judged: they are how protection comes about (4301 5.2 step 2, 3a). outbound  a packet about to
 * leave through an external port, when its route is known: our own and forwarded ones, the outer
 *             datagram of a Mobile IP tunnel too. PROTECT sends it through its SA; what has gone
 * through one is not asked again (4301 5.1 step 4).
 */
#ifndef DATAPLANE_FORWARD_POLICY_H
#define DATAPLANE_FORWARD_POLICY_H

#include "dataplane/step.h"

/* Sends the packet on to p->after_policy, or drops it: policy_none, policy_discard,
 * policy_cleartext (SPD-15, -16). */
step_result policy_inbound(struct worker *worker, struct rte_mbuf *packet);
void policy_inbound_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);
/* On to STEP_LINK_MTU, STEP_ENCAP_ESP with p->sa_id set, or dropped: policy_none, policy_discard,
 * policy_no_sa (SPD-13), ipsec_icmp_no_sa (ESP-OUT-13). */
step_result policy_outbound(struct worker *worker, struct rte_mbuf *packet);
void policy_outbound_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);
/*
 * Has a frame of our own kernel, parsed, to take the way of a packet of ours, because a policy by
 * its name says to protect or to discard it? What no policy names is the host's own firewall's;
 * IKE, ESP, neighbour discovery and groups are never asked about (SPD-15).
 */
bool policy_claims_kernel(struct worker *worker, struct rte_mbuf *packet);

#endif
