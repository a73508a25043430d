/* What control wants sent: records checked, copied into mbufs and given to a worker. Main lcore. */
#ifndef DATAPLANE_LINK_INJECT_H
#define DATAPLANE_LINK_INJECT_H

#include "dataplane/worker.h"

/* Takes up to a burst of records. Returns how many; stops early when workers or buffers are short,
 * nothing is lost. */
unsigned inject_poll(struct region *region, struct worker *workers, unsigned worker_count);

#endif
