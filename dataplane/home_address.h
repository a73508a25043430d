/*
 * What stands for source and destination of a Mobile IPv6 packet between its two ends, where
 * policies and selectors look at it (TRN-14): the Home Address option's address and that of a type
 * 2 routing header (RFC 4877 4.2, RFC 6275 6.3, 6.4). Only whoever sends or receives the packet may
 * ask; for whom it merely passes it is a packet like any other.
 *
 * There is no binding cache for IPv6 here: of what comes with the option, Binding Updates alone may
 * pass (RFC 6275 9.3.1).
 */
#ifndef DATAPLANE_HOME_ADDRESS_H
#define DATAPLANE_HOME_ADDRESS_H

#include "dataplane/packet.h"

struct home_addresses {
	struct ip_address source, destination;
	bool option;  /* source is the option's */
	bool refused; /* an option that is malformed, or no unicast address in it */
};

/* Of a parsed packet; without either they are the header's. */
struct home_addresses home_address_read(struct rte_mbuf *packet, const struct packet *p);
/* A Binding Update (Mobility Header type 5)? */
bool home_address_is_update(struct rte_mbuf *packet, const struct packet *p);

#endif
