/*
 * A configuration into both databases: first everything that could refuse it is looked at, then the
 * differences are made. Pairs come before the policies that name them, and go after.
 */
#include "control/ipsec/ipsec_state.h"
#include "lib/base/map.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct names { /* of what a configuration has */
	struct map *pairs, *policies;
};

static void names_free(struct names *names)
{
	map_free(names->pairs);
	map_free(names->policies);
}

static int names_new(struct names *names, const struct config *config)
{
	names->pairs = map_new(CONFIG_NAME_SIZE, config->security_association_count + 1);
	names->policies = map_new(CONFIG_NAME_SIZE, config->policy_count + 1);
	if (!names->pairs || !names->policies) {
		names_free(names);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < config->security_association_count; i++)
		(void)map_put(names->pairs, config->security_associations[i].name, i);
	for (unsigned i = 0; i < config->policy_count; i++)
		(void)map_put(names->policies, config->policies[i].name, i);
	return 0;
}

static int refuse(struct config_error *error, const struct config *config, const char *what,
	const char *name, int result)
{
	snprintf(error->text, sizeof(error->text),
		"%s: %s \"%s\" is an operator's: remove it first", config->file, what, name);
	return result;
}

static int check_pair(struct ipsec *ipsec, const struct config *config,
	const struct config_security_association *pair, struct config_error *error)
{
	const struct sa *named = sa_database_named(ipsec->associations, SA_INBOUND, pair->name);
	const struct sa *spi = sa_database_inbound(ipsec->associations, pair->spi_in);

	if (named && named->origin != SA_FROM_CONFIG)
		return refuse(error, config, "security association", pair->name, -EEXIST);
	if (spi && spi->origin != SA_FROM_CONFIG)
		return refuse(error, config, "the spi_in of", pair->name, -EEXIST);
	return 0;
}

/* Whatever an operator has may not be taken from him, and everything must have room. */
static int check(struct ipsec *ipsec, const struct config *config, struct config_error *error)
{
	uint32_t pairs = config->security_association_count, cursor = 0;
	uint64_t entries = 0;
	int result = 0;

	for (unsigned i = 0; !result && i < config->security_association_count; i++)
		result = check_pair(ipsec, config, &config->security_associations[i], error);
	for (unsigned i = 0; !result && i < config->policy_count; i++) {
		const struct policy *p =
			policy_database_named(ipsec->policies, config->policies[i].name);
		if (p && !p->from_config)
			result = refuse(error, config, "policy", config->policies[i].name, -EEXIST);
	}
	for (const struct sa *sa;
		(sa = sa_database_next(ipsec->associations, SA_INBOUND, &cursor));)
		pairs += sa->origin != SA_FROM_CONFIG;
	cursor = 0;
	for (const struct policy *p; (p = policy_database_next(ipsec->policies, &cursor));)
		entries += p->from_config ? 0 : p->entry_count;
	if (!result && pairs >= sa_database_slots(ipsec->associations) && pairs) {
		snprintf(error->text, sizeof(error->text),
			"%s: no slots for %u pairs with those of operators", config->file, pairs);
		result = -ENOSPC;
	}
	if (!result && entries && entries + config->policy_count > config->dataplane.max_policies) {
		snprintf(error->text, sizeof(error->text),
			"%s: no room for the policies beside those of operators", config->file);
		result = -ENOSPC;
	}
	return result;
}

static void remove_policies(
	struct ipsec *ipsec, const struct names *names, const struct config *config)
{
	uint32_t cursor = 0;

	for (struct policy *p; (p = policy_database_next(ipsec->policies, &cursor));) {
		uint64_t index;
		bool stays = !p->from_config ||
			     (map_get(names->policies, p->settings.name, &index) &&
				     policy_database_same(&p->settings, &config->policies[index]));
		if (stays)
			continue;
		ipsec_remove_policy(ipsec, p);
		cursor--;
	}
}

static const struct config_security_association *find_pair(
	const struct config *config, const struct names *names, const char *name)
{
	uint64_t index;

	return map_get(names->pairs, name, &index) ? &config->security_associations[index] : NULL;
}

/* Those that go, and those whose inbound SPI changes: two may exchange theirs. */
static void remove_pairs(
	struct ipsec *ipsec, const struct config *config, const struct names *names, monotonic now)
{
	uint32_t cursor = 0;

	for (struct sa *sa; (sa = sa_database_next(ipsec->associations, SA_INBOUND, &cursor));) {
		const struct config_security_association *pair = find_pair(config, names, sa->name);
		if (sa->origin != SA_FROM_CONFIG ||
			(pair && pair->spi_in == ntohl(sa->command.spi)))
			continue;
		char name[SA_NAME_SIZE];
		memcpy(name, sa->name, sizeof(name));
		pair_remove(ipsec, name, now);
		cursor--;
	}
}

/* Members one by one: between them lies padding that says nothing. */
static bool same_selectors(
	const struct config_security_association *a, const struct config_security_association *b)
{
	return a->local_ts_count == b->local_ts_count && a->remote_ts_count == b->remote_ts_count &&
	       !memcmp(a->local_ts, b->local_ts, a->local_ts_count * sizeof(*a->local_ts)) &&
	       !memcmp(a->remote_ts, b->remote_ts, a->remote_ts_count * sizeof(*a->remote_ts));
}

static bool same_ends(
	const struct config_security_association *a, const struct config_security_association *b)
{
	return !strcmp(a->name, b->name) && a->mode == b->mode && a->vrf == b->vrf &&
	       ip_address_equal(&a->local, &b->local) && ip_address_equal(&a->remote, &b->remote) &&
	       a->encap == b->encap && a->local_port == b->local_port &&
	       a->remote_port == b->remote_port && a->spi_in == b->spi_in &&
	       a->spi_out == b->spi_out && a->reqid == b->reqid;
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
	return a->length == b->length && secret_equal(a->bytes, b->bytes, a->length);
}

static bool same_keys(
	const struct config_security_association *a, const struct config_security_association *b)
{
	return !strcmp(a->algorithm, b->algorithm) && same_secret(&a->key_in, &b->key_in) &&
	       same_secret(&a->key_out, &b->key_out) && !strcmp(a->key_file, b->key_file) &&
	       a->unsafe_static_keys == b->unsafe_static_keys && a->esn == b->esn &&
	       a->replay_window == b->replay_window;
}

static bool same_headers(
	const struct config_security_association *a, const struct config_security_association *b)
{
	return a->copy_df == b->copy_df && a->copy_dscp == b->copy_dscp && a->dscp == b->dscp &&
	       a->copy_ecn == b->copy_ecn && a->fragment_after == b->fragment_after &&
	       a->follow_mapping == b->follow_mapping && a->icmp_inspect == b->icmp_inspect &&
	       a->tunnel_ttl == b->tunnel_ttl && a->path_mtu == b->path_mtu &&
	       a->tfc_padding == b->tfc_padding;
}

static bool same_lifetimes(
	const struct config_security_association *a, const struct config_security_association *b)
{
	return a->rekey_time_s == b->rekey_time_s && a->life_time_s == b->life_time_s &&
	       a->rekey_bytes == b->rekey_bytes && a->life_bytes == b->life_bytes &&
	       a->rekey_packets == b->rekey_packets && a->life_packets == b->life_packets;
}

static bool same_text(
	const struct config_security_association *a, const struct config_security_association *b)
{
	return same_ends(a, b) && same_keys(a, b) && same_headers(a, b) && same_lifetimes(a, b) &&
	       same_selectors(a, b);
}

/* A pair whose text did not change is left alone, also where NAT or an operator moved it or its
 * hard limit ended it. */
static int apply_pairs(struct ipsec *ipsec, const struct config *before,
	const struct names *names_before, const struct config *after, monotonic now, bool *added)
{
	for (unsigned i = 0; i < after->security_association_count; i++) {
		const struct config_security_association *pair = &after->security_associations[i];
		const struct config_security_association *old =
			find_pair(before, names_before, pair->name);
		int result;
		if (old && same_text(old, pair))
			continue;
		if (sa_database_named(ipsec->associations, SA_INBOUND, pair->name)) {
			result = pair_change(ipsec, pair, now);
		} else {
			result = pair_add(ipsec, pair, SA_FROM_CONFIG, now);
			*added = true;
		}
		if (result)
			return result;
	}
	return 0;
}

static int apply_policies(struct ipsec *ipsec, const struct config *after)
{
	for (unsigned i = 0; i < after->policy_count; i++) {
		const struct config_policy *policy = &after->policies[i];
		if (!policy_database_named(ipsec->policies, policy->name) &&
			!ipsec_add_policy(ipsec, policy, true))
			return -errno;
	}
	return 0;
}

static void point_all(struct ipsec *ipsec)
{
	uint32_t cursor = 0;

	for (struct policy *p; (p = policy_database_next(ipsec->policies, &cursor));)
		if (p->settings.action == ACTION_PROTECT) {
			p->version++;
			ipsec_refer_policy(ipsec, p);
		}
}

int ipsec_configure(struct ipsec *ipsec, const struct config *before, const struct config *after,
	struct config_error *error, monotonic now)
{
	struct names names_before, names_after;
	bool added = false;
	int result = check(ipsec, after, error);

	if (result)
		return result;
	snprintf(error->text, sizeof(error->text), "%s: out of memory for IPsec", after->file);
	if (names_new(&names_before, before))
		return -ENOMEM;
	if (names_new(&names_after, after)) {
		names_free(&names_before);
		return -ENOMEM;
	}
	remove_policies(ipsec, &names_after, after);
	remove_pairs(ipsec, after, &names_after, now);
	result = apply_pairs(ipsec, before, &names_before, after, now, &added);
	if (!result)
		result = apply_policies(ipsec, after);
	if (added && policy_database_count(ipsec->policies))
		point_all(ipsec);
	names_free(&names_before);
	names_free(&names_after);
	return result;
}
