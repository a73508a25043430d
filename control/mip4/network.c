#include "control/mip4/network.h"

#include <errno.h>
#include <stdlib.h>

#define NONE UINT32_MAX

struct entry {
	struct ip_prefix prefix;
	struct ip_address home_address;
	uint32_t binding_id;
	uint32_t next;         /* hash chain */
	uint32_t binding_next; /* chain of the binding's bucket */
	uint16_t instance;
	bool used;
};

struct network_table {
	struct entry *entries;
	uint32_t *heads, *binding_heads;
	uint32_t capacity, mask, fresh, free_head, count;
	uint32_t of_length[129]; /* how many active ones per prefix length */
};

int network_table_new(uint32_t capacity, struct network_table **out)
{
	struct network_table *t = calloc(1, sizeof(*t));
	uint32_t heads = 16;

	if (!t)
		return -ENOMEM;
	while (heads < capacity && heads < 1u << 30)
		heads *= 2;
	t->capacity = capacity;
	t->mask = heads - 1;
	t->free_head = NONE;
	t->entries = calloc(capacity ? capacity : 1, sizeof(*t->entries));
	t->heads = malloc(heads * sizeof(uint32_t));
	t->binding_heads = malloc(heads * sizeof(uint32_t));
	if (!t->entries || !t->heads || !t->binding_heads) {
		network_table_free(t);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < heads; i++)
		t->heads[i] = t->binding_heads[i] = NONE;
	*out = t;
	return 0;
}

void network_table_free(struct network_table *t)
{
	if (!t)
		return;
	free(t->entries);
	free(t->heads);
	free(t->binding_heads);
	free(t);
}

static uint32_t *head_of(
	const struct network_table *t, uint16_t instance, const struct ip_prefix *p)
{
	uint64_t h = p->length * 31u + instance;

	for (unsigned i = 0; i < 4; i++) {
		h = (h ^ p->address.words[i]) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	return &t->heads[h & t->mask];
}

static uint32_t *binding_head(const struct network_table *t, uint32_t binding_id)
{
	return &t->binding_heads[binding_id & t->mask];
}

static uint32_t find(const struct network_table *t, uint16_t instance, const struct ip_prefix *p)
{
	uint32_t at = *head_of(t, instance, p);

	while (at != NONE && (t->entries[at].instance != instance ||
				     !ip_prefix_equal(&t->entries[at].prefix, p)))
		at = t->entries[at].next;
	return at;
}

static bool held_by_other(const struct entry *e, const struct ip_address *home_address)
{
	return !ip_address_equal(&e->home_address, home_address);
}

bool network_table_free_for(const struct network_table *t, uint16_t instance,
	const struct ip_prefix *prefix, const struct ip_address *home_address)
{
	bool longer = false;

	/* The prefix itself and those that cover it: one probe for each length in use. */
	for (unsigned length = 0; length <= prefix->length; length++) {
		if (!t->of_length[length])
			continue;
		struct ip_prefix cover = ip_prefix_make(&prefix->address, (uint8_t)length);
		uint32_t at = find(t, instance, &cover);
		if (at != NONE && held_by_other(&t->entries[at], home_address))
			return false;
	}
	for (unsigned length = prefix->length + 1u; length <= 128; length++)
		longer = longer || t->of_length[length];
	/* Those inside it: looked for one by one, only when longer ones are active at all. */
	for (uint32_t i = 0; longer && i < t->fresh; i++) {
		const struct entry *e = &t->entries[i];
		if (e->used && e->instance == instance && e->prefix.length > prefix->length &&
			ip_prefix_contains(prefix, &e->prefix.address) &&
			held_by_other(e, home_address))
			return false;
	}
	return true;
}

void network_table_remove(
	struct network_table *t, uint16_t instance, const struct ip_prefix *prefix)
{
	uint32_t index = find(t, instance, prefix);

	if (index == NONE)
		return;
	struct entry *e = &t->entries[index];
	uint32_t *at = head_of(t, instance, prefix);
	while (*at != index)
		at = &t->entries[*at].next;
	*at = e->next;
	at = binding_head(t, e->binding_id);
	while (*at != index)
		at = &t->entries[*at].binding_next;
	*at = e->binding_next;
	t->of_length[e->prefix.length]--;
	t->count--;
	e->used = false;
	e->next = t->free_head;
	t->free_head = index;
}

bool network_table_set(struct network_table *t, uint16_t instance, const struct ip_prefix *prefix,
	const struct ip_address *home_address, uint32_t binding_id)
{
	uint32_t index;

	network_table_remove(t, instance, prefix);
	if (t->free_head != NONE) {
		index = t->free_head;
		t->free_head = t->entries[index].next;
	} else if (t->fresh < t->capacity) {
		index = t->fresh++;
	} else {
		return false;
	}
	uint32_t *head = head_of(t, instance, prefix), *of_binding = binding_head(t, binding_id);
	t->entries[index] = (struct entry){
		.prefix = *prefix,
		.home_address = *home_address,
		.binding_id = binding_id,
		.instance = instance,
		.used = true,
		.next = *head,
		.binding_next = *of_binding,
	};
	*head = *of_binding = index;
	t->of_length[prefix->length]++;
	t->count++;
	return true;
}

unsigned network_table_of(
	const struct network_table *t, uint32_t binding_id, struct ip_prefix *out, unsigned size)
{
	unsigned count = 0;

	for (uint32_t at = *binding_head(t, binding_id); at != NONE && count < size;
		at = t->entries[at].binding_next)
		if (t->entries[at].binding_id == binding_id)
			out[count++] = t->entries[at].prefix;
	return count;
}

uint32_t network_table_lookup(
	const struct network_table *t, uint16_t instance, const struct ip_address *address)
{
	for (unsigned length = 128; t->count && length > 0; length--) {
		if (!t->of_length[length])
			continue;
		struct ip_prefix cover = ip_prefix_make(address, (uint8_t)length);
		uint32_t at = find(t, instance, &cover);
		if (at != NONE)
			return t->entries[at].binding_id;
	}
	return NONE;
}
