/*
 * Slots, two chained hash indexes and a wheel.
 *
 * The hash tables have as many heads as slots (rounded up to a power of two), so chains stay short
 * at full load without ever being resized: a registration storm never meets a pause. Links are slot
 * numbers, not pointers.
 *
 * The wheel has one bucket per second and 65536 of them: every finite Mobile IPv4 lifetime is below
 * one lap, so a bucket is visited when it is due and holds hardly anything else; longer ones
 * (Mobile IPv6) are left for their lap. A deadline is rounded up to its second: a binding may go up
 * to a second late, never early (HA4-BND-04); the dataplane holds the exact deadline itself
 * (HA4-BND-06).
 */
#include "control/binding/binding_cache.h"

#include <errno.h>
#include <stdlib.h>

#define WHEEL_BUCKETS 65536u
#define INSTANCES_MAX 1024 /* as the configuration allows */

struct binding_cache {
	struct binding *slots;
	uint32_t *home_heads, *endpoint_heads; /* slot or BINDING_NONE */
	uint32_t *free_stack;                  /* slots given back */
	uint32_t free_count;
	uint32_t fresh; /* slots from here on were never used */
	uint32_t mask;
	uint32_t capacity, count;
	uint32_t instance_count[INSTANCES_MAX];
	uint64_t wheel_second; /* everything before this second was visited */
	uint32_t ticking;
	bool wheel_started;
	uint32_t wheel[WHEEL_BUCKETS];
};

static uint32_t hash_address(const struct ip_address *a, uint32_t salt)
{
	uint64_t h = salt * 0x9e3779b97f4a7c15ull;

	for (unsigned i = 0; i < 4; i++) {
		h = (h ^ a->words[i]) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	return (uint32_t)(h ^ h >> 17);
}

static uint32_t *home_head(
	const struct binding_cache *c, uint16_t instance, const struct ip_address *home_address)
{
	return &c->home_heads[hash_address(home_address, instance + 1u) & c->mask];
}

static uint32_t *endpoint_head(const struct binding_cache *c, uint16_t instance,
	const struct ip_address *address, be16 port)
{
	return &c->endpoint_heads[hash_address(address, (instance + 1u) << 16 | port) & c->mask];
}

int binding_cache_new(uint32_t capacity, struct binding_cache **out)
{
	struct binding_cache *c = calloc(1, sizeof(*c));
	uint32_t heads = 16;

	if (!c)
		return -ENOMEM;
	while (heads < capacity && heads < 1u << 30)
		heads *= 2;
	c->capacity = capacity;
	c->mask = heads - 1;
	c->slots = calloc(capacity ? capacity : 1, sizeof(*c->slots));
	c->home_heads = malloc(heads * sizeof(uint32_t));
	c->endpoint_heads = malloc(heads * sizeof(uint32_t));
	c->free_stack = calloc(capacity ? capacity : 1, sizeof(uint32_t));
	if (!c->slots || !c->home_heads || !c->endpoint_heads || !c->free_stack) {
		binding_cache_free(c);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < heads; i++)
		c->home_heads[i] = c->endpoint_heads[i] = BINDING_NONE;
	for (uint32_t i = 0; i < WHEEL_BUCKETS; i++)
		c->wheel[i] = BINDING_NONE;
	*out = c;
	return 0;
}

void binding_cache_free(struct binding_cache *c)
{
	if (!c)
		return;
	free(c->slots);
	free(c->home_heads);
	free(c->endpoint_heads);
	free(c->free_stack);
	free(c);
}

static struct binding *slot_link(struct binding_cache *c, uint32_t id, uint16_t instance,
	const struct ip_address *home_address)
{
	struct binding *b = &c->slots[id];
	uint32_t *head = home_head(c, instance, home_address);

	*b = (struct binding){
		.id = id,
		.instance = instance,
		.home_address = *home_address,
		.state = BINDING_PENDING,
		.node = BINDING_NODE_NONE,
		.foreign_agent = UINT32_MAX,
		.home_port = PORT_NONE,
		.expires_ns = CLOCK_NEVER,
		.home_next = *head,
	};
	*head = id;
	c->count++;
	if (instance < INSTANCES_MAX)
		c->instance_count[instance]++;
	return b;
}

struct binding *binding_cache_insert(
	struct binding_cache *c, uint16_t instance, const struct ip_address *home_address)
{
	/* A slot that insert_at took out of turn may still lie on the stack or ahead of `fresh`. */
	while (c->free_count) {
		uint32_t id = c->free_stack[--c->free_count];
		if (c->slots[id].state == BINDING_FREE)
			return slot_link(c, id, instance, home_address);
	}
	while (c->fresh < c->capacity) {
		uint32_t id = c->fresh++;
		if (c->slots[id].state == BINDING_FREE)
			return slot_link(c, id, instance, home_address);
	}
	return NULL;
}

struct binding *binding_cache_insert_at(struct binding_cache *c, uint32_t id, uint16_t instance,
	const struct ip_address *home_address)
{
	if (id >= c->capacity || c->slots[id].state != BINDING_FREE)
		return NULL;
	return slot_link(c, id, instance, home_address);
}

static void endpoint_unlink(struct binding_cache *c, struct binding *b)
{
	if (!b->endpoint_linked)
		return;
	uint32_t *at = endpoint_head(c, b->instance, &b->care_of_address, b->care_of_port);
	while (*at != b->id)
		at = &c->slots[*at].endpoint_next;
	*at = b->endpoint_next;
	b->endpoint_linked = false;
}

static void wheel_unlink(struct binding_cache *c, struct binding *b)
{
	if (!b->ticking)
		return;
	if (b->wheel_previous == BINDING_NONE)
		c->wheel[b->wheel_bucket] = b->wheel_next;
	else
		c->slots[b->wheel_previous].wheel_next = b->wheel_next;
	if (b->wheel_next != BINDING_NONE)
		c->slots[b->wheel_next].wheel_previous = b->wheel_previous;
	b->ticking = false;
	c->ticking--;
}

void binding_cache_remove(struct binding_cache *c, struct binding *b)
{
	uint32_t *at = home_head(c, b->instance, &b->home_address);

	while (*at != b->id)
		at = &c->slots[*at].home_next;
	*at = b->home_next;
	endpoint_unlink(c, b);
	wheel_unlink(c, b);
	if (b->instance < INSTANCES_MAX)
		c->instance_count[b->instance]--;
	c->count--;
	b->state = BINDING_FREE;
	/* insert_at may have taken a slot that insert had not reached yet: it comes in turn. */
	if (b->id < c->fresh && c->free_count < c->capacity)
		c->free_stack[c->free_count++] = b->id;
}

static struct binding *slot_or_null(const struct binding_cache *c, uint32_t id)
{
	return id == BINDING_NONE ? NULL : &c->slots[id];
}

struct binding *binding_cache_lookup(const struct binding_cache *c, uint32_t id)
{
	return id < c->capacity && c->slots[id].state != BINDING_FREE ? &c->slots[id] : NULL;
}

static struct binding *home_match(const struct binding_cache *c, struct binding *b,
	uint16_t instance, const struct ip_address *home_address)
{
	while (b && (b->instance != instance || !ip_address_equal(&b->home_address, home_address)))
		b = slot_or_null(c, b->home_next);
	return b;
}

struct binding *binding_cache_home(
	const struct binding_cache *c, uint16_t instance, const struct ip_address *home_address)
{
	uint32_t head = *home_head(c, instance, home_address);
	return home_match(c, slot_or_null(c, head), instance, home_address);
}

struct binding *binding_cache_home_next(const struct binding_cache *c, const struct binding *b)
{
	return home_match(c, slot_or_null(c, b->home_next), b->instance, &b->home_address);
}

struct binding *binding_cache_care_of(const struct binding_cache *c, uint16_t instance,
	const struct ip_address *home_address, const struct ip_address *care_of_field)
{
	struct binding *b = binding_cache_home(c, instance, home_address);

	while (b && !ip_address_equal(&b->care_of_field, care_of_field))
		b = binding_cache_home_next(c, b);
	return b;
}

static struct binding *endpoint_match(const struct binding_cache *c, struct binding *b,
	uint16_t instance, const struct ip_address *address, be16 port)
{
	while (b && (b->instance != instance || b->care_of_port != port ||
			    !ip_address_equal(&b->care_of_address, address)))
		b = slot_or_null(c, b->endpoint_next);
	return b;
}

struct binding *binding_cache_endpoint(const struct binding_cache *c, uint16_t instance,
	const struct ip_address *address, be16 port)
{
	uint32_t head = *endpoint_head(c, instance, address, port);
	return endpoint_match(c, slot_or_null(c, head), instance, address, port);
}

struct binding *binding_cache_endpoint_next(const struct binding_cache *c, const struct binding *b)
{
	return endpoint_match(c, slot_or_null(c, b->endpoint_next), b->instance,
		&b->care_of_address, b->care_of_port);
}

void binding_cache_endpoint_set(
	struct binding_cache *c, struct binding *b, const struct ip_address *address, be16 port)
{
	endpoint_unlink(c, b);
	b->care_of_address = *address;
	b->care_of_port = port;
	uint32_t *head = endpoint_head(c, b->instance, address, port);
	b->endpoint_next = *head;
	b->endpoint_linked = true;
	*head = b->id;
}

void binding_cache_schedule(struct binding_cache *c, struct binding *b, monotonic expires_ns)
{
	wheel_unlink(c, b);
	b->expires_ns = expires_ns;
	if (expires_ns == CLOCK_NEVER)
		return;
	uint64_t second = expires_ns / CLOCK_NS_PER_S + (expires_ns % CLOCK_NS_PER_S != 0);
	if (c->wheel_started && second < c->wheel_second)
		second = c->wheel_second; /* already due: the bucket that is visited next */
	b->wheel_bucket = (uint32_t)(second % WHEEL_BUCKETS);
	b->wheel_previous = BINDING_NONE;
	b->wheel_next = c->wheel[b->wheel_bucket];
	if (b->wheel_next != BINDING_NONE)
		c->slots[b->wheel_next].wheel_previous = b->id;
	c->wheel[b->wheel_bucket] = b->id;
	b->ticking = true;
	c->ticking++;
}

struct binding *binding_cache_expired(struct binding_cache *c, monotonic now)
{
	uint64_t second = now / CLOCK_NS_PER_S;

	if (!c->wheel_started) {
		c->wheel_started = true;
		c->wheel_second = second > WHEEL_BUCKETS ? second - WHEEL_BUCKETS + 1 : 0;
	}
	/* After a long pause one lap visits every bucket. */
	if (second >= c->wheel_second + WHEEL_BUCKETS)
		c->wheel_second = second - WHEEL_BUCKETS + 1;
	for (; c->wheel_second <= second && c->ticking; c->wheel_second++) {
		uint32_t bucket = (uint32_t)(c->wheel_second % WHEEL_BUCKETS);
		for (struct binding *b = slot_or_null(c, c->wheel[bucket]); b;
			b = slot_or_null(c, b->wheel_next)) {
			if (b->expires_ns <= now) {
				wheel_unlink(c, b);
				return b;
			}
		}
		if (c->wheel_second == second)
			return NULL; /* this second may still get company */
	}
	if (c->wheel_second < second)
		c->wheel_second = second;
	return NULL;
}

monotonic binding_cache_deadline(const struct binding_cache *c, monotonic now)
{
	if (!c->ticking)
		return CLOCK_NEVER;
	return (now / CLOCK_NS_PER_S + 1) * CLOCK_NS_PER_S;
}

uint32_t binding_cache_count(const struct binding_cache *c)
{
	return c->count;
}

uint32_t binding_cache_instance_count(const struct binding_cache *c, uint16_t instance)
{
	return instance < INSTANCES_MAX ? c->instance_count[instance] : 0;
}

uint32_t binding_cache_capacity(const struct binding_cache *c)
{
	return c->capacity;
}

struct binding *binding_cache_iterate(
	const struct binding_cache *c, uint32_t *cursor, uint32_t look)
{
	while (*cursor < c->capacity && look--) {
		struct binding *b = &c->slots[(*cursor)++];
		if (b->state != BINDING_FREE)
			return b;
	}
	if (*cursor >= c->capacity)
		*cursor = UINT32_MAX;
	return NULL;
}
