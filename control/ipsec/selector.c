#include "control/ipsec/selector.h"

#include <string.h>

static_assert(CONFIG_SELECTORS_MAX == SA_SELECTORS_MAX, "what the configuration allows fits");

static struct selector combine(
	const struct traffic_selector *local, const struct traffic_selector *remote)
{
	struct selector s;

	memset(&s, 0, sizeof(s));
	s.local_first = local->first;
	s.local_last = local->last;
	s.remote_first = remote->first;
	s.remote_last = remote->last;
	s.local_port_first = local->port_first;
	s.local_port_last = local->port_last;
	s.remote_port_first = remote->port_first;
	s.remote_port_last = remote->port_last;
	s.protocol = local->protocol ? local->protocol : remote->protocol;
	return s;
}

unsigned selector_combine(const struct traffic_selector *local, unsigned local_count,
	const struct traffic_selector *remote, unsigned remote_count,
	struct selector out[CONFIG_SELECTORS_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < local_count; i++)
		for (unsigned k = 0; k < remote_count && count < CONFIG_SELECTORS_MAX; k++)
			if (traffic_selector_fits(&local[i], &remote[k]))
				out[count++] = combine(&local[i], &remote[k]);
	return count;
}

struct traffic_selector selector_local(const struct selector *selector)
{
	return (struct traffic_selector){.first = selector->local_first,
		.last = selector->local_last,
		.port_first = selector->local_port_first,
		.port_last = selector->local_port_last,
		.protocol = selector->protocol};
}

struct traffic_selector selector_remote(const struct selector *selector)
{
	return (struct traffic_selector){.first = selector->remote_first,
		.last = selector->remote_last,
		.port_first = selector->remote_port_first,
		.port_last = selector->remote_port_last,
		.protocol = selector->protocol};
}
