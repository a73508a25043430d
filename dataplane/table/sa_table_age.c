/*
 * Limits in seconds of SAs without traffic (LIFE-02). Workers tell with the packet that passes a
 * limit; this tells when there is none. A cursor goes over the slots, once around in a second.
 * Whoever sets a bit of `expired` first tells it. The watch is left alone: a worker that looks
 * closer at it finds the bits set, and nothing here can undo what it stored.
 */
#include "dataplane/table/sa_table.h"
#include "dataplane/tsc_clock.h"

#define ROUND_NS CLOCK_NS_PER_S
#define TURN_MAX 8192 /* slots of one call */

static uint32_t bits_of(const struct sa_limits *limits, uint64_t now_tsc)
{
	return (uint32_t)(now_tsc >= limits->soft_tsc) << SA_EXPIRED_SOFT_TIME |
	       (uint32_t)(now_tsc >= limits->hard_tsc) << SA_EXPIRED_HARD_TIME;
}

/* What could not be told is forgotten again: somebody tells it later. */
static uint32_t tell(_Atomic uint32_t *expired, uint32_t bits, enum sa_direction direction,
	uint32_t sa_id, const struct sa_ager *ager)
{
	uint32_t fresh, told = 0;

	if ((atomic_load_explicit(expired, memory_order_relaxed) & bits) == bits)
		return 0;
	fresh = bits & ~atomic_fetch_or_explicit(expired, bits, memory_order_relaxed);
	for (; fresh != 0; fresh &= fresh - 1) {
		enum sa_expiry kind = (enum sa_expiry)__builtin_ctz(fresh);
		if (ager->tell(ager->context, direction, sa_id, kind))
			told++;
		else
			atomic_fetch_and_explicit(expired, ~(1u << kind), memory_order_relaxed);
	}
	return told;
}

static uint32_t look(
	struct sa_table *table, uint32_t sa_id, uint64_t now_tsc, const struct sa_ager *ager)
{
	const struct sa_outbound *out = sa_outbound_get(table, sa_id);
	const struct sa_inbound *in = sa_inbound_get(table, sa_id);
	uint32_t told = 0;

	if (out != NULL && atomic_load_explicit(&out->watch.tsc, memory_order_relaxed) <= now_tsc)
		told += tell(&sa_outbound_state(table, sa_id)->expired,
			bits_of(&out->limits, now_tsc), SA_OUTBOUND, sa_id, ager);
	if (in != NULL && in->state == SA_STATE_LIVE &&
		atomic_load_explicit(&in->watch.tsc, memory_order_relaxed) <= now_tsc)
		told += tell(&sa_inbound_state(table, sa_id)->expired,
			bits_of(&in->limits, now_tsc), SA_INBOUND, sa_id, ager);
	return told;
}

uint32_t sa_table_age(struct sa_table *table, monotonic now, const struct tsc_clock *clock,
	const struct sa_ager *ager)
{
	uint64_t now_tsc = tsc_clock_from_ns(clock, now), elapsed, due;
	uint32_t told = 0;

	if (table->used[SA_INBOUND] + table->used[SA_OUTBOUND] == 0 || now < table->aged) {
		table->aged = now;
		return 0;
	}
	elapsed = now - table->aged < ROUND_NS ? now - table->aged : ROUND_NS;
	due = elapsed * table->count / ROUND_NS;
	if (due == 0)
		return 0;
	if (due > TURN_MAX) {
		due = TURN_MAX;
		elapsed = ROUND_NS;
	}
	table->aged = elapsed == ROUND_NS ? now : table->aged + due * ROUND_NS / table->count;
	for (uint64_t i = 0; i < due; i++) {
		told += look(table, table->age_cursor, now_tsc, ager);
		table->age_cursor = (table->age_cursor + 1) & (table->count - 1);
	}
	return told;
}
