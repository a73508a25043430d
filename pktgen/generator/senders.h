/*
 * Who sends. With one sending lcore the main one does; with more (sending_lcores of the profile),
 * each has an equal share of every group's nodes, next to each other, and with them their flows,
 * sequences and ESP numbers: no flow has two senders, so what the receiver says of its loss and
 * order stays exact. Each has a schedule of its own, drawn from the seed and its number, an engine
 * and sums. The packets of all are due as those of one: the n-th belongs to sender n modulo their
 * number.
 *
 * Between trials the further lcores rest. ARP and registrations are the main one's.
 *
 * All functions: main lcore.
 */
#ifndef PKTGEN_GENERATOR_SENDERS_H
#define PKTGEN_GENERATOR_SENDERS_H

#include "pktgen/generator/gate.h"
#include "pktgen/generator/transmit.h"

struct send_lcore;

struct senders {
	struct transmitter own; /* the main lcore's; the model of the others */
	struct send_lcore *lcores;
	unsigned count;      /* of further lcores */
	uint64_t *sequences; /* of each flow, the last one */
	uint64_t *begun;     /* the same when the trial began */
	uint64_t seen;       /* packets of the further lcores that senders_poll has told about */
	uint64_t turns;      /* as of a further lcore */
	struct gate gate;    /* of the further lcores */
};

/* 0, -ENOMEM, or -ENOTSUP with a sentence in `error`, LIBRARY_ERROR_SIZE octets. The caller fills
 * `own` first. Starts the further lcores. */
int senders_open(struct senders *senders, char *error);
void senders_close(struct senders *senders);
/* From `start` (cycles) at `rate` a second, at most `limit` packets, 0 for either is none. */
void senders_begin(struct senders *senders, uint64_t start, uint64_t rate, uint64_t limit,
	struct tally *tally);
/* Sends a burst if one is due; the packets that ports took from all since the last call. */
unsigned senders_poll(struct senders *senders, uint64_t now);
/* Nothing more is built; what is built may still leave. */
void senders_stop(struct senders *senders);
/* The ports' last chance, then the further lcores rest and their sums are in the tally. Returns
 * the packets that were built and not taken. */
uint64_t senders_end(struct senders *senders);
/* Built by all; all that was built has left; sent by all. They may lag a moment. */
uint64_t senders_built(const struct senders *senders);
bool senders_are_flushed(const struct senders *senders);
uint64_t senders_packets(const struct senders *senders);
/*
 * For those who take a node's leave to send away: when this has grown, all that was built for the
 * node before has left.
 */
uint64_t senders_stamp(
	const struct senders *senders, const struct population_group *group, uint32_t node);

#endif
