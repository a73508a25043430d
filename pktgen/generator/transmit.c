#include "pktgen/generator/transmit.h"

#include "dataplane/crypto/engine.h"
#include "lib/base/clock.h"
#include "pktgen/generator/cycles.h"

#include <assert.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>

#define WIRE_EXTRA 24 /* check sequence 4, preamble 8, gap 12: what RFC 2544 counts on a line */

int transmit_init(struct transmitter *t)
{
	return schedule_init(&t->schedule, t->population, t->part, t->parts);
}

void transmit_fini(struct transmitter *t)
{
	transmit_flush(t);
	schedule_fini(&t->schedule);
}

void transmit_begin(
	struct transmitter *t, uint64_t start, uint64_t rate, uint64_t limit, struct tally *tally)
{
	t->pace = (struct pace){.start = start,
		.hz = cycles_hz(),
		.rate = rate,
		.limit = limit,
		.part = t->part,
		.parts = t->parts};
	t->built = 0;
	t->tally = tally;
	if (!t->started)
		t->started = start;
}

/* The NAT of every node gives it another port once an interval; two ports take turns. */
static void mapping_refresh(
	struct transmitter *t, const struct population_group *group, uint32_t node, uint64_t now)
{
	uint32_t interval_ms = group->settings->nat_rebind_ms;
	struct population_node *state = &group->nodes[node];

	if (!interval_ms || now < t->started)
		return;
	uint64_t interval = (uint64_t)interval_ms * (t->pace.hz / 1000);
	uint8_t mapping = (now - t->started) / interval & 1;
	if (mapping != state->mapping) {
		state->moved = 1; /* first: other lcores judge by both */
		atomic_thread_fence(memory_order_release);
		state->mapping = mapping;
	}
}

static void capture_item(struct transmitter *t, const struct rte_mbuf *mbuf)
{
	if (t->capture)
		capture_write(t->capture, rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len,
			clock_read().wall_ns);
}

/* What the port takes, and why it did not take the rest. */
static unsigned hand_over(
	struct transmitter *t, unsigned index, struct rte_mbuf **mbufs, unsigned count)
{
	int taken = port_transmit(&t->ports[index], t->part, mbufs, (uint16_t)count);

	if (taken == PORT_BUSY) {
		t->tally->obstacles[TALLY_QUEUE_BUSY]++;
		return 0;
	}
	if ((unsigned)taken < count) {
		t->tally->obstacles[TALLY_PORT_FULL]++;
		t->tally->full[index]++;
	}
	return (unsigned)taken;
}

/* Hands over what waits for a port; true when nothing does any more. */
static bool queue_flush(struct transmitter *t, unsigned index, unsigned *sent)
{
	struct transmit_queue *queue = &t->queues[index];
	struct rte_mbuf *mbufs[TRANSMIT_BURST_MAX];

	if (queue->first == queue->count)
		return true;
	unsigned waiting = queue->count - queue->first;
	for (unsigned i = 0; i < waiting; i++)
		mbufs[i] = queue->items[queue->first + i].mbuf;
	unsigned taken = hand_over(t, index, mbufs, waiting);
	for (unsigned i = 0; i < taken; i++) {
		const struct transmit_item *item = &queue->items[queue->first + i];
		struct tally_sent *sum = &t->tally->sent[item->group][item->direction];
		sum->packets++;
		sum->octets += item->size;
		sum->wire_octets += item->wire;
	}
	*sent += taken;
	queue->first += taken;
	if (queue->first < queue->count)
		return false;
	queue->first = queue->count = 0;
	return true;
}

void transmit_stop(struct transmitter *t)
{
	t->pace.start = UINT64_MAX;
}

bool transmit_is_flushed(const struct transmitter *t)
{
	for (unsigned i = 0; i < t->population->profile->port_count; i++)
		if (t->queues[i].first != t->queues[i].count)
			return false;
	return true;
}

unsigned transmit_flush(struct transmitter *t)
{
	unsigned sent = 0, lost = 0;

	for (unsigned i = 0; i < t->population->profile->port_count; i++) {
		struct transmit_queue *queue = &t->queues[i];
		if (queue_flush(t, i, &sent))
			continue;
		for (; queue->first < queue->count; queue->first++, lost++)
			rte_pktmbuf_free(queue->items[queue->first].mbuf);
		queue->first = queue->count = 0;
	}
	return lost;
}

static struct crypto_operation operation_make(const struct security_group *security,
	uint32_t association, const struct frame_number *number, uint8_t *frame,
	const struct frame_esp *esp)
{
	return (struct crypto_operation){
		.suite = number->suite,
		.key = &security->keys[0][association],
		.esp = frame + esp->offset,
		.sequence = number->number,
		.length = esp->text_length,
		.flags = security->esn ? CRYPTO_ESN : 0,
	};
}

/* The next number of an association; false, and counted, when it has none left. */
static bool number_take(struct transmitter *t, struct security_group *security,
	uint32_t association, struct frame_number *out)
{
	*out = (struct frame_number){security->suite, security_number_next(security, association)};
	if (out->number)
		return true;
	t->tally->obstacles[TALLY_SEQUENCE_END]++;
	return false;
}

uint16_t transmit_seal(struct transmitter *t, const struct population_group *group, uint32_t node,
	const uint8_t *packet, uint16_t length, uint8_t *out)
{
	struct security_group *security = &t->security->groups[group->index];
	uint32_t association = population_association(group, node, group->nodes[node].place);
	struct frame_number number;
	struct frame_esp esp;

	if (!number_take(t, security, association, &number))
		return 0;
	uint16_t sealed = frame_seal(group, node, &number, packet, length,
		&t->ports[group->settings->access_port].link, out, &esp);
	struct crypto_operation operation =
		operation_make(security, association, &number, out, &esp);

	crypto_engine_encrypt_burst(security_engine_get(t->engine), &operation, 1);
	frame_finish(group, operation.esp);
	return sealed;
}

struct sealing { /* what of a burst is to be encrypted */
	struct crypto_operation operations[TRANSMIT_BURST_MAX];
	const struct population_group *groups[TRANSMIT_BURST_MAX];
	unsigned count;
};

/* Lays out a packet; its place in the port's queue, and an operation when it is ESP. False when it
 * may not be sent. */
static bool packet_build(struct transmitter *t, const struct schedule_item *item,
	struct rte_mbuf *mbuf, uint64_t now, struct sealing *sealing)
{
	const struct population_group *group = item->group;
	unsigned port_index = item->up ? group->settings->access_port : group->settings->core_port;
	struct security_group *security = &t->security->groups[group->index];
	struct transmit_queue *queue = &t->queues[port_index];
	struct frame_plan plan = {
		.group = group,
		.node = item->node,
		.up = item->up,
		.size = item->size,
	};
	uint32_t association =
		population_association(group, item->node, group->nodes[item->node].place);
	struct frame_esp esp;
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

	if (item->up && security->suite && !number_take(t, security, association, &plan.esp))
		return false;
	plan.signature = (struct signature){item->flow, (uint32_t)++t->sequences[item->flow], now};
	if (item->up)
		mapping_refresh(t, group, item->node, now);
	uint16_t length =
		frame_build(t->population, &plan, &t->ports[port_index].link, frame, &esp);
	mbuf->data_len = length;
	mbuf->pkt_len = length;
	/* Only addresses move: what is behind them stays where it is. */
	if (port_tag(&t->ports[port_index], mbuf))
		length = mbuf->data_len;
	queue->items[queue->count++] = (struct transmit_item){mbuf, item->size,
		(uint16_t)(length + WIRE_EXTRA), (uint8_t)group->index, (uint8_t)!item->up};
	if (esp.offset) {
		sealing->groups[sealing->count] = group;
		sealing->operations[sealing->count++] =
			operation_make(security, association, &plan.esp, frame, &esp);
	}
	return true;
}

static void seal(struct transmitter *t, struct sealing *sealing)
{
	if (!sealing->count)
		return;
	crypto_engine_encrypt_burst(
		security_engine_get(t->engine), sealing->operations, sealing->count);
	for (unsigned i = 0; i < sealing->count; i++)
		frame_finish(sealing->groups[i], sealing->operations[i].esp);
}

/* Of as many packets as `wanted`; how many had their turn. */
static unsigned burst_build(struct transmitter *t, unsigned wanted, uint64_t now)
{
	struct rte_mbuf *mbufs[TRANSMIT_BURST_MAX];
	struct sealing sealing;
	struct schedule_item item;
	unsigned turns = 0, built = 0;

	sealing.count = 0;
	if (rte_pktmbuf_alloc_bulk(t->pool, mbufs, wanted)) {
		t->tally->obstacles[TALLY_NO_BUFFER]++;
		return 0;
	}
	for (; turns < wanted && schedule_next(&t->schedule, &item); turns++)
		built += packet_build(t, &item, mbufs[built], now, &sealing);
	t->tally->obstacles[TALLY_NOBODY_READY] += turns < wanted;
	if (built < wanted)
		rte_pktmbuf_free_bulk(mbufs + built, wanted - built);
	seal(t, &sealing);
	for (unsigned i = 0; t->capture && i < built; i++)
		capture_item(t, mbufs[i]);
	return turns;
}

unsigned transmit_poll(struct transmitter *t, uint64_t now)
{
	unsigned sent = 0, ports = t->population->profile->port_count;
	bool free = true;

	for (unsigned i = 0; i < ports; i++)
		free &= queue_flush(t, i, &sent);
	uint64_t due = pace_due(&t->pace, now);
	if (!free || due <= t->built)
		return sent;
	uint64_t missing = due - t->built;
	t->built += burst_build(t, missing < t->burst ? (unsigned)missing : t->burst, now);
	for (unsigned i = 0; i < ports; i++)
		queue_flush(t, i, &sent);
	return sent;
}

bool transmit_frame(struct transmitter *t, unsigned port, const void *frame, uint32_t length)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(t->pool);

	assert(length + ETHERNET_VLAN_SIZE <= TRANSMIT_FRAME_MAX);
	char *data = mbuf ? rte_pktmbuf_append(mbuf, (uint16_t)length) : NULL;

	if (!data) {
		t->tally->obstacles[TALLY_NO_BUFFER]++;
		rte_pktmbuf_free(mbuf);
		return false;
	}
	memcpy(data, frame, length);
	port_tag(&t->ports[port], mbuf);
	/* The port may give the buffer away at once, or refuse it: then it is tried again. */
	uint32_t tagged = mbuf->data_len;
	uint8_t copy[TRANSMIT_FRAME_MAX];
	if (t->capture)
		memcpy(copy, rte_pktmbuf_mtod(mbuf, void *), tagged);
	if (hand_over(t, port, &mbuf, 1) == 1) {
		capture_write(t->capture, copy, tagged, clock_read().wall_ns);
		return true;
	}
	rte_pktmbuf_free(mbuf);
	return false;
}
