/*
 * Contradictions in what concerns IPsec: sizes, security associations, policies. Each refusal names
 * the line of the setting to change.
 */
#include "config/loader.h"

static int check_sizes(struct loader *loader)
{
	const struct config_dataplane *dataplane = &loader->config->dataplane;
	uint32_t sas = dataplane->max_security_associations;

	if (sas & (sas - 1))
		return loader_fail(loader,
			loader_line(loader, dataplane, "max_security_associations"),
			"max_security_associations is %u, not a power of two", sas);
	if (dataplane->max_replay_window && dataplane->max_replay_window < 64) // ESP-SEQ-12
		return loader_fail(loader, loader_line(loader, dataplane, "max_replay_window"),
			"max_replay_window is %u, not 0 or 64 to 4096",
			dataplane->max_replay_window);
	return 0;
}

int check_ipsec(struct loader *loader)
{
	return check_sizes(loader);
}
