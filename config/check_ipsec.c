/*
 * Contradictions in what concerns IPsec: sizes, security associations, policies. Each refusal names
 * the line of the setting to change. What an operator gives is checked by the same functions; then
 * there are no lines.
 */
#include "config/loader.h"

#include <errno.h>
#include <stdlib.h>

static bool is_esp_port(const struct config_dataplane *dataplane, uint16_t port)
{
	for (unsigned i = 0; i < sizeof(dataplane->esp_ports) / sizeof(uint16_t); i++)
		if (port == dataplane->esp_ports[i])
			return true;
	return port == 4500;
}

static int check_sizes(struct loader *loader)
{
	const struct config_dataplane *dataplane = &loader->config->dataplane;
	uint32_t sas = dataplane->max_security_associations;

	if (sas & (sas - 1))
		return loader_fail(loader,
			loader_line(loader, dataplane, "max_security_associations"),
			"max_security_associations is %u, not a power of two", sas);
	if (is_esp_port(dataplane, 434) || is_esp_port(dataplane, 500)) // NAT-02
		return loader_fail(loader, loader_line(loader, dataplane, "esp_ports"),
			"esp_ports: 434 is Mobile IP's and 500 is IKE's alone");
	if (dataplane->max_replay_window && dataplane->max_replay_window < 64) // ESP-SEQ-12
		return loader_fail(loader, loader_line(loader, dataplane, "max_replay_window"),
			"max_replay_window is %u, not 0 or 64 to 4096",
			dataplane->max_replay_window);
	return 0;
}

/* Selectors that local times remote make; those that do not fit make none. */
static unsigned count_selectors(const struct traffic_selector *local, unsigned local_count,
	const struct traffic_selector *remote, unsigned remote_count)
{
	unsigned count = 0;

	for (unsigned i = 0; i < local_count; i++)
		for (unsigned k = 0; k < remote_count; k++)
			count += traffic_selector_fits(&local[i], &remote[k]);
	return count;
}

/* ---- security associations ---- */

static int check_algorithm(struct loader *loader, struct config_security_association *a)
{
	const char *reason;

	if (esp_algorithm_parse(a->algorithm, &a->esp, &reason)) // ESP-ALG-07, -08, -09
		return loader_fail(loader, loader_line(loader, a, "algorithm"),
			"algorithm \"%s\" %s", a->algorithm, reason);
	if (a->esp.counter_mode && !a->unsafe_static_keys) // ESP-ALG-20
		return loader_fail(loader, loader_line(loader, a, "algorithm"),
			"algorithm \"%s\" with keys given by hand repeats nonces after a restart; "
			"unsafe_static_keys = true takes that risk",
			a->algorithm);
	return 0;
}

static int check_key(struct loader *loader, const struct config_security_association *a,
	const char *member, const struct secret *key)
{
	unsigned wanted = a->esp.encryption_key + a->esp.integrity_key;

	if (key->length != wanted) // ESP-ALG-10
		return loader_fail(loader,
			loader_line(loader, a, a->key_file[0] ? "key_file" : member),
			"%s has %u octets, \"%s\" needs %u (encryption key and salt %u, integrity "
			"key %u)",
			member, key->length, a->algorithm, wanted, a->esp.encryption_key,
			a->esp.integrity_key);
	return 0;
}

static int check_keys(struct loader *loader, const struct config_security_association *a)
{
	if (check_key(loader, a, "key_in", &a->key_in) ||
		check_key(loader, a, "key_out", &a->key_out))
		return -EINVAL;
	/* One key for both directions: our numbers meet the peer's. */
	if (a->esp.counter_mode &&
		secret_equal(a->key_in.bytes, a->key_out.bytes, a->key_in.length))
		return loader_fail(loader,
			loader_line(loader, a, a->key_file[0] ? "key_file" : "key_out"),
			"key_in and key_out are the same: \"%s\" would repeat nonces",
			a->algorithm);
	return 0;
}

static int check_ends(struct loader *loader, const struct config_security_association *a)
{
	char text[IP_ADDRESS_TEXT_SIZE];

	if (!ip_address_is_unicast(&a->local))
		return loader_fail(loader, loader_line(loader, a, "local"),
			"%s is not a unicast address", ip_address_format(&a->local, text));
	if (!ip_address_is_unicast(&a->remote)) // SAD-02
		return loader_fail(loader, loader_line(loader, a, "remote"),
			"%s is not a unicast address", ip_address_format(&a->remote, text));
	if (ip_address_is_v4(&a->local) != ip_address_is_v4(&a->remote))
		return loader_fail(loader, loader_line(loader, a, "remote"),
			"local and remote are of two families");
	if (ip_address_equal(&a->local, &a->remote))
		return loader_fail(loader, loader_line(loader, a, "remote"),
			"local and remote are one address");
	if (a->path_mtu && a->path_mtu < 68)
		return loader_fail(loader, loader_line(loader, a, "path_mtu"),
			"path_mtu is %u, not 0 or 68 to 65535", a->path_mtu);
	if (a->encap && !is_esp_port(&loader->config->dataplane, a->local_port)) // NAT-01
		return loader_fail(loader, loader_line(loader, a, "local_port"),
			"local_port %u is neither 4500 nor in dataplane.esp_ports: nothing would "
			"be received",
			a->local_port);
	if (a->udp_zero_checksum && (!a->encap || ip_address_is_v4(&a->local))) // NAT-06
		return loader_fail(loader, loader_line(loader, a, "udp_zero_checksum"),
			"udp_zero_checksum is for encap over IPv6; over IPv4 the checksum is 0 "
			"anyway");
	if (a->follow_mapping && !a->encap) // NAT-12
		return loader_fail(loader, loader_line(loader, a, "follow_mapping"),
			"follow_mapping needs encap");
	return 0;
}

static int check_window(struct loader *loader, const struct config_security_association *a)
{
	uint32_t widest = loader->config->dataplane.max_replay_window;

	if (a->replay_window && a->replay_window < 32) // ESP-SEQ-12
		return loader_fail(loader, loader_line(loader, a, "replay_window"),
			"replay_window is %u, not 0 or 32 to 4096", a->replay_window);
	if (a->replay_window > widest)
		return loader_fail(loader, loader_line(loader, a, "replay_window"),
			"replay_window is more than dataplane.max_replay_window, which is %u",
			widest);
	if (a->follow_mapping && !a->replay_window) // NAT-09 (3)
		return loader_fail(loader, loader_line(loader, a, "follow_mapping"),
			"follow_mapping needs a replay_window");
	return 0;
}

static int check_lifetimes(struct loader *loader, const struct config_security_association *a)
{
	const struct {
		const char *soft_name, *hard_name;
		uint64_t soft, hard;
	} limits[] = {{"rekey_time_s", "life_time_s", a->rekey_time_s, a->life_time_s},
		{"rekey_bytes", "life_bytes", a->rekey_bytes, a->life_bytes},
		{"rekey_packets", "life_packets", a->rekey_packets, a->life_packets}};

	for (unsigned i = 0; i < 3; i++)
		if (limits[i].soft && limits[i].hard && limits[i].soft >= limits[i].hard)
			return loader_fail(loader, loader_line(loader, a, limits[i].soft_name),
				"%s is not less than %s", limits[i].soft_name, limits[i].hard_name);
	return 0;
}

static bool is_host(const struct traffic_selector *selector)
{
	return ip_address_equal(&selector->first, &selector->last);
}

static int check_selectors(struct loader *loader, const struct config_security_association *a)
{
	unsigned count =
		count_selectors(a->local_ts, a->local_ts_count, a->remote_ts, a->remote_ts_count);

	if (!a->local_ts_count || !a->remote_ts_count)
		return loader_fail(loader, loader_line(loader, a, "name"),
			"a tunnel needs local_ts and remote_ts: what may pass inside");
	if (count == 0 || count > CONFIG_SELECTORS_MAX)
		return loader_fail(loader, loader_line(loader, a, "remote_ts"),
			"local_ts and remote_ts make %u selectors, not 1 to %u", count,
			CONFIG_SELECTORS_MAX);
	for (unsigned i = 0; a->mode == ESP_MODE_TRANSPORT && i < a->local_ts_count; i++)
		if (!is_host(&a->local_ts[i])) // TRN-11
			return loader_fail(loader, loader_line(loader, a, "local_ts"),
				"transport mode is between two hosts");
	for (unsigned i = 0; a->mode == ESP_MODE_TRANSPORT && i < a->remote_ts_count; i++)
		if (!is_host(&a->remote_ts[i]))
			return loader_fail(loader, loader_line(loader, a, "remote_ts"),
				"transport mode is between two hosts");
	if (a->mode == ESP_MODE_TRANSPORT && a->tfc_padding) // ESP-FMT-15
		return loader_fail(loader, loader_line(loader, a, "tfc_padding"),
			"tfc_padding needs tunnel mode");
	return 0;
}

static int check_association(struct loader *loader, struct config_security_association *a)
{
	if (check_algorithm(loader, a) || check_keys(loader, a) || check_ends(loader, a) ||
		check_window(loader, a) || check_lifetimes(loader, a))
		return -EINVAL;
	return check_selectors(loader, a);
}

static int compare_names(const void *a, const void *b)
{
	const struct config_security_association
		*x = *(const struct config_security_association *const *)a,
		*y = *(const struct config_security_association *const *)b;

	return strcmp(x->name, y->name);
}

static int compare_spis(const void *a, const void *b)
{
	const struct config_security_association
		*x = *(const struct config_security_association *const *)a,
		*y = *(const struct config_security_association *const *)b;

	return (x->spi_in > y->spi_in) - (x->spi_in < y->spi_in);
}

/* TRN-09: in transport mode behind one NAT, two peers with the same selectors cannot be told apart
 * when we answer. All others are different. */
static int compare_behind_nat(const void *a, const void *b)
{
	const struct config_security_association
		*x = *(const struct config_security_association *const *)a,
		*y = *(const struct config_security_association *const *)b;
	bool x_is = x->mode == ESP_MODE_TRANSPORT && x->encap,
	     y_is = y->mode == ESP_MODE_TRANSPORT && y->encap;
	int order = (int)x_is - (int)y_is;

	if (order || !x_is)
		return order ? order : strcmp(x->name, y->name);
	order = (int)x->vrf - (int)y->vrf;
	if (!order)
		order = memcmp(x->local_ts, y->local_ts, sizeof(*x->local_ts));
	return order ? order : memcmp(x->remote_ts, y->remote_ts, sizeof(*x->remote_ts));
}

static int check_associations(struct loader *loader)
{
	const struct config *config = loader->config;
	struct config_security_association *all = config->security_associations;
	unsigned count = config->security_association_count;
	uint32_t slots = config->dataplane.max_security_associations;

	if (count && count >= slots)
		return loader_fail(loader, loader_line(loader, config, "security_associations"),
			"%u security_associations, but dataplane.max_security_associations is %u "
			"and one slot stays free",
			count, slots);
	for (unsigned i = 0; i < count; i++)
		if (check_association(loader, &all[i]))
			return -EINVAL;
	const struct config_security_association *twin =
		check_find_twins(all, count, sizeof(*all), compare_names);
	if (twin)
		return loader_fail(loader, loader_line(loader, twin, "name"),
			"two security associations are named \"%s\"", twin->name);
	twin = check_find_twins(all, count, sizeof(*all), compare_spis);
	if (twin) // SAD-01
		return loader_fail(loader, loader_line(loader, twin, "spi_in"),
			"spi_in 0x%x is given twice", twin->spi_in);
	twin = check_find_twins(all, count, sizeof(*all), compare_behind_nat);
	if (twin)
		return loader_fail(loader, loader_line(loader, twin, "remote_ts"),
			"transport mode in UDP: another association has these selectors too");
	return 0;
}

/* ---- policies ---- */

/* HA4-SPD-07: clear signalling with an internal home agent would tell a node that it is inside. */
static int check_signalling(struct loader *loader, const struct config_policy *policy)
{
	const struct config *config = loader->config;
	char text[IP_ADDRESS_TEXT_SIZE];

	if (!policy->mip_signalling)
		return 0;
	if (policy->action != ACTION_BYPASS)
		return loader_fail(loader, loader_line(loader, policy, "mip_signalling"),
			"mip_signalling needs action bypass");
	for (unsigned i = 0; i < config->instance_count; i++) {
		const struct config_instance *instance = &config->instances[i];
		if (instance->role != ROLE_INTERNAL_HA || instance->vrf != policy->vrf)
			continue;
		for (unsigned k = 0; k < instance->address_count; k++)
			for (unsigned ts = 0; ts < policy->local_ts_count; ts++)
				if (traffic_selector_contains(
					    &policy->local_ts[ts], &instance->addresses[k]))
					return loader_fail(loader,
						loader_line(loader, policy, "local_ts"),
						"mip_signalling may not cover %s of the i-HA "
						"\"%s\"",
						ip_address_format(&instance->addresses[k], text),
						instance->name);
	}
	return 0;
}

static int check_policy(struct loader *loader, const struct config_policy *policy)
{
	unsigned count = count_selectors(policy->local_ts, policy->local_ts_count,
		policy->remote_ts, policy->remote_ts_count);
	bool named = policy->security_association[0] != '\0';

	if (count == 0 || count > CONFIG_SELECTORS_MAX)
		return loader_fail(loader, loader_line(loader, policy, "remote_ts"),
			"local_ts and remote_ts make %u selectors, not 1 to %u", count,
			CONFIG_SELECTORS_MAX);
	if (policy->action != ACTION_PROTECT && named)
		return loader_fail(loader, loader_line(loader, policy, "security_association"),
			"security_association needs action protect");
	if (policy->action == ACTION_PROTECT && !named)
		return loader_fail(loader, loader_line(loader, policy, "action"),
			"action protect needs a security_association");
	if (policy->answer_icmp && policy->action != ACTION_DISCARD)
		return loader_fail(loader, loader_line(loader, policy, "answer_icmp"),
			"answer_icmp needs action discard");
	if (policy->nested &&
		(policy->action != ACTION_PROTECT || policy->direction == DIRECTION_IN))
		return loader_fail(loader, loader_line(loader, policy, "nested"),
			"nested needs action protect, and not direction in");
	return check_signalling(loader, policy);
}

static int compare_policy_names(const void *a, const void *b)
{
	const struct config_policy *x = *(const struct config_policy *const *)a,
				   *y = *(const struct config_policy *const *)b;

	return strcmp(x->name, y->name);
}

/* Equal when a packet could not tell them apart: one order, one vrf, the same first selectors. */
static int compare_claims(const void *a, const void *b)
{
	const struct config_policy *x = *(const struct config_policy *const *)a,
				   *y = *(const struct config_policy *const *)b;
	int order = (x->order > y->order) - (x->order < y->order);

	if (!order)
		order = (int)x->vrf - (int)y->vrf;
	if (!order)
		order = (int)x->direction - (int)y->direction;
	if (!order)
		order = memcmp(x->local_ts, y->local_ts, sizeof(*x->local_ts));
	return order ? order : memcmp(x->remote_ts, y->remote_ts, sizeof(*x->remote_ts));
}

/* The pairs by name, sorted, for the policies that name them. */
static const struct config_security_association **sort_associations(const struct config *config)
{
	unsigned count = config->security_association_count;
	const struct config_security_association **sorted = malloc((count + 1) * sizeof(*sorted));

	for (unsigned i = 0; sorted && i < count; i++)
		sorted[i] = &config->security_associations[i];
	if (sorted)
		qsort(sorted, count, sizeof(*sorted), compare_names);
	return sorted;
}

static int check_reference(struct loader *loader, const struct config_policy *policy,
	const struct config_security_association **sorted)
{
	struct config_security_association key;
	const struct config_security_association *wanted = &key, **found;

	if (policy->action != ACTION_PROTECT)
		return 0;
	memcpy(key.name, policy->security_association, sizeof(key.name));
	found = bsearch(&wanted, sorted, loader->config->security_association_count,
		sizeof(*sorted), compare_names);
	if (!found)
		return loader_fail(loader, loader_line(loader, policy, "security_association"),
			"no security association is named \"%s\"", policy->security_association);
	if ((*found)->vrf != policy->vrf)
		return loader_fail(loader, loader_line(loader, policy, "security_association"),
			"security association \"%s\" is in vrf %u, the policy in vrf %u",
			(*found)->name, (*found)->vrf, policy->vrf);
	return 0;
}

static int check_policy_twins(struct loader *loader)
{
	const struct config *config = loader->config;
	const struct config_policy *twin = check_find_twins(
		config->policies, config->policy_count, sizeof(*twin), compare_policy_names);

	if (twin)
		return loader_fail(loader, loader_line(loader, twin, "name"),
			"two policies are named \"%s\"", twin->name);
	twin = check_find_twins(
		config->policies, config->policy_count, sizeof(*twin), compare_claims);
	if (twin) // SPD-20
		return loader_fail(loader, loader_line(loader, twin, "order"),
			"policy \"%s\" has the order and the selectors of another one", twin->name);
	return 0;
}

static int check_policies(struct loader *loader)
{
	const struct config *config = loader->config;
	const struct config_security_association **sorted = sort_associations(config);
	uint64_t entries = 0;
	int result = 0;

	if (!sorted)
		return loader_fail(loader, 0, "out of memory");
	for (unsigned i = 0; !result && i < config->policy_count; i++) {
		const struct config_policy *policy = &config->policies[i];
		result = check_policy(loader, policy);
		if (!result)
			result = check_reference(loader, policy, sorted);
		uint64_t selectors = count_selectors(policy->local_ts, policy->local_ts_count,
			policy->remote_ts, policy->remote_ts_count);
		entries += selectors * (policy->direction == DIRECTION_BOTH ? 2 : 1);
	}
	free(sorted);
	if (!result && entries > config->dataplane.max_policies)
		result = loader_fail(loader, loader_line(loader, config, "policies"),
			"policies make %llu entries, but dataplane.max_policies is %u",
			(unsigned long long)entries, config->dataplane.max_policies);
	return result ? result : check_policy_twins(loader);
}

int check_ipsec(struct loader *loader)
{
	if (check_sizes(loader) || check_associations(loader))
		return -EINVAL;
	return check_policies(loader);
}

/* ---- what did not come from the file ---- */

static struct loader without_file(
	const struct config *config, const char *name, struct config_error *error)
{
	/* Read alone: the checks of one object change nothing else. */
	return (struct loader){.name = name,
		.config = (struct config *)(uintptr_t)config,
		.error = error,
		.indexed = true};
}

int config_check_ipsec_association(const struct config *config,
	struct config_security_association *association, struct config_error *error)
{
	struct loader loader = without_file(config, association->name, error);

	if (resolve_association(association))
		return loader_fail(&loader, 0, "out of memory");
	return check_association(&loader, association);
}

int config_check_ipsec_policy(
	const struct config *config, const struct config_policy *policy, struct config_error *error)
{
	struct loader loader = without_file(config, policy->name, error);

	return check_policy(&loader, policy);
}
