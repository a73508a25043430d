#include "dataplane/output/neighbor.h"

#include "dataplane/drop.h"
#include "dataplane/icmp_error.h"

#include <rte_ether.h>
#include <stdlib.h>

#define HOPS_MAX     64 /* next hops waited for at once */
#define PACKETS_EACH 8  /* waiting for one of them */
#define WAIT_S       3
#define ASK_AGAIN_S  1

struct hop {
	struct ip_address address;
	uint16_t port;
	uint16_t count; /* 0: slot is free */
	uint64_t deadline_tsc, ask_tsc;
	struct rte_mbuf *first, *last; /* linked through struct packet */
};

struct neighbor_queue {
	unsigned used;
	struct hop hops[HOPS_MAX];
};

struct neighbor_queue *neighbor_queue_new(void)
{
	return calloc(1, sizeof(struct neighbor_queue));
}

static struct rte_mbuf *pop(struct worker *worker, struct hop *hop)
{
	struct rte_mbuf *packet = hop->first;

	hop->first = packet_get(packet)->next;
	packet_get(packet)->next = NULL;
	worker->counters->held_neighbor--;
	if (--hop->count == 0)
		worker->neighbor_queue->used--;
	return packet;
}

void neighbor_queue_free(struct worker *worker, struct neighbor_queue *queue)
{
	if (queue == NULL)
		return;
	for (unsigned i = 0; i < HOPS_MAX; i++)
		while (queue->hops[i].count > 0)
			drop_packet(worker, pop(worker, &queue->hops[i]), DROP_neighbor_unresolved);
	free(queue);
}

/* RFC 1112 6.4, RFC 2464 7. False when the address is one node's. */
static bool group_mac(const struct ip_address *a, uint8_t mac[6])
{
	if (ip_address_is_v4(a)) {
		if (a->bytes[12] >> 4 == 0xe) {
			memcpy(mac, (const uint8_t[3]){0x01, 0x00, 0x5e}, 3);
			memcpy(mac + 3, a->bytes + 13, 3);
			mac[3] &= 0x7f;
			return true;
		}
		if (ip_address_v4(a) == UINT32_MAX) {
			memset(mac, 0xff, 6);
			return true;
		}
		return false;
	}
	if (a->bytes[0] != 0xff)
		return false;
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, a->bytes + 12, 4);
	return true;
}

static step_result frame(struct worker *worker, struct rte_mbuf *packet, const uint8_t mac[6])
{
	const struct packet *p = packet_get(packet);
	struct rte_ether_hdr *ether =
		(struct rte_ether_hdr *)rte_pktmbuf_prepend(packet, sizeof(*ether));

	if (ether == NULL)
		return STEP_DROP(DROP_no_headroom);
	memcpy(ether->dst_addr.addr_bytes, mac, 6);
	memcpy(ether->src_addr.addr_bytes, worker->ports[p->out_port].mac, 6);
	ether->ether_type =
		packet_is_ipv6(p) ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
	return STEP_TRANSMIT;
}

static struct hop *find(
	struct neighbor_queue *queue, uint16_t port, const struct ip_address *address, bool add)
{
	struct hop *empty = NULL;

	for (unsigned i = 0; i < HOPS_MAX; i++) {
		struct hop *hop = &queue->hops[i];
		if (hop->count == 0)
			empty = empty != NULL ? empty : hop;
		else if (hop->port == port && ip_address_equal(&hop->address, address))
			return hop;
	}
	if (add && empty != NULL)
		*empty = (struct hop){.address = *address, .port = port};
	return add ? empty : NULL;
}

bool neighbor_is_awaited(
	const struct worker *worker, uint16_t port, const struct ip_address *address)
{
	return worker->neighbor_queue->used > 0 &&
	       find(worker->neighbor_queue, port, address, false) != NULL;
}

static void ask(struct worker *worker, const struct packet *p, struct hop *hop)
{
	if (hop->ask_tsc > worker->now_tsc)
		return;
	hop->ask_tsc = worker->now_tsc + ASK_AGAIN_S * worker->tsc_hz;
	pipeline_event(worker, &(struct event){.type = EVENT_NEIGHBOR_NEEDED,
				       .port = hop->port,
				       .vrf = p->vrf,
				       .address = hop->address});
}

static step_result hold(struct worker *worker, struct rte_mbuf *packet)
{
	struct neighbor_queue *queue = worker->neighbor_queue;
	struct packet *p = packet_get(packet);
	struct hop *hop = find(queue, p->out_port, &p->next_hop, true);

	if (hop == NULL)
		return STEP_DROP(DROP_neighbor_queue_full);
	ask(worker, p, hop);
	if (hop->count == PACKETS_EACH)
		return STEP_DROP(DROP_neighbor_queue_full);
	if (hop->count == 0) {
		queue->used++;
		hop->deadline_tsc = worker->now_tsc + WAIT_S * worker->tsc_hz;
		hop->first = packet;
	} else {
		packet_get(hop->last)->next = packet;
	}
	hop->last = packet;
	hop->count++;
	/* Table entries may go before it does. */
	p->tunnel = p->nested = p->origin = NULL;
	p->route = NULL;
	p->next = NULL;
	p->order = 0;
	worker->counters->held_neighbor++;
	return STEP_DONE;
}

static void release(struct worker *worker, struct hop *hop, const uint8_t mac[6])
{
	while (hop->count > 0) {
		struct rte_mbuf *packet = pop(worker, hop);
		pipeline_emit(worker, packet, frame(worker, packet, mac));
	}
}

static step_result to_neighbor(
	struct worker *worker, struct rte_mbuf *packet, const struct neighbor *neighbor)
{
	struct packet *p = packet_get(packet);
	struct neighbor_queue *queue = worker->neighbor_queue;

	if (queue->used > 0) { /* nobody overtakes what waited (HA4-FWD-17) */
		struct hop *hop = find(queue, p->out_port, &p->next_hop, false);
		if (hop != NULL)
			release(worker, hop, neighbor->mac);
	}
	return frame(worker, packet, neighbor->mac);
}

step_result neighbor_output(struct worker *worker, struct rte_mbuf *packet)
{
	struct packet *p = packet_get(packet);
	const struct neighbor *neighbor;
	uint8_t mac[6];

	if (group_mac(&p->next_hop, mac))
		return frame(worker, packet, mac);
	neighbor = tables_neighbor_lookup(worker->tables, p->out_port, &p->next_hop);
	return neighbor != NULL ? to_neighbor(worker, packet, neighbor) : hold(worker, packet);
}

/* Most of a burst goes to the next hop of the packet before: its neighbour is known then. */
void neighbor_output_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next)
{
	const struct neighbor *last = NULL;

	for (unsigned i = 0; i < count; i++) {
		const struct packet *p = packet_get(packets[i]);

		if (last == NULL || last->port != p->out_port ||
			!ip_address_equal(&last->address, &p->next_hop))
			last = tables_neighbor_lookup(worker->tables, p->out_port, &p->next_hop);
		next[i] = last != NULL ? to_neighbor(worker, packets[i], last)
				       : neighbor_output(worker, packets[i]);
	}
}

void neighbor_tick(struct worker *worker)
{
	struct neighbor_queue *queue = worker->neighbor_queue;

	for (unsigned i = 0; i < HOPS_MAX && queue->used > 0; i++) {
		struct hop *hop = &queue->hops[i];
		const struct neighbor *neighbor;

		if (hop->count == 0)
			continue;
		neighbor = tables_neighbor_lookup(worker->tables, hop->port, &hop->address);
		if (neighbor != NULL) {
			release(worker, hop, neighbor->mac);
		} else if (hop->deadline_tsc <= worker->now_tsc) {
			while (hop->count > 0) {
				struct rte_mbuf *packet = pop(worker, hop);
				icmp_error_send(worker, packet, ICMP_ERROR_HOST_UNREACHABLE, 0);
				drop_packet(worker, packet, DROP_neighbor_unresolved);
			}
		} else {
			ask(worker, packet_get(hop->first), hop);
		}
	}
}
