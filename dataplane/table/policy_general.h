/*
 * The general policies of one version of the SPD: a classifier for each vrf, direction and family,
 * and for each host policy the hint which of them stand before it and may match the same packet.
 * Made by the main lcore, then read by workers; only hints of host policies that no version shows
 * yet are written later. See policy_table.h.
 */
#ifndef DATAPLANE_TABLE_POLICY_GENERAL_H
#define DATAPLANE_TABLE_POLICY_GENERAL_H

#include "dataplane/table/policy_entry.h"

struct policy_general;

/* Room for hints of host policies in slots 0..slots-1. NULL when there is no memory. */
struct policy_general *policy_general_new(uint32_t slots);
void policy_general_free(struct policy_general *general);
/* 0, -ENOSPC more than POLICY_GENERAL_MAX of one kind, -ENOMEM. */
int policy_general_add(struct policy_general *general, const struct policy_entry *entry);
/* After the last add. 0 or -ENOMEM. */
int policy_general_build(struct policy_general *general);
/* After the build, for each host policy and each new one; says so in host->clear when none of the
 * general ones may come first. */
void policy_general_hint(struct policy_general *general, uint32_t slot, struct policy_entry *host);
/* Another one for each policy_general_new, never 0. */
uint32_t policy_general_number(const struct policy_general *general);
/* Worker: fetches what policy_general_match will read of a host policy. */
void policy_general_prefetch(const struct policy_general *general, uint32_t slot);
/* Worker. First match among those that stand before `host`, which is in `slot`; host NULL: among
 * all. NULL: none. */
const struct policy_entry *policy_general_match(const struct policy_general *general,
	const struct policy_key *key, uint32_t slot, const struct policy_entry *host);

#endif
