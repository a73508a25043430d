/*
 * Every field of a command comes from shared memory that another process writes: nothing is used
 * before it was checked here.
 */
#include "dataplane/table/tables_private.h"

#include <errno.h>

#define AGENT_FLAGS_KNOWN   (AGENT_IPV6_IN_TUNNEL * 2u - 1)
#define BINDING_FLAGS_KNOWN (BINDING_STATIC * 2u - 1)
#define GRACE_NS_MAX        (5 * CLOCK_NS_PER_S)
#define PATH_MTU_MIN        68
#define DSCP_MAX            63

static bool prefix_valid(const struct ip_prefix *prefix)
{
	if (prefix->length > 128)
		return false;
	if (ip_address_is_v4(&prefix->address) && prefix->length < PREFIX_MAP_V4_BITS)
		return false;
	struct ip_prefix made = ip_prefix_make(&prefix->address, prefix->length);
	return ip_address_equal(&made.address, &prefix->address);
}

static bool port_valid(const struct region_limits *limits, uint16_t port)
{
	return port < limits->ports && port < REGION_PORTS_MAX;
}

static int agent_check(const struct agent_command *agent)
{
	bool valid = agent->vrf < TABLES_VRF_MAX && ip_address_is_unicast(&agent->address) &&
		     (agent->flags & ~AGENT_FLAGS_KNOWN) == 0 && agent->tunnel_ttl > 0 &&
		     (agent->dscp <= DSCP_MAX || agent->dscp == DSCP_COPY) &&
		     agent->old_care_of_grace_ns <= GRACE_NS_MAX;
	return valid ? 0 : EINVAL;
}

static int home_network_check(
	const struct region_limits *limits, const struct home_network_command *network)
{
	const uint32_t known = HOME_NETWORK_VIRTUAL | HOME_NETWORK_BROADCAST_FORWARD;
	bool port = network->port == PORT_NONE ? (network->flags & HOME_NETWORK_VIRTUAL) != 0
					       : port_valid(limits, network->port);
	bool valid = network->vrf < TABLES_VRF_MAX && prefix_valid(&network->prefix) && port &&
		     (network->flags & ~known) == 0;
	return valid ? 0 : EINVAL;
}

static bool encapsulation_valid(const struct binding_command *binding)
{
	bool v4_home = ip_address_is_v4(&binding->home_address);
	bool v4_outer = ip_address_is_v4(&binding->agent_address);

	switch (binding->encapsulation) {
	case ENCAPSULATION_IPIP:
	case ENCAPSULATION_GRE:
		return true;
	case ENCAPSULATION_IPV6:
		return !v4_home;
	case ENCAPSULATION_MINIMAL: /* RFC 2004: IPv4 in IPv4 only */
		return v4_home && v4_outer;
	default:
		return false;
	}
}

static bool endpoint_valid(const struct binding_command *binding)
{
	bool half = binding->flags & BINDING_HALF_BOUND; /* the endpoint comes later */

	if (ip_address_is_unspecified(&binding->care_of_address))
		return half;
	if (!ip_address_is_unicast(&binding->care_of_address) ||
		ip_address_is_v4(&binding->care_of_address) !=
			ip_address_is_v4(&binding->agent_address))
		return false;
	if (binding->flags & BINDING_UDP)
		return binding->agent_port != 0 && (binding->care_of_port != 0 || half);
	return true;
}

static int binding_check(const struct region_limits *limits, const struct binding_command *binding)
{
	bool valid = binding->binding_id < limits->bindings && binding->vrf < TABLES_VRF_MAX &&
		     (binding->flags & ~BINDING_FLAGS_KNOWN) == 0 &&
		     ip_address_is_unicast(&binding->home_address) &&
		     ip_address_is_unicast(&binding->agent_address) && endpoint_valid(binding) &&
		     encapsulation_valid(binding) &&
		     (binding->home_port == PORT_NONE || port_valid(limits, binding->home_port)) &&
		     (binding->path_mtu == 0 || binding->path_mtu >= PATH_MTU_MIN);
	return valid ? 0 : EINVAL;
}

static int route_check(const struct region_limits *limits, const struct route_command *route)
{
	const uint32_t known = ROUTE_BLACKHOLE | ROUTE_UNREACHABLE;
	bool nowhere = route->flags & known;
	bool valid = route->vrf < TABLES_VRF_MAX && prefix_valid(&route->prefix) &&
		     (route->flags & ~known) == 0 &&
		     (port_valid(limits, route->port) || (nowhere && route->port == PORT_NONE)) &&
		     (route->mtu == 0 || route->mtu >= PATH_MTU_MIN) &&
		     (ip_address_is_unspecified(&route->next_hop) ||
			     ip_address_is_unicast(&route->next_hop));
	return valid ? 0 : EINVAL;
}

static int neighbor_check(
	const struct region_limits *limits, const struct neighbor_command *neighbor)
{
	static const uint8_t zero[6];
	bool valid = port_valid(limits, neighbor->port) &&
		     ip_address_is_unicast(&neighbor->address) && (neighbor->mac[0] & 1) == 0 &&
		     memcmp(neighbor->mac, zero, sizeof(zero)) != 0;
	return valid ? 0 : EINVAL;
}

static int prefix_check(const struct region_limits *limits, const struct prefix_command *prefix)
{
	bool valid = prefix->vrf < TABLES_VRF_MAX && prefix_valid(&prefix->prefix) &&
		     prefix->binding_id < limits->bindings;
	return valid ? 0 : EINVAL;
}

int tables_check(const struct region_limits *limits, const struct command *c)
{
	switch ((enum command_type)c->type) {
	case COMMAND_SYNC_BEGIN:
	case COMMAND_SYNC_END:
		return 0;
	case COMMAND_AGENT_SET:
		return agent_check(&c->agent);
	case COMMAND_AGENT_REMOVE:
		return c->agent.vrf < TABLES_VRF_MAX ? 0 : EINVAL;
	case COMMAND_LOCAL_SET:
		return c->local.vrf < TABLES_VRF_MAX && port_valid(limits, c->local.port) &&
				       !ip_address_is_unspecified(&c->local.address)
			       ? 0
			       : EINVAL;
	case COMMAND_LOCAL_REMOVE:
		return c->local.vrf < TABLES_VRF_MAX ? 0 : EINVAL;
	case COMMAND_HOME_NETWORK_SET:
		return home_network_check(limits, &c->home_network);
	case COMMAND_HOME_NETWORK_REMOVE:
		return c->home_network.vrf < TABLES_VRF_MAX && prefix_valid(&c->home_network.prefix)
			       ? 0
			       : EINVAL;
	case COMMAND_BINDING_SET:
		return binding_check(limits, &c->binding);
	case COMMAND_BINDING_REMOVE:
		return c->binding.binding_id < limits->bindings ? 0 : EINVAL;
	case COMMAND_PREFIX_SET:
		return prefix_check(limits, &c->prefix);
	case COMMAND_PREFIX_REMOVE:
		return c->prefix.vrf < TABLES_VRF_MAX && prefix_valid(&c->prefix.prefix) ? 0
											 : EINVAL;
	case COMMAND_ROUTE_SET:
		return route_check(limits, &c->route);
	case COMMAND_ROUTE_REMOVE:
		return c->route.vrf < TABLES_VRF_MAX && prefix_valid(&c->route.prefix) ? 0 : EINVAL;
	case COMMAND_NEIGHBOR_SET:
		return neighbor_check(limits, &c->neighbor);
	case COMMAND_NEIGHBOR_REMOVE:
		return port_valid(limits, c->neighbor.port) ? 0 : EINVAL;
	case COMMAND_POLICY_SET:
		return c->policy.policy_id < limits->policies ? policy_table_check(&c->policy)
							      : EINVAL;
	case COMMAND_POLICY_REMOVE:
		return c->policy.policy_id < limits->policies ? 0 : EINVAL;
	case COMMAND_POLICY_COMMIT:
	case COMMAND_SA_KEY: /* sa_table.c looks at these */
	case COMMAND_SA_LIMITS:
	case COMMAND_SA_SELECTOR:
	case COMMAND_SA_SET:
	case COMMAND_SA_REMOVE:
		return 0;
	case COMMAND_NONE:
	case COMMAND_TYPE_COUNT:
		break;
	}
	return EINVAL;
}
