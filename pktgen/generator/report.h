/*
 * The report: one JSON object with the machine, the profile, every trial and what a search found.
 * docs/pktgen.md lists its members.
 */
#ifndef PKTGEN_GENERATOR_REPORT_H
#define PKTGEN_GENERATOR_REPORT_H

#include "pktgen/generator/replay.h"
#include "pktgen/generator/trial.h"

#include <jansson.h>

/* What is known before the first trial: machine, profile, ports. */
json_t *report_new(
	const struct generator *generator, const char *profile_path, int argc, char *const *argv);
json_t *report_trial(const struct generator *generator, const struct trial *trial);
json_t *report_replay(const struct generator *generator, const struct replay *replay);
/* What came and what was in the way while there was no trial: registering, say. */
void report_outside(json_t *report, const struct generator *generator);
/* Of all registrations and moves so far; nothing when nobody registers or moves. */
void report_registrations(json_t *report, const struct generator *generator);
void report_moves(json_t *report, const struct generator *generator);
/* Counters of the ports at the end, as DPDK has them. */
void report_ports(json_t *report, const struct generator *generator);
/* Whether it will be possible to write it; best asked before a long run. 0 or -errno. */
int report_try(const char *path);
/* To a file, or to standard output for "-". 0 or -errno. Frees nothing. */
int report_write(const json_t *report, const char *path);

#endif
