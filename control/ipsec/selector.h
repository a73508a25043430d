/* Traffic selectors of two sides into the selectors of commands. Pure. */
#ifndef CONTROL_IPSEC_SELECTOR_H
#define CONTROL_IPSEC_SELECTOR_H

#include "config/config.h"
#include "lib/ipc/command.h"

/* Every pair of a local and a remote one that fits: their number, at most CONFIG_SELECTORS_MAX. */
unsigned selector_combine(const struct traffic_selector *local, unsigned local_count,
	const struct traffic_selector *remote, unsigned remote_count,
	struct selector out[CONFIG_SELECTORS_MAX]);
/* The two sides again, for showing. */
struct traffic_selector selector_local(const struct selector *selector);
struct traffic_selector selector_remote(const struct selector *selector);

#endif
