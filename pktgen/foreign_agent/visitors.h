/*
 * The foreign agent's visitor list and what it does with registration messages (RFC 5944 3.7, RFC
 * 3024 4.2), without sockets, clock and memory of its own: what came goes in, a verdict comes out.
 *
 *   pending   a request was relayed and its reply is waited for; matched by home address and the
 *             low half of the Identification, given up after 7 s with code 78
 *   visitor   the home agent accepted; until the lifetime ends, is refused or becomes 0. A new
 *             request changes nothing about it before its reply is there.
 *
 * No security associations of its own with nodes or home agents: it adds and checks no extension
 * (RFC 5944 leaves that open), and takes away what stands behind the mobile node's authenticator.
 * One thread.
 */
#ifndef PKTGEN_FOREIGN_AGENT_VISITORS_H
#define PKTGEN_FOREIGN_AGENT_VISITORS_H

#include "lib/base/clock.h"
#include "lib/wire/mip4.h"

#define VISITORS_MAX 256
#define PENDING_MAX  64

struct visitors_settings {
	be32 care_of_address, link_address;
	uint16_t lifetime_max_s; /* 0xffff: any */
	bool reverse_tunnel_mandatory;
};

struct visitor {                       /* RFC 5944 3.7.1 */
	be32 home_address, home_agent; /* home_address 0: no entry */
	uint8_t mac[6];
	bool reverse_tunnel;
	monotonic expiry;
};

struct visitors_sender { /* of a request, from the link */
	uint8_t mac[6];
	uint8_t ttl;
	be32 source, destination;
	uint16_t port;
};

struct visitors_pending {
	be32 home_address, home_agent; /* home_address 0: no entry */
	struct visitors_sender sender;
	uint64_t identification;
	uint16_t lifetime_s;
	bool reverse_tunnel;
	monotonic deadline;
};

struct visitors {
	struct visitors_settings settings;
	monotonic denied; /* at most one denial a second (RFC 5944 3.7.2) */
	struct visitors_pending pending[PENDING_MAX];
	struct visitor list[VISITORS_MAX];
};

enum visitors_verdict {
	VISITORS_DISCARD,
	VISITORS_TO_HOME_AGENT, /* payload to home_agent, from the care-of address */
	VISITORS_TO_NODE,       /* payload to the sender of the request */
};

struct visitors_answer {
	enum visitors_verdict verdict;
	const uint8_t *payload; /* the caller's message, or `denial` */
	size_t length;
	be32 home_agent, home_address;
	struct visitors_sender sender;
	uint8_t code; /* of a reply */
	uint8_t denial[20];
	/* An entry as it was and as it is; home_address 0: none. Routes follow from that. */
	struct visitor before, after;
};

void visitors_init(struct visitors *visitors, const struct visitors_settings *settings);
void visitors_request(struct visitors *visitors, monotonic now,
	const struct visitors_sender *sender, const void *payload, size_t length,
	struct visitors_answer *answer);
void visitors_reply(struct visitors *visitors, monotonic now, be32 home_agent, const void *payload,
	size_t length, struct visitors_answer *answer);
/* NULL: nobody of that home address is here. */
const struct visitor *visitors_lookup(const struct visitors *visitors, be32 home_address);
/* One thing that is over: false when there is none. Lifetimes that ended are told as `before`. */
bool visitors_timer(struct visitors *visitors, monotonic now, struct visitors_answer *answer);
monotonic visitors_deadline(const struct visitors *visitors);

#endif
