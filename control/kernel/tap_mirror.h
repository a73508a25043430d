/*
 * The kernel's side of the ports: what Linux knows on the exception TAPs (addresses, routes,
 * neighbours) as SET and REMOVE commands, and the questions in the other direction (resolve this
 * neighbour, flush that one).
 *
 * A TAP is found by its configured name and may come, go and come again. After start, a lost
 * notification or a link change everything is dumped anew and what the dump did not show is removed
 * (mark and sweep). Of several routes to one prefix the one with the lowest metric counts.
 * Neighbours are kept alive: the kernel is asked to confirm them when they turn stale.
 *
 * Loop thread. Whether a command reaches the dataplane is the callbacks' business: static entries
 * and agents win there.
 */
#ifndef CONTROL_KERNEL_TAP_MIRROR_H
#define CONTROL_KERNEL_TAP_MIRROR_H

#include "config/config.h"
#include "lib/base/clock.h"
#include "lib/ipc/command.h"

#include <linux/netlink.h>

struct tap_mirror;

struct tap_mirror_callbacks {
	void *context;
	void (*set)(void *context, const struct command *command);
	void (*remove)(void *context, const struct command *command);
};

struct tap_mirror_statistics {
	uint64_t entries, dumps, lost, asked;
	bool synced; /* at least one whole dump was read and none is under way */
};

/* Opens the socket and asks for the first dump. The configuration is borrowed until the next
 * configure. 0 or -errno. */
int tap_mirror_new(const struct config *config, const struct tap_mirror_callbacks *callbacks,
	struct tap_mirror **out);
void tap_mirror_free(struct tap_mirror *mirror);
/* The same ports (they need a restart), perhaps other agents: tells every entry again. */
void tap_mirror_configure(struct tap_mirror *mirror, const struct config *config);
int tap_mirror_fd(const struct tap_mirror *mirror);
/* Call when the descriptor is readable. */
void tap_mirror_readable(struct tap_mirror *mirror);
/* Confirms stale neighbours, repeats failed dumps; when to call again. */
monotonic tap_mirror_tick(struct tap_mirror *mirror, monotonic now);

/* EVENT_NEIGHBOR_NEEDED: asks the kernel; nothing when the port has no TAP. */
void tap_mirror_resolve(struct tap_mirror *mirror, uint16_t port, const struct ip_address *address);
/* HA4-HOME-11: forgets (mac NULL) or sets the kernel's entry. False when the port has no TAP. */
bool tap_mirror_neighbor_set(struct tap_mirror *mirror, uint16_t port,
	const struct ip_address *address, const uint8_t *mac);
struct tap_mirror_statistics tap_mirror_statistics_get(const struct tap_mirror *mirror);

#endif
