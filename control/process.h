/*
 * The control process: what it consists of, and how its parts meet.
 *
 *   punt ring -> dataplane_link -> mip4 engine -> mirror -> command ring ... applied -> engine ->
 * reply -> inject ring config -> desired ------------------------> mirror       kernel (rtnetlink)
 * -> tap_mirror -> mirror engine -> store (bindings, identifications)               engine ->
 * gratuitous ARP, advertisements -> inject ring operators <-> operator server <-> provider (reads
 * all of these)
 *
 * One thread, one loop. A turn (control/loop.h) has the stages: read punts; timers of the parts;
 * hear acknowledgements and send commands; commit the store; send replies. So a reply leaves only
 * after its binding is in every worker (HA4-REG-21) and, for a kill -9, in the store.
 *
 * Start: the store is read into the engine and the kernel's tables into the mirror before the first
 * attach, so the first resynchronisation is complete and sweeps nothing that is still wanted: a
 * restart of control is not seen by traffic (HA4-OPS-19).
 */
#ifndef CONTROL_PROCESS_H
#define CONTROL_PROCESS_H

#include "config/config.h"
#include "control/charon/charon.h"
#include "control/dataplane_link.h"
#include "control/desired.h"
#include "control/home/advertise.h"
#include "control/home/gratuitous_arp.h"
#include "control/ipsec/ipsec.h"
#include "control/kernel/tap_mirror.h"
#include "control/loop.h"
#include "control/mip4/engine.h"
#include "control/mirror/mirror.h"
#include "control/operator/operator.h"
#include "control/store/store.h"

struct process {
	struct config *config;
	struct desired desired;
	struct loop *loop;
	struct mirror *mirror;
	struct store *store;
	struct tap_mirror *taps; /* NULL: control.kernel_mirror off or no port has a TAP */
	struct gratuitous_arp *arp;
	struct advertise *advertise;
	struct dataplane_link *link;
	struct mip4_engine *engine;
	struct ipsec *ipsec;
	struct charon *charon; /* NULL: keying.socket is "" */
	struct provider provider;
	struct operator_server *operators; /* NULL: control.socket is "" */
	struct operator_metrics *metrics;
	struct loop_source signals, netlink;
	int signal_fd;
	bool store_dirty, store_failed;
	monotonic sync_due_ns, started_ns;
	uint32_t arrival_cursor; /* walk of bindings to announce again, UINT32_MAX = none */
	uint64_t solicitations, home_arp_seen;
};

/*
 * Builds everything and takes over *config. Sockets that need root are opened, then privileges are
 * given up, then the store is opened and read. 0, or -errno with one line on the log that names the
 * setting to change. On error process_free cleans up what there is.
 */
int process_new(struct process *process, struct config *config);
/* Runs until SIGTERM or SIGINT. 0 or -errno. */
int process_run(struct process *process);
void process_free(struct process *process);

/*
 * Reads the configuration file again and applies all of it or nothing. Bindings stay; those whose
 * user or prefix vanished are revoked by the engine (HA4-OPS-21). 0; else -errno, error says why,
 * and everything is as before.
 */
int process_reload(struct process *process, struct config_error *error);

/* control/provider.c: what operators see. */
void provider_fill(struct provider *provider, struct process *process);
/* control/provider_ipsec.c: its part. */
void provider_ipsec_fill(struct provider *provider);

#endif
