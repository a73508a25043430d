/*
 * The packet that an ICMP error quotes, for RFC 4301 6.2: an error that policy and selectors do not
 * name by its own header is judged by what it is about.
 */
#ifndef DATAPLANE_ICMP_QUOTED_H
#define DATAPLANE_ICMP_QUOTED_H

#include "dataplane/packet.h"

struct icmp_quoted { /* as its sender made it */
	struct ip_address source, destination;
	uint32_t payload_offset; /* of its transport header, from the data start */
	uint8_t protocol;
	bool later; /* a later fragment: no ports */
};

/* `p` tells of `packet`, which may be made contiguous further. Any thread. */
bool icmp_quoted_is_error(struct rte_mbuf *packet, const struct packet *p);
/* False when no whole IP header is quoted. After icmp_quoted_is_error. */
bool icmp_quoted_read(struct rte_mbuf *packet, const struct packet *p, struct icmp_quoted *quoted);

#endif
