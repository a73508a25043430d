/*
 * Which side of the trusted network's border the node is on, and what its care-of address is for
 * that (RFC 5266, RFC 5265 3.4): the access network's address inside, the VPN's inner address
 * outside.
 *
 * Inside is where the home agent answers a request that came in clear with TNC. In another access
 * network nobody knows: while the VPN is up its address stays the care-of address, so that a move
 * of its own (MOBIKE) is none of Mobile IP's, and a probe asks in clear from the new address. An
 * answer with TNC makes that the care-of address; silence, and all stays as it is. Without a VPN
 * the node's own request is the probe. One thread.
 */
#ifndef PKTGEN_MOBILE_NODE_BOUNDARY_H
#define PKTGEN_MOBILE_NODE_BOUNDARY_H

#include "pktgen/mobile_node/registration.h"

struct boundary { /* zero-initialise; without a VPN `inner` stays 0 and nothing is probed */
	be32 access, inner; /* addresses now; 0 none */
	be32 trusted;       /* the access address that TNC was heard at; 0 none */
	bool probing;
	struct registration probe; /* initialised while probing */
};

/* The host's addresses changed. True: probe from the access address (boundary_probe). */
bool boundary_changed(struct boundary *boundary, be32 access, be32 inner);
/* Asks in clear, as `node` would from the access address, a few times. */
void boundary_probe(struct boundary *boundary, const struct registration *node,
	const struct registration_output *output, struct clock_now now);
void boundary_probe_end(struct boundary *boundary);
/* Whether a payload answers the probe. */
bool boundary_is_answer(const struct boundary *boundary, const void *payload, size_t length);
void boundary_timer(struct boundary *boundary, struct clock_now now);
monotonic boundary_deadline(const struct boundary *boundary);
/* An accepting reply to a request from this care-of address had TNC, or had it not. */
void boundary_heard(struct boundary *boundary, be32 care_of_address, bool trusted);
be32 boundary_care_of(const struct boundary *boundary);

#endif
