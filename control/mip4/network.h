/*
 * Mobile networks behind bindings (RFC 5177, HA4-NEMO-06): which prefix is active for which
 * binding. Bounded. Loop thread alone.
 */
#ifndef CONTROL_MIP4_NETWORK_H
#define CONTROL_MIP4_NETWORK_H

#include "lib/base/address.h"

#define NETWORKS_PER_BINDING_MAX 16

struct network_table;

/* 0 or -ENOMEM. */
int network_table_new(uint32_t capacity, struct network_table **out);
void network_table_free(struct network_table *table);
/* May `binding_id` (of `home_address`) have this prefix: no other home address holds it or an
 * overlapping one? */
bool network_table_free_for(const struct network_table *table, uint16_t instance,
	const struct ip_prefix *prefix, const struct ip_address *home_address);
/* false when the table is full. Setting the same again moves it to the binding. */
bool network_table_set(struct network_table *table, uint16_t instance,
	const struct ip_prefix *prefix, const struct ip_address *home_address, uint32_t binding_id);
void network_table_remove(
	struct network_table *table, uint16_t instance, const struct ip_prefix *prefix);
/* The binding whose active network holds this address, longest prefix first; UINT32_MAX: none. */
uint32_t network_table_lookup(
	const struct network_table *table, uint16_t instance, const struct ip_address *address);
/* The prefixes of a binding, at most `size`; the count. */
unsigned network_table_of(const struct network_table *table, uint32_t binding_id,
	struct ip_prefix *out, unsigned size);

#endif
