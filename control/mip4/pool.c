/*
 * Addresses never leased are counted up from the start; addresses given back queue in the order
 * their hold-down ends, which is the order they came, because the hold-down is one value per
 * instance. Both are looked at their head only.
 */
#include "control/mip4/pool.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define POOL_MAX  (1u << 20)
#define SLOT_NONE UINT32_MAX

enum slot_state { SLOT_FREE, SLOT_LEASED, SLOT_HELD };

struct slot {
	uint64_t owner;
	monotonic hold_until;
	uint32_t next, previous; /* queue of held ones */
	uint8_t state;
};

struct pool {
	bool high; /* nearly empty, told */
	uint32_t first, size, fresh, leased, held;
	uint32_t head, tail;
	struct slot slots[];
};

struct pool *pool_new(const struct ip_address *first, const struct ip_address *last)
{
	uint32_t from = ntohl(ip_address_v4(first)), to = ntohl(ip_address_v4(last));

	if (!ip_address_is_v4(first) || !ip_address_is_v4(last) || to < from ||
		to - from >= POOL_MAX)
		return NULL;
	struct pool *p = calloc(1, sizeof(*p) + (to - from + 1) * sizeof(struct slot));
	if (!p)
		return NULL;
	p->first = from;
	p->size = to - from + 1;
	p->head = p->tail = SLOT_NONE;
	return p;
}

void pool_free(struct pool *pool)
{
	free(pool);
}

bool pool_contains(const struct pool *p, const struct ip_address *address)
{
	return ip_address_is_v4(address) && ntohl(ip_address_v4(address)) - p->first < p->size;
}

static void held_unlink(struct pool *p, uint32_t i)
{
	struct slot *s = &p->slots[i];

	if (s->previous == SLOT_NONE)
		p->head = s->next;
	else
		p->slots[s->previous].next = s->next;
	if (s->next == SLOT_NONE)
		p->tail = s->previous;
	else
		p->slots[s->next].previous = s->previous;
	p->held--;
}

static void lease(struct pool *p, uint32_t i, uint64_t owner)
{
	if (p->slots[i].state == SLOT_HELD)
		held_unlink(p, i);
	p->slots[i].state = SLOT_LEASED;
	p->slots[i].owner = owner;
	p->leased++;
}

bool pool_take(struct pool *p, uint64_t owner, const struct ip_address *wanted, monotonic now,
	struct ip_address *out)
{
	uint32_t i = SLOT_NONE;

	if (wanted && pool_contains(p, wanted)) {
		uint32_t w = ntohl(ip_address_v4(wanted)) - p->first;
		if (p->slots[w].state == SLOT_HELD && p->slots[w].owner == owner)
			i = w;
	}
	while (i == SLOT_NONE && p->fresh < p->size) {
		if (p->slots[p->fresh].state == SLOT_FREE) /* a restored lease may lie ahead */
			i = p->fresh;
		p->fresh++;
	}
	if (i == SLOT_NONE && p->head != SLOT_NONE && p->slots[p->head].hold_until <= now)
		i = p->head;
	if (i == SLOT_NONE)
		return false;
	lease(p, i, owner);
	*out = ip_address_from_v4(htonl(p->first + i));
	return true;
}

bool pool_claim(struct pool *p, uint64_t owner, const struct ip_address *address)
{
	if (!pool_contains(p, address))
		return false;
	uint32_t i = ntohl(ip_address_v4(address)) - p->first;
	if (p->slots[i].state == SLOT_LEASED)
		return p->slots[i].owner == owner;
	lease(p, i, owner);
	return true;
}

void pool_release(struct pool *p, const struct ip_address *address, monotonic hold_until)
{
	if (!pool_contains(p, address))
		return;
	uint32_t i = ntohl(ip_address_v4(address)) - p->first;
	struct slot *s = &p->slots[i];
	if (s->state != SLOT_LEASED)
		return;
	p->leased--;
	p->held++;
	s->state = SLOT_HELD;
	s->hold_until = hold_until;
	s->next = SLOT_NONE;
	s->previous = p->tail;
	if (p->tail == SLOT_NONE)
		p->head = i;
	else
		p->slots[p->tail].next = i;
	p->tail = i;
}

uint32_t pool_size(const struct pool *p)
{
	return p->size;
}

uint32_t pool_leased(const struct pool *p)
{
	return p->leased;
}

uint32_t pool_held(const struct pool *p, monotonic now)
{
	/* The queue is in time order; what lies behind a head still held is held as well. */
	return p->head != SLOT_NONE && p->slots[p->head].hold_until > now ? p->held : 0;
}

bool pool_alarm(struct pool *pool, bool high)
{
	bool rises = high && !pool->high;

	pool->high = high;
	return rises;
}
