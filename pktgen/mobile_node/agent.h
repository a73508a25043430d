/*
 * The foreign agent on the access link, as a state machine without sockets and clock: what was
 * heard, when to ask, when it is gone (RFC 5944 2.4). A node in a new place asks three times for an
 * advertisement; it hears them all the time. The first agent that offers a care-of address is it,
 * until its advertisements end. One thread.
 */
#ifndef PKTGEN_MOBILE_NODE_AGENT_H
#define PKTGEN_MOBILE_NODE_AGENT_H

#include "lib/base/clock.h"
#include "pktgen/mobile_node/link.h"

struct agent {
	bool used;    /* false: agents are none of this node's */
	be32 wanted;  /* the only one that counts; 0: any */
	be32 address; /* its own, where requests go; 0: no agent here */
	be32 care_of_address;
	uint8_t mac[6];
	uint16_t registration_lifetime_s, sequence;
	monotonic expiry;     /* of the last advertisement; CLOCK_NEVER */
	monotonic solicit_at; /* CLOCK_NEVER */
	unsigned solicitations;
};

enum agent_change {
	AGENT_SAME,
	AGENT_FOUND,
	AGENT_RESTARTED, /* it has forgotten its visitors (RFC 5944 2.3.2) */
	AGENT_LOST,
	AGENT_SOLICIT, /* a solicitation is due: agent_solicitation_write */
};

void agent_init(struct agent *agent, bool used, be32 wanted);
/* Another network: whoever was there is not here. */
void agent_moved(struct agent *agent, bool attached, monotonic now);
enum agent_change agent_heard(struct agent *agent, const struct link_packet *packet, monotonic now);
enum agent_change agent_timer(struct agent *agent, monotonic now);
monotonic agent_deadline(const struct agent *agent);
void agent_solicitation_write(struct writer *w);

#endif
