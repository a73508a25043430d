/*
 * Sends the frames of a pcap file as they are, at a rate or when their timestamps say (timeline.h),
 * a number of times, and counts what comes back. One thread.
 */
#ifndef PKTGEN_GENERATOR_REPLAY_H
#define PKTGEN_GENERATOR_REPLAY_H

#include "pktgen/generator/generator.h"

struct replay {
	uint32_t frames; /* in the file */
	uint64_t wanted, sent, sent_octets;
	uint64_t received;    /* frames of any kind, all ports */
	double seconds;       /* until the last was sent */
	double recorded_s;    /* of a loop, by the timestamps */
	struct histogram lag; /* nanoseconds that frames left later than due; none without a rate */
	struct tally tally;   /* of what was received */
};

/* 0, -EINTR, or another negative errno with generator->error: -ETIMEDOUT when the port takes no
 * more. `replay` is large and filled as far as it went. */
int replay_run(struct generator *generator, struct replay *replay);

#endif
