#include "pktgen/generator/schedule.h"

#include <errno.h>
#include <stdlib.h>

#define LOOK_AHEAD 256

/* xorshift64*: a permutation needs no better randomness. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static uint32_t *permutation_new(uint32_t count, uint64_t seed)
{
	uint32_t *order = calloc(count, sizeof(*order));
	uint64_t state = seed ^ 0x9e3779b97f4a7c15ull;

	for (uint32_t i = 0; order && i < count; i++) {
		uint32_t k = (uint32_t)(next_random(&state) % (i + 1));
		order[i] = order[k];
		order[k] = i;
	}
	return order;
}

static void sizes_fill(struct schedule *schedule, const struct profile_traffic *traffic)
{
	/* 7:4:1, spread as evenly as may be */
	static const uint16_t imix[] = {64, 570, 64, 64, 570, 64, 1518, 64, 570, 64, 64, 570};
	const uint16_t *sizes = traffic->size_mode == PROFILE_SIZES_IMIX ? imix : traffic->sizes;
	unsigned room = traffic->size_mode == PROFILE_SIZES_IMIX ? sizeof(imix) / sizeof(imix[0])
								 : PROFILE_SIZES_MAX;

	while (schedule->size_count < room && sizes[schedule->size_count]) {
		uint16_t size = sizes[schedule->size_count];
		schedule->sizes[schedule->size_count++] =
			size < traffic->size_max ? size : (uint16_t)traffic->size_max;
	}
}

/* The nodes of a share lie together: no two lcores write to one line of a cache, but at its ends.
 */
static uint32_t share_begin(const struct population_group *group, unsigned part, unsigned parts)
{
	uint32_t directions = (uint32_t)(group->up + group->down);

	return (uint32_t)((uint64_t)group->settings->nodes * part / parts) * directions;
}

int schedule_init(struct schedule *schedule, const struct population *population, unsigned part,
	unsigned parts)
{
	const struct profile *profile = population->profile;

	*schedule = (struct schedule){.group_count = population->group_count};
	sizes_fill(schedule, &profile->traffic);
	for (unsigned i = 0; i < population->group_count; i++) {
		struct schedule_group *own = &schedule->groups[i];
		own->group = &population->groups[i];
		own->flow_first = share_begin(own->group, part, parts);
		own->flow_count = share_begin(own->group, part + 1, parts) - own->flow_first;
		schedule->shares += own->group->settings->share;
		if (profile->traffic.order != PROFILE_RANDOM)
			continue;
		own->order = permutation_new(
			own->flow_count, profile->seed + i + (uint64_t)part * PROFILE_GROUPS_MAX);
		if (!own->order) {
			schedule_fini(schedule);
			return -ENOMEM;
		}
	}
	return 0;
}

void schedule_fini(struct schedule *schedule)
{
	for (unsigned i = 0; i < schedule->group_count; i++) {
		free(schedule->groups[i].order);
		schedule->groups[i].order = NULL;
	}
}

/* Each gets its share, who is most behind pays the whole: no bursts of one group. */
static struct schedule_group *group_next(struct schedule *schedule)
{
	struct schedule_group *chosen = &schedule->groups[0];

	if (schedule->group_count == 1)
		return chosen;
	for (unsigned i = 0; i < schedule->group_count; i++) {
		struct schedule_group *own = &schedule->groups[i];
		own->credit += own->group->settings->share;
		if (own->credit > chosen->credit)
			chosen = own;
	}
	chosen->credit -= (int64_t)schedule->shares;
	return chosen;
}

/* The flow, within the group, and the number of its size. */
static uint32_t flow_next(struct schedule_group *own, uint32_t *size)
{
	uint32_t at = own->cursor;

	*size = at + own->round;
	if (++own->cursor == own->flow_count) {
		own->cursor = 0;
		own->round++;
	}
	return own->flow_first + (own->order ? own->order[at] : at);
}

static bool take(
	const struct schedule *schedule, struct schedule_group *own, struct schedule_item *item)
{
	const struct population_group *group = own->group;
	bool both = group->up && group->down;

	for (unsigned i = 0; i < LOOK_AHEAD && i < own->flow_count; i++) {
		uint32_t size, flow = flow_next(own, &size);
		uint32_t node = both ? flow / 2 : flow;
		bool up = both ? flow % 2 == 0 : group->up;
		if (!(group->nodes[node].ready &
			    (up ? POPULATION_READY_UP : POPULATION_READY_DOWN)))
			continue;
		item->flow = group->flow_first + flow;
		item->group = group;
		item->node = node;
		item->up = up;
		item->size = schedule->sizes[size % schedule->size_count];
		return true;
	}
	return false;
}

bool schedule_next(struct schedule *schedule, struct schedule_item *item)
{
	for (unsigned i = 0; i < schedule->group_count; i++)
		if (take(schedule, group_next(schedule), item))
			return true;
	return false;
}
