/*
 * What a foreign agent hears of nodes and home agents, and a node of foreign agents: a run of
 * messages, each behind its kind and length. An entry changes by an accepting reply to its own
 * request alone, what is relayed is what came, cut; and the node's agent is one that serves.
 */
#include "pktgen/foreign_agent/visitors.h"
#include "pktgen/mobile_node/agent.h"
#include "tests/fuzz/fuzz_assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CARE_OF    0x0203000a /* 10.0.3.2 */
#define LINK       0x0100030a /* 10.3.0.1 */
#define HOME_AGENT 0x010200c0 /* 192.0.2.1, the vectors' */

enum kind { REQUEST, REPLY, ADVERTISEMENT, TIME };

static struct visitors visitors;
static struct agent agent;
static struct link_packet packet;

static void answer_check(const struct visitors_answer *answer, const uint8_t *data, size_t length)
{
	static const struct visitor nobody;
	bool changed = memcmp(&answer->before, &nobody, sizeof(nobody)) != 0 ||
		       memcmp(&answer->after, &nobody, sizeof(nobody)) != 0;

	if (answer->verdict == VISITORS_DISCARD) {
		FUZZ_ASSERT(!changed);
		return;
	}
	if (answer->payload != answer->denial)
		FUZZ_ASSERT(answer->payload == data && answer->length <= length &&
			    answer->length >= 20);
	FUZZ_ASSERT(!changed || (answer->verdict == VISITORS_TO_NODE && answer->code <= 1));
	FUZZ_ASSERT(!answer->after.home_address ||
		    visitors_lookup(&visitors, answer->after.home_address));
}

static void advertisement_heard(const uint8_t *data, size_t length, monotonic now)
{
	packet.ip = (struct ipv4_header){.protocol = IP_PROTOCOL_ICMP,
		.source = LINK,
		.payload = data,
		.payload_length = (uint16_t)length};
	agent_heard(&agent, &packet, now);
	FUZZ_ASSERT(!agent.address == !agent.care_of_address);
	FUZZ_ASSERT(!agent.address == (agent.expiry == CLOCK_NEVER));
}

static monotonic time_passes(monotonic now, size_t seconds)
{
	struct visitors_answer answer;

	now += seconds * CLOCK_NS_PER_S;
	while (visitors_timer(&visitors, now, &answer))
		;
	FUZZ_ASSERT(visitors_deadline(&visitors) > now);
	agent_timer(&agent, now);
	return now;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct visitors_settings settings = {
		.care_of_address = CARE_OF, .link_address = LINK, .lifetime_max_s = 1800};
	const struct visitors_sender sender = {.ttl = 255, .destination = LINK, .port = 40000};
	struct visitors_answer answer;
	monotonic now = 1000 * CLOCK_NS_PER_S;

	visitors_init(&visitors, &settings);
	agent_init(&agent, true, 0);
	while (size >= 3) {
		size_t length = (size_t)data[1] << 8 | data[2];
		uint8_t kind = data[0] & 3;
		data += 3;
		size -= 3;
		if (kind == TIME)
			now = time_passes(now, length);
		length = length > size ? size : length;
		if (kind == ADVERTISEMENT)
			advertisement_heard(data, length, now);
		if (kind == REQUEST)
			visitors_request(&visitors, now, &sender, data, length, &answer);
		if (kind == REPLY)
			visitors_reply(&visitors, now, HOME_AGENT, data, length, &answer);
		if (kind == REQUEST || kind == REPLY)
			answer_check(&answer, data, length);
		if (kind == TIME)
			continue;
		data += length;
		size -= length;
	}
	return 0;
}
