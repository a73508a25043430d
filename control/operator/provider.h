/*
 * What the operators' socket and the metrics page ask of the process around them. The loop's owner
 * fills one struct provider; its functions are called on the loop thread, must not block and each
 * do a bounded amount of work. Texts and arrays that they hand out are borrowed until the next
 * turn. A function left NULL makes the commands that need it answer "unsupported".
 *
 * Iteration: a cursor starts at 0 and means something to the provider alone. Each call looks at a
 * bounded number of entries.
 */
#ifndef CONTROL_OPERATOR_PROVIDER_H
#define CONTROL_OPERATOR_PROVIDER_H

#include "config/config.h"
#include "lib/ipc/command.h"
#include "lib/ipc/counters.h"
#include "lib/ipc/region.h"

#define PROVIDER_NETWORKS_MAX 16
#define PROVIDER_INSTANCE_ANY UINT16_MAX

enum provider_step { PROVIDER_FOUND, PROVIDER_AGAIN /* nothing yet, call again */, PROVIDER_END };

enum provider_nat { PROVIDER_NAT_NONE, PROVIDER_NAT_DETECTED, PROVIDER_NAT_FORCED };

struct provider_binding { /* HA4-OPS-25; every text "" when there is none */
	struct ip_address home_address;
	struct ip_address care_of_field;   /* as registered */
	struct ip_address care_of_address; /* effective */
	struct ip_address agent_address;   /* tunnel's end here */
	struct ip_address source;          /* of the last accepted request */
	const char *nai;
	const char *state; /* "active", "pending", "revoking" */
	const char *mode;  /* "c", "f", "mc", "-" (HA4-MODE-18) */
	const char *service;
	uint64_t identification;       /* of the last reply */
	uint64_t remaining_ms;         /* UINT64_MAX: for ever */
	uint64_t age_ms, refreshed_ms; /* since creation, since the last refresh */
	uint32_t binding_id;
	uint32_t spi;
	uint32_t flags; /* enum binding_flag */
	uint16_t instance;
	uint16_t lifetime_s; /* granted */
	uint16_t keepalive_s;
	be16 care_of_port, source_port;
	uint8_t request_flags; /* octet of the request: S 0x80, B 0x40, D 0x20, M 0x10, G 0x08, T
				  0x02 */
	uint8_t encapsulation; /* enum encapsulation */
	enum provider_nat nat;
	bool relayed; /* through a foreign agent */
	bool unreachable;
	bool revocation_negotiated, revocation_inform;
	struct ip_prefix networks[PROVIDER_NETWORKS_MAX];
	unsigned network_count;
	struct binding_counters
		counters; /* filled by binding_find alone; binding_next leaves zeros */
};

struct provider_counter {
	const char *name, *help; /* "denied_129" */
	uint64_t value;
};

struct provider_status {
	bool attached;     /* to a dataplane */
	bool synchronised; /* everything desired is acknowledged */
	bool draining;
	uint64_t uptime_ms;
	uint64_t dataplane_epoch, session;
	uint64_t commands_sent, commands_applied;
	uint64_t events_lost;
	uint32_t pending_replies; /* registrations that wait for the dataplane */
	uint32_t bindings, bindings_max;
	uint32_t nodes; /* mobile nodes with state */
	uint64_t loop_turns, loop_turn_ns_max;
	uint64_t dataplane_heartbeat;
	/* Use of the dataplane's tables, from the region header; zeros when detached. */
	uint64_t routes_used, routes_max, neighbors_used, neighbors_max, prefixes_used,
		prefixes_max;
	uint64_t buffers_used, buffers_max;
	char crypto[64]; /* the path that the dataplane's cryptography takes; empty without any */
};

struct provider_violation {
	struct ip_address source, home_address;
	uint64_t identification, count, last_wall_ns;
	uint32_t spi;
	uint16_t instance;
	const char *reason, *nai;
};

struct provider_pool {
	const char *name;
	uint16_t instance;
	struct ip_address first, last;
	uint32_t size, leased, held_down;
};

struct provider_node {   /* RFC 2006 haCounterTable */
	const char *nai; /* "" none */
	struct ip_address home_address;
	uint64_t accepted, denied, service_ms;
	uint64_t accepted_ago_ms, denied_ago_ms; /* UINT64_MAX: never */
	uint32_t bindings;
	uint16_t instance;
	uint8_t denied_code;
};

struct provider_rehearsal { /* a registration as it might come (HA4-OPS-29) */
	const char *nai;
	struct ip_address home_address, care_of_address, source;
	uint16_t instance, port, lifetime_s;
	uint8_t flags; /* octet of the request */
	bool udp_tunnel, udp_forced;
};

struct provider_rehearsed {
	uint8_t step, code; /* of HA4-REG-01, of the reply */
	bool discarded;     /* no reply */
	const char *why;
	uint16_t lifetime_s;
	uint8_t encapsulation;
	bool udp;
	struct ip_address home_address, care_of_address;
	be16 care_of_port;
};

struct provider_sa { /* one direction; texts "" when there are none */
	const char *name, *state, *origin, *algorithm;
	bool inbound, transport, encap, esn, follow_mapping, in_dataplane;
	struct ip_address local, remote;
	be16 local_port, remote_port;
	uint32_t spi, reqid, sa_id, pair_id, replay_window; /* pair_id UINT32_MAX: none */
	uint16_t vrf, path_mtu;
	const struct selector *selectors;
	unsigned selector_count;
	uint64_t age_s, idle_s; /* idle_s UINT64_MAX: never used */
	uint64_t packets, bytes, sequence;
	uint64_t replays, replays_late, bad_icv; /* inbound: why packets were dropped */
	uint64_t window_front;                   /* inbound: sa_inbound_state.front */
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets, soft_s, hard_s; /* 0 none */
};

struct provider_policy {
	const struct config_policy *settings;
	bool from_config;
	uint64_t hits_out, hits_in;
};

struct provider_move { /* of "sa update": NULL and negative stay */
	const struct ip_address *local, *remote;
	int local_port, remote_port, encap, follow_mapping, path_mtu;
};

struct provider_drop_trace { /* in the region (lib/ipc/drop_trace.h) */
	_Atomic uint32_t *mode, *count;
	const struct drop_trace *traces; /* [workers] */
	unsigned workers;
};

struct provider_ipsec {                       /* for the metrics */
	uint64_t live[2], expired[2], larval; /* by direction: inbound, outbound */
	uint64_t slots, policies, policy_entries, policy_entries_max;
	uint64_t states_copied, states_adopted, moves_limited, dummies;
};

struct provider_takeover {
	uint32_t known, unknown; /* SAs that the file told of, and did not */
	uint64_t gap_ms;
};

struct provider_charon {
	bool connected, replayed, awaited; /* awaited: the dataplane goes on with what it has */
	const char *agent;                 /* of the last one; "" none yet */
	uint64_t instance;
	uint32_t associations, leases, policies, waiting;
};

struct provider {
	void *context;
	const struct config *(*config)(void *context); /* in effect; never NULL */
	void (*status)(void *context, struct provider_status *out);

	enum provider_step (*binding_next)(
		void *context, uint64_t *cursor, struct provider_binding *out);
	/* Binding number `index` of a home address in any or one instance; false at the end. */
	bool (*binding_find)(void *context, uint16_t instance, const struct ip_address *home,
		unsigned index, struct provider_binding *out);

	/* Control's counter `index` of an instance; instance_count: messages that reached no
	 * instance. False beyond the last. */
	bool (*counter)(
		void *context, unsigned instance, unsigned index, struct provider_counter *out);
	/* The region's arrays; NULL and 0 while detached. */
	const struct worker_counters *(*workers)(void *context, unsigned *count);
	const struct port_counters *(*ports)(void *context, unsigned *count);

	/* False while detached. */
	bool (*drop_trace)(void *context, struct provider_drop_trace *out);
	/* The name of the SA in a slot of the dataplane's; NULL when there is none. */
	const char *(*sa_name)(void *context, bool inbound, uint32_t sa_id);

	bool (*violation)(void *context, unsigned index, struct provider_violation *out);
	bool (*pool)(void *context, unsigned index, struct provider_pool *out);

	enum provider_step (*node_next)(void *context, uint64_t *cursor, struct provider_node *out);
	void (*rehearse)(void *context, const struct provider_rehearsal *what,
		struct provider_rehearsed *out);

	/* Removes one binding, with Revocation where negotiated. 0 or -ENOENT. */
	int (*clear_binding)(void *context, uint32_t binding_id);
	/* How many went, of one home address or one NAI, of one or any instance. */
	unsigned (*clear_home)(void *context, uint16_t instance, const struct ip_address *home);
	unsigned (*clear_nai)(void *context, uint16_t instance, const char *nai);
	void (*drain)(void *context, bool on);
	/* Home address, care-of address, NAI or "off"; false: none of these. */
	bool (*trace)(void *context, const char *which);
	/* 0, or -errno with the reason in error. */
	int (*reload)(void *context, struct config_error *error);

	/* ---- IPsec. Those that change: as reload. ---- */
	bool (*sa_next)(void *context, uint64_t *cursor, struct provider_sa *out);
	bool (*sa_find)(void *context, const char *name, bool inbound, struct provider_sa *out);
	bool (*policy_at)(void *context, uint64_t index, struct provider_policy *out);
	bool (*policy_find)(void *context, const char *name, struct provider_policy *out);
	int (*sa_add)(void *context, struct config_security_association *pair,
		struct config_error *error);
	int (*sa_update)(void *context, const char *name, const struct provider_move *move,
		struct config_error *error);
	int (*sa_del)(void *context, const char *name, struct config_error *error);
	/* `count` dummy packets of `length` octets (ESP-FMT-12). */
	int (*sa_dummy)(void *context, const char *name, unsigned count, unsigned length,
		struct config_error *error);
	/* ipsec_takeover.c of control/ipsec. -ENOENT no such SPI, -ENOTSUP SAs are shared, -EINVAL.
	 */
	int (*sa_move)(void *context, uint32_t spi, uint64_t worker, struct config_error *error);
	int (*sa_takeover)(void *context, const char *path, struct provider_takeover *out,
		struct config_error *error);
	void (*sa_release)(void *context);
	/* The bitmap of the last provider_sa, an inbound one; how many words there are. */
	unsigned (*sa_bitmap)(
		void *context, uint32_t sa_id, uint32_t window, const _Atomic uint64_t **words);
	int (*policy_add)(
		void *context, const struct config_policy *policy, struct config_error *error);
	int (*policy_del)(void *context, const char *name, struct config_error *error);
	void (*ipsec)(void *context, struct provider_ipsec *out);
	/* False: no IKE daemon is configured. */
	bool (*charon)(void *context, struct provider_charon *out);
	bool (*charon_counter)(void *context, unsigned index, struct provider_counter *out);
	/* Name and count of event `index`; false beyond the last. */
	bool (*ipsec_counter)(void *context, unsigned index, struct provider_counter *out);
};

#endif
