#include "config/loader.h"

static void resolve_security(struct loader *loader, const struct config_instance *instance,
	struct config_security *security, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!loader_mentions(loader, &security[i], "replay"))
			security[i].replay = instance->replay_default;
}

int resolve_defaults(struct loader *loader)
{
	struct config *config = loader->config;

	for (unsigned i = 0; i < config->instance_count; i++) {
		struct config_instance *instance = &config->instances[i];
		if (!loader_mentions(loader, instance, "max_bindings"))
			instance->max_bindings = config->dataplane.max_bindings;
		for (unsigned n = 0; n < instance->home_network_count; n++) {
			struct config_home_network *network = &instance->home_networks[n];
			if (!loader_mentions(loader, network, "advertise"))
				network->advertise = network->port != UINT16_MAX;
		}
	}
	for (unsigned i = 0; i < config->mobile_node_count; i++) {
		struct config_mobile_node *node = &config->mobile_nodes[i];
		resolve_security(loader, &config->instances[node->instance], node->security,
			node->security_count);
	}
	for (unsigned i = 0; i < config->foreign_agent_count; i++) {
		struct config_foreign_agent *agent = &config->foreign_agents[i];
		resolve_security(loader, &config->instances[agent->instance], agent->security,
			agent->security_count);
	}
	for (unsigned i = 0; i < config->route_count; i++)
		config->routes[i].vrf = config->dataplane.ports[config->routes[i].port].vrf;
	return 0;
}
