/*
 * A trial: traffic at one rate for a while, then quiet until all of it is back or lost. One thread.
 */
#ifndef PKTGEN_GENERATOR_TRIAL_H
#define PKTGEN_GENERATOR_TRIAL_H

#include "pktgen/generator/generator.h"

struct trial_settings {
	uint64_t rate;        /* a second; 0: as fast as it goes */
	uint64_t packets;     /* 0: no limit */
	uint32_t duration_ms; /* of sending */
	const char *name;     /* for progress lines: "warm-up", "ndr 3" */
};

#define TRIAL_WORST_MAX 10

struct trial_flow {
	uint32_t flow, duplicates, reordered;
	uint64_t sent, received;
};

struct trial {
	struct trial_settings settings;
	uint64_t wanted; /* packets due by the end; sent ones when there is no rate */
	uint64_t sent, received;
	uint64_t unsent;   /* built, but no port took them */
	double seconds;    /* of sending */
	double loss_ratio; /* of those wanted: what was not sent in time is lost */
	bool stopped;      /* by a signal */
	uint32_t flows_active, flows_lossy, flows_doubled, flows_reordered;
	struct trial_flow worst[TRIAL_WORST_MAX]; /* those that lost most, then doubled most */
	unsigned worst_count;
	struct tally tally;
};

/* `trial` is large: not on a stack. 0, or -EINTR when a signal ended it; then it is filled as far
 * as it went. */
int trial_run(
	struct generator *generator, const struct trial_settings *settings, struct trial *trial);

#endif
