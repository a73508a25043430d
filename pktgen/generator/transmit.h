/*
 * The sending half: builds what is due and hands it to the ports. A packet that a port does not
 * take waits, in order, and nothing new is built meanwhile: what was built was sent, or is known
 * not to have been. One thread each; senders.h has several.
 */
#ifndef PKTGEN_GENERATOR_TRANSMIT_H
#define PKTGEN_GENERATOR_TRANSMIT_H

#include "pktgen/generator/capture.h"
#include "pktgen/generator/pace.h"
#include "pktgen/generator/port.h"
#include "pktgen/generator/schedule.h"
#include "pktgen/generator/security.h"
#include "pktgen/generator/tally.h"

#define TRANSMIT_BURST_MAX 64
#define TRANSMIT_FRAME_MAX 1024 /* octets of a frame outside the queues, tag included */

struct transmit_item { /* a packet that waits for its port */
	struct rte_mbuf *mbuf;
	uint16_t size; /* of the plain frame */
	uint16_t wire; /* of the frame on a line */
	uint8_t group, direction;
};

struct transmit_queue {
	struct transmit_item items[TRANSMIT_BURST_MAX];
	unsigned first, count;
};

struct transmitter {
	const struct population *population;
	struct security *security;
	struct security_engine *engine;
	struct port *ports;
	struct rte_mempool *pool;
	struct schedule schedule;
	struct capture *capture;
	uint64_t *sequences;  /* of each flow, the last one; all transmitters' */
	unsigned part, parts; /* which share of the nodes, of how many */
	unsigned burst;
	struct transmit_queue queues[PROFILE_PORTS_MAX];
	/* of the trial: */
	struct pace pace;
	uint64_t built; /* packets whose turn came: sent, waiting, or TALLY_SEQUENCE_END */
	struct tally *tally;
	uint64_t started; /* the first one: NATs count from there */
};

/* 0 or -ENOMEM. The caller fills the pointers first. */
int transmit_init(struct transmitter *transmitter);
void transmit_fini(struct transmitter *transmitter);
/* From `start` (cycles) its part of `rate` a second, and of at most `limit` packets; 0 for either
 * is none. */
void transmit_begin(struct transmitter *transmitter, uint64_t start, uint64_t rate, uint64_t limit,
	struct tally *tally);
/* Sends a burst if one is due at `now`; the packets that ports took. */
unsigned transmit_poll(struct transmitter *transmitter, uint64_t now);
/* Nothing more is built. */
void transmit_stop(struct transmitter *transmitter);
/* All that was built has left. */
bool transmit_is_flushed(const struct transmitter *transmitter);
/* The ports' last chance; what they do not take now is forgotten. Returns how many that were. */
unsigned transmit_flush(struct transmitter *transmitter);
/* Puts a node's own packet into its ESP: a frame of at most `length` and FRAME_OVERHEAD_MAX octets
 * in `out`, whose length it returns; 0 when its association has no numbers left. */
uint16_t transmit_seal(struct transmitter *transmitter, const struct population_group *group,
	uint32_t node, const uint8_t *packet, uint16_t length, uint8_t *out);
/* A frame outside all queues (ARP, registrations), in no sum but that of obstacles. False when it
 * could not be sent. */
bool transmit_frame(
	struct transmitter *transmitter, unsigned port, const void *frame, uint32_t length);

#endif
