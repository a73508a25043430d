/*
 * What the configuration alone wants in the dataplane: agents, local addresses, home networks with
 * their connected routes, static routes and neighbours. Static bindings are the engine's. The
 * kernel's side may not override or remove any of it.
 *
 * A list of SET commands sorted by key; an update is the difference of two lists. Loop thread.
 */
#ifndef CONTROL_DESIRED_H
#define CONTROL_DESIRED_H

#include "config/config.h"
#include "lib/ipc/command.h"

#include <stdbool.h>
#include <stddef.h>

struct desired {
	struct command *commands; /* sorted by key, keys unique */
	size_t count;
};

/* The same type with nothing but its key fields set: comparable with memcmp. Of a REMOVE the key of
 * its SET. */
struct command desired_key(const struct command *command);

/* 0 or -ENOMEM. */
int desired_new(struct desired *desired, const struct config *config);
void desired_free(struct desired *desired);
/* The entry with the key of *command, or NULL. */
const struct command *desired_lookup(const struct desired *desired, const struct command *command);
/* Is (vrf, address) a home agent's? Then the kernel's claim to it must not reach the dataplane. */
bool desired_is_agent(
	const struct desired *desired, uint16_t vrf, const struct ip_address *address);

#endif
