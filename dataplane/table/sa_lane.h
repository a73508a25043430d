/*
 * What lane/esp_out asks of an outbound SA in tunnel mode over IPv4 beside its header: in the room
 * that an IPv4 header leaves of the SA's first line, so that the usual packet reads no other line
 * of it. Everything here is found out elsewhere, for a while:
 *
 *   way     neighbour and MTU of the outer datagram, at one value of tables_ground; only while no
 *           error taught an MTU (MTU-11) and the peer's address is proved (MOB-12)
 *   near    the limits, as a sequence number before which none can be reached
 *   until   and a time
 *
 * A policy notes the number of its SA's object, and that is believed as long as the object says so
 * itself: `lane` of struct sa_outbound is 1 from before the object stands in its slot until another
 * one stands there, and sa_id is the policy's. An object that was given back and taken again is 0
 * in between and then names its own SA. Edge L1: what the main lcore wrote before it stored 1
 * (release) is read by a worker that loads 1 (acquire); L2: one that loads 0 finds the new slot.
 */
#ifndef DATAPLANE_TABLE_SA_LANE_H
#define DATAPLANE_TABLE_SA_LANE_H

#include "dataplane/table/sa_table.h"

struct sa_lane {
	_Atomic uint64_t way;   /* tables_ground << 32 | MTU << 16 | neighbour; workers */
	_Atomic uint32_t near;  /* modulo 2^32; workers */
	_Atomic uint32_t until; /* sa_lane_time; workers */
};

#define SA_LANE_SIZE 16 /* without the end that is never touched */
_Static_assert(SA_HEADER_IPV4_MAX % 8 == 0 && SA_HEADER_IPV4_MAX + SA_LANE_SIZE <= SA_HEADER_MAX &&
		       offsetof(struct sa_lane, until) + sizeof(uint32_t) == SA_LANE_SIZE,
	"room behind the header");

#define SA_LANE_NUMBERS (1u << 30) /* `near` is no further ahead */

static inline struct sa_lane *sa_lane_of(const struct sa_outbound *sa)
{
	return (struct sa_lane *)(void *)(uintptr_t)&sa->header[SA_HEADER_IPV4_MAX];
}

/* Units of 0.2 to 0.5 s; the last one does not come. */
static inline uint32_t sa_lane_time(uint64_t tsc)
{
	return tsc >> 30 < UINT32_MAX ? (uint32_t)(tsc >> 30) : UINT32_MAX;
}

/* ---- main lcore ---- */

/* Everything else of the object is set. */
void sa_lane_build(const struct sa_table *table, struct sa_outbound *sa);
/* Before the object is stored in its slot, and after another one was, or none. */
void sa_lane_open(struct sa_outbound *sa);
void sa_lane_close(struct sa_outbound *sa);

/* ---- workers ---- */

/* Is this object, of any SA or none, the one of `sa_id` now? */
static inline bool sa_lane_is_of(const struct sa_outbound *object, uint32_t sa_id)
{
	return atomic_load_explicit(&object->lane, memory_order_acquire) && /* L1, L2 */
	       object->sa_id == sa_id;
}

/* Can no packet of this burst, of any number of workers, reach what has to be told or stopped?
 * `time`: sa_lane_time of now. */
static inline bool sa_lane_is_far(
	const struct sa_outbound *sa, const struct sa_outbound_state *state, uint32_t time)
{
	const struct sa_lane *lane = sa_lane_of(sa);
	uint32_t near = atomic_load_explicit(&lane->near, memory_order_relaxed);
	uint32_t last = (uint32_t)atomic_load_explicit(&state->sequence, memory_order_relaxed);

	return near - last - 1 < SA_LANE_NUMBERS &&
	       time < atomic_load_explicit(&lane->until, memory_order_relaxed);
}

/* The same when that says no: looks at the limits themselves. */
bool sa_lane_look(const struct sa_table *table, const struct sa_outbound *sa, uint64_t now_tsc);

/* A step took numbers: `near` may not fall so far behind that it seems to be ahead. */
static inline void sa_lane_passed(
	const struct sa_outbound *sa, const struct sa_outbound_state *state)
{
	struct sa_lane *lane = sa_lane_of(sa);
	uint32_t last = (uint32_t)atomic_load_explicit(&state->sequence, memory_order_relaxed);

	if (atomic_load_explicit(&sa->lane, memory_order_relaxed) &&
		atomic_load_explicit(&lane->near, memory_order_relaxed) - last - 1 >=
			SA_LANE_NUMBERS)
		atomic_store_explicit(&lane->near, last, memory_order_relaxed);
}

/* Neighbour 0: not the lane's, as one whose number is too long for the word. */
static inline uint64_t sa_lane_way(uint32_t ground, uint32_t neighbor, uint16_t mtu)
{
	return (uint64_t)ground << 32 | (uint32_t)mtu << 16 |
	       (neighbor <= UINT16_MAX ? neighbor : 0);
}

static inline uint16_t sa_lane_way_neighbor(uint64_t way)
{
	return (uint16_t)way;
}

static inline uint16_t sa_lane_way_mtu(uint64_t way)
{
	return (uint16_t)(way >> 16);
}

/* Notes a way that was found; false, and it is not noted, while something is known that the lane
 * does not look at: a learned MTU, an allowance. */
bool sa_lane_way_note(const struct sa_outbound *sa, uint64_t way);
/* An error taught the path's MTU. Of an SA in any mode. */
void sa_lane_mtu_learned(const struct sa_outbound *sa, uint16_t mtu, uint32_t now_s);

#endif
