/*
 * What a figure must stand next to: the machine, its kernel, the versions of what made it.
 */
#ifndef PKTGEN_GENERATOR_MACHINE_H
#define PKTGEN_GENERATOR_MACHINE_H

#include <jansson.h>

/* A new object with processor, cores, kernel, memory, hugepages, DPDK and generator versions. */
json_t *machine_report(void);

#endif
