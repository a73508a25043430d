/*
 * Why nodes are not registered, in words: what the registrar's counters say. Pure; any thread.
 */
#ifndef PKTGEN_GENERATOR_EXCUSE_H
#define PKTGEN_GENERATOR_EXCUSE_H

#include "pktgen/generator/registrar.h"

#define EXCUSE_SIZE 384

/* "5 requests, no reply", or what was wrong with the replies, each with its number. */
void excuse_registration(const struct registrar_counters *counters, char out[EXCUSE_SIZE]);

#endif
