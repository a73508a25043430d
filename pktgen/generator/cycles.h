/*
 * How fast the processor's counter runs, by the kernel's clock. DPDK rounds what it measures to
 * 10 MHz, up to 0.25 % off: half the width that a search is to reach.
 */
#ifndef PKTGEN_GENERATOR_CYCLES_H
#define PKTGEN_GENERATOR_CYCLES_H

#include <stdint.h>

/* A second in cycles, to some millionths. The first call takes 100 ms and is the main lcore's. */
uint64_t cycles_hz(void);

#endif
