/*
 * Mobile nodes as control remembers them: what must outlive a binding (HA4-RPL-09), above all the
 * replay state. Keyed by (instance, NAI) when the configured node has one, else by (instance, home
 * address) (HA4-DYN-10), so that the same node with and without a NAI extension is one node.
 *
 * A node is made after its first authenticated request, never before (HA4-AUTH-10). When the table
 * is full, a node without bindings whose last word is old enough is given up; there the clock's
 * tolerance alone forbids a replay. Loop thread alone; a node stays where it is until it is given
 * up.
 */
#ifndef CONTROL_MIP4_NODE_H
#define CONTROL_MIP4_NODE_H

#include "lib/base/address.h"
#include "lib/base/clock.h"

#include <stdbool.h>

#define NODE_NONE UINT32_MAX

struct node_replay {
	uint64_t last_identification; /* newest accepted timestamp */
	uint32_t nonce_success, nonce_failure;
	bool has_identification, has_nonce_success, has_nonce_failure;
};

struct node {
	char *nai;                      /* owned, NULL: keyed by home_address */
	struct ip_address home_address; /* key without a NAI; else unspecified */
	struct ip_address assigned;     /* dynamic home address, unspecified: none (HA4-DYN-05) */
	struct node_replay replay;
	monotonic heard_ns, accepted_ns, denied_ns;
	monotonic bucket_ns;      /* HA4-OPS-32 */
	monotonic moves_since_ns; /* HA4-NAT-27 */
	uint32_t bucket_milli;    /* tokens in thousandths */
	uint32_t moves;
	uint32_t profile, generation; /* index, and of which configuration */
	uint32_t bindings;
	uint64_t accepted, denied; /* requests, deregistrations too (RFC 2006 haCounterTable) */
	monotonic away_since_ns;   /* while it has bindings */
	uint64_t service_ns;       /* of earlier absences */
	uint32_t transaction;      /* waiting for the dataplane; UINT32_MAX none */
	uint32_t next;             /* hash chain */
	uint16_t instance;
	uint16_t pool; /* pool index + 1 of `assigned`; 0: static */
	uint8_t denied_code;
	bool used;
};

struct node_key {
	const char *nai; /* NULL: by home address */
	size_t nai_length;
	struct ip_address home_address;
	uint16_t instance;
};

struct node_table;

/* 0 or -ENOMEM; all memory for `capacity` nodes but their NAIs is taken now. */
int node_table_new(uint32_t capacity, struct node_table **out);
void node_table_free(struct node_table *table);
/* Of an index that lookup or get_or_add gave out. */
struct node *node_table_get(const struct node_table *table, uint32_t index);
/* NODE_NONE: not known. */
uint32_t node_table_lookup(const struct node_table *table, const struct node_key *key);
/*
 * The node, made when it is new. NODE_NONE: full or out of memory. A victim must be silent since
 * before `idle_before`; `evicted` receives it for the store's sake, before it goes.
 */
uint32_t node_table_get_or_add(struct node_table *table, const struct node_key *key,
	monotonic idle_before, void (*evicted)(void *context, const struct node *node),
	void *context);
/* Of NAI or home address, never 0: whose lease an address is. */
uint64_t node_identity_hash(const struct node *node);
/* Indexes below it are or were in use. */
uint32_t node_table_high(const struct node_table *table);
uint32_t node_table_count(const struct node_table *table);

#endif
