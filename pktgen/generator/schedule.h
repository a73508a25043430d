/*
 * Whose packet is next, and how large it is: groups in proportion to their shares, the flows of a
 * group in turn or in a permutation drawn from the seed, sizes in turn. A round over the flows of a
 * group begins one size further than the round before: over as many rounds as there are sizes each
 * flow has each of them once, whatever the numbers of flows, sizes and groups have in common.
 * Deterministic; one thread.
 */
#ifndef PKTGEN_GENERATOR_SCHEDULE_H
#define PKTGEN_GENERATOR_SCHEDULE_H

#include "pktgen/generator/population.h"

#define SCHEDULE_SIZES_MAX PROFILE_SIZES_MAX

struct schedule_group {
	const struct population_group *group;
	uint32_t flow_first, flow_count; /* within the group: the share */
	uint32_t *order;                 /* of the share's flows; NULL: as they are numbered */
	uint32_t cursor, round;
	int64_t credit;
};

struct schedule {
	unsigned group_count;
	uint64_t shares; /* sum */
	struct schedule_group groups[PROFILE_GROUPS_MAX];
	uint16_t sizes[SCHEDULE_SIZES_MAX];
	unsigned size_count;
};

struct schedule_item {
	uint32_t flow;
	const struct population_group *group;
	uint32_t node;
	bool up;
	uint16_t size; /* of the plain frame */
};

/* Of share number `part` of the nodes, of `parts`; each has its own order. 0 or -ENOMEM. */
int schedule_init(struct schedule *schedule, const struct population *population, unsigned part,
	unsigned parts);
void schedule_fini(struct schedule *schedule);
/* Whose share a node is in. */
static inline unsigned schedule_part_of(
	const struct population_group *group, uint32_t node, unsigned parts)
{
	return (unsigned)((((uint64_t)node + 1) * parts - 1) / group->settings->nodes);
}
/* False when no node was ready to send among the next few of each group. */
bool schedule_next(struct schedule *schedule, struct schedule_item *item);

#endif
