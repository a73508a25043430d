/*
 * The way to a care-of address and its path MTU: the smallest of the egress route's, the binding's
 * configured cap, what ICMP errors taught (soft state, forgotten after some minutes) and, when that
 * address is itself away, of the tunnel that leads there (HA4-MTU-01, -02, -07); less what ESP adds
 * when policy protects the tunnel (RFC 5266 mode mc). Workers.
 */
#ifndef DATAPLANE_TUNNEL_MTU_H
#define DATAPLANE_TUNNEL_MTU_H

#include "dataplane/worker.h"

#include <rte_branch_prediction.h>

#define TUNNEL_MTU_DEPTH 4 /* tunnels in one another (HA4-FWD-12) */

struct tunnel_way {
	const struct tunnel *nested; /* the care-of address is behind this one */
	const struct route *route;   /* NULL with nested */
	uint16_t mtu;                /* of the outer datagram; 0: no way there */
	bool too_deep;
};

struct tunnel_way tunnel_mtu_way(struct worker *worker, const struct tunnel *tunnel);
/* Octets that the tunnel adds. Minimal encapsulation replaces the header, but a fragment goes
 * IP-in-IP. */
uint16_t tunnel_mtu_overhead(const struct tunnel *tunnel, bool fragments);

#define TUNNEL_MTU_HOME_HEADER 20 /* IPv4, to the home address */

/*
 * Does what goes to this address, or comes from it, have a tunnel to the home address inside the
 * one to the care-of address? A foreign agent knows the home address alone, so what is meant for a
 * network behind it needs one (RFC 5177 7). IPv4 alone has foreign agents.
 */
static inline bool tunnel_mtu_is_double(const struct tunnel *t, const struct ip_address *address)
{
	return unlikely(!ip_address_equal(address, &t->home_address)) &&
	       !(t->flags & BINDING_COLOCATED) && ip_address_is_v4(&t->home_address) &&
	       tunnel_is_over_ipv4(t);
}

#endif
