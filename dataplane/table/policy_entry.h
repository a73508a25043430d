/* One entry of the SPD as workers read it: shared by policy_table.c, policy_general.c and, as far
 * as it says so, dataplane/lane. */
#ifndef DATAPLANE_TABLE_POLICY_ENTRY_H
#define DATAPLANE_TABLE_POLICY_ENTRY_H

#include "dataplane/table/policy_classifier.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>

struct policy_entry {
	/* line 0: all that the usual host policy needs */
	struct ip_address remote_first;
	_Atomic uint64_t born, died; /* visible to versions born <= number < died */
	_Atomic uint32_t next;       /* of the same remote address, by order */
	_Atomic uint32_t clear;      /* policy_general_number of those none of which may come first;
					main lcore */
	_Atomic uint32_t ground;    /* lane: tables_ground at which packets to this one address were
				       found to need nothing but this policy; 0 never; workers */
	_Atomic uint32_t sa_object; /* lane: sa_outbound_number of sa_id when it was last used, to
				       be fetched early; workers */
	uint32_t policy_id, sa_id;
	uint8_t vrf, direction, action;
	bool host;
	bool any;        /* beside the remote address nothing is asked for */
	bool local_only; /* nothing but a local address */
	uint8_t protocol, flags;
	/* line 1 */
	struct ip_address local_first, local_last, remote_last;
	uint16_t local_port_first, local_port_last, remote_port_first, remote_port_last;
	uint32_t order, reqid;
};

static_assert(
	sizeof(struct policy_entry) == 128 && offsetof(struct policy_entry, local_first) == 64,
	"two cache lines a policy");

static inline bool policy_entry_before(const struct policy_entry *a, const struct policy_entry *b)
{
	return a->order != b->order ? a->order < b->order : a->policy_id < b->policy_id;
}

static inline struct selector policy_entry_selector(const struct policy_entry *e)
{
	return (struct selector){.local_first = e->local_first,
		.local_last = e->local_last,
		.remote_first = e->remote_first,
		.remote_last = e->remote_last,
		.local_port_first = e->local_port_first,
		.local_port_last = e->local_port_last,
		.remote_port_first = e->remote_port_first,
		.remote_port_last = e->remote_port_last,
		.protocol = e->protocol};
}

/* The selector without the remote address. */
static inline bool policy_entry_match(const struct policy_entry *e, const struct policy_key *key)
{
	return e->any ||
	       (policy_address_number(&key->local) >= policy_address_number(&e->local_first) &&
		       policy_address_number(&key->local) <=
			       policy_address_number(&e->local_last) &&
		       selector_protocol_match(e->protocol, key->protocol) &&
		       (!(e->flags & POLICY_MIP_SIGNALLING) || key->mip_signalling) &&
		       selector_port_match(
			       e->local_port_first, e->local_port_last, key->local_port) &&
		       selector_port_match(
			       e->remote_port_first, e->remote_port_last, key->remote_port));
}

static inline bool policy_entry_match_remote(
	const struct policy_entry *e, const struct policy_key *key)
{
	return policy_address_number(&key->remote) >= policy_address_number(&e->remote_first) &&
	       policy_address_number(&key->remote) <= policy_address_number(&e->remote_last);
}

#endif
