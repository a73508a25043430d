/* What an SA may still do: its soft and hard limits, and what goes to an address not proved yet. */
#include "dataplane/table/sa_table.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void sa_table_watch_set(struct sa_watch *watch, const struct sa_limits *limits, uint32_t told)
{
	uint64_t packets = told & 1u << SA_EXPIRED_SOFT_PACKETS ? UINT64_MAX : limits->soft_packets;
	uint64_t bytes = told & 1u << SA_EXPIRED_SOFT_BYTES ? UINT64_MAX : limits->soft_bytes;
	uint64_t tsc = told & 1u << SA_EXPIRED_SOFT_TIME ? UINT64_MAX : limits->soft_tsc;

	if (told & SA_EXPIRED_HARD) /* look closer at every packet: none may pass */
		packets = 0;
	atomic_store_explicit(
		&watch->packets, least(packets, limits->hard_packets), memory_order_relaxed);
	atomic_store_explicit(
		&watch->bytes, least(bytes, limits->hard_bytes), memory_order_relaxed);
	atomic_store_explicit(&watch->tsc, least(tsc, limits->hard_tsc), memory_order_relaxed);
}

static uint32_t passed(const struct sa_limits *limits, const struct sa_use *use)
{
	return (uint32_t)(use->now_tsc >= limits->soft_tsc) << SA_EXPIRED_SOFT_TIME |
	       (uint32_t)(use->now_tsc >= limits->hard_tsc) << SA_EXPIRED_HARD_TIME |
	       (uint32_t)(use->packets >= limits->soft_packets) << SA_EXPIRED_SOFT_PACKETS |
	       (uint32_t)(use->packets > limits->hard_packets) << SA_EXPIRED_HARD_PACKETS |
	       (uint32_t)(use->bytes >= limits->soft_bytes) << SA_EXPIRED_SOFT_BYTES |
	       (uint32_t)(use->bytes > limits->hard_bytes) << SA_EXPIRED_HARD_BYTES;
}

uint32_t sa_table_outbound_expired(const struct sa_table *table, const struct sa_outbound *sa,
	const struct sa_use *use, uint32_t *fresh)
{
	struct sa_outbound_state *state = sa_outbound_state(table, sa->sa_id);
	uint32_t bits = passed(&sa->limits, use);
	uint32_t before = atomic_fetch_or_explicit(&state->expired, bits, memory_order_relaxed);

	*fresh = bits & ~before;
	sa_table_watch_set((struct sa_watch *)&sa->watch, &sa->limits, bits | before);
	return bits | (before & SA_EXPIRED_HARD);
}

uint32_t sa_table_inbound_expired(const struct sa_table *table, const struct sa_inbound *sa,
	const struct sa_use *use, uint32_t *fresh)
{
	struct sa_inbound_state *state = sa_inbound_state(table, sa->sa_id);
	uint32_t bits = passed(&sa->limits, use);
	uint32_t before = atomic_fetch_or_explicit(&state->expired, bits, memory_order_relaxed);

	*fresh = bits & ~before;
	sa_table_watch_set((struct sa_watch *)&sa->watch, &sa->limits, bits | before);
	return bits | (before & SA_EXPIRED_HARD);
}

/* ---- an address that is not proved ---- */

uint32_t sa_table_endpoint_hash(const struct ip_address *address, be16 port)
{
	uint32_t hash = port;

	for (unsigned i = 0; i < 4; i++)
		hash = (hash ^ address->words[i]) * 0x9e3779b1u;
	return hash | 1;
}

/* Control may move either SA of the pair first; what told of a mapping was authentic (NAT-09). */
static bool is_proved(const struct sa_inbound *pair, const struct sa_peer *peer)
{
	if (ip_address_equal(&pair->remote, &peer->remote) &&
		pair->remote_port == peer->remote_port &&
		atomic_load_explicit(&pair->proved, memory_order_relaxed))
		return true;
	return atomic_load_explicit(&pair->mapping_told_to, memory_order_relaxed) ==
	       sa_table_endpoint_hash(&peer->remote, peer->remote_port);
}

bool sa_table_allowance_take(
	const struct sa_table *table, const struct sa_outbound *constant, uint32_t octets)
{
	struct sa_outbound *sa = (struct sa_outbound *)constant; /* soft state alone */
	const struct sa_inbound *pair = sa_inbound_get(table, sa->pair_id);
	struct sa_peer peer = sa_table_build_peer(sa);
	uint32_t left = atomic_load_explicit(&sa->allowance, memory_order_relaxed);

	if (pair == NULL || is_proved(pair, &peer)) {
		atomic_store_explicit(&sa->allowance, SA_PROVED, memory_order_relaxed);
		return true;
	}
	do {
		if (left == SA_PROVED)
			return true;
		if (left < octets)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&sa->allowance, &left, left - octets, memory_order_relaxed, memory_order_relaxed));
	return true;
}

void sa_table_outbound_prove(
	const struct sa_table *table, struct sa_outbound *sa, const struct sa_outbound *from)
{
	struct sa_peer before = sa_table_build_peer(from), now = sa_table_build_peer(sa);
	uint32_t left = table->allowance;

	if (sa->flags & SA_TRANSPORT)
		return; /* the packet's own address, which is no claim of the peer's */
	if (ip_address_equal(&before.remote, &now.remote) && before.remote_port == now.remote_port)
		left = atomic_load_explicit(&from->allowance, memory_order_relaxed);
	atomic_store_explicit(&sa->allowance, left, memory_order_relaxed);
}

void sa_table_inbound_prove(struct sa_inbound *sa, const struct sa_inbound *from)
{
	struct sa_peer now = {.remote = sa->remote, .remote_port = sa->remote_port};

	atomic_store_explicit(&sa->proved, is_proved(from, &now), memory_order_relaxed);
}
