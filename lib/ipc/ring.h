/*
 * One producer, one consumer, fixed-size records, in shared memory between two processes that do
 * not trust each other.
 *
 * The shared part (struct ring_shared) holds two indices on cache lines of their own; each side
 * keeps its own struct ring with the base address, mask, record size and its private index, and
 * never takes any of those back from the region. Ordering edges, each named in ring.c with its
 * partner: P1 producer stores the record, then releases `tail`; C1 consumer acquires `tail`, then
 * loads the record; C2 consumer releases `head` after its last load; P2 producer acquires `head`
 * before it stores over the slot. An index that the peer scribbled on (more than `slots` apart)
 * reads as empty or full.
 */
#ifndef LIB_IPC_RING_H
#define LIB_IPC_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_shared {
	_Alignas(64) _Atomic uint64_t tail; /* producer writes: records ever put */
	_Alignas(64) _Atomic uint64_t head; /* consumer writes: records ever taken */
	_Alignas(64) uint8_t records[];
};

struct ring { /* private to one side */
	struct ring_shared *shared;
	uint64_t mask;        /* slots - 1 */
	uint32_t record_size; /* octets, multiple of 64 */
	uint64_t own;         /* own index: tail of a producer, head of a consumer */
	uint64_t peer;        /* the peer's index when last looked at */
};

/* Octets that a ring of `slots` (a power of two) records of `record_size` takes in the region. */
size_t ring_size(uint32_t slots, uint32_t record_size);
/* Sets both indices to zero; only while no peer is attached. */
void ring_reset(struct ring_shared *shared);
/* Attaches one side at the indices found there. -EINVAL when size or alignment is wrong. */
int ring_attach_producer(
	struct ring *ring, void *memory, size_t size, uint32_t slots, uint32_t record_size);
int ring_attach_consumer(
	struct ring *ring, void *memory, size_t size, uint32_t slots, uint32_t record_size);

/* Producer. Room for how many records now. */
uint32_t ring_free_count(struct ring *ring);
/* Pointer to the slot `ahead` places after the last committed one, to fill in place; NULL when
 * full. */
void *ring_reserve(struct ring *ring, uint32_t ahead);
/* Makes `count` reserved records visible (edge P1). */
void ring_commit(struct ring *ring, uint32_t count);
/* Copies one record in; false when full. */
bool ring_put(struct ring *ring, const void *record);

/* Consumer. Records waiting. */
uint32_t ring_used_count(struct ring *ring);
/* Pointer to the record `ahead` places after the first waiting; NULL when none. The peer may still
 * change its bytes: copy a field before checking it. */
const void *ring_peek(struct ring *ring, uint32_t ahead);
/* Gives `count` slots back (edge C2). */
void ring_release(struct ring *ring, uint32_t count);
/* Copies one record out; false when empty. */
bool ring_get(struct ring *ring, void *record);

#endif
