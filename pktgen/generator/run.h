/*
 * A whole run: resolve, register, warm up, trials or searches, report. And what needs no port: the
 * files for the gateway's side.
 */
#ifndef PKTGEN_GENERATOR_RUN_H
#define PKTGEN_GENERATOR_RUN_H

#include "pktgen/generator/options.h"

/* An exit status, as main.c lists them. */
int run_all(
	struct generator *generator, const struct options *options, int argc, char *const *argv);
int run_offline(const struct profile *profile, const struct options *options);

#endif
