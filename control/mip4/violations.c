#include "control/mip4/violations.h"

static uint32_t bucket_of(const struct mip4_violation *what)
{
	uint64_t h = what->instance * 31u + what->counter;

	for (unsigned i = 0; i < 4; i++)
		h = (h ^ what->source.words[i]) * 0xff51afd7ed558ccdull;
	return (uint32_t)(h >> 40) % VIOLATIONS_MAX;
}

static void unlink_entry(struct violations *v, uint32_t index)
{
	uint16_t *at = &v->heads[bucket_of(&v->entries[index])];

	while (*at && *at != index + 1)
		at = &v->next[*at - 1];
	*at = v->next[index];
}

static uint32_t find(const struct violations *v, const struct mip4_violation *what)
{
	for (uint32_t at = v->heads[bucket_of(what)]; at; at = v->next[at - 1]) {
		const struct mip4_violation *e = &v->entries[at - 1];
		if (e->instance == what->instance && e->counter == what->counter &&
			ip_address_equal(&e->source, &what->source))
			return at - 1;
	}
	return VIOLATIONS_MAX;
}

bool violations_add(struct violations *v, const struct mip4_violation *what, monotonic now,
	uint32_t *suppressed)
{
	uint32_t index = find(v, what);

	*suppressed = 0;
	if (index < VIOLATIONS_MAX) {
		uint64_t before = v->entries[index].count;
		v->entries[index] = *what;
		v->entries[index].count = before + 1;
		if (now - v->told_ns[index] < CLOCK_NS_PER_S) {
			v->untold[index]++;
			return false;
		}
		*suppressed = v->untold[index];
	} else {
		index = (v->newest + 1) % VIOLATIONS_MAX;
		if (v->count == VIOLATIONS_MAX)
			unlink_entry(v, index);
		else
			v->count++;
		v->newest = index;
		v->entries[index] = *what;
		v->entries[index].count = 1;
		uint16_t *head = &v->heads[bucket_of(what)];
		v->next[index] = *head;
		*head = (uint16_t)(index + 1);
	}
	v->told_ns[index] = now;
	v->untold[index] = 0;
	return true;
}

bool violations_get(const struct violations *v, unsigned index, struct mip4_violation *out)
{
	if (index >= v->count)
		return false;
	*out = v->entries[(v->newest + VIOLATIONS_MAX - index) % VIOLATIONS_MAX];
	return true;
}
