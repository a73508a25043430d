#include "pktgen/mobile_node/boundary.h"

#include <string.h>

#define PROBES                3 /* at 0, 1 and 3 s */
#define AGENT_PAUSE           (60 * CLOCK_NS_PER_S)
#define IDENTIFICATION_OFFSET 16 /* of a reply: the low half */

bool boundary_changed(struct boundary *boundary, be32 access, be32 inner)
{
	bool moved = access != boundary->access;

	boundary->access = access;
	boundary->inner = inner;
	if (moved) {
		boundary->trusted = boundary->answered = 0;
		boundary->agent = boundary->agent_used = 0;
		boundary_probe_end(boundary);
	}
	return moved && access && inner;
}

static struct registration *probe_begin(struct boundary *boundary, const struct registration *node,
	const struct registration_output *output)
{
	struct registration *probe = &boundary->probe;

	registration_init(probe, &node->settings, output);
	probe->home_address = node->home_address;
	probe->clock_offset_s = node->clock_offset_s;
	probe->last_timestamp = node->last_timestamp;
	probe->nonce = node->nonce;
	boundary->probing = true;
	return probe;
}

void boundary_probe(struct boundary *boundary, const struct registration *node,
	const struct registration_output *output, struct clock_now now)
{
	registration_care_of_changed(probe_begin(boundary, node, output), now, boundary->access);
}

void boundary_agent_changed(struct boundary *boundary, be32 care_of_address, uint16_t lifetime_s)
{
	if (boundary->probing && boundary->probe.through_agent)
		boundary_probe_end(boundary);
	boundary->agent = care_of_address;
	boundary->agent_lifetime_s = lifetime_s;
	boundary->agent_used = 0;
	boundary->agent_again = 0;
}

void boundary_agent_probe(struct boundary *boundary, const struct registration *node,
	const struct registration_output *output, struct clock_now now)
{
	be32 good = boundary->has_vpn ? boundary->trusted : boundary->answered;

	if (!boundary->agent || boundary->agent_used || boundary->probing || !good ||
		good != boundary->access || now.monotonic_ns < boundary->agent_again)
		return;
	boundary->agent_again = now.monotonic_ns + AGENT_PAUSE;
	registration_agent_changed(probe_begin(boundary, node, output), now, boundary->agent,
		boundary->agent_lifetime_s);
}

void boundary_probe_end(struct boundary *boundary)
{
	if (boundary->probing)
		registration_fini(&boundary->probe);
	boundary->probing = false;
}

bool boundary_is_answer(const struct boundary *boundary, const void *payload, size_t length)
{
	uint32_t low;

	if (!boundary->probing || !boundary->probe.pending ||
		length < IDENTIFICATION_OFFSET + sizeof(low))
		return false;
	memcpy(&low, (const uint8_t *)payload + IDENTIFICATION_OFFSET, sizeof(low));
	return low == __builtin_bswap32((uint32_t)boundary->probe.identification);
}

void boundary_timer(struct boundary *boundary, struct clock_now now)
{
	if (!boundary->probing || now.monotonic_ns < boundary->probe.deadline)
		return;
	if (boundary->probe.attempt >= PROBES)
		boundary_probe_end(boundary);
	else
		registration_timer(&boundary->probe, now);
}

monotonic boundary_deadline(const struct boundary *boundary)
{
	return boundary->probing ? boundary->probe.deadline : CLOCK_NEVER;
}

void boundary_heard(struct boundary *boundary, be32 care_of_address, bool trusted)
{
	bool good = trusted || !boundary->has_vpn;

	if (care_of_address && care_of_address == boundary->agent)
		boundary->agent_used = good ? care_of_address : 0;
	else if (!care_of_address || care_of_address != boundary->access)
		return;
	boundary->answered = boundary->access;
	boundary->trusted = trusted ? boundary->access : 0;
}

be32 boundary_care_of(const struct boundary *boundary)
{
	if (boundary->inner && (!boundary->access || boundary->access != boundary->trusted))
		return boundary->inner;
	return boundary->agent_used ? boundary->agent_used : boundary->access;
}
