/*
 * Packets for control: policed by source before control spends a cycle on them, then copied into
 * this worker's punt ring. No system call: the main lcore sees the counter move and rings the
 * doorbell.
 */
#ifndef DATAPLANE_LINK_PUNT_H
#define DATAPLANE_LINK_PUNT_H

#include "dataplane/worker.h"

/* Rate and burst from worker->settings (punt_rate a second, 0 = no limit; punt_burst). 0 or
 * -ENOMEM. Before the worker runs. */
int punt_worker_init(struct worker *worker);
void punt_worker_fini(struct worker *worker);

/*
 * The mbuf's data is what control gets; struct packet says the rest (dataplane/packet.h).
 * DROP_NONE: control has a copy, it was counted as punted_control and the mbuf freed. Otherwise the
 * reason to drop it with, which is the caller's to do.
 */
enum drop_reason punt_packet(struct worker *worker, struct rte_mbuf *packet);

#endif
