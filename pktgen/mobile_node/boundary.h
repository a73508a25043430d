/*
 * Which side of the trusted network's border the node is on, and what its care-of address is for
 * that (RFC 5266, RFC 5265 3.4): the access network's address inside, the VPN's inner address
 * outside.
 *
 * Inside is where the home agent answers a request that came in clear with TNC. In another access
 * network nobody knows: while the VPN is up its address stays the care-of address, so that a move
 * of its own (MOBIKE) is none of Mobile IP's, and a probe asks in clear from the new address. An
 * answer with TNC makes that the care-of address; silence, and all stays as it is. Without a VPN
 * the node's own request is the probe.
 *
 * A foreign agent's care-of address may be used inside only (RFC 5266 3): once the home agent has
 * answered at the node's own address there, with TNC if there are VPNs at all. That too begins with
 * a probe, through the agent: denied or not answered, and all stays as it is. One thread.
 */
#ifndef PKTGEN_MOBILE_NODE_BOUNDARY_H
#define PKTGEN_MOBILE_NODE_BOUNDARY_H

#include "pktgen/mobile_node/registration.h"

struct boundary {     /* zero-initialise; without a VPN `inner` stays 0 and no place is probed */
	bool has_vpn; /* set once: outside is to be told from inside */
	be32 access, inner; /* addresses now; 0 none */
	be32 trusted;       /* the access address that TNC was heard at; 0 none */
	be32 answered;      /* the access address at which the home agent accepted; 0 none */
	be32 agent;         /* a foreign agent's care-of address on this link; 0 none */
	be32 agent_used;    /* it, once the home agent has accepted it; else 0 */
	uint16_t agent_lifetime_s;
	monotonic agent_again; /* not probed before */
	bool probing;
	struct registration probe; /* initialised while probing */
};

/* The host's addresses changed. True: probe from the access address (boundary_probe). */
bool boundary_changed(struct boundary *boundary, be32 access, be32 inner);
/* Asks in clear, as `node` would from the access address, a few times. */
void boundary_probe(struct boundary *boundary, const struct registration *node,
	const struct registration_output *output, struct clock_now now);
/* The foreign agent on the link has this care-of address now; 0: none. */
void boundary_agent_changed(struct boundary *boundary, be32 care_of_address, uint16_t lifetime_s);
/* Asks through the agent where that may be, and at most once a minute. */
void boundary_agent_probe(struct boundary *boundary, const struct registration *node,
	const struct registration_output *output, struct clock_now now);
void boundary_probe_end(struct boundary *boundary);
/* Whether a payload answers the probe. */
bool boundary_is_answer(const struct boundary *boundary, const void *payload, size_t length);
void boundary_timer(struct boundary *boundary, struct clock_now now);
monotonic boundary_deadline(const struct boundary *boundary);
/* An accepting reply to a request with this care-of address had TNC, or had it not. */
void boundary_heard(struct boundary *boundary, be32 care_of_address, bool trusted);
be32 boundary_care_of(const struct boundary *boundary);

#endif
