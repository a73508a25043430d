#include "config/loader.h"

#include <errno.h>
#include <stdlib.h>

static void resolve_security(struct loader *loader, const struct config_instance *instance,
	struct config_security *security, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!loader_mentions(loader, &security[i], "replay"))
			security[i].replay = instance->replay_default;
}

/* Also of a pair that an operator gives. */
int resolve_association(struct config_security_association *a)
{
	struct traffic_selector **sides[] = {&a->local_ts, &a->remote_ts};
	unsigned *counts[] = {&a->local_ts_count, &a->remote_ts_count};
	const struct ip_address *ends[] = {&a->local, &a->remote};

	if (a->mode != ESP_MODE_TRANSPORT)
		return 0;
	for (unsigned i = 0; i < 2; i++) {
		if (*counts[i])
			continue;
		*sides[i] = malloc(sizeof(**sides[i]));
		if (!*sides[i])
			return -ENOMEM;
		**sides[i] = traffic_selector_host(ends[i]);
		*counts[i] = 1;
	}
	return 0;
}

static int resolve_associations(struct loader *loader)
{
	struct config *config = loader->config;
	uint32_t widest = config->dataplane.max_replay_window;

	if (!loader_mentions(loader, &config->keying, "replay_window"))
		config->keying.replay_window = widest < 1024 ? widest : 1024;
	for (unsigned i = 0; i < config->security_association_count; i++) {
		struct config_security_association *a = &config->security_associations[i];
		if (!loader_mentions(loader, a, "replay_window"))
			a->replay_window = widest < 1024 ? widest : 1024;
		if (resolve_association(a))
			return loader_fail(loader, 0, "out of memory");
	}
	return 0;
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
	return resolve_associations(loader);
}
