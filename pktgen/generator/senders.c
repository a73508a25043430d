#include "pktgen/generator/senders.h"

#include <errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <stdlib.h>

struct send_lcore {
	struct senders *all;
	struct transmitter transmitter;
	struct tally tally;
	unsigned lcore;
	/* for the main lcore: */
	_Atomic uint64_t built, sent;
	_Atomic uint64_t turns; /* after which nothing waited for a port */
	_Atomic bool flushed;
} __attribute__((aligned(64)));

static void publish(struct send_lcore *own, unsigned sent)
{
	own->sent += sent;
	own->flushed = transmit_is_flushed(&own->transmitter);
	if (own->flushed)
		own->turns++;                /* pairs with senders_stamp */
	own->built = own->transmitter.built; /* last: who has read it may trust the others */
}

static int work(void *argument)
{
	struct send_lcore *own = argument;
	struct senders *all = own->all;
	uint32_t sleep_us = own->transmitter.population->profile->sleep_us;

	while (gate_pass(&all->gate)) {
		uint64_t before = own->transmitter.built;
		unsigned sent = transmit_poll(&own->transmitter, rte_rdtsc());
		publish(own, sent);
		if (sleep_us && !sent && own->transmitter.built == before)
			rte_delay_us_sleep(sleep_us);
	}
	return 0;
}

static int lcore_open(struct senders *senders, unsigned lcore, char *error)
{
	struct send_lcore *own = &senders->lcores[senders->count];

	own->all = senders;
	own->lcore = lcore;
	own->flushed = true;
	own->transmitter = senders->own;
	own->transmitter.part = senders->count + 1;
	own->transmitter.tally = &own->tally;
	tally_clear(&own->tally);
	int result = transmit_init(&own->transmitter);
	if (result)
		return result;
	own->transmitter.engine = security_engine_new(own->transmitter.security, error);
	transmit_begin(&own->transmitter, UINT64_MAX, 0, 0, &own->tally);
	own->transmitter.started = 0;
	senders->count++;
	return error[0] ? -ENOTSUP : 0;
}

static int lcores_open(struct senders *senders, unsigned wanted, char *error)
{
	unsigned lcore;

	senders->lcores = aligned_alloc(64, wanted * sizeof(*senders->lcores));
	if (!senders->lcores)
		return -ENOMEM;
	memset(senders->lcores, 0, wanted * sizeof(*senders->lcores));
	senders->gate.closed = true;
	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		if (senders->count == wanted)
			break;
		int result = lcore_open(senders, lcore, error);
		if (result)
			return result;
		rte_eal_remote_launch(work, &senders->lcores[senders->count - 1], lcore);
	}
	gate_close(&senders->gate, senders->count);
	return 0;
}

int senders_open(struct senders *senders, char *error)
{
	const struct population *population = senders->own.population;
	unsigned parts = population->profile->sending_lcores;
	size_t flows = population->flow_count ? population->flow_count : 1;

	senders->sequences = calloc(2 * flows, sizeof(*senders->sequences));
	if (!senders->sequences)
		return -ENOMEM;
	senders->begun = senders->sequences + flows;
	senders->own.sequences = senders->sequences;
	senders->own.parts = parts;
	if (parts > rte_lcore_count()) {
		snprintf(error, LIBRARY_ERROR_SIZE,
			"sending_lcores is %u and the EAL has %u lcores: give it more with -l",
			parts, rte_lcore_count());
		return -ENOTSUP;
	}
	int result = transmit_init(&senders->own);
	if (!result && parts > 1)
		result = lcores_open(senders, parts - 1, error);
	return result;
}

void senders_close(struct senders *senders)
{
	if (!senders->sequences)
		return;
	gate_end(&senders->gate);
	for (unsigned i = 0; i < senders->count; i++) {
		rte_eal_wait_lcore(senders->lcores[i].lcore);
		transmit_fini(&senders->lcores[i].transmitter);
		security_engine_free(senders->lcores[i].transmitter.engine);
	}
	free(senders->lcores);
	transmit_fini(&senders->own);
	free(senders->sequences);
	senders->sequences = NULL;
}

void senders_begin(
	struct senders *senders, uint64_t start, uint64_t rate, uint64_t limit, struct tally *tally)
{
	memcpy(senders->begun, senders->sequences,
		senders->own.population->flow_count * sizeof(*senders->begun));
	senders->seen = 0;
	transmit_begin(&senders->own, start, rate, limit, tally);
	for (unsigned i = 0; i < senders->count; i++) {
		struct send_lcore *lcore = &senders->lcores[i];
		transmit_begin(&lcore->transmitter, start, rate, limit, &lcore->tally);
		lcore->built = lcore->sent = 0;
	}
	gate_open(&senders->gate);
}

void senders_stop(struct senders *senders)
{
	bool closed = senders->gate.closed;

	transmit_stop(&senders->own);
	if (closed)
		return;
	gate_close(&senders->gate, senders->count);
	for (unsigned i = 0; i < senders->count; i++)
		transmit_stop(&senders->lcores[i].transmitter);
	gate_open(&senders->gate);
}

uint64_t senders_end(struct senders *senders)
{
	gate_close(&senders->gate, senders->count);
	uint64_t lost = transmit_flush(&senders->own);
	for (unsigned i = 0; i < senders->count; i++) {
		struct send_lcore *lcore = &senders->lcores[i];
		lost += transmit_flush(&lcore->transmitter);
		publish(lcore, 0);
		tally_merge(senders->own.tally, &lcore->tally);
		tally_clear(&lcore->tally);
		lcore->sent = 0;
	}
	return lost;
}

unsigned senders_poll(struct senders *senders, uint64_t now)
{
	unsigned sent = transmit_poll(&senders->own, now);
	uint64_t others = 0;

	senders->turns += transmit_is_flushed(&senders->own);
	for (unsigned i = 0; i < senders->count; i++)
		others += senders->lcores[i].sent;
	if (others > senders->seen) {
		sent += (unsigned)(others - senders->seen);
		senders->seen = others;
	}
	return sent;
}

uint64_t senders_built(const struct senders *senders)
{
	uint64_t sum = senders->own.built;

	for (unsigned i = 0; i < senders->count; i++)
		sum += senders->lcores[i].built;
	return sum;
}

bool senders_are_flushed(const struct senders *senders)
{
	bool flushed = transmit_is_flushed(&senders->own);

	for (unsigned i = 0; i < senders->count; i++)
		flushed &= senders->lcores[i].flushed;
	return flushed;
}

uint64_t senders_packets(const struct senders *senders)
{
	uint64_t sum = tally_sent_packets(senders->own.tally);

	for (unsigned i = 0; i < senders->count; i++)
		sum += senders->lcores[i].sent;
	return sum;
}

uint64_t senders_stamp(
	const struct senders *senders, const struct population_group *group, uint32_t node)
{
	unsigned part = schedule_part_of(group, node, senders->own.parts);

	/*
	 * What was taken away is seen by each turn that begins after the turns read here: the fence
	 * stands between the two, as the increment stands between two turns. A turn that began
	 * before ends with an increment.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	return part ? senders->lcores[part - 1].turns : senders->turns;
}
