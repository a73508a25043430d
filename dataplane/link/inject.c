#include "dataplane/link/inject.h"

#include "dataplane/packet.h"

/* A record was copied out of the region before this: nobody changes it meanwhile. */
static bool record_valid(const struct inject_record *record, const struct worker *worker)
{
	bool port = record->port < worker->port_count;

	if (record->length == 0 || record->length > PACKET_RECORD_DATA_SIZE ||
		(record->flags & ~(unsigned)INJECT_BYPASS_BINDING))
		return false;
	switch ((enum inject_kind)record->kind) {
	case INJECT_FRAME:
		return port && record->length >= 14;
	case INJECT_DATAGRAM:
	case INJECT_ESP_DUMMY:
		return record->vrf < TABLES_VRF_MAX && (port || record->port == PORT_NONE);
	case INJECT_DATAGRAM_TO_MAC:
		return port && record->vrf < TABLES_VRF_MAX;
	default:
		return false;
	}
}

/* The worker that transmits on the port. */
static struct worker *worker_for(struct worker *workers, unsigned worker_count, uint16_t port)
{
	return &workers[port < REGION_PORTS_MAX ? port % worker_count : 0];
}

static struct rte_mbuf *packet_make(struct worker *worker, const struct inject_record *record)
{
	bool valid = record_valid(record, worker);
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(worker->pool);

	if (!mbuf)
		return NULL;
	struct packet *p = packet_init(
		mbuf, &worker->ports[record->port < worker->port_count ? record->port : 0]);
	mbuf->port = p->port;
	p->inject_kind = INJECT_NONE; /* a malformed one: the worker drops and counts it */
	if (!valid)
		return mbuf;
	memcpy(rte_pktmbuf_mtod(mbuf, void *), record->data, record->length);
	mbuf->data_len = record->length;
	mbuf->pkt_len = record->length;
	p->inject_kind = record->kind;
	p->inject_flags = record->flags;
	p->vlan = record->vlan;
	p->flags = PACKET_LOCAL;
	p->sa_id = record->sa_id;
	if (record->kind != INJECT_FRAME)
		p->vrf = record->vrf;
	memcpy(p->mac, record->mac, sizeof(p->mac));
	return mbuf;
}

unsigned inject_poll(struct region *region, struct worker *workers, unsigned worker_count)
{
	static struct inject_record
		record; /* main lcore's alone; too big for the stack of a loop */
	unsigned count = 0;

	for (; count < BURST_SIZE; count++) {
		const struct inject_record *shared = ring_peek(&region->inject, 0);
		if (!shared)
			break;
		memcpy(&record, shared, sizeof(record));
		struct worker *worker = worker_for(workers, worker_count, record.port);
		if (rte_ring_full(worker->inject_in))
			break;
		struct rte_mbuf *mbuf = packet_make(worker, &record);
		if (!mbuf)
			break;
		rte_ring_sp_enqueue(worker->inject_in, mbuf);
		ring_release(&region->inject, 1);
	}
	return count;
}
