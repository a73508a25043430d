#include "pktgen/mobile_node/agent.h"

#define SOLICITATIONS    3 // RFC 1256 5.1
#define SOLICIT_PAUSE    CLOCK_NS_PER_S
#define SEQUENCE_RESTART 256 /* after 0xffff comes 256: what is below was counted from a start */

static void forget(struct agent *agent)
{
	agent->address = agent->care_of_address = 0;
	agent->expiry = CLOCK_NEVER;
}

void agent_init(struct agent *agent, bool used, be32 wanted)
{
	memset(agent, 0, sizeof(*agent));
	agent->used = used;
	agent->wanted = wanted;
	agent->solicit_at = CLOCK_NEVER;
	forget(agent);
}

void agent_moved(struct agent *agent, bool attached, monotonic now)
{
	forget(agent);
	agent->solicitations = 0;
	agent->solicit_at = attached && agent->used ? now : CLOCK_NEVER;
}

static bool serves(const struct icmp_agent_advertisement *heard)
{
	unsigned needed = ICMP_AGENT_F | ICMP_AGENT_T;

	return (heard->flags & needed) == needed && heard->care_of_address;
}

enum agent_change agent_heard(struct agent *agent, const struct link_packet *packet, monotonic now)
{
	struct icmp_message icmp;
	struct icmp_agent_advertisement heard;
	be32 source = packet->ip.source;

	if (!agent->used || packet->ip.protocol != IP_PROTOCOL_ICMP ||
		!icmp_parse(&icmp, packet->ip.payload, packet->ip.payload_length) ||
		!icmp_agent_advertisement_parse(&heard, &icmp) || !serves(&heard) ||
		(agent->wanted && source != agent->wanted) ||
		(agent->address && source != agent->address))
		return AGENT_SAME;
	/* A busy one keeps those that it has (RFC 5944 2.1.1). */
	if (!agent->address && heard.flags & ICMP_AGENT_B)
		return AGENT_SAME;
	bool found = agent->care_of_address != heard.care_of_address;
	bool restarted =
		!found && heard.sequence < agent->sequence && heard.sequence < SEQUENCE_RESTART;

	agent->address = source;
	agent->care_of_address = heard.care_of_address;
	agent->registration_lifetime_s = heard.registration_lifetime_s;
	agent->sequence = heard.sequence;
	agent->expiry = now + heard.router_lifetime_s * CLOCK_NS_PER_S;
	agent->solicit_at = CLOCK_NEVER;
	memcpy(agent->mac, packet->source_mac, sizeof(agent->mac));
	return found ? AGENT_FOUND : restarted ? AGENT_RESTARTED : AGENT_SAME;
}

enum agent_change agent_timer(struct agent *agent, monotonic now)
{
	if (now >= agent->expiry) {
		forget(agent);
		return AGENT_LOST;
	}
	if (now < agent->solicit_at)
		return AGENT_SAME;
	agent->solicit_at =
		++agent->solicitations < SOLICITATIONS ? now + SOLICIT_PAUSE : CLOCK_NEVER;
	return AGENT_SOLICIT;
}

monotonic agent_deadline(const struct agent *agent)
{
	return agent->expiry < agent->solicit_at ? agent->expiry : agent->solicit_at;
}

void agent_solicitation_write(struct writer *w)
{
	const struct icmp_message solicitation = {.type = ICMP_ROUTER_SOLICITATION};

	icmp_write(w, &solicitation);
}
