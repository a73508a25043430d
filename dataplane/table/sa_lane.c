#include "dataplane/table/sa_lane.h"

#include "dataplane/table/sa_sequence.h"

#include "lib/ipc/region.h"

#define PACKET_MAX  (UINT16_MAX + UINT64_C(1)) /* octets for the cipher */
#define FAR         (UINT64_C(1) << 20)        /* numbers before the end that is told */
#define IPV4_LENGTH 20

void sa_lane_build(const struct sa_table *table, struct sa_outbound *sa)
{
	const struct sa_outbound_state *state = sa_outbound_state(table, sa->sa_id);
	struct sa_lane *lane = sa_lane_of(sa);

	if (sa->ip_length != IPV4_LENGTH)
		return;
	atomic_store_explicit(
		&lane->near, (uint32_t)atomic_load(&state->sequence), memory_order_relaxed);
}

void sa_lane_open(struct sa_outbound *sa)
{
	atomic_store_explicit(
		&sa->lane, sa->ip_length == IPV4_LENGTH, memory_order_release); /* L1 */
}

void sa_lane_close(struct sa_outbound *sa)
{
	atomic_store_explicit(&sa->lane, 0, memory_order_release); /* L2 */
}

static uint64_t left(uint64_t limit, uint64_t used)
{
	return limit > used ? limit - used : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool sa_lane_look(const struct sa_table *table, const struct sa_outbound *sa, uint64_t now_tsc)
{
	const struct sa_outbound_state *state = sa_outbound_state(table, sa->sa_id);
	struct sa_lane *lane = sa_lane_of(sa);
	/* First: what was counted by then is in the counts. */
	uint64_t last = atomic_load_explicit(&state->sequence, memory_order_acquire);
	uint64_t packets = atomic_load_explicit(&state->packets, memory_order_relaxed);
	uint64_t bytes = atomic_load_explicit(&state->bytes, memory_order_relaxed);
	uint64_t tsc = atomic_load_explicit(&sa->watch.tsc, memory_order_relaxed);
	uint64_t room =
		left((sa->flags & SA_ESN ? SA_SEQUENCE_SOFT_ESN : SA_SEQUENCE_SOFT) - FAR, last);

	room = least(room,
		left(atomic_load_explicit(&sa->watch.packets, memory_order_relaxed), packets));
	room = least(
		room, left(atomic_load_explicit(&sa->watch.bytes, memory_order_relaxed), bytes) /
			      PACKET_MAX);
	/* A burst of each worker may be under way. */
	room = left(room, LOOKUP_BURST * (table->shared ? (uint64_t)REGION_WORKERS_MAX : 1));
	room = least(room, SA_LANE_NUMBERS);
	atomic_store_explicit(&lane->near, (uint32_t)(last + room), memory_order_relaxed);
	atomic_store_explicit(&lane->until, sa_lane_time(tsc), memory_order_relaxed);
	return room > 0 && sa_lane_time(now_tsc) < sa_lane_time(tsc);
}

static bool is_usual(const struct sa_outbound *sa)
{
	return atomic_load(&sa->learned_mtu) == 0 &&
	       atomic_load_explicit(&sa->allowance, memory_order_relaxed) == SA_PROVED;
}

/* Pairs with sa_lane_mtu_learned, in the one order of all these: who notes a way sees what was
 * learned, or the way is taken back after it was noted. */
bool sa_lane_way_note(const struct sa_outbound *sa, uint64_t way)
{
	struct sa_lane *lane = sa_lane_of(sa);

	if (!is_usual(sa))
		return false;
	atomic_store(&lane->way, way);
	if (is_usual(sa))
		return true;
	atomic_store_explicit(&lane->way, 0, memory_order_relaxed);
	return false;
}

void sa_lane_mtu_learned(const struct sa_outbound *constant, uint16_t mtu, uint32_t now_s)
{
	struct sa_outbound *sa = (struct sa_outbound *)(uintptr_t)constant; /* soft state alone */

	atomic_store_explicit(&sa->learned_s, now_s, memory_order_relaxed);
	atomic_store(&sa->learned_mtu, mtu);
	if (sa->ip_length == IPV4_LENGTH)
		atomic_store(&sa_lane_of(sa)->way, 0);
}
