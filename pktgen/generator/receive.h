/*
 * The receiving half: takes frames from the ports, opens what is encapsulated or encrypted, and
 * judges each one against the flow that its signature names: the headers around it, the addresses
 * in it, the port it came by, its place in the sequence. One thread.
 */
#ifndef PKTGEN_GENERATOR_RECEIVE_H
#define PKTGEN_GENERATOR_RECEIVE_H

#include "pktgen/generator/capture.h"
#include "pktgen/generator/inspect.h"
#include "pktgen/generator/port.h"
#include "pktgen/generator/security.h"
#include "pktgen/generator/tally.h"

struct receiver {
	const struct population *population;
	struct security *security;
	struct security_engine *engine;
	struct port *ports;
	struct capture *capture;
	struct window *flows;           /* of each flow */
	unsigned port_first, port_step; /* which of the ports; step 0 counts as 1 */
	/* ARP and Mobile IP messages. NULL: ignored. */
	void *context;
	void (*message)(void *context, unsigned port, enum inspect_kind kind,
		const struct inspected *what, const void *frame);
	/* of the trial: */
	uint64_t begin; /* cycles: signatures from before are late */
	uint64_t hz;
	struct tally *tally;
};

/* 0 or -ENOMEM. The caller fills the pointers first. */
int receive_init(struct receiver *receiver);
void receive_fini(struct receiver *receiver);
/* Forgets what each flow received: before a trial. */
void receive_forget(struct receiver *receiver);
void receive_begin(struct receiver *receiver, uint64_t begin, struct tally *tally);
/* A burst from each of its ports; how many frames there were. */
unsigned receive_poll(struct receiver *receiver);

#endif
