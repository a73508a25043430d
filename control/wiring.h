/*
 * The callbacks that connect the parts of struct process: each takes it as its context. Loop
 * thread.
 */
#ifndef CONTROL_WIRING_H
#define CONTROL_WIRING_H

#include "control/process.h"

struct mip4_ops wiring_engine_ops(void);
struct mirror_callbacks wiring_mirror_callbacks(struct process *process);
struct dataplane_link_callbacks wiring_link_callbacks(struct process *process);
struct tap_mirror_callbacks wiring_tap_callbacks(struct process *process);
struct gratuitous_arp_ops wiring_arp_ops(struct process *process);
struct advertise_ops wiring_advertise_ops(struct process *process);
/* Puts the difference of two desired states into the mirror. */
void wiring_apply_desired(
	struct process *process, const struct desired *before, const struct desired *after);
/* Announces some of the away home addresses again after a restart (HA4-HOME-12); true while some
 * are left. */
bool wiring_announce_some(struct process *process, const struct clock_now *now);

#endif
