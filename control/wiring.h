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
/* wiring_ipsec.c */
struct charon_ops wiring_charon_ops(struct process *process);
struct ipsec_ops wiring_ipsec_ops(struct process *process);
unsigned wiring_ipsec_expand(void *context, uint16_t type, const struct mirror_reference *reference,
	bool told, struct command *out);
bool wiring_ipsec_inner_owned(void *context, uint32_t sa_id, const struct ip_address *address);
uint32_t wiring_ipsec_inner_owner(void *context, uint16_t vrf, const struct ip_address *address);
void wiring_ipsec_former(void *context, struct attachment *former);
/* From the OS; ends the process when there is none. */
void wiring_random(void *context, void *out, size_t length);
/* Puts the difference of two desired states into the mirror. */
void wiring_apply_desired(
	struct process *process, const struct desired *before, const struct desired *after);
/* Announces some of the away home addresses again after a restart (HA4-HOME-12); true while some
 * are left. */
bool wiring_announce_some(struct process *process, const struct clock_now *now);

#endif
