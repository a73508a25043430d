/*
 * Who receives. The lcores behind the sending ones (senders.h), each its share of the ports (port n
 * belongs to lcore n modulo their number), with an engine and sums of its own; without such, the
 * main one does, between sending.
 *
 * A flow comes in by one port, so its window and its node's ESP numbers have one writer; what comes
 * by the wrong port is a fault before they are looked at. ARP and registrations are the main
 * lcore's business: they travel to it through a ring.
 *
 * All functions: main lcore.
 */
#ifndef PKTGEN_GENERATOR_RECEIVERS_H
#define PKTGEN_GENERATOR_RECEIVERS_H

#include "pktgen/generator/gate.h"
#include "pktgen/generator/receive.h"

struct receive_lcore;

struct receivers {
	struct receiver own; /* the main lcore's; the model of the others */
	struct rte_mempool *pool;
	struct receive_lcore *lcores;
	unsigned count; /* of further lcores; 0: the main one receives */
	struct gate gate;
	uint64_t seen; /* frames of the further lcores that receivers_poll has told about */
};

/* 0, -ENOMEM, or -ENOTSUP with a sentence in `error`, LIBRARY_ERROR_SIZE octets. The caller fills
 * `own` and `pool` first. Starts the further lcores. */
int receivers_open(struct receivers *receivers, char *error);
void receivers_close(struct receivers *receivers);
/* From now on sums go to `tally`; signatures from before `begin` (cycles) are late. `forget`: each
 * flow begins anew. */
void receivers_begin(struct receivers *receivers, uint64_t begin, struct tally *tally, bool forget);
/* Brings what was counted so far into the tally. */
void receivers_collect(struct receivers *receivers);
/* Takes frames, or the messages that others took; how many frames there were since the last call.
 */
unsigned receivers_poll(struct receivers *receivers);
/* Of the tally and of what is still to be collected; may lag a moment. */
uint64_t receivers_packets(const struct receivers *receivers);
uint64_t receivers_faults(const struct receivers *receivers);

#endif
