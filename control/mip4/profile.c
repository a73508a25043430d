#include "control/mip4/profile.h"

#include <errno.h>
#include <stdlib.h>

struct entry {         /* one key of one configured node */
	uint32_t next; /* entry + 1; 0 ends the chain */
	uint32_t target;
	uint16_t instance;
	struct ip_address address; /* of the home address index */
};

struct index {
	struct entry *entries;
	uint32_t *heads;
	uint32_t mask, count;
};

struct profile_index {
	const struct config *config;
	struct index nai, home, agent;
	uint32_t *prefixes; /* wildcard home addresses, longest prefix first */
	uint32_t prefix_count;
};

static uint64_t hash_bytes(uint64_t h, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		h = (h ^ (uint8_t)bytes[i]) * 0x100000001b3ull;
	return h;
}

bool profile_is_exact(const struct config_mobile_node *profile)
{
	if (profile->nai[0])
		return profile->nai[0] != '@';
	return profile->home_address.length == 128;
}

static uint64_t address_hash(uint16_t instance, const struct ip_address *a)
{
	uint64_t h = hash_bytes(0xcbf29ce484222325ull ^ instance, (const char *)a->bytes, 16);
	return h ^ h >> 29;
}

static int index_init(struct index *x, uint32_t keys)
{
	uint32_t heads = 16;

	while (heads < keys)
		heads *= 2;
	x->mask = heads - 1;
	x->heads = calloc(heads, sizeof(uint32_t));
	x->entries = calloc(keys ? keys : 1, sizeof(struct entry));
	return x->heads && x->entries ? 0 : -ENOMEM;
}

static void index_add(struct index *x, uint64_t hash, struct entry entry)
{
	uint32_t *head = &x->heads[hash & x->mask];

	entry.next = *head;
	x->entries[x->count++] = entry;
	*head = x->count;
}

static void index_fini(struct index *x)
{
	free(x->heads);
	free(x->entries);
}

static void home_add(struct profile_index *x, uint32_t node, const struct ip_address *address)
{
	uint16_t instance = x->config->mobile_nodes[node].instance;

	index_add(&x->home, address_hash(instance, address),
		(struct entry){.target = node, .instance = instance, .address = *address});
}

static void node_add(struct profile_index *x, uint32_t node)
{
	const struct config_mobile_node *p = &x->config->mobile_nodes[node];

	if (p->nai[0])
		index_add(&x->nai, nai_hash(p->nai, strlen(p->nai)),
			(struct entry){.target = node, .instance = p->instance});
	if (p->home_address.length == 128)
		home_add(x, node, &p->home_address.address);
	else if (p->home_address.length)
		x->prefixes[x->prefix_count++] = node;
	for (unsigned i = 0; i < p->home_address_count; i++)
		home_add(x, node, &p->home_addresses[i]);
}

static void prefixes_sort(struct profile_index *x)
{
	const struct config_mobile_node *nodes = x->config->mobile_nodes;

	for (uint32_t i = 1; i < x->prefix_count; i++) {
		uint32_t v = x->prefixes[i], j = i;
		for (; j && nodes[x->prefixes[j - 1]].home_address.length <
				    nodes[v].home_address.length;
			j--)
			x->prefixes[j] = x->prefixes[j - 1];
		x->prefixes[j] = v;
	}
}

int profile_index_new(const struct config *config, struct profile_index **out)
{
	struct profile_index *x = calloc(1, sizeof(*x));
	uint32_t homes = 0;

	if (!x)
		return -ENOMEM;
	x->config = config;
	for (unsigned i = 0; i < config->mobile_node_count; i++)
		homes += 1 + config->mobile_nodes[i].home_address_count;
	x->prefixes = calloc(config->mobile_node_count + 1, sizeof(uint32_t));
	if (!x->prefixes || index_init(&x->nai, config->mobile_node_count) < 0 ||
		index_init(&x->home, homes) < 0 ||
		index_init(&x->agent, config->foreign_agent_count) < 0) {
		profile_index_free(x);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < config->mobile_node_count; i++)
		node_add(x, i);
	for (uint32_t i = 0; i < config->foreign_agent_count; i++) {
		const struct config_foreign_agent *fa = &config->foreign_agents[i];
		index_add(&x->agent, address_hash(fa->instance, &fa->address),
			(struct entry){
				.target = i, .instance = fa->instance, .address = fa->address});
	}
	prefixes_sort(x);
	*out = x;
	return 0;
}

void profile_index_free(struct profile_index *x)
{
	if (!x)
		return;
	index_fini(&x->nai);
	index_fini(&x->home);
	index_fini(&x->agent);
	free(x->prefixes);
	free(x);
}

static uint32_t nai_find(
	const struct profile_index *x, uint16_t instance, const char *nai, size_t length)
{
	uint32_t at = x->nai.heads[nai_hash(nai, length) & x->nai.mask];

	for (; at; at = x->nai.entries[at - 1].next) {
		const struct entry *e = &x->nai.entries[at - 1];
		const char *have = x->config->mobile_nodes[e->target].nai;
		if (e->instance == instance && nai_equal(have, strlen(have), nai, length))
			return e->target;
	}
	return PROFILE_NONE;
}

uint32_t profile_by_nai(
	const struct profile_index *x, uint16_t instance, const char *nai, size_t length)
{
	uint32_t exact = nai_find(x, instance, nai, length);
	const char *realm = nai_realm(nai, length);

	if (exact != PROFILE_NONE || !realm)
		return exact;
	return nai_find(x, instance, realm, length - (size_t)(realm - nai));
}

static uint32_t address_find(
	const struct index *x, uint16_t instance, const struct ip_address *address)
{
	uint32_t at = x->heads[address_hash(instance, address) & x->mask];

	for (; at; at = x->entries[at - 1].next) {
		const struct entry *e = &x->entries[at - 1];
		if (e->instance == instance && ip_address_equal(&e->address, address))
			return e->target;
	}
	return PROFILE_NONE;
}

uint32_t profile_by_home_address(
	const struct profile_index *x, uint16_t instance, const struct ip_address *home_address)
{
	uint32_t found = address_find(&x->home, instance, home_address);

	for (uint32_t i = 0; found == PROFILE_NONE && i < x->prefix_count; i++) {
		const struct config_mobile_node *p = &x->config->mobile_nodes[x->prefixes[i]];
		if (p->instance == instance && ip_prefix_contains(&p->home_address, home_address) &&
			!p->nai[0])
			return x->prefixes[i];
	}
	return found;
}

uint32_t profile_foreign_agent(
	const struct profile_index *x, uint16_t instance, const struct ip_address *address)
{
	return address_find(&x->agent, instance, address);
}
