/*
 * Peers of ESP that change their outer address while traffic runs and keep their associations, as
 * MOBIKE has it (RFC 4555), without a NAT that a gateway could follow. The generator speaks no IKE:
 * of each move a line is written, "sa update NAME remote ADDRESS", which homeportctl takes as it
 * is, for whoever tells the gateway. Until then a peer is still reached where it was.
 *
 * Moves go round the nodes of a group. Main lcore; other lcores read a node's place, an octet, once
 * for each packet.
 */
#ifndef PKTGEN_GENERATOR_MOVER_H
#define PKTGEN_GENERATOR_MOVER_H

#include "pktgen/generator/population.h"

struct mover;

struct mover_counters {
	uint64_t moves;
	uint64_t untold; /* of them: the reader was too slow, or has gone */
};

/*
 * `path` is a file, or a FIFO that is open for reading; NULL: nobody is told. 0 and *out, which is
 * NULL when no peer moves; or -errno. `population` outlives it and is written: places.
 */
int mover_new(struct population *population, const char *path, uint64_t hz, struct mover **out);
void mover_free(struct mover *mover);
/* A trial begins at `now` (cycles), and ends: between trials nobody moves. */
void mover_trial(struct mover *mover, uint64_t now, bool begin);
/* Moves who is due, a bounded number. */
void mover_poll(struct mover *mover, uint64_t now);
const struct mover_counters *mover_counters_get(const struct mover *mover);

#endif
