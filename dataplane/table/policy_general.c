#include "dataplane/table/policy_general.h"

#include "dataplane/table/slab.h"

#include <errno.h>
#include <stdlib.h>

#define VRFS      16
#define HINTS_MAX 7
#define HINT_CUT  UINT8_MAX /* too many to list: ask the classifier */

struct hint {
	uint8_t count; /* or HINT_CUT */
	uint8_t reserved;
	uint16_t places[HINTS_MAX];
};

struct group { /* policies of one vrf, direction and family, in order */
	struct policy_classifier *classifier;
	uint32_t count;
	const struct policy_entry **entries;
};

struct policy_general {
	struct group groups[VRFS][2][2]; /* [vrf][direction][IPv6] */
	struct hint *hints;
	size_t hints_size;
	uint32_t number;
};

struct policy_general *policy_general_new(uint32_t slots)
{
	static uint32_t last; /* the main lcore alone makes them */
	struct policy_general *general = calloc(1, sizeof(*general));

	if (general == NULL)
		return NULL;
	if (++last == 0)
		last = 1;
	general->number = last;
	general->hints_size = slots * sizeof(*general->hints);
	general->hints = slab_map(general->hints_size); /* touched where there are host policies */
	if (general->hints != NULL)
		return general;
	free(general);
	return NULL;
}

void policy_general_free(struct policy_general *general)
{
	if (general == NULL)
		return;
	for (unsigned i = 0; i < VRFS * 4; i++) {
		struct group *group = &general->groups[i / 4][i / 2 % 2][i % 2];
		policy_classifier_free(group->classifier);
		free(group->entries);
	}
	slab_unmap(general->hints, general->hints_size);
	free(general);
}

static struct group *group_of(struct policy_general *general, const struct policy_entry *e)
{
	return &general->groups[e->vrf][e->direction][!ip_address_is_v4(&e->remote_first)];
}

int policy_general_add(struct policy_general *general, const struct policy_entry *entry)
{
	struct group *group = group_of(general, entry);

	if (group->entries == NULL)
		group->entries = calloc(POLICY_GENERAL_MAX, sizeof(*group->entries));
	if (group->entries == NULL)
		return -ENOMEM;
	if (group->count == POLICY_GENERAL_MAX)
		return -ENOSPC;
	group->entries[group->count++] = entry;
	return 0;
}

static int by_order(const void *a, const void *b)
{
	const struct policy_entry *x = *(const struct policy_entry *const *)a;
	const struct policy_entry *y = *(const struct policy_entry *const *)b;

	return policy_entry_before(x, y) ? -1 : policy_entry_before(y, x);
}

static int group_build(struct group *group)
{
	struct selector *selectors = calloc(group->count, sizeof(*selectors));

	qsort(group->entries, group->count, sizeof(group->entries[0]), by_order);
	if (selectors == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < group->count; i++)
		selectors[i] = policy_entry_selector(group->entries[i]);
	// NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the classifier takes them, made or not
	group->classifier = policy_classifier_new(selectors, group->count);
	return group->classifier != NULL ? 0 : -ENOMEM;
}

int policy_general_build(struct policy_general *general)
{
	int error = 0;

	for (unsigned i = 0; i < VRFS * 4 && !error; i++) {
		struct group *group = &general->groups[i / 4][i / 2 % 2][i % 2];
		if (group->count > 0)
			error = group_build(group);
	}
	return error;
}

/* How many of the group stand before the entry. */
static uint32_t place_of(const struct group *group, const struct policy_entry *e)
{
	uint32_t low = 0, high = group->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (policy_entry_before(group->entries[middle], e))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t policy_general_number(const struct policy_general *general)
{
	return general->number;
}

void policy_general_hint(struct policy_general *general, uint32_t slot, struct policy_entry *host)
{
	const struct group *group = group_of(general, host);
	struct hint *hint = &general->hints[slot];
	struct selector selector = policy_entry_selector(host);
	uint32_t count = 0;

	if (group->count > 0)
		count = policy_classifier_overlaps(group->classifier, &selector,
			place_of(group, host), hint->places, HINTS_MAX);
	hint->count = count > HINTS_MAX ? HINT_CUT : (uint8_t)count;
	if (count == 0)
		atomic_store_explicit(&host->clear, general->number, memory_order_relaxed);
}

void policy_general_prefetch(const struct policy_general *general, uint32_t slot)
{
	__builtin_prefetch(&general->hints[slot]);
}

static const struct policy_entry *hinted_match(
	const struct group *group, const struct hint *hint, const struct policy_key *key)
{
	for (unsigned i = 0; i < hint->count; i++) {
		const struct policy_entry *e = group->entries[hint->places[i]];
		if (policy_entry_match_remote(e, key) && policy_entry_match(e, key))
			return e;
	}
	return NULL;
}

const struct policy_entry *policy_general_match(const struct policy_general *general,
	const struct policy_key *key, uint32_t slot, const struct policy_entry *host)
{
	const struct group *group =
		&general->groups[key->vrf][key->direction][!ip_address_is_v4(&key->remote)];
	uint32_t place, before = group->count;

	if (group->count == 0)
		return NULL;
	if (host != NULL && general->hints[slot].count != HINT_CUT)
		return hinted_match(group, &general->hints[slot], key);
	if (host != NULL)
		before = place_of(group, host);
	for (uint32_t from = 0; from < before; from = place + 1) {
		place = policy_classifier_lookup(group->classifier, key, from, before);
		if (place == POLICY_NO_MATCH)
			break;
		/* The one condition that the classifier does not know. */
		if (!(group->entries[place]->flags & POLICY_MIP_SIGNALLING) || key->mip_signalling)
			return group->entries[place];
	}
	return NULL;
}
