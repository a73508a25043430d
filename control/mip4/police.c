#include "control/mip4/police.h"

#include <errno.h>
#include <stdlib.h>

#define SETS          16384u
#define WAYS          4u
#define INSTANCES_MAX 1024 /* as the configuration allows */

struct slot {
	struct token_bucket bucket;
	struct ip_address source;
	be16 port;
	uint16_t instance;
};

struct police {
	uint64_t seed;
	struct slot endpoints[SETS][WAYS];
	struct slot sources[SETS][WAYS];
	struct token_bucket instances[INSTANCES_MAX];
};

int police_new(uint64_t hash_seed, struct police **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->seed = hash_seed;
	return 0;
}

void police_free(struct police *police)
{
	free(police);
}

static struct slot *slot_find(const struct police *p, struct slot (*table)[WAYS],
	const struct ip_address *source, be16 port, uint16_t instance)
{
	uint64_t h = p->seed ^ (uint64_t)port << 16 ^ instance;

	for (unsigned i = 0; i < 4; i++) {
		h = (h ^ source->words[i]) * 0xff51afd7ed558ccdull;
		h ^= h >> 31;
	}
	struct slot *set = table[h % SETS], *oldest = set;
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].bucket.started && set[i].port == port && set[i].instance == instance &&
			ip_address_equal(&set[i].source, source))
			return &set[i];
		if (!set[i].bucket.started || set[i].bucket.at_ns < oldest->bucket.at_ns)
			oldest = &set[i];
	}
	*oldest = (struct slot){.source = *source, .port = port, .instance = instance};
	return oldest;
}

enum police_result police_request(struct police *p, const struct config_instance *config,
	uint16_t instance, const struct ip_address *source, be16 port, monotonic now)
{
	struct token_bucket *endpoint = NULL, *address = NULL, *all = NULL;

	if (config->police_endpoint_rate) {
		endpoint = &slot_find(p, p->endpoints, source, port, instance)->bucket;
		if (!token_bucket_peek(endpoint, config->police_endpoint_rate,
			    config->police_endpoint_burst, now))
			return POLICE_ENDPOINT;
	}
	if (config->police_source_rate) {
		address = &slot_find(p, p->sources, source, 0, instance)->bucket;
		if (!token_bucket_peek(
			    address, config->police_source_rate, config->police_source_rate, now))
			return POLICE_SOURCE;
	}
	if (config->police_instance_rate) {
		all = &p->instances[instance % INSTANCES_MAX];
		if (!token_bucket_peek(
			    all, config->police_instance_rate, config->police_instance_rate, now))
			return POLICE_INSTANCE;
	}
	if (endpoint)
		token_bucket_take(endpoint);
	if (address)
		token_bucket_take(address);
	if (all)
		token_bucket_take(all);
	return POLICE_PASS;
}
