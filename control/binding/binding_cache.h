/*
 * The binding cache: every mobility binding of every home agent instance of this host (HA4-BND-01,
 * -02).
 *
 * One slot per binding. A slot's index is the binding_id that the dataplane knows; control owns the
 * numbering. Slots are found by (instance, home address), where the simultaneous bindings of one
 * node hang on one chain, and by (instance, effective care-of address, port), which is how a reused
 * NAT mapping is noticed (HA4-NAT-18). Expiry is a wheel of one-second buckets; the caller takes
 * expired bindings one by one and stops when its budget is used (HA4-BND-07). All memory is taken
 * once for the configured capacity; pages that no binding ever used stay untouched.
 *
 * One thread (control's loop). Pointers to a struct binding stay valid until that binding is
 * removed.
 */
#ifndef CONTROL_BINDING_BINDING_CACHE_H
#define CONTROL_BINDING_BINDING_CACHE_H

#include "lib/base/address.h"
#include "lib/base/clock.h"
#include "lib/ipc/command.h"

#include <stdbool.h>
#include <stdint.h>

#define BINDING_NONE      UINT32_MAX
#define BINDING_NODE_NONE UINT32_MAX

enum binding_state {
	BINDING_FREE,
	BINDING_PENDING, /* sent to the dataplane, not acknowledged yet; no reply has left */
	BINDING_ACTIVE,
};

enum binding_nat {
	BINDING_NAT_NONE,
	BINDING_NAT_DETECTED, /* UDP tunnel because source and care-of address differ */
	BINDING_NAT_FORCED,   /* UDP tunnel because the node asked (F) */
};

struct binding_revocation {      /* RFC 3543 state (HA4-RVK) */
	uint32_t peer_timestamp; /* of the peer's extension 137 */
	uint32_t identifier;     /* of our outstanding Revocation */
	bool negotiated, inform; /* inform: bit I negotiated */
};

struct binding {
	struct ip_address home_address;
	struct ip_address care_of_field;   /* as in the request; key (HA4-BND-02) */
	struct ip_address care_of_address; /* effective: where the tunnel ends */
	struct ip_address agent_address;   /* outer source of the tunnel */
	struct ip_address agent_field;     /* Home Agent field of the reply */
	struct ip_address source;          /* IP source of the last accepted request */
	uint64_t identification;           /* of the reply (HA4-RPL-16) */
	uint64_t
		request_identification; /* of the request; duplicates in nonce style (HA4-RPL-15) */
	monotonic expires_ns;           /* CLOCK_NEVER: 0xffff or static */
	monotonic created_ns, refreshed_ns;
	struct binding_revocation revocation;
	uint32_t id;            /* slot */
	uint32_t node;          /* mobile node index, BINDING_NODE_NONE for a static binding */
	uint32_t spi;           /* context that authenticated the last request */
	uint32_t foreign_agent; /* index in the configuration; UINT32_MAX: none or unknown */
	uint32_t flags;         /* enum binding_flag of lib/ipc/command.h */
	uint32_t sa_id;
	uint16_t instance;
	uint16_t lifetime_s;  /* granted */
	uint16_t keepalive_s; /* as sent in extension 44 */
	uint16_t home_port;   /* PORT_NONE: virtual home network */
	uint16_t ingress_port;
	be16 care_of_port; /* effective; 0 without UDP tunnel */
	be16 source_port;
	uint8_t request_flags; /* S B D M G T as requested (enum mip4_flag) */
	uint8_t encapsulation; /* enum encapsulation */
	uint8_t state;         /* enum binding_state */
	uint8_t nat;           /* enum binding_nat */
	uint8_t prefix_count;  /* active mobile networks */
	uint8_t service;       /* index + 1 in the instance's services; 0 default */
	bool relayed;          /* through a foreign agent */
	bool unreachable;      /* ICMP told so (HA4-MTU-10) */
	bool ticking;          /* linked in the expiry wheel; the cache's own */
	/* Links, the cache's own. */
	uint32_t home_next, endpoint_next;
	uint32_t wheel_next, wheel_previous, wheel_bucket;
	bool endpoint_linked;
};

struct binding_cache;

/* 0 or -ENOMEM. `capacity` slots, ids 0..capacity-1. */
int binding_cache_new(uint32_t capacity, struct binding_cache **out);
void binding_cache_free(struct binding_cache *cache);

/* A new, zeroed PENDING binding with its id; NULL when all slots are taken. */
struct binding *binding_cache_insert(
	struct binding_cache *cache, uint16_t instance, const struct ip_address *home_address);
/* The same in a given slot (restored from the store); NULL when it is taken or out of range. */
struct binding *binding_cache_insert_at(struct binding_cache *cache, uint32_t id, uint16_t instance,
	const struct ip_address *home_address);
/* Unlinks and frees the slot; the pointer is dead afterwards. */
void binding_cache_remove(struct binding_cache *cache, struct binding *binding);

/* NULL when no live binding has this id. */
struct binding *binding_cache_lookup(const struct binding_cache *cache, uint32_t id);
/* First binding of a home address, then the next ones (any state); NULL at the end. */
struct binding *binding_cache_home(const struct binding_cache *cache, uint16_t instance,
	const struct ip_address *home_address);
struct binding *binding_cache_home_next(const struct binding_cache *cache, const struct binding *b);
/* The one with this care-of field (HA4-REG-06); NULL when there is none. */
struct binding *binding_cache_care_of(const struct binding_cache *cache, uint16_t instance,
	const struct ip_address *home_address, const struct ip_address *care_of_field);
/* Bindings whose tunnel ends at (address, port). Linked by binding_cache_endpoint_set alone. */
struct binding *binding_cache_endpoint(const struct binding_cache *cache, uint16_t instance,
	const struct ip_address *address, be16 port);
struct binding *binding_cache_endpoint_next(
	const struct binding_cache *cache, const struct binding *b);
/* Sets care_of_address and care_of_port and keeps the endpoint index right. */
void binding_cache_endpoint_set(struct binding_cache *cache, struct binding *b,
	const struct ip_address *address, be16 port);

/* Sets expires_ns and the wheel; CLOCK_NEVER takes it off. */
void binding_cache_schedule(struct binding_cache *cache, struct binding *b, monotonic expires_ns);
/* Some binding with expires_ns <= now, taken off the wheel; NULL when none is left. */
struct binding *binding_cache_expired(struct binding_cache *cache, monotonic now);
/* No later than the next expiry; CLOCK_NEVER when nothing ticks. Costs nothing: at most one second
 * early. */
monotonic binding_cache_deadline(const struct binding_cache *cache, monotonic now);

uint32_t binding_cache_count(const struct binding_cache *cache);
uint32_t binding_cache_instance_count(const struct binding_cache *cache, uint16_t instance);
uint32_t binding_cache_capacity(const struct binding_cache *cache);
/*
 * Dump in steps: start with *cursor = 0, stop at NULL. Between two calls bindings may come and go;
 * one that lives all the time is seen exactly once. A call looks at no more than `look` slots and
 * may return NULL with *cursor != UINT32_MAX: call again. *cursor == UINT32_MAX: the end.
 */
struct binding *binding_cache_iterate(
	const struct binding_cache *cache, uint32_t *cursor, uint32_t look);

#endif
