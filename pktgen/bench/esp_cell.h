/*
 * One figure of ESP through the whole pipeline, beside the library's bare call on the same sizes
 * and keys in the same run (esp_bench.c and esp_suites_bench.c say which figures there are).
 *
 * Every pair sends one packet before a figure, then a piece of 512 packets is made, then copied
 * into mbufs and freed (the source and sink alone), then copied into mbufs and sent through the
 * pipeline. Making them is not timed and uses no memory of the SA table: keys are expanded from
 * their raw form, one by one. The copy, from a buffer that stays in the second level cache, is in
 * the figure, as it is in the budget. "bare" is the library's direct call on as many packets, the
 * keys being those of as many SAs of the table in random order, fetched 8 packets ahead
 * ("bare, cold keys": not fetched ahead); for what is not AES-GCM it is the engine's burst alone,
 * which fetches ahead. "rest" is the pipeline without source, sink and bare call. Gbps count the
 * user's packets.
 *
 * Cycles are TSC cycles; a run's value is the median of its pieces, which are so short that those
 * which the kernel interrupted are few; the figure is the median of the runs (runs.h), the spread
 * that of the runs. The numbers of pairs of one call take turns piece by piece.
 */
#ifndef PKTGEN_BENCH_ESP_CELL_H
#define PKTGEN_BENCH_ESP_CELL_H

#include "pktgen/bench/esp_pairs.h"

#define ESP_CELL_IMIX   0
#define ESP_CELL_FEW    1000
#define ESP_CELL_SOME   10000
#define ESP_CELL_MANY   100000
#define ESP_CELL_COUNTS 4
#define ESP_CELL_PIECES 65536 /* of a run, at most: more than fit in its seconds */

struct esp_cell_shape {
	enum sa_direction direction;
	enum esp_pairs_inside inside;
	uint16_t size; /* of the user's packet; ESP_CELL_IMIX */
};

/* Frames are made and figures printed for `pairs` pairs that are there; a run has at least so many
 * pieces. `wanted`: only figures whose name begins so. */
void esp_cell_init(struct worker *worker, uint32_t pairs, uint32_t pieces, const char *wanted);

/* Runs and prints a figure for each of up to ESP_CELL_COUNTS numbers of pairs, rising, and where
 * 1 and ESP_CELL_MANY are among them the ratio of both. */
void esp_cell_run(const struct esp_cell_shape *shape, const uint32_t *counts, unsigned count);

#endif
