/*
 * Contradictions between settings that are each right alone: what no type or range in the schema
 * can say. Each refusal names the line of the setting to change. This file: processes, ports,
 * instances, routes; check_node.c: nodes, agents, keys, bindings.
 */
#include "config/loader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

static bool prefixes_overlap(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return ip_prefix_contains(a, &b->address) || ip_prefix_contains(b, &a->address);
}

/* ---- dataplane and control ---- */

static int check_ports(struct loader *loader)
{
	const struct config_dataplane *dataplane = &loader->config->dataplane;

	for (unsigned i = 0; i < dataplane->port_count; i++)
		for (unsigned k = 0; k < i; k++) {
			const struct config_port *port = &dataplane->ports[i],
						 *other = &dataplane->ports[k];
			if (strcmp(port->name, other->name) == 0)
				return loader_fail(loader, loader_line(loader, port, "name"),
					"two ports are named \"%s\"", port->name);
			if (strcmp(port->device, other->device) == 0)
				return loader_fail(loader, loader_line(loader, port, "device"),
					"ports \"%s\" and \"%s\" are one device", other->name,
					port->name);
			if (port->tap[0] && strcmp(port->tap, other->tap) == 0)
				return loader_fail(loader, loader_line(loader, port, "tap"),
					"ports \"%s\" and \"%s\" have one tap", other->name,
					port->name);
		}
	if (dataplane->port_count == 0)
		loader_warn(loader, 0, "dataplane.ports is empty: no packet comes or goes");
	return 0;
}

/* "127.0.0.1:9464", "[::1]:9464": the page has no access control of its own. */
static bool is_loopback_endpoint(const char *text)
{
	char address[64], *end;
	const char *colon = strrchr(text, ':');
	struct in_addr v4;

	if (!colon || (size_t)(colon - text) >= sizeof(address) || colon[1] < '0' || colon[1] > '9')
		return false;
	memcpy(address, text, (size_t)(colon - text));
	address[colon - text] = '\0';
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (*end || port == 0 || port > 65535)
		return false;
	return strcmp(address, "[::1]") == 0 ||
	       (inet_pton(AF_INET, address, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

static int check_control(struct loader *loader)
{
	const struct config_control *control = &loader->config->control;

	if (strcmp(control->socket, loader->config->dataplane.socket) == 0)
		return loader_fail(loader, loader_line(loader, control, "socket"),
			"control.socket and dataplane.socket are one path");
	if (control->metrics[0] && !is_loopback_endpoint(control->metrics))
		return loader_fail(loader, loader_line(loader, control, "metrics"),
			"metrics \"%s\" is not a loopback address and port, as \"127.0.0.1:9464\"",
			control->metrics);
	return 0;
}

static int check_keying(struct loader *loader)
{
	const struct config *config = loader->config;
	const struct config_keying *keying = &config->keying;

	if (!keying->socket[0])
		return 0;
	if (strcmp(keying->socket, config->dataplane.socket) == 0 ||
		strcmp(keying->socket, config->control.socket) == 0)
		return loader_fail(loader, loader_line(loader, keying, "socket"),
			"keying.socket and another socket are one path");
	if (!config->dataplane.max_security_associations || !config->dataplane.max_policies)
		return loader_fail(loader, loader_line(loader, keying, "socket"),
			"keying.socket needs dataplane.max_security_associations and max_policies");
	if (keying->replay_window > config->dataplane.max_replay_window)
		return loader_fail(loader, loader_line(loader, keying, "replay_window"),
			"replay_window is more than dataplane.max_replay_window, which is %u",
			config->dataplane.max_replay_window);
	return 0;
}

/* ---- instances ---- */

struct owned_address {
	const struct config_instance *instance;
	const struct ip_address *address;
};

static bool is_vpn_pair(const struct config_instance *a, const struct config_instance *b)
{
	return (a->role == ROLE_INTERNAL_HA && b->role == ROLE_EXTERNAL_HA) ||
	       (a->role == ROLE_EXTERNAL_HA && b->role == ROLE_INTERNAL_HA);
}

static int check_address_once(struct loader *loader, const struct config_instance *instance,
	const struct ip_address *address)
{
	char text[IP_ADDRESS_TEXT_SIZE];
	unsigned line = loader_line(loader, instance, "addresses");
	unsigned seen = 0;

	for (const struct config_instance *other = loader->config->instances; other <= instance;
		other++)
		for (unsigned i = 0; i < other->address_count; i++) {
			if (!ip_address_equal(&other->addresses[i], address) ||
				&other->addresses[i] == address)
				continue;
			if (is_vpn_pair(instance, other)) // HA4-ROLE-02
				return loader_fail(loader, line,
					"%s is given to an i-HA (\"%s\") and an x-HA (\"%s\")",
					ip_address_format(address, text),
					instance->role == ROLE_INTERNAL_HA ? instance->name
									   : other->name,
					instance->role == ROLE_EXTERNAL_HA ? instance->name
									   : other->name);
			seen += other->vrf == instance->vrf;
		}
	if (seen)
		return loader_fail(loader, line,
			"%s is an address of two instances of vrf %u, or twice of one",
			ip_address_format(address, text), instance->vrf);
	return 0;
}

static int check_addresses(struct loader *loader, const struct config_instance *instance)
{
	char text[IP_ADDRESS_TEXT_SIZE];

	for (unsigned i = 0; i < instance->address_count; i++) {
		const struct ip_address *address = &instance->addresses[i];
		if (!ip_address_is_unicast(address)) // HA4-ROLE-03
			return loader_fail(loader, loader_line(loader, instance, "addresses"),
				"%s is not a unicast address", ip_address_format(address, text));
		if (check_address_once(loader, instance, address))
			return -EINVAL;
	}
	for (unsigned i = 0; i < instance->redirect_count; i++)
		if (!ip_address_is_unicast(&instance->redirect[i]))
			return loader_fail(loader, loader_line(loader, instance, "redirect"),
				"%s is not a unicast address",
				ip_address_format(&instance->redirect[i], text));
	return 0;
}

static bool port_has_neighbor(const struct config *config, uint16_t port)
{
	for (unsigned i = 0; i < config->neighbor_count; i++)
		if (config->neighbors[i].port == port)
			return true;
	return false;
}

static int check_home_link(struct loader *loader, const struct config_instance *instance,
	const struct config_home_network *network)
{
	const struct config *config = loader->config;

	if (network->port == UINT16_MAX) {
		if (network->advertise) // HA4-ROLE-04
			return loader_fail(loader, loader_line(loader, network, "advertise"),
				"a virtual home network has no link to advertise on");
		return 0;
	}
	const struct config_port *port = &config->dataplane.ports[network->port];
	if (port->vrf != instance->vrf)
		return loader_fail(loader, loader_line(loader, network, "port"),
			"port \"%s\" is in vrf %u, instance \"%s\" in vrf %u", port->name,
			port->vrf, instance->name, instance->vrf);
	if (!port->tap[0] && !port_has_neighbor(config, network->port))
		loader_warn(loader, loader_line(loader, network, "port"),
			"port \"%s\" has neither tap nor neighbors: nodes at home cannot be "
			"reached",
			port->name);
	return 0;
}

static int check_home_network(struct loader *loader, const struct config_instance *instance,
	const struct config_home_network *network)
{
	char text[IP_PREFIX_TEXT_SIZE], other_text[IP_PREFIX_TEXT_SIZE];

	for (const struct config_instance *other = loader->config->instances; other <= instance;
		other++)
		for (unsigned i = 0; other->vrf == instance->vrf && i < other->home_network_count;
			i++) {
			if (&other->home_networks[i] == network)
				break;
			if (prefixes_overlap(&other->home_networks[i].prefix, &network->prefix))
				return loader_fail(loader, loader_line(loader, network, "prefix"),
					"home network %s overlaps %s of instance \"%s\"",
					ip_prefix_format(&network->prefix, text),
					ip_prefix_format(
						&other->home_networks[i].prefix, other_text),
					other->name);
		}
	return check_home_link(loader, instance, network);
}

static int check_pool(struct loader *loader, const struct config_instance *instance,
	const struct config_pool *pool)
{
	struct ip_prefix first = ip_prefix_make(&pool->first, 128),
			 last = ip_prefix_make(&pool->last, 128);
	bool within = false;

	if (memcmp(&pool->first, &pool->last, sizeof(pool->first)) > 0)
		return loader_fail(loader, loader_line(loader, pool, "last"),
			"pool \"%s\" ends before it begins", pool->name);
	for (unsigned i = 0; i < instance->home_network_count; i++)
		within |= check_prefix_within(&first, &instance->home_networks[i].prefix) &&
			  check_prefix_within(&last, &instance->home_networks[i].prefix);
	if (!within)
		return loader_fail(loader, loader_line(loader, pool, "first"),
			"pool \"%s\" is not inside one home network of instance \"%s\"", pool->name,
			instance->name);
	for (const struct config_pool *other = instance->pools; other < pool; other++) {
		if (strcmp(other->name, pool->name) == 0)
			return loader_fail(loader, loader_line(loader, pool, "name"),
				"two pools are named \"%s\"", pool->name);
		if (memcmp(&other->first, &pool->last, 16) <= 0 &&
			memcmp(&pool->first, &other->last, 16) <= 0)
			return loader_fail(loader, loader_line(loader, pool, "first"),
				"pool \"%s\" overlaps pool \"%s\"", pool->name, other->name);
	}
	return 0;
}

/* HA4-TNC-04: without its pool in the list, a node inside the VPN is not trusted. */
static void warn_untrusted_pools(struct loader *loader, const struct config_instance *instance)
{
	char text[IP_PREFIX_TEXT_SIZE];

	if (instance->trusted_count == 0)
		loader_warn(loader, loader_line(loader, instance, "trusted"),
			"i-HA \"%s\" trusts no subnet: it answers nobody", instance->name);
	for (unsigned i = 0; i < instance->tunnel_inner_count; i++) {
		bool trusted = false;
		for (unsigned k = 0; k < instance->trusted_count; k++)
			trusted |= check_prefix_within(
				&instance->tunnel_inner[i], &instance->trusted[k]);
		if (!trusted)
			loader_warn(loader, loader_line(loader, instance, "tunnel_inner"),
				"tunnel_inner %s is not trusted: nodes inside the VPN cannot "
				"register with i-HA \"%s\"",
				ip_prefix_format(&instance->tunnel_inner[i], text), instance->name);
	}
}

/* HA4-TNC-04: a listed subnet behind an external port can be claimed by anybody out there. */
static void warn_external_trust(struct loader *loader, const struct config_instance *instance)
{
	const struct config *config = loader->config;
	char text[IP_PREFIX_TEXT_SIZE];

	for (unsigned i = 0; i < instance->trusted_count; i++) {
		const struct config_route *best = NULL;
		for (unsigned k = 0; k < config->route_count; k++) {
			const struct config_route *route = &config->routes[k];
			if (route->vrf == instance->vrf &&
				check_prefix_within(&instance->trusted[i], &route->prefix) &&
				(!best || route->prefix.length > best->prefix.length))
				best = route;
		}
		if (best && config->dataplane.ports[best->port].zone == ZONE_EXTERNAL)
			loader_warn(loader, loader_line(loader, instance, "trusted"),
				"trusted %s is reached through external port \"%s\"",
				ip_prefix_format(&instance->trusted[i], text),
				config->dataplane.ports[best->port].name);
	}
}

static int check_role(struct loader *loader, const struct config_instance *instance)
{
	if (instance->role == ROLE_INTERNAL_HA) {
		warn_untrusted_pools(loader, instance);
		warn_external_trust(loader, instance);
	} else if (instance->trusted_count || instance->tunnel_inner_count) {
		const char *name = instance->trusted_count ? "trusted" : "tunnel_inner";
		return loader_fail(loader, loader_line(loader, instance, name),
			"%s belongs to role \"i-HA\"", name);
	}
	if (instance->drop_internal && instance->role != ROLE_EXTERNAL_HA)
		return loader_fail(loader, loader_line(loader, instance, "drop_internal"),
			"drop_internal belongs to role \"x-HA\"");
	return 0;
}

static int check_options(struct loader *loader, const struct config_instance *instance)
{
	if (instance->keepalive_s > 0 && instance->keepalive_s < 10) // HA4-NAT-12
		return loader_fail(loader, loader_line(loader, instance, "keepalive_s"),
			"keepalive_s is %u: 0, or 10 and more (RFC 3519 4.9)",
			instance->keepalive_s);
	if (instance->nat_force && !instance->nat_traversal)
		return loader_fail(loader, loader_line(loader, instance, "nat_force"),
			"nat_force needs nat_traversal");
	if (instance->reverse_tunnel_mandatory && !instance->reverse_tunnel)
		return loader_fail(loader,
			loader_line(loader, instance, "reverse_tunnel_mandatory"),
			"reverse_tunnel_mandatory needs reverse_tunnel");
	if (instance->revocation_required && !instance->revocation)
		return loader_fail(loader, loader_line(loader, instance, "revocation_required"),
			"revocation_required needs revocation");
	if (instance->redirect_count && !instance->dynamic_ha)
		return loader_fail(loader, loader_line(loader, instance, "redirect"),
			"redirect needs dynamic_ha");
	if (instance->max_bindings > loader->config->dataplane.max_bindings)
		return loader_fail(loader, loader_line(loader, instance, "max_bindings"),
			"max_bindings is more than dataplane.max_bindings, which is %u",
			loader->config->dataplane.max_bindings);
	if (strlen(instance->message) > 254) // RFC 4917 3
		return loader_fail(loader, loader_line(loader, instance, "message"),
			"message is longer than 254 octets");
	return 0;
}

static int check_instance(struct loader *loader, const struct config_instance *instance)
{
	for (const struct config_instance *other = loader->config->instances; other < instance;
		other++)
		if (strcmp(other->name, instance->name) == 0)
			return loader_fail(loader, loader_line(loader, instance, "name"),
				"two instances are named \"%s\"", instance->name);
	if (check_addresses(loader, instance))
		return -EINVAL;
	for (unsigned i = 0; i < instance->home_network_count; i++)
		if (check_home_network(loader, instance, &instance->home_networks[i]))
			return -EINVAL;
	for (unsigned i = 0; i < instance->pool_count; i++)
		if (check_pool(loader, instance, &instance->pools[i]))
			return -EINVAL;
	if (check_role(loader, instance))
		return -EINVAL;
	return check_options(loader, instance);
}

/* ---- routes, neighbours, locals ---- */

static int compare_routes(const void *a, const void *b)
{
	const struct config_route *x = *(const struct config_route *const *)a,
				  *y = *(const struct config_route *const *)b;
	int order = memcmp(&x->prefix, &y->prefix, sizeof(x->prefix));

	return order ? order : (int)x->vrf - (int)y->vrf;
}

static int compare_neighbors(const void *a, const void *b)
{
	const struct config_neighbor *x = *(const struct config_neighbor *const *)a;
	const struct config_neighbor *y = *(const struct config_neighbor *const *)b;
	int order = memcmp(&x->address, &y->address, sizeof(x->address));

	return order ? order : (int)x->port - (int)y->port;
}

const void *check_find_twins(const void *elements, unsigned count, size_t size,
	int (*compare)(const void *, const void *))
{
	const char **sorted = calloc(count ? count : 1, sizeof(*sorted));
	const void *found = NULL;

	if (!sorted)
		return NULL;
	for (unsigned i = 0; i < count; i++)
		sorted[i] = (const char *)elements + i * size;
	if (count)
		qsort(sorted, count, sizeof(*sorted), compare);
	for (unsigned i = 1; i < count && !found; i++)
		if (compare(&sorted[i - 1], &sorted[i]) == 0)
			found = sorted[i] > sorted[i - 1] ? sorted[i] : sorted[i - 1];
	free(sorted);
	return found;
}

static int check_routes(struct loader *loader)
{
	const struct config *config = loader->config;
	char text[IP_PREFIX_TEXT_SIZE];

	if (config->route_count > config->dataplane.max_routes)
		return loader_fail(loader, loader_line(loader, config, "routes"),
			"%u routes, but dataplane.max_routes is %u", config->route_count,
			config->dataplane.max_routes);
	for (unsigned i = 0; i < config->route_count; i++) {
		const struct config_route *route = &config->routes[i];
		if (ip_address_is_unspecified(&route->via))
			continue;
		if (!ip_address_is_unicast(&route->via))
			return loader_fail(loader, loader_line(loader, route, "via"),
				"via is not a unicast address");
		if (ip_address_is_v4(&route->via) !=
			(route->prefix.length >= 96 && ip_address_is_v4(&route->prefix.address)))
			return loader_fail(loader, loader_line(loader, route, "via"),
				"prefix and via are of two families");
	}
	const struct config_route *twin = check_find_twins(
		config->routes, config->route_count, sizeof(*twin), compare_routes);
	if (twin)
		return loader_fail(loader, loader_line(loader, twin, "prefix"),
			"two routes to %s in vrf %u", ip_prefix_format(&twin->prefix, text),
			twin->vrf);
	return 0;
}

static int check_neighbors(struct loader *loader)
{
	const struct config *config = loader->config;
	char text[IP_ADDRESS_TEXT_SIZE];
	const struct config_neighbor *twin = check_find_twins(
		config->neighbors, config->neighbor_count, sizeof(*twin), compare_neighbors);

	if (config->neighbor_count > config->dataplane.max_neighbors)
		return loader_fail(loader, loader_line(loader, config, "neighbors"),
			"%u neighbors, but dataplane.max_neighbors is %u", config->neighbor_count,
			config->dataplane.max_neighbors);
	if (twin)
		return loader_fail(loader, loader_line(loader, twin, "address"),
			"two neighbors are %s on port \"%s\"",
			ip_address_format(&twin->address, text),
			config->dataplane.ports[twin->port].name);
	return 0;
}

int check_config(struct loader *loader)
{
	const struct config *config = loader->config;

	if (check_ports(loader) || check_control(loader) || check_keying(loader))
		return -EINVAL;
	for (unsigned i = 0; i < config->instance_count; i++)
		if (check_instance(loader, &config->instances[i]))
			return -EINVAL;
	if (check_routes(loader))
		return -EINVAL;
	return check_neighbors(loader);
}
