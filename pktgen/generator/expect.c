#include "pktgen/generator/expect.h"

#define UDP_ESP 4500
#define UDP_MIP 434

static unsigned layers_expected(
	const struct population *population, const struct population_flow *flow)
{
	static const uint8_t layers[] = {
		[PROFILE_PLAIN] = 0,
		[PROFILE_IPIP] = INSPECT_LAYER_IPIP,
		[PROFILE_GRE] = INSPECT_LAYER_GRE,
		[PROFILE_MINIMAL] = INSPECT_LAYER_MINIMAL,
		[PROFILE_MIP_UDP] = INSPECT_LAYER_MIP_UDP,
		[PROFILE_ESP] = 0,
	};
	const struct profile_group *settings = flow->group->settings;

	/* The access side is the encapsulated one; in loopback "up" comes back from there. */
	if (flow->up != population->profile->loopback)
		return 0;
	return layers[settings->encapsulation] | (settings->secured ? INSPECT_LAYER_ESP : 0u) |
	       (settings->security.encap ? INSPECT_LAYER_UDP : 0u);
}

static unsigned port_expected(
	const struct population *population, const struct population_flow *flow)
{
	const struct profile_group *settings = flow->group->settings;

	return flow->up == population->profile->loopback ? settings->access_port
							 : settings->core_port;
}

static bool inner_is_right(const struct population_flow *flow, const struct inspect_end *inner)
{
	const struct profile_group *settings = flow->group->settings;
	struct ip_address node = population_node_address(flow->group, flow->node);
	struct ip_address correspondent = population_correspondent(flow->group, flow->node);

	if (!flow->up)
		return ip_address_equal(&inner->source, &correspondent) &&
		       ip_address_equal(&inner->destination, &node) &&
		       inner->source_port == settings->correspondent_udp_port &&
		       inner->destination_port == settings->node_udp_port;
	return ip_address_equal(&inner->source, &node) &&
	       ip_address_equal(&inner->destination, &correspondent) &&
	       inner->source_port == settings->node_udp_port &&
	       inner->destination_port == settings->correspondent_udp_port;
}

/* Between the agent and the node's address; with UDP, between their ports. */
static bool end_is_right(const struct population_flow *flow, const struct inspect_end *end,
	const struct ip_address *node, uint16_t node_port, const struct ip_address *agent,
	uint16_t agent_port)
{
	if (flow->up) /* loopback */
		return ip_address_equal(&end->source, node) &&
		       ip_address_equal(&end->destination, agent) &&
		       end->source_port == node_port && end->destination_port == agent_port;
	return ip_address_equal(&end->source, agent) && ip_address_equal(&end->destination, node) &&
	       end->source_port == agent_port && end->destination_port == node_port;
}

/* Is this where the node is with its place and mapping? Around ESP, and Mobile IP's tunnel. */
static bool outer_is_at(const struct population_flow *flow, const struct inspected *what,
	uint8_t place, uint8_t mapping)
{
	const struct profile_group *settings = flow->group->settings;
	struct ip_address care_of = population_care_of(flow->group, flow->node, place);
	struct ip_address end = population_tunnel_end(flow->group, flow->node, place);
	bool mip_udp = settings->encapsulation == PROFILE_MIP_UDP;
	bool encap = settings->security.encap;

	if (settings->secured &&
		!end_is_right(flow, &what->outer, &care_of,
			encap ? population_nat_port(flow->group, flow->node, mapping) : 0,
			&settings->agent, encap ? UDP_ESP : 0))
		return false;
	return !profile_is_mobile_ip(settings) ||
	       end_is_right(flow, &what->tunnel, &end,
		       mip_udp ? population_mip_port(flow->group, flow->node, mapping) : 0,
		       &settings->home_agent, mip_udp ? UDP_MIP : 0);
}

static enum expect_verdict outer_check(
	const struct population_flow *flow, const struct inspected *what)
{
	const struct population_node *state = &flow->group->nodes[flow->node];

	if (outer_is_at(flow, what, state->place, state->mapping))
		return EXPECT_RIGHT;
	for (unsigned old = 1; state->moved && old < 4; old++)
		if (outer_is_at(flow, what, state->place ^ (old & 1), state->mapping ^ (old >> 1)))
			return EXPECT_OLD;
	return EXPECT_OUTER;
}

enum expect_verdict expect_judge(const struct population *population,
	const struct population_flow *flow, unsigned port, const struct inspected *what)
{
	if (port != port_expected(population, flow))
		return EXPECT_PORT;
	if (what->layers != layers_expected(population, flow))
		return EXPECT_ENCAPSULATION;
	if (!inner_is_right(flow, &what->inner))
		return EXPECT_INNER;
	return what->layers ? outer_check(flow, what) : EXPECT_RIGHT;
}
