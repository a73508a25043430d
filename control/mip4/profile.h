/*
 * Who may register: finds the configured mobile node of a request by NAI or home address
 * (HA4-AUTH-22), exact ones before wildcards, through hash indexes built once per configuration, so
 * that a million configured nodes cost no walk.
 *
 * Read-only after profile_index_new; one thread.
 */
#ifndef CONTROL_MIP4_PROFILE_H
#define CONTROL_MIP4_PROFILE_H

#include "config/config.h"
#include "control/mip4/nai.h"

#define PROFILE_NONE UINT32_MAX

struct profile_index;

/* The index borrows the configuration. 0 or -ENOMEM. */
int profile_index_new(const struct config *config, struct profile_index **out);
void profile_index_free(struct profile_index *index);

/* Index into config->mobile_nodes or PROFILE_NONE. The user part compares octet by octet, the realm
 * without case (HA4-DYN-02). */
uint32_t profile_by_nai(
	const struct profile_index *index, uint16_t instance, const char *nai, size_t length);
uint32_t profile_by_home_address(const struct profile_index *index, uint16_t instance,
	const struct ip_address *home_address);
/* Index into config->foreign_agents or PROFILE_NONE. */
uint32_t profile_foreign_agent(
	const struct profile_index *index, uint16_t instance, const struct ip_address *address);
/* One node alone, not "@realm" or a prefix of home addresses. */
bool profile_is_exact(const struct config_mobile_node *profile);

#endif
