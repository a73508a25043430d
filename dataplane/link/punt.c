#include "dataplane/link/punt.h"

#include "dataplane/packet.h"
#include "dataplane/table/slot_table.h"

#include <errno.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <sys/random.h>

#define BUCKETS 65536u

struct bucket { /* full at cycle `full_tsc`: one number is the whole state of a token bucket */
	uint64_t full_tsc;
};

struct punt_police {
	uint64_t cost_tsc;  /* cycles that one packet costs */
	uint64_t depth_tsc; /* what a burst may take in advance */
	uint64_t seed;
	struct bucket buckets[BUCKETS];
};

int punt_worker_init(struct worker *worker)
{
	const struct config_dataplane *settings = worker->settings;
	uint32_t burst = settings && settings->punt_burst ? settings->punt_burst : 1;
	struct punt_police *police = calloc(1, sizeof(*police));

	if (!police)
		return -ENOMEM;
	if (settings && settings->punt_rate)
		police->cost_tsc = worker->tsc_hz / settings->punt_rate;
	police->depth_tsc = police->cost_tsc * burst;
	if (getrandom(&police->seed, sizeof(police->seed), 0) != (ssize_t)sizeof(police->seed))
		police->seed = worker->now_tsc;
	worker->punt_police = police;
	return 0;
}

void punt_worker_fini(struct worker *worker)
{
	free(worker->punt_police);
	worker->punt_police = NULL;
}

/* Sources share 65,536 buckets by a keyed hash; an IPv6 source counts by its /64, of which a host
 * may use all. */
static struct bucket *bucket_of(struct punt_police *police, const struct ip_address *source)
{
	uint64_t key, high;

	memcpy(&key, source->bytes, 8);
	memcpy(&high, source->bytes + 8, 8);
	if (ip_address_is_v4(source))
		key = high;
	key = (key ^ police->seed) * 0x9e3779b97f4a7c15ull;
	key = (key ^ key >> 32) * 0xd6e8feb86659fd93ull;
	return &police->buckets[(key >> 32) % BUCKETS];
}

static bool police_pass(struct worker *worker, const struct ip_address *source)
{
	struct punt_police *police = worker->punt_police;

	if (!police || police->cost_tsc == 0)
		return true;
	struct bucket *bucket = bucket_of(police, source);
	uint64_t full = bucket->full_tsc > worker->now_tsc ? bucket->full_tsc : worker->now_tsc;
	if (full + police->cost_tsc > worker->now_tsc + police->depth_tsc)
		return false;
	bucket->full_tsc = full + police->cost_tsc;
	return true;
}

static void record_fill(const struct worker *worker, struct punt_record *record,
	struct rte_mbuf *mbuf, struct packet *p)
{
	uint32_t length = rte_pktmbuf_pkt_len(mbuf);

	memset(record, 0, offsetof(struct punt_record, data));
	record->received_ns = worker->now_ns;
	record->source = p->source;
	record->destination = p->destination;
	record->source_port = p->source_port;
	record->destination_port = p->destination_port;
	record->port = p->port;
	record->vlan = p->vlan;
	record->vrf = p->vrf;
	memcpy(record->source_mac, p->source_mac, sizeof(record->source_mac));
	record->kind = p->punt_kind;
	record->flags =
		(uint8_t)((p->flags & PACKET_LINK_BROADCAST ? PUNT_LINK_BROADCAST : 0) |
			  (p->flags & PACKET_IP_BROADCAST ? PUNT_IP_BROADCAST : 0) |
			  (p->flags & PACKET_UDP_ZERO_CHECKSUM ? PUNT_UDP_ZERO_CHECKSUM : 0) |
			  (p->flags & PACKET_REASSEMBLED ? PUNT_REASSEMBLED : 0));
	record->ttl = p->ttl;
	record->layer_count = p->layer_count < DECAP_LAYERS_MAX ? p->layer_count : DECAP_LAYERS_MAX;
	memcpy(record->layers, p->layers, record->layer_count * sizeof(record->layers[0]));
	record->length = (uint16_t)length;
	const void *data = rte_pktmbuf_read(mbuf, 0, length, record->data);
	if (data && data != record->data)
		memcpy(record->data, data, length);
}

enum drop_reason punt_packet(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);

	if (rte_pktmbuf_pkt_len(packet) > PACKET_RECORD_DATA_SIZE)
		return DROP_punt_full; /* HA4-EXT-14: no message of ours is longer than 1472 */
	if (!police_pass(worker, &p->source))
		return DROP_punt_policed;
	struct punt_record *record = worker->punt ? ring_reserve(worker->punt, 0) : NULL;
	if (!record)
		return DROP_punt_full;
	record_fill(worker, record, packet, p);
	ring_commit(worker->punt, 1);
	worker->counters->punted_control++;
	rte_pktmbuf_free(packet);
	return DROP_NONE;
}
