#include "pktgen/generator/reply.h"

static bool authentic(const struct profile_registration *settings,
	enum authenticator_algorithm algorithm, const struct mip4_message *message)
{
	uint8_t expected[AUTHENTICATOR_SIZE_MAX];
	struct mip4_authentication found;
	int at = mip4_extension_find(message, MIP4_EXT_MOBILE_HOME_AUTH, 0);

	return at >= 0 && mip4_authentication_read(message, &message->extensions[at], &found) &&
	       found.spi == settings->spi &&
	       found.authenticator_length == authenticator_size(algorithm) &&
	       authenticator_compute(
		       algorithm, &settings->key, message->payload, found.covered, expected) &&
	       memcmp(expected, found.authenticator, found.authenticator_length) == 0;
}

static bool has_udp_tunnel(const struct mip4_message *message)
{
	struct mip4_udp_tunnel_reply tunnel;
	int at = mip4_extension_find(message, MIP4_EXT_UDP_TUNNEL_REPLY, 0);

	return at >= 0 && mip4_udp_tunnel_reply_read(message, &message->extensions[at], &tunnel) &&
	       tunnel.code < 64;
}

/* From the home agent's port to where the request came from. */
static bool right_way(
	const struct population_group *group, uint32_t node, const struct inspect_end *end)
{
	const struct population_node *state = &group->nodes[node];
	struct ip_address care_of = population_tunnel_end(group, node, state->place);

	return ip_address_equal(&end->source, &group->settings->home_agent) &&
	       end->source_port == MIP4_PORT && ip_address_equal(&end->destination, &care_of) &&
	       end->destination_port == population_mip_port(group, node, state->mapping);
}

enum reply_verdict reply_check(const struct population_group *group, uint32_t node,
	enum authenticator_algorithm algorithm, const struct mip4_message *message,
	const struct inspect_end *end)
{
	if (!right_way(group, node, end))
		return REPLY_BAD_ADDRESS;
	if (!authentic(&group->settings->registration, algorithm, message))
		return REPLY_BAD_AUTHENTICATOR;
	if (message->reply.code > 1)
		return REPLY_DENIED;
	if (group->settings->encapsulation == PROFILE_MIP_UDP && !has_udp_tunnel(message))
		return REPLY_BAD_TUNNEL;
	return REPLY_GOOD;
}
