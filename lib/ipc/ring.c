#include "lib/ipc/ring.h"

#include <errno.h>
#include <string.h>

/*
 * The four edges. Records themselves are plain memory; only these order them.
 *
 *   P1  producer: stores of the record      before  release store of tail     pairs with C1
 *   C1  consumer: acquire load of tail      before  loads of the record       pairs with P1
 *   C2  consumer: loads of the record       before  release store of head     pairs with P2
 *   P2  producer: acquire load of head      before  stores over the slot      pairs with C2
 *
 * Indices count records for ever (64 bits do not wrap in the life of a machine); mask makes a slot
 * of them.
 */

size_t ring_size(uint32_t slots, uint32_t record_size)
{
	return sizeof(struct ring_shared) + (size_t)slots * record_size;
}

void ring_reset(struct ring_shared *shared)
{
	atomic_store_explicit(&shared->tail, 0, memory_order_relaxed);
	atomic_store_explicit(&shared->head, 0, memory_order_release);
}

static int attach(
	struct ring *ring, void *memory, size_t size, uint32_t slots, uint32_t record_size)
{
	if (!slots || (slots & (slots - 1)) || !record_size || record_size % 64)
		return -EINVAL;
	if ((uintptr_t)memory % 64 || size < ring_size(slots, record_size))
		return -EINVAL;
	*ring = (struct ring){.shared = memory, .mask = slots - 1, .record_size = record_size};
	return 0;
}

int ring_attach_producer(
	struct ring *ring, void *memory, size_t size, uint32_t slots, uint32_t record_size)
{
	int error = attach(ring, memory, size, slots, record_size);

	if (error)
		return error;
	ring->own = atomic_load_explicit(&ring->shared->tail, memory_order_relaxed);
	ring->peer = ring->own - slots; /* full until head was looked at */
	return 0;
}

int ring_attach_consumer(
	struct ring *ring, void *memory, size_t size, uint32_t slots, uint32_t record_size)
{
	int error = attach(ring, memory, size, slots, record_size);

	if (error)
		return error;
	uint64_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
	ring->own = atomic_load_explicit(&ring->shared->head, memory_order_relaxed);
	if (tail - ring->own > slots) { /* the consumer before us left nonsense: begin at the end */
		ring->own = tail;
		atomic_store_explicit(&ring->shared->head, tail, memory_order_release);
	}
	ring->peer = ring->own;
	return 0;
}

static inline uint8_t *slot(const struct ring *ring, uint64_t index)
{
	return ring->shared->records + (index & ring->mask) * ring->record_size;
}

uint32_t ring_free_count(struct ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->shared->head, memory_order_acquire); /* P2 */
	uint64_t slots = ring->mask + 1, used = ring->own - head;

	if (used > slots) /* scribbled: full until the consumer says something sensible */
		return 0;
	ring->peer = head;
	return (uint32_t)(slots - used);
}

void *ring_reserve(struct ring *ring, uint32_t ahead)
{
	if (ring->own + ahead - ring->peer > ring->mask && ring_free_count(ring) <= ahead)
		return NULL;
	return slot(ring, ring->own + ahead);
}

void ring_commit(struct ring *ring, uint32_t count)
{
	ring->own += count;
	atomic_store_explicit(&ring->shared->tail, ring->own, memory_order_release); /* P1 */
}

bool ring_put(struct ring *ring, const void *record)
{
	void *place = ring_reserve(ring, 0);

	if (!place)
		return false;
	memcpy(place, record, ring->record_size);
	ring_commit(ring, 1);
	return true;
}

uint32_t ring_used_count(struct ring *ring)
{
	uint64_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_acquire); /* C1 */
	uint64_t used = tail - ring->own;

	if (used > ring->mask + 1) /* scribbled: empty until the producer says something sensible */
		return 0;
	ring->peer = tail;
	return (uint32_t)used;
}

const void *ring_peek(struct ring *ring, uint32_t ahead)
{
	if (ring->peer - ring->own <= ahead && ring_used_count(ring) <= ahead)
		return NULL;
	return slot(ring, ring->own + ahead);
}

void ring_release(struct ring *ring, uint32_t count)
{
	ring->own += count;
	atomic_store_explicit(&ring->shared->head, ring->own, memory_order_release); /* C2 */
}

bool ring_get(struct ring *ring, void *record)
{
	const void *place = ring_peek(ring, 0);

	if (!place)
		return false;
	memcpy(record, place, ring->record_size);
	ring_release(ring, 1);
	return true;
}
