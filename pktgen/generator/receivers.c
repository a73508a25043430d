#include "pktgen/generator/receivers.h"

#include "pktgen/generator/neighbor.h"

#include <errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>

#define MAIL_SIZE  4096
#define MAIL_BURST 32

struct receive_lcore {
	struct receivers *all;
	struct receiver receiver;
	struct tally tally;
	struct rte_ring *mail; /* messages for the main lcore, as mbufs */
	_Atomic uint64_t frames;
	unsigned lcore;
} __attribute__((aligned(64)));

/* A message of another lcore's port: a copy, as the frame goes back to its port. */
static void post(void *context, unsigned port, enum inspect_kind kind, const struct inspected *what,
	const void *frame)
{
	struct receive_lcore *own = context;
	uint32_t length = (uint32_t)(what->part - (const uint8_t *)frame) + what->part_length;
	struct rte_mbuf *copy;

	if (kind != INSPECT_REGISTRATION && !neighbor_is_message(kind, what))
		return;
	copy = rte_pktmbuf_alloc(own->all->pool);
	char *data = copy ? rte_pktmbuf_append(copy, (uint16_t)length) : NULL;
	if (!data) {
		own->tally.obstacles[TALLY_NO_BUFFER]++;
		rte_pktmbuf_free(copy);
		return;
	}
	memcpy(data, frame, length);
	copy->port = (uint16_t)port;
	if (rte_ring_sp_enqueue(own->mail, copy)) { /* asked for again, as what a port loses */
		own->tally.obstacles[TALLY_MAIL_FULL]++;
		rte_pktmbuf_free(copy);
	}
}

static unsigned mail_read(struct receivers *receivers, struct receive_lcore *from)
{
	struct receiver *own = &receivers->own;
	struct rte_mbuf *mail[MAIL_BURST];
	unsigned count = rte_ring_sc_dequeue_burst(from->mail, (void **)mail, MAIL_BURST, NULL);

	for (unsigned i = 0; i < count; i++) {
		const void *frame = rte_pktmbuf_mtod(mail[i], const void *);
		struct inspected what;
		enum inspect_kind kind =
			inspect_frame(frame, mail[i]->data_len, own->population->magic, &what);
		own->message(own->context, mail[i]->port, kind, &what, frame);
	}
	rte_pktmbuf_free_bulk(mail, count);
	return count;
}

static int work(void *argument)
{
	struct receive_lcore *own = argument;
	struct gate *gate = &own->all->gate;
	uint32_t sleep_us = own->receiver.population->profile->sleep_us;

	while (gate_pass(gate)) {
		unsigned count = receive_poll(&own->receiver);
		if (count)
			own->frames += count;
		else if (sleep_us)
			rte_delay_us_sleep(sleep_us);
	}
	return 0;
}

static int lcore_open(struct receivers *receivers, unsigned index, unsigned lcore, char *error)
{
	struct receive_lcore *own = &receivers->lcores[index];
	char name[RTE_RING_NAMESIZE];

	own->all = receivers;
	own->lcore = lcore;
	own->receiver = receivers->own;
	own->receiver.port_first = index;
	own->receiver.tally = &own->tally;
	own->receiver.context = own;
	own->receiver.message = post;
	tally_clear(&own->tally);
	snprintf(name, sizeof(name), "pktgen-mail-%u", index);
	own->mail = rte_ring_create(
		name, MAIL_SIZE, (int)rte_socket_id(), RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (!own->mail)
		return -ENOMEM;
	own->receiver.engine = security_engine_new(own->receiver.security, error);
	return error[0] ? -ENOTSUP : 0;
}

int receivers_open(struct receivers *receivers, char *error)
{
	unsigned ports = receivers->own.population->profile->port_count, lcore;
	unsigned senders = receivers->own.population->profile->sending_lcores;
	unsigned wanted = RTE_MIN(rte_lcore_count() - senders, ports), skipped = 1;
	int result = receive_init(&receivers->own);

	receivers->own.port_step = wanted ? wanted : 1;
	if (result || !wanted)
		return result;
	receivers->lcores = aligned_alloc(64, wanted * sizeof(*receivers->lcores));
	if (!receivers->lcores)
		return -ENOMEM;
	memset(receivers->lcores, 0, wanted * sizeof(*receivers->lcores));
	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		if (skipped < senders) {
			skipped++;
			continue;
		}
		if (receivers->count == wanted)
			break;
		result = lcore_open(receivers, receivers->count, lcore, error);
		if (result)
			return result;
		rte_eal_remote_launch(work, &receivers->lcores[receivers->count++], lcore);
	}
	return 0;
}

void receivers_close(struct receivers *receivers)
{
	gate_end(&receivers->gate);
	for (unsigned i = 0; i < receivers->count; i++) {
		struct receive_lcore *lcore = &receivers->lcores[i];
		rte_eal_wait_lcore(lcore->lcore);
		while (mail_read(receivers, lcore))
			;
		rte_ring_free(lcore->mail);
		security_engine_free(lcore->receiver.engine);
	}
	free(receivers->lcores);
	receive_fini(&receivers->own);
}

static void collect(struct receivers *receivers)
{
	for (unsigned i = 0; i < receivers->count; i++) {
		tally_merge(receivers->own.tally, &receivers->lcores[i].tally);
		tally_clear(&receivers->lcores[i].tally);
	}
}

void receivers_begin(struct receivers *receivers, uint64_t begin, struct tally *tally, bool forget)
{
	gate_close(&receivers->gate, receivers->count);
	if (receivers->own.tally)
		collect(receivers);
	if (forget)
		receive_forget(&receivers->own);
	receive_begin(&receivers->own, begin, tally);
	for (unsigned i = 0; i < receivers->count; i++)
		receivers->lcores[i].receiver.begin = begin;
	gate_open(&receivers->gate);
}

void receivers_collect(struct receivers *receivers)
{
	gate_close(&receivers->gate, receivers->count);
	collect(receivers);
	gate_open(&receivers->gate);
}

unsigned receivers_poll(struct receivers *receivers)
{
	uint64_t frames = 0;

	if (!receivers->count)
		return receive_poll(&receivers->own);
	for (unsigned i = 0; i < receivers->count; i++) {
		mail_read(receivers, &receivers->lcores[i]);
		frames += receivers->lcores[i].frames;
	}
	uint64_t more = frames - receivers->seen;
	receivers->seen = frames;
	return (unsigned)more;
}

uint64_t receivers_packets(const struct receivers *receivers)
{
	uint64_t sum = tally_received_packets(receivers->own.tally);

	for (unsigned i = 0; i < receivers->count; i++)
		sum += tally_received_packets(&receivers->lcores[i].tally);
	return sum;
}

uint64_t receivers_faults(const struct receivers *receivers)
{
	uint64_t sum = tally_fault_count(receivers->own.tally);

	for (unsigned i = 0; i < receivers->count; i++)
		sum += tally_fault_count(&receivers->lcores[i].tally);
	return sum;
}
