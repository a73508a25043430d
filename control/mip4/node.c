#include "control/mip4/node.h"

#include "control/mip4/profile.h"

#include <errno.h>
#include <stdlib.h>

#define EVICT_LOOK 64 /* slots looked at for a victim: bounded work per request */

struct node_table {
	struct node *nodes;
	uint32_t *heads;
	uint32_t capacity, mask, count, fresh, hand;
};

static uint64_t key_hash(const struct node_key *key)
{
	uint64_t h = key->instance * 0x9e3779b97f4a7c15ull;

	if (key->nai)
		return h ^ nai_hash(key->nai, key->nai_length);
	for (unsigned i = 0; i < 4; i++) {
		h = (h ^ key->home_address.words[i]) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	return h;
}

static struct node_key node_key_of(const struct node *n)
{
	return (struct node_key){
		.nai = n->nai,
		.nai_length = n->nai ? strlen(n->nai) : 0,
		.home_address = n->home_address,
		.instance = n->instance,
	};
}

int node_table_new(uint32_t capacity, struct node_table **out)
{
	struct node_table *t = calloc(1, sizeof(*t));
	uint32_t heads = 16;

	if (!t)
		return -ENOMEM;
	while (heads < capacity && heads < 1u << 30)
		heads *= 2;
	t->mask = heads - 1;
	t->capacity = capacity;
	t->nodes = calloc(capacity ? capacity : 1, sizeof(*t->nodes));
	t->heads = malloc(heads * sizeof(uint32_t));
	if (!t->nodes || !t->heads) {
		node_table_free(t);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < heads; i++)
		t->heads[i] = NODE_NONE;
	*out = t;
	return 0;
}

void node_table_free(struct node_table *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; t->nodes && i < t->fresh; i++)
		free(t->nodes[i].nai);
	free(t->nodes);
	free(t->heads);
	free(t);
}

struct node *node_table_get(const struct node_table *t, uint32_t index)
{
	return index < t->fresh && t->nodes[index].used ? &t->nodes[index] : NULL;
}

static bool key_matches(const struct node *n, const struct node_key *key)
{
	if (n->instance != key->instance || !n->nai != !key->nai)
		return false;
	if (n->nai)
		return nai_equal(n->nai, strlen(n->nai), key->nai, key->nai_length);
	return ip_address_equal(&n->home_address, &key->home_address);
}

uint32_t node_table_lookup(const struct node_table *t, const struct node_key *key)
{
	uint32_t at = t->heads[key_hash(key) & t->mask];

	while (at != NODE_NONE && !key_matches(&t->nodes[at], key))
		at = t->nodes[at].next;
	return at;
}

static void node_drop(struct node_table *t, uint32_t index)
{
	struct node *n = &t->nodes[index];
	struct node_key key = node_key_of(n);
	uint32_t *at = &t->heads[key_hash(&key) & t->mask];

	while (*at != index)
		at = &t->nodes[*at].next;
	*at = n->next;
	free(n->nai);
	*n = (struct node){0};
	t->count--;
}

static uint32_t slot_take(struct node_table *t, monotonic idle_before,
	void (*evicted)(void *context, const struct node *node), void *context)
{
	if (t->fresh < t->capacity)
		return t->fresh++;
	for (unsigned look = 0; look < EVICT_LOOK && t->capacity; look++) {
		uint32_t index = t->hand++ % t->capacity;
		struct node *n = &t->nodes[index];
		if (!n->used)
			return index;
		if (n->bindings == 0 && n->transaction == UINT32_MAX && n->heard_ns < idle_before &&
			n->pool == 0) {
			evicted(context, n);
			node_drop(t, index);
			return index;
		}
	}
	return NODE_NONE;
}

uint32_t node_table_get_or_add(struct node_table *t, const struct node_key *key,
	monotonic idle_before, void (*evicted)(void *context, const struct node *node),
	void *context)
{
	uint32_t index = node_table_lookup(t, key);

	if (index != NODE_NONE)
		return index;
	char *nai = key->nai ? strndup(key->nai, key->nai_length) : NULL;
	if (key->nai && !nai)
		return NODE_NONE;
	index = slot_take(t, idle_before, evicted, context);
	if (index == NODE_NONE) {
		free(nai);
		return NODE_NONE;
	}
	uint32_t *head = &t->heads[key_hash(key) & t->mask];
	t->nodes[index] = (struct node){
		.nai = nai,
		.instance = key->instance,
		.transaction = UINT32_MAX,
		.profile = PROFILE_NONE,
		.used = true,
		.next = *head,
	};
	if (!nai)
		t->nodes[index].home_address = key->home_address;
	*head = index;
	t->count++;
	return index;
}

uint32_t node_table_count(const struct node_table *t)
{
	return t->count;
}

uint64_t node_identity_hash(const struct node *n)
{
	uint64_t h = n->nai ? nai_hash(n->nai, strlen(n->nai)) : 0;

	for (unsigned i = 0; !n->nai && i < 4; i++)
		h = (h ^ n->home_address.words[i]) * 0xff51afd7ed558ccdull;
	return h | 1;
}

uint32_t node_table_high(const struct node_table *t)
{
	return t->fresh;
}
