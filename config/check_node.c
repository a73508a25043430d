#include "config/loader.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define CHAP_SPI 2 // RFC 4721 8

static bool in_home_networks(const struct config_instance *instance, const struct ip_prefix *prefix)
{
	for (unsigned i = 0; i < instance->home_network_count; i++)
		if (check_prefix_within(prefix, &instance->home_networks[i].prefix))
			return true;
	return false;
}

/* ---- security contexts ---- */

static int check_context(struct loader *loader, const struct config_instance *instance,
	const struct config_security *security, bool is_node)
{
	if (security->spi < 256 && (security->spi != CHAP_SPI || !is_node)) // HA4-AUTH-02
		return loader_fail(loader, loader_line(loader, security, "spi"),
			"spi %u: 0 to 255 are reserved%s", security->spi,
			is_node ? ", but for 2 (CHAP_SPI)" : "");
	if (security->key.length < 16 && instance->role == ROLE_INTERNAL_HA) // HA4-TNC-10
		return loader_fail(loader, loader_line(loader, security, "key"),
			"key of %u bits: an i-HA (\"%s\") takes none below 128 bits",
			security->key.length * 8u, instance->name);
	if (security->key.length < 16)
		loader_warn(loader, loader_line(loader, security, "key"),
			"key of %u bits is weak, 128 or more are recommended",
			security->key.length * 8u);
	if (security->tolerance_s <= 3) // HA4-RPL-05
		loader_warn(loader, loader_line(loader, security, "tolerance_s"),
			"tolerance_s is %u: clocks that differ by a little more are refused (RFC "
			"5944 5.7.1)",
			security->tolerance_s);
	if (security->tolerance_s > 60) // HA4-RPL-17
		loader_warn(loader, loader_line(loader, security, "tolerance_s"),
			"tolerance_s is %u: captured requests stay good for that long",
			security->tolerance_s);
	if (security->not_before && security->not_after &&
		security->not_before >= security->not_after)
		return loader_fail(loader, loader_line(loader, security, "not_after"),
			"not_after is not later than not_before");
	return 0;
}

static int check_contexts(struct loader *loader, const struct config_instance *instance,
	const struct config_security *contexts, unsigned count, bool is_node)
{
	for (unsigned i = 0; i < count; i++) {
		for (unsigned k = 0; k < i; k++)
			if (contexts[k].spi == contexts[i].spi)
				return loader_fail(loader, loader_line(loader, &contexts[i], "spi"),
					"spi 0x%x twice in one security association",
					contexts[i].spi);
		if (check_context(loader, instance, &contexts[i], is_node))
			return -EINVAL;
	}
	return 0;
}

/* ---- mobile nodes ---- */

/* user@realm or @realm, printable, at most 253 octets (HA4-DYN-01). */
static bool is_nai(const char *nai)
{
	const char *at = strrchr(nai, '@');

	if (!at || !at[1] || strlen(nai) > 253 || at != strchr(nai, '@'))
		return false;
	for (const char *p = at + 1; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '.')
			return false;
	return true;
}

static bool is_instance_address(
	const struct config_instance *instance, const struct ip_address *address)
{
	for (unsigned i = 0; i < instance->address_count; i++)
		if (ip_address_equal(&instance->addresses[i], address))
			return true;
	return false;
}

static int check_home_address(struct loader *loader, const struct config_mobile_node *node,
	const char *name, const struct ip_prefix *home)
{
	const struct config_instance *instance = &loader->config->instances[node->instance];
	unsigned line = loader_line(loader, node, name);
	char text[IP_PREFIX_TEXT_SIZE];

	if (!in_home_networks(instance, home))
		return loader_fail(loader, line, "%s %s is in no home network of instance \"%s\"",
			name,
			home->length == 128 ? ip_address_format(&home->address, text)
					    : ip_prefix_format(home, text),
			instance->name);
	if (home->length == 128 && is_instance_address(instance, &home->address))
		return loader_fail(loader, line, "%s %s is the home agent's own", name,
			ip_address_format(&home->address, text));
	if (home->length == 128 && !ip_address_is_unicast(&home->address))
		return loader_fail(loader, line, "%s %s is not a unicast address", name,
			ip_address_format(&home->address, text));
	return 0;
}

static int check_identity(struct loader *loader, const struct config_mobile_node *node)
{
	if (!node->nai[0] && !node->home_address.length)
		return loader_fail(loader, loader_line(loader, node, "nai"),
			"mobile node has neither nai nor home_address");
	if (node->nai[0] && !is_nai(node->nai))
		return loader_fail(loader, loader_line(loader, node, "nai"),
			"nai \"%s\" is neither user@realm nor @realm", node->nai);
	if (node->home_address_count && (!node->nai[0] || node->nai[0] == '@'))
		return loader_fail(loader, loader_line(loader, node, "home_addresses"),
			"home_addresses needs the nai of one user");
	if (node->home_address.length &&
		check_home_address(loader, node, "home_address", &node->home_address))
		return -EINVAL;
	for (unsigned i = 0; i < node->home_address_count; i++) {
		struct ip_prefix home = ip_prefix_make(&node->home_addresses[i], 128);
		if (check_home_address(loader, node, "home_addresses", &home))
			return -EINVAL;
	}
	return 0;
}

static bool instance_has_service(const struct config_instance *instance, const char *service)
{
	for (unsigned i = 0; i < instance->service_count; i++)
		if (strcmp(instance->services[i], service) == 0)
			return true;
	return false;
}

static int check_hours(struct loader *loader, struct config_mobile_node *node)
{
	unsigned from_h, from_m, to_h, to_m;
	char rest;

	if (!node->hours[0])
		return 0;
	// NOLINTNEXTLINE(cert-err34-c): two digits at the most do not overflow
	if (sscanf(node->hours, "%2u:%2u-%2u:%2u%c", &from_h, &from_m, &to_h, &to_m, &rest) != 4 ||
		from_h > 23 || to_h > 23 || from_m > 59 || to_m > 59 ||
		(from_h == to_h && from_m == to_m))
		return loader_fail(loader, loader_line(loader, node, "hours"),
			"hours \"%s\" is not like \"08:00-18:00\"", node->hours);
	node->hours_from = (uint16_t)(from_h * 60 + from_m);
	node->hours_to = (uint16_t)(to_h * 60 + to_m);
	return 0;
}

static int check_rights(struct loader *loader, const struct config_mobile_node *node)
{
	const struct config_instance *instance = &loader->config->instances[node->instance];

	if (node->network_count && !node->mobile_router)
		return loader_fail(loader, loader_line(loader, node, "networks"),
			"networks needs mobile_router");
	if (node->mobile_router && !instance->nemo)
		return loader_fail(loader, loader_line(loader, node, "mobile_router"),
			"mobile_router needs nemo in instance \"%s\"", instance->name);
	if (node->implicit_networks && !node->network_count)
		return loader_fail(loader, loader_line(loader, node, "implicit_networks"),
			"implicit_networks needs networks");
	if (node->nat_force && !node->nat_traversal)
		return loader_fail(loader, loader_line(loader, node, "nat_force"),
			"nat_force needs nat_traversal");
	if (node->reverse_tunnel_mandatory && !instance->reverse_tunnel)
		return loader_fail(loader, loader_line(loader, node, "reverse_tunnel_mandatory"),
			"reverse_tunnel_mandatory needs reverse_tunnel in instance \"%s\"",
			instance->name);
	for (unsigned i = 0; i < node->service_count; i++)
		if (!instance_has_service(instance, node->services[i]))
			return loader_fail(loader, loader_line(loader, node, "services"),
				"instance \"%s\" knows no service \"%s\"", instance->name,
				node->services[i]);
	return 0;
}

/* ---- twins ---- */

static int compare_nai(const void *a, const void *b)
{
	const struct config_mobile_node *x = *(const struct config_mobile_node *const *)a;
	const struct config_mobile_node *y = *(const struct config_mobile_node *const *)b;
	const char *x_realm = strchr(x->nai, '@'), *y_realm = strchr(y->nai, '@');

	if (x->instance != y->instance)
		return (int)x->instance - (int)y->instance;
	if (!x_realm || !y_realm) { /* no NAI at all: never a twin, told apart by place */
		int order = !!x_realm - !!y_realm;
		return order ? order : (x > y) - (x < y);
	}
	int realm = strcasecmp(x_realm, y_realm); // HA4-DYN-02
	size_t x_user = (size_t)(x_realm - x->nai), y_user = (size_t)(y_realm - y->nai);
	if (realm)
		return realm;
	if (x_user != y_user)
		return x_user < y_user ? -1 : 1;
	return memcmp(x->nai, y->nai, x_user);
}

struct claim { /* of one home address or home prefix, by one node */
	struct ip_prefix home;
	uint16_t instance;
	const struct config_mobile_node *node;
	const char *member;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = *(const struct claim *const *)a,
			   *y = *(const struct claim *const *)b;
	int order = memcmp(&x->home, &y->home, sizeof(x->home));

	return order ? order : (int)x->instance - (int)y->instance;
}

static int check_claims(struct loader *loader)
{
	const struct config *config = loader->config;
	size_t room = config->mobile_node_count, count = 0;
	char text[IP_PREFIX_TEXT_SIZE];

	for (unsigned i = 0; i < config->mobile_node_count; i++)
		room += config->mobile_nodes[i].home_address_count;
	struct claim *claims = calloc(room ? room : 1, sizeof(*claims));
	if (!claims)
		return loader_fail(loader, 0, "out of memory");
	for (unsigned i = 0; i < config->mobile_node_count; i++) {
		const struct config_mobile_node *node = &config->mobile_nodes[i];
		if (node->home_address.length)
			claims[count++] = (struct claim){
				node->home_address, node->instance, node, "home_address"};
		for (unsigned k = 0; k < node->home_address_count; k++)
			claims[count++] =
				(struct claim){ip_prefix_make(&node->home_addresses[k], 128),
					node->instance, node, "home_addresses"};
	}
	int result = 0;
	const struct claim *twin =
		check_find_twins(claims, (unsigned)count, sizeof(*twin), compare_claims);
	if (twin) // HA4-DYN-07
		result = loader_fail(loader, loader_line(loader, twin->node, twin->member),
			"home address %s is given twice",
			twin->home.length == 128 ? ip_address_format(&twin->home.address, text)
						 : ip_prefix_format(&twin->home, text));
	free(claims);
	return result;
}

struct network_claim {
	const struct ip_prefix *network;
	const struct config_mobile_node *node;
};

static int compare_networks(const void *a, const void *b)
{
	const struct network_claim *x = a, *y = b;

	if (x->node->instance != y->node->instance)
		return (int)x->node->instance - (int)y->node->instance;
	int order = memcmp(&x->network->address, &y->network->address, 16);
	return order ? order : (int)x->network->length - (int)y->network->length;
}

/* Sorted by address, then length, an overlap is between neighbours: a prefix comes right before
 * what it holds. */
static int check_networks(struct loader *loader)
{
	const struct config *config = loader->config;
	size_t count = 0;
	char text[IP_PREFIX_TEXT_SIZE];
	int result = 0;

	for (unsigned i = 0; i < config->mobile_node_count; i++)
		count += config->mobile_nodes[i].network_count;
	if (count == 0)
		return 0;
	struct network_claim *claims = calloc(count, sizeof(*claims));
	if (!claims)
		return loader_fail(loader, 0, "out of memory");
	count = 0;
	for (unsigned i = 0; i < config->mobile_node_count; i++)
		for (unsigned k = 0; k < config->mobile_nodes[i].network_count; k++)
			claims[count++] = (struct network_claim){
				&config->mobile_nodes[i].networks[k], &config->mobile_nodes[i]};
	qsort(claims, count, sizeof(*claims), compare_networks);
	for (size_t i = 1; i < count && !result; i++) {
		const struct network_claim *outer = &claims[i - 1], *inner = &claims[i];
		if (outer->node->instance == inner->node->instance &&
			check_prefix_within(inner->network, outer->network))
			result = loader_fail(loader, loader_line(loader, inner->node, "networks"),
				"network %s overlaps another mobile network",
				ip_prefix_format(inner->network, text));
	}
	free(claims);
	return result;
}

/* ---- foreign agents, static bindings ---- */

static int compare_agents(const void *a, const void *b)
{
	const struct config_foreign_agent *x = *(const struct config_foreign_agent *const *)a;
	const struct config_foreign_agent *y = *(const struct config_foreign_agent *const *)b;
	int order = memcmp(&x->address, &y->address, sizeof(x->address));

	return order ? order : (int)x->instance - (int)y->instance;
}

static int check_foreign_agents(struct loader *loader)
{
	const struct config *config = loader->config;
	char text[IP_ADDRESS_TEXT_SIZE];

	for (unsigned i = 0; i < config->foreign_agent_count; i++) {
		const struct config_foreign_agent *agent = &config->foreign_agents[i];
		const struct config_instance *instance = &config->instances[agent->instance];
		if (!ip_address_is_unicast(&agent->address) ||
			is_instance_address(instance, &agent->address))
			return loader_fail(loader, loader_line(loader, agent, "address"),
				"%s cannot be a foreign agent",
				ip_address_format(&agent->address, text));
		if (check_contexts(loader, instance, agent->security, agent->security_count, false))
			return -EINVAL;
	}
	const struct config_foreign_agent *twin = check_find_twins(
		config->foreign_agents, config->foreign_agent_count, sizeof(*twin), compare_agents);
	if (twin)
		return loader_fail(loader, loader_line(loader, twin, "address"),
			"foreign agent %s is given twice", ip_address_format(&twin->address, text));
	return 0;
}

static int compare_bindings(const void *a, const void *b)
{
	const struct config_binding *x = *(const struct config_binding *const *)a;
	const struct config_binding *y = *(const struct config_binding *const *)b;
	int order = memcmp(&x->home_address, &y->home_address, sizeof(x->home_address));

	return order ? order : (int)x->instance - (int)y->instance;
}

static int check_bindings(struct loader *loader)
{
	const struct config *config = loader->config;
	char text[IP_ADDRESS_TEXT_SIZE];

	for (unsigned i = 0; i < config->binding_count; i++) {
		const struct config_binding *binding = &config->bindings[i];
		const struct config_instance *instance = &config->instances[binding->instance];
		struct ip_prefix home = ip_prefix_make(&binding->home_address, 128);
		if (!in_home_networks(instance, &home))
			return loader_fail(loader, loader_line(loader, binding, "home_address"),
				"home_address %s is in no home network of instance \"%s\"",
				ip_address_format(&binding->home_address, text), instance->name);
		// HA4-REG-11
		if (!ip_address_is_unicast(&binding->care_of_address) ||
			ip_address_equal(&binding->care_of_address, &binding->home_address) ||
			is_instance_address(instance, &binding->care_of_address))
			return loader_fail(loader, loader_line(loader, binding, "care_of_address"),
				"%s cannot be a care-of address",
				ip_address_format(&binding->care_of_address, text));
	}
	const struct config_binding *twin = check_find_twins(
		config->bindings, config->binding_count, sizeof(*twin), compare_bindings);
	if (twin)
		return loader_fail(loader, loader_line(loader, twin, "home_address"),
			"%s is bound twice", ip_address_format(&twin->home_address, text));
	return 0;
}

int check_nodes(struct loader *loader)
{
	const struct config *config = loader->config;

	for (unsigned i = 0; i < config->mobile_node_count; i++) {
		struct config_mobile_node *node = &loader->config->mobile_nodes[i];
		if (check_identity(loader, node) || check_hours(loader, node) ||
			check_rights(loader, node) ||
			check_contexts(loader, &config->instances[node->instance], node->security,
				node->security_count, true))
			return -EINVAL;
	}
	const struct config_mobile_node *twin = check_find_twins(
		config->mobile_nodes, config->mobile_node_count, sizeof(*twin), compare_nai);
	if (twin)
		return loader_fail(loader, loader_line(loader, twin, "nai"),
			"nai \"%s\" is given twice", twin->nai);
	if (check_claims(loader) || check_networks(loader) || check_foreign_agents(loader))
		return -EINVAL;
	return check_bindings(loader);
}
