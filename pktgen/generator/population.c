#include "pktgen/generator/population.h"

#include "lib/base/hash.h"

#include <stdlib.h>

struct population *population_new(const struct profile *profile)
{
	const struct hash_key seed = {{profile->seed, 0x6d61676963}};
	struct population *population = calloc(1, sizeof(*population));

	if (!population)
		return NULL;
	population->profile = profile;
	population->magic = (uint16_t)hash_bytes(&seed, "magic", 5);
	population->group_count = profile->group_count;
	for (unsigned i = 0; i < profile->group_count; i++) {
		struct population_group *group = &population->groups[i];
		const struct profile_group *settings = &profile->groups[i];
		*group = (struct population_group){
			.settings = settings,
			.index = i,
			.up = settings->direction != PROFILE_DOWN,
			.down = settings->direction != PROFILE_UP,
			.associations =
				settings->secured ? settings->nodes * profile_places(settings) : 0,
			.flow_first = population->flow_count,
			.sharing = settings->care_of_count
					   ? (settings->nodes + settings->care_of_count - 1) /
						     settings->care_of_count
					   : 1,
		};
		group->flow_count = settings->nodes * (uint32_t)(group->up + group->down);
		population->flow_count += group->flow_count;
		group->nodes = calloc(settings->nodes, sizeof(*group->nodes));
		if (!group->nodes) {
			population_free(population);
			return NULL;
		}
		for (uint32_t node = 0; node < settings->nodes; node++)
			group->nodes[node].ready =
				profile->loopback || !profile_is_mobile_ip(settings)
					? POPULATION_READY
					: 0;
	}
	return population;
}

void population_free(struct population *population)
{
	if (!population)
		return;
	for (unsigned i = 0; i < population->group_count; i++)
		free(population->groups[i].nodes);
	free(population);
}

bool population_flow_find(
	const struct population *population, uint32_t flow, struct population_flow *out)
{
	for (unsigned i = 0; i < population->group_count; i++) {
		const struct population_group *group = &population->groups[i];
		uint32_t in_group = flow - group->flow_first;
		if (flow < group->flow_first || in_group >= group->flow_count)
			continue;
		bool both = group->up && group->down;
		*out = (struct population_flow){
			.group = group,
			.node = both ? in_group / 2 : in_group,
			.up = both ? in_group % 2 == 0 : group->up,
		};
		return true;
	}
	return false;
}
