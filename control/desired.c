#include "control/desired.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* SET and REMOVE of one kind follow each other in enum command_type. */
static uint16_t set_type(uint16_t type)
{
	switch (type) {
	case COMMAND_AGENT_REMOVE:
	case COMMAND_LOCAL_REMOVE:
	case COMMAND_HOME_NETWORK_REMOVE:
	case COMMAND_BINDING_REMOVE:
	case COMMAND_PREFIX_REMOVE:
	case COMMAND_ROUTE_REMOVE:
	case COMMAND_NEIGHBOR_REMOVE:
		return (uint16_t)(type - 1);
	default:
		return type;
	}
}

struct command desired_key(const struct command *command)
{
	struct command key;
	memset(&key, 0, sizeof(key));
	key.type = set_type(command->type);
	switch (key.type) {
	case COMMAND_AGENT_SET:
		key.agent.address = command->agent.address;
		key.agent.vrf = command->agent.vrf;
		break;
	case COMMAND_LOCAL_SET:
		key.local.address = command->local.address;
		key.local.vrf = command->local.vrf;
		break;
	case COMMAND_HOME_NETWORK_SET:
		key.home_network.prefix = command->home_network.prefix;
		key.home_network.vrf = command->home_network.vrf;
		break;
	case COMMAND_BINDING_SET:
		key.binding.binding_id = command->binding.binding_id;
		break;
	case COMMAND_PREFIX_SET:
		key.prefix.prefix = command->prefix.prefix;
		key.prefix.vrf = command->prefix.vrf;
		break;
	case COMMAND_ROUTE_SET:
		key.route.prefix = command->route.prefix;
		key.route.vrf = command->route.vrf;
		break;
	case COMMAND_NEIGHBOR_SET:
		key.neighbor.address = command->neighbor.address;
		key.neighbor.port = command->neighbor.port;
		break;
	default:
		break;
	}
	return key;
}

static int compare(const void *a, const void *b)
{
	struct command key_a = desired_key(a), key_b = desired_key(b);
	// Both start as zeros, and each kind sets all that it has: equal keys have equal octets.
	// NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c)
	return memcmp(&key_a, &key_b, sizeof(key_a));
}

static struct command *append(struct desired *desired, uint16_t type)
{
	struct command *command = &desired->commands[desired->count++];
	memset(command, 0, sizeof(*command));
	command->type = type;
	return command;
}

static uint32_t agent_flags(const struct config_instance *instance)
{
	uint32_t flags = 0;
	flags |= instance->gre ? AGENT_GRE : 0;
	flags |= instance->minimal ? AGENT_MINIMAL : 0;
	flags |= instance->nat_traversal ? AGENT_UDP : 0;
	flags |= instance->binding_check ? 0 : AGENT_NO_BINDING_CHECK;
	flags |= instance->require_t ? AGENT_REQUIRE_T : 0;
	flags |= instance->ecn_compatibility ? AGENT_ECN_COMPATIBILITY : 0;
	flags |= instance->dscp_copy_in ? AGENT_DSCP_COPY_IN : 0;
	flags |= instance->df_copy ? AGENT_DF_COPY : 0;
	flags |= instance->fragment_after ? AGENT_FRAGMENT_AFTER : 0;
	flags |= instance->udp_tunnel_checksum == UDP_CHECKSUM_ON ? AGENT_UDP_CHECKSUM : 0;
	flags |= instance->reverse_multicast ? AGENT_REVERSE_MULTICAST : 0;
	flags |= instance->away_source == AWAY_SOURCE_DROP ? AGENT_AWAY_SOURCE_DROP : 0;
	flags |= instance->away_source == AWAY_SOURCE_LOG ? AGENT_AWAY_SOURCE_LOG : 0;
	flags |= instance->mss_clamp ? AGENT_MSS_CLAMP : 0;
	flags |= instance->role == ROLE_INTERNAL_HA ? AGENT_INTERNAL : 0;
	return flags;
}

static void add_home_network(struct desired *desired, const struct config_instance *instance,
	uint16_t index, const struct config_home_network *network)
{
	struct home_network_command *c = &append(desired, COMMAND_HOME_NETWORK_SET)->home_network;
	c->prefix = network->prefix;
	c->vrf = instance->vrf;
	c->port = network->port;
	c->instance = index;
	c->flags |= network->port == PORT_NONE ? HOME_NETWORK_VIRTUAL : 0;
	c->flags |= network->broadcast_ports[0] ? HOME_NETWORK_BROADCAST_FORWARD : 0;
	memcpy(c->broadcast_ports, network->broadcast_ports, sizeof(c->broadcast_ports));
	c->broadcast_rate = network->broadcast_rate;
}

static void add_instance(
	struct desired *desired, const struct config_instance *instance, uint16_t index)
{
	for (unsigned i = 0; i < instance->address_count; i++) {
		struct agent_command *c = &append(desired, COMMAND_AGENT_SET)->agent;
		c->address = instance->addresses[i];
		c->vrf = instance->vrf;
		c->instance = index;
		c->flags = agent_flags(instance);
		c->old_care_of_grace_ns = (uint64_t)instance->old_care_of_grace_ms * 1000000;
		c->tunnel_ttl = (uint8_t)instance->tunnel_ttl;
		c->dscp = instance->dscp < 0 ? DSCP_COPY : (uint8_t)instance->dscp;
	}
	for (unsigned i = 0; i < instance->home_network_count; i++)
		add_home_network(desired, instance, index, &instance->home_networks[i]);
}

static void add_static(struct desired *desired, const struct config *config)
{
	for (unsigned i = 0; i < config->local_count; i++) {
		struct local_command *c = &append(desired, COMMAND_LOCAL_SET)->local;
		c->address = config->locals[i].address;
		c->port = config->locals[i].port;
		if (c->port < config->dataplane.port_count)
			c->vrf = config->dataplane.ports[c->port].vrf;
	}
	for (unsigned i = 0; i < config->route_count; i++) {
		struct route_command *c = &append(desired, COMMAND_ROUTE_SET)->route;
		c->prefix = config->routes[i].prefix;
		c->vrf = config->routes[i].vrf;
		c->port = config->routes[i].port;
		// On-link is :: in a command, whatever the family.
		if (!ip_address_is_unspecified(&config->routes[i].via))
			c->next_hop = config->routes[i].via;
	}
	for (unsigned i = 0; i < config->neighbor_count; i++) {
		struct neighbor_command *c = &append(desired, COMMAND_NEIGHBOR_SET)->neighbor;
		c->address = config->neighbors[i].address;
		c->port = config->neighbors[i].port;
		memcpy(c->mac, config->neighbors[i].mac, sizeof(c->mac));
	}
}

/* A link home network is on its link even when nobody gave the TAP an address there, unless a
 * static route says otherwise. */
static void add_connected(struct desired *desired, const struct config *config)
{
	size_t sorted = desired->count;
	for (unsigned i = 0; i < config->instance_count; i++) {
		const struct config_instance *instance = &config->instances[i];
		for (unsigned n = 0; n < instance->home_network_count; n++) {
			const struct config_home_network *network = &instance->home_networks[n];
			if (network->port == PORT_NONE)
				continue;
			struct command *command = append(desired, COMMAND_ROUTE_SET);
			command->route.prefix = network->prefix;
			command->route.vrf = instance->vrf;
			command->route.port = network->port;
			if (bsearch(command, desired->commands, sorted, sizeof(*command), compare))
				desired->count--;
		}
	}
}

static void sort_unique(struct desired *desired)
{
	size_t kept = 0;
	qsort(desired->commands, desired->count, sizeof(struct command), compare);
	for (size_t i = 0; i < desired->count; i++) {
		if (kept && !compare(&desired->commands[kept - 1], &desired->commands[i]))
			continue;
		desired->commands[kept++] = desired->commands[i];
	}
	desired->count = kept;
}

/* An agent stays an agent, whatever else claims its address. */
static void drop_shadowed_locals(struct desired *desired)
{
	size_t kept = 0;
	for (size_t i = 0; i < desired->count; i++) {
		const struct command *c = &desired->commands[i];
		// Agents sort before locals, so compacting in place keeps them findable.
		if (c->type == COMMAND_LOCAL_SET &&
			desired_is_agent(desired, c->local.vrf, &c->local.address))
			continue;
		desired->commands[kept++] = *c;
	}
	desired->count = kept;
}

int desired_new(struct desired *desired, const struct config *config)
{
	size_t count = config->local_count + config->route_count + config->neighbor_count;
	for (unsigned i = 0; i < config->instance_count; i++)
		count += config->instances[i].address_count +
			 config->instances[i].home_network_count * 2;
	*desired = (struct desired){.commands = calloc(count + 1, sizeof(struct command))};
	if (!desired->commands)
		return -ENOMEM;
	for (unsigned i = 0; i < config->instance_count; i++)
		add_instance(desired, &config->instances[i], (uint16_t)i);
	add_static(desired, config);
	sort_unique(desired);
	drop_shadowed_locals(desired);
	add_connected(desired, config);
	sort_unique(desired);
	return 0;
}

void desired_free(struct desired *desired)
{
	free(desired->commands);
	*desired = (struct desired){0};
}

const struct command *desired_lookup(const struct desired *desired, const struct command *command)
{
	struct command key = desired_key(command);
	if (!desired->count)
		return NULL;
	return bsearch(&key, desired->commands, desired->count, sizeof(key), compare);
}

bool desired_is_agent(const struct desired *desired, uint16_t vrf, const struct ip_address *address)
{
	struct command key = {.type = COMMAND_AGENT_SET};
	key.agent.address = *address;
	key.agent.vrf = vrf;
	return desired_lookup(desired, &key) != NULL;
}
