/* The selector that every packet of a family fits: where a test's or a fuzz target's begin. */
#ifndef TESTS_UNIT_SELECTOR_ANY_H
#define TESTS_UNIT_SELECTOR_ANY_H

#include "lib/ipc/command.h"

static inline struct selector selector_any(bool ipv6)
{
	const struct ip_address none = ip_address_from_v4(0);
	const struct ip_address all = ip_address_from_v4(UINT32_MAX);
	struct selector selector = {.local_first = none,
		.local_last = all,
		.remote_first = none,
		.remote_last = all,
		.local_port_last = UINT16_MAX,
		.remote_port_last = UINT16_MAX};

	if (ipv6) {
		memset(&selector.local_first, 0, sizeof(selector.local_first));
		memset(&selector.local_last, 0xff, sizeof(selector.local_last));
		selector.remote_first = selector.local_first;
		selector.remote_last = selector.local_last;
	}
	return selector;
}

#endif
