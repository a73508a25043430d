/* Which SPIs are whose, and which peers. */
#include "dataplane/table/sa_lane.h"
#include "dataplane/table/sa_table_private.h"

static uint64_t spi_hash(const struct sa_table *table, be32 spi)
{
	const struct ip_address key = {.words = {spi, 0, 0, 0}};

	return slot_table_hash(&table->spis, &key, 0);
}

static bool spi_match(const void *key, const void *objects, uint32_t slot)
{
	const struct sa_inbound *sa = slab_at(objects, slot);

	return sa->spi == *(const be32 *)key;
}

const struct sa_inbound *sa_table_find(const struct sa_table *table, be32 spi)
{
	uint32_t slot = slot_table_find(
		&table->spis, spi_hash(table, spi), spi_match, &spi, &table->inbound);

	return slot != 0 ? slab_at(&table->inbound, slot) : NULL;
}

static bool is_own_slot(const struct sa_table *table, const struct sa_inbound *sa)
{
	return sa_spi_slot(__builtin_bswap32(sa->spi), table->count) == sa->sa_id;
}

bool sa_table_index_inbound(struct sa_table *table, uint32_t sa_id, uint32_t old, uint32_t new)
{
	const struct sa_inbound *from = slab_at(&table->inbound, old);
	const struct sa_inbound *to = slab_at(&table->inbound, new);
	bool from_hash = old != 0 && !is_own_slot(table, from);
	bool to_hash = new != 0 && !is_own_slot(table, to);

	if (from_hash && to_hash && from->spi == to->spi) {
		slot_table_replace(&table->spis, spi_hash(table, to->spi), old, new);
	} else {
		if (to_hash && !slot_table_insert(&table->spis, spi_hash(table, to->spi), new))
			return false;
		if (from_hash)
			slot_table_remove(&table->spis, spi_hash(table, from->spi), old);
	}
	__atomic_store_n(&table->inbound_of[sa_id], new, __ATOMIC_RELEASE);
	if (old != 0)
		retirement_add(table->retirement, &table->inbound, old);
	return true;
}

static uint64_t peer_hash(const struct sa_table *table, const struct sa_peer *peer)
{
	return slot_table_hash(&table->peers, &peer->remote, peer->spi);
}

static bool peer_match(const void *key, const void *objects, uint32_t slot)
{
	const struct sa_peer *wanted = key;
	struct sa_peer peer = sa_table_build_peer(slab_at(objects, slot));

	return peer.spi == wanted->spi && ip_address_equal(&peer.remote, &wanted->remote) &&
	       ip_address_equal(&peer.local, &wanted->local) &&
	       peer.local_port == wanted->local_port && peer.remote_port == wanted->remote_port;
}

const struct sa_outbound *sa_table_find_outbound(
	const struct sa_table *table, const struct sa_peer *peer)
{
	uint32_t slot = slot_table_find(
		&table->peers, peer_hash(table, peer), peer_match, peer, &table->outbound);

	return slot != 0 ? slab_at(&table->outbound, slot) : NULL;
}

/* A transport SA's path is the packet's own: no error of a router names it. */
static void peer_insert(struct sa_table *table, uint32_t slot)
{
	const struct sa_outbound *sa = slab_at(&table->outbound, slot);
	struct sa_peer peer = sa_table_build_peer(sa);

	if (slot != 0 && !(sa->flags & SA_TRANSPORT))
		slot_table_insert(&table->peers, peer_hash(table, &peer), slot);
}

static void peer_remove(struct sa_table *table, uint32_t slot)
{
	const struct sa_outbound *sa = slab_at(&table->outbound, slot);
	struct sa_peer peer = sa_table_build_peer(sa);

	if (slot != 0 && !(sa->flags & SA_TRANSPORT))
		slot_table_remove(&table->peers, peer_hash(table, &peer), slot);
}

void sa_table_index_outbound(struct sa_table *table, uint32_t sa_id, uint32_t old, uint32_t new)
{
	peer_remove(table, old);
	peer_insert(table, new);
	if (new != 0)
		sa_lane_open(slab_at(&table->outbound, new));
	__atomic_store_n(&table->outbound_of[sa_id], new, __ATOMIC_RELEASE);
	if (old != 0) {
		sa_lane_close(slab_at(&table->outbound, old));
		retirement_add(table->retirement, &table->outbound, old);
	}
}
