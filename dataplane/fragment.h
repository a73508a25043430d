/* IPv4 fragmentation by copying: the fragments are flat, so that every driver and step can take
 * them. */
#ifndef DATAPLANE_FRAGMENT_H
#define DATAPLANE_FRAGMENT_H

#include "dataplane/step.h"

/*
 * Cuts the IPv4 datagram at the data start (DF not set) into fragments of at most `mtu` octets,
 * metadata copied, and emits each to `next` in order. The packet is gone then: STEP_DONE. Else a
 * drop reason. RFC 791 3.2: options with the copy bit go along.
 */
step_result fragment_ipv4(
	struct worker *worker, struct rte_mbuf *packet, uint16_t mtu, enum step next);
/*
 * Cuts an IPv6 packet of our own, without extension headers, by a Fragment header (RFC 8200 4.5);
 * the same otherwise.
 */
step_result fragment_ipv6(
	struct worker *worker, struct rte_mbuf *packet, uint16_t mtu, enum step next);

#endif
