/* The sum that every worker's counters must give. */
#ifndef DATAPLANE_CONSERVATION_H
#define DATAPLANE_CONSERVATION_H

#include "dataplane/worker.h"

/*
 * received + created - sent - dropped - punted - joined - held; 0 when every packet is accounted
 * for (lib/ipc/counters.h). Only meaningful between bursts, with all transmit buffers flushed.
 */
int64_t conservation_check(const struct worker *worker);

#endif
