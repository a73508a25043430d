/*
 * Life of an engine: made, reconfigured, ticking, asked by operators.
 */
#include "control/mip4/engine_state.h"

#include <errno.h>
#include <stdlib.h>

#define EXPIRE_PER_TICK                                                                            \
	2000 /* bounded work, so that a mass expiry does not stall registrations (HA4-BND-07) */
#define SWEEP_PER_TICK 2000

void engine_home_changed(struct mip4_engine *e, const struct binding *b, bool arrived,
	bool restored, const struct transaction *t)
{
	struct mip4_home_change change = {
		.home_address = b->home_address,
		.instance = b->instance,
		.vrf = e->config->instances[b->instance].vrf,
		.port = b->home_port,
		.restored = restored,
	};

	if (b->home_port == PORT_NONE) // HA4-ROLE-04
		return;
	if (t && t->has_mac) {
		change.has_mac = true;
		change.vlan = t->vlan;
		memcpy(change.mac, t->mac, sizeof(change.mac));
	}
	if (arrived)
		e->ops.home_arrived(e->context, &change);
	else
		e->ops.home_returned(e->context, &change);
}

static void pools_free(struct pool ***pools, const unsigned *counts, unsigned instances)
{
	for (unsigned i = 0; pools && i < instances; i++) {
		for (unsigned p = 0; pools[i] && p < counts[i]; p++)
			pool_free(pools[i][p]);
		free(pools[i]);
	}
	free(pools);
}

static int pools_new(const struct config *config, struct pool ****out, unsigned **counts)
{
	unsigned n = config->instance_count;
	struct pool ***pools = calloc(n + 1, sizeof(*pools));

	*counts = calloc(n + 1, sizeof(**counts));
	if (!pools || !*counts)
		goto fail;
	for (unsigned i = 0; i < n; i++) {
		const struct config_instance *c = &config->instances[i];
		pools[i] = calloc(c->pool_count + 1, sizeof(**pools));
		if (!pools[i])
			goto fail;
		(*counts)[i] = c->pool_count;
		for (unsigned p = 0; p < c->pool_count; p++) {
			pools[i][p] = pool_new(&c->pools[p].first, &c->pools[p].last);
			if (!pools[i][p])
				goto fail;
		}
	}
	*out = pools;
	return 0;
fail:
	pools_free(pools, *counts ? *counts : &n, *counts ? n : 0);
	free(*counts);
	*counts = NULL;
	return -ENOMEM;
}

/* Leases of live bindings move into the new pools. */
static void pools_claim(struct mip4_engine *e)
{
	uint32_t cursor = 0;

	while (cursor != UINT32_MAX) {
		struct binding *b = binding_cache_iterate(e->cache, &cursor, UINT32_MAX);
		struct node *n = b ? node_table_get(e->nodes, b->node) : NULL;
		if (!n || b->instance >= e->config->instance_count || !n->pool ||
			!ip_address_equal(&n->assigned, &b->home_address))
			continue;
		n->pool = 0;
		for (unsigned p = 0; !n->pool && p < e->config->instances[b->instance].pool_count;
			p++)
			if (pool_claim(e->pools[b->instance][p], node_identity_hash(n),
				    &b->home_address))
				n->pool = (uint16_t)(p + 1);
	}
}

/* Those that the configuration no longer has; in one pass, for there may be very many. */
static void statics_drop(struct mip4_engine *e, struct clock_now now)
{
	bool *kept = calloc(binding_cache_capacity(e->cache) + 1, sizeof(*kept));
	uint32_t cursor = e->statics && kept ? 0 : UINT32_MAX;

	for (unsigned i = 0; cursor == 0 && i < e->config->binding_count; i++) {
		const struct config_binding *s = &e->config->bindings[i];
		const struct binding *b = binding_cache_care_of(
			e->cache, s->instance, &s->home_address, &s->care_of_address);
		if (b)
			kept[b->id] = true;
	}
	while (cursor != UINT32_MAX) {
		struct binding *b = binding_cache_iterate(e->cache, &cursor, UINT32_MAX);
		if (b && b->flags & BINDING_STATIC && !kept[b->id])
			commit_binding_end(e, b, MIP4_CAUSE_CONFIG, TRANSACTION_NONE, now);
	}
	free(kept);
}

static void static_set(struct mip4_engine *e, const struct config_binding *s, struct clock_now now)
{
	const struct config_instance *c = &e->config->instances[s->instance];
	const struct config_home_network *network = view_home_network(c, &s->home_address);
	struct binding *b =
		binding_cache_care_of(e->cache, s->instance, &s->home_address, &s->care_of_address);
	bool away = binding_cache_home(e->cache, s->instance, &s->home_address) != NULL;

	if (b && b->flags & BINDING_STATIC)
		return;
	if (b) /* registered by the node itself until now */
		commit_binding_end(e, b, MIP4_CAUSE_REPLACED, TRANSACTION_NONE, now);
	b = binding_cache_insert(e->cache, s->instance, &s->home_address);
	if (!b)
		return;
	b->node = NODE_NONE;
	b->care_of_field = s->care_of_address;
	b->agent_address = b->agent_field = c->addresses[0];
	b->lifetime_s = MIP4_LIFETIME_INFINITE;
	b->flags = BINDING_STATIC | BINDING_REVERSE | BINDING_COLOCATED;
	b->encapsulation = ENCAPSULATION_IPIP;
	b->foreign_agent = PROFILE_NONE;
	b->home_port = network ? network->port : PORT_NONE;
	b->created_ns = b->refreshed_ns = now.monotonic_ns;
	b->state = BINDING_ACTIVE;
	binding_cache_endpoint_set(e->cache, b, &s->care_of_address, 0);
	binding_cache_schedule(e->cache, b, CLOCK_NEVER);
	commit_binding_set(e, b);
	if (!away)
		engine_home_changed(e, b, true, false, NULL);
}

/* HA4-BND-12: those of the configuration and no others. */
static void statics_update(struct mip4_engine *e, struct clock_now now)
{
	statics_drop(e, now);
	for (unsigned i = 0; i < e->config->binding_count; i++)
		static_set(e, &e->config->bindings[i], now);
	e->statics = e->config->binding_count > 0;
}

/* A replayed request stays in the tolerance until twice that time after it was made. */
static monotonic node_idle(const struct config *config)
{
	uint32_t most = 60;

	for (unsigned i = 0; i < config->mobile_node_count; i++)
		for (unsigned k = 0; k < config->mobile_nodes[i].security_count; k++)
			if (config->mobile_nodes[i].security[k].tolerance_s > most)
				most = config->mobile_nodes[i].security[k].tolerance_s;
	return (2 * most + 1) * CLOCK_NS_PER_S;
}

/* Which configured foreign agent it is now; its index moved when others came or went. */
static void agents_found_again(struct mip4_engine *e, const struct config *before)
{
	uint32_t cursor = 0;

	while (cursor != UINT32_MAX) {
		struct binding *b = binding_cache_iterate(e->cache, &cursor, UINT32_MAX);
		if (b && b->foreign_agent < before->foreign_agent_count)
			b->foreign_agent = profile_foreign_agent(e->profiles, b->instance,
				&before->foreign_agents[b->foreign_agent].address);
	}
	revocation_agents_found_again(e, before);
}

/* Instances keep their index over a reload (config_reload_check); the last block is "no
 * instance". */
static void counters_take(
	struct mip4_engine *e, const struct config *config, struct mip4_counters *counters)
{
	for (unsigned i = 0;
		e->counters && i < e->config->instance_count && i < config->instance_count; i++)
		counters[i] = e->counters[i];
	if (e->counters)
		counters[config->instance_count] = e->counters[e->config->instance_count];
	free(e->counters);
	e->counters = counters;
}

int mip4_engine_configure(struct mip4_engine *e, const struct config *config, struct clock_now now)
{
	const struct config *before = e->config;
	struct profile_index *profiles = NULL;
	struct pool ***pools = NULL;
	unsigned *counts = NULL;
	struct mip4_counters *counters = calloc(config->instance_count + 1, sizeof(*counters));
	struct alarm *alarms = alarm_new(config->instance_count);

	if (!counters || !alarms || profile_index_new(config, &profiles) < 0 ||
		pools_new(config, &pools, &counts) < 0) {
		profile_index_free(profiles);
		free(counters);
		free(alarms);
		return -ENOMEM;
	}
	counters_take(e, config, counters);
	free(e->alarms);
	profile_index_free(e->profiles);
	pools_free(e->pools, e->pool_counts, e->pool_instances);
	free(e->pool_counts);
	e->alarms = alarms;
	e->alarmed_ns = now.monotonic_ns;
	e->profiles = profiles;
	e->pools = pools;
	e->pool_counts = counts;
	e->pool_instances = config->instance_count;
	e->config = config;
	e->node_idle_ns = node_idle(config);
	e->generation++;
	pools_claim(e);
	e->sweep_cursor = 0;
	if (before) {
		agents_found_again(e, before);
		statics_update(e, now);
	}
	return 0;
}

int mip4_engine_new(const struct config *config, const struct mip4_ops *ops, void *context,
	struct clock_now now, struct mip4_engine **out)
{
	struct mip4_engine *e = calloc(1, sizeof(*e));
	uint32_t capacity = config->dataplane.max_bindings;
	uint64_t seed = 0;
	int error;

	if (!e)
		return -ENOMEM;
	e->ops = *ops;
	e->context = context;
	e->transaction_free = TRANSACTION_NONE;
	e->sweep_cursor = UINT32_MAX;
	ops->random(context, &seed, sizeof(seed));
	e->transactions = calloc(TRANSACTIONS_MAX, sizeof(*e->transactions));
	e->tickets = calloc(TICKETS_MAX, sizeof(*e->tickets));
	error = e->transactions && e->tickets ? 0 : -ENOMEM;
	if (!error)
		error = binding_cache_new(capacity, &e->cache);
	/* Twice as many nodes as bindings: replay state outlives them (HA4-RPL-09). */
	if (!error)
		error = node_table_new(
			capacity > UINT32_MAX / 4 ? capacity : capacity * 2 + 64, &e->nodes);
	if (!error)
		error = network_table_new(config->dataplane.max_prefixes, &e->networks);
	if (!error)
		error = police_new(seed, &e->police);
	if (!error)
		error = authenticate_new(&e->authenticator);
	if (!error)
		error = revocation_table_new(&e->revocations);
	if (!error)
		error = mip4_engine_configure(e, config, now);
	if (error) {
		mip4_engine_free(e);
		return error;
	}
	e->sweep_cursor = UINT32_MAX;
	*out = e;
	return 0;
}

void mip4_engine_free(struct mip4_engine *e)
{
	if (!e)
		return;
	for (uint32_t i = 0; e->transactions && i < e->transaction_used; i++)
		free(e->transactions[i].waiting);
	free(e->transactions);
	free(e->tickets);
	binding_cache_free(e->cache);
	node_table_free(e->nodes);
	network_table_free(e->networks);
	profile_index_free(e->profiles);
	police_free(e->police);
	authenticate_free(e->authenticator);
	revocation_table_free(e->revocations);
	pools_free(e->pools, e->pool_counts, e->pool_instances);
	free(e->pool_counts);
	free(e->counters);
	free(e->alarms);
	free(e);
}

void mip4_engine_started(struct mip4_engine *e, bool complete, struct clock_now now)
{
	e->identification_floor = complete ? 0 : clock_ntp_timestamp(now.wall_ns);
	/* Not before: a restored binding gets its old slot back. */
	statics_update(e, now);
}

/* After a reload: bindings whose user or home prefix is gone (HA4-OPS-21). */
static void sweep(struct mip4_engine *e, struct clock_now now)
{
	for (unsigned i = 0; i < SWEEP_PER_TICK && e->sweep_cursor != UINT32_MAX; i++) {
		struct binding *b =
			binding_cache_iterate(e->cache, &e->sweep_cursor, SWEEP_PER_TICK);
		if (!b || b->flags & BINDING_STATIC)
			continue;
		bool known = b->instance < e->config->instance_count && walk_profile(e, b->node);
		if (known &&
			view_home_network(&e->config->instances[b->instance], &b->home_address))
			continue;
		if (b->instance >= e->config->instance_count)
			continue; /* config_reload_check forbids it */
		revocation_start(e, b, now);
		counter_add(e, b->instance, MIP4_BINDINGS_REVOKED);
		commit_binding_end(e, b, MIP4_CAUSE_CONFIG, TRANSACTION_NONE, now);
	}
}

monotonic mip4_engine_tick(struct mip4_engine *e, struct clock_now now)
{
	monotonic next = now.monotonic_ns + CLOCK_NS_PER_S;
	struct binding *b;
	unsigned done = 0;

	while (done < EXPIRE_PER_TICK && (b = binding_cache_expired(e->cache, now.monotonic_ns))) {
		done++;
		if (transaction_outlived(e, b, now))
			continue;
		counter_add(e, b->instance, MIP4_BINDINGS_EXPIRED);
		commit_binding_end(e, b, MIP4_CAUSE_EXPIRED, TRANSACTION_NONE, now);
	}
	sweep(e, now);
	alarm_check(e, now.monotonic_ns);
	monotonic revocation = revocation_tick(e, now);
	if (done == EXPIRE_PER_TICK || e->sweep_cursor != UINT32_MAX)
		return now.monotonic_ns;
	monotonic expiry = binding_cache_deadline(e->cache, now.monotonic_ns);
	if (expiry < next)
		next = expiry;
	return revocation < next ? revocation : next;
}

void mip4_engine_event(struct mip4_engine *e, const struct event *event, struct clock_now now)
{
	struct binding *b = binding_cache_lookup(e->cache, event->id);

	switch (event->type) {
	case EVENT_BINDING_BOUND:
		/* HA4-NAT-21, -22: the source address of the request alone may complete it. */
		if (!b || !(b->flags & BINDING_HALF_BOUND) ||
			!ip_address_equal(&b->source, &event->address))
			return;
		b->flags &= ~(uint32_t)BINDING_HALF_BOUND;
		binding_cache_endpoint_set(e->cache, b, &event->address, event->udp_port);
		counter_add(e, b->instance, MIP4_BOUND);
		commit_binding_set(e, b);
		record_binding_put(e, b, now);
		return;
	case EVENT_TUNNEL_UNREACHABLE:
		if (b)
			b->unreachable = true; /* forwarding goes on (HA4-MTU-10) */
		return;
	default:
		return;
	}
}

/* The tunnel that the binding goes on in, 0 none: suspended then, and true. */
static bool inner_owner_set(
	struct mip4_engine *e, struct binding *b, uint32_t sa_id, struct clock_now now)
{
	b->sa_id = sa_id;
	if (!sa_id)
		b->flags |= BINDING_SUSPENDED;
	commit_binding_set(e, b);
	record_binding_put(e, b, now);
	return !sa_id;
}

unsigned mip4_engine_inner_lost(struct mip4_engine *e, uint32_t sa_id, struct clock_now now)
{
	unsigned suspended = 0;
	uint32_t cursor = 0;

	while (cursor != UINT32_MAX) {
		struct binding *b = binding_cache_iterate(e->cache, &cursor, UINT32_MAX - 1);
		if (!b || b->sa_id != sa_id || !(b->flags & BINDING_REQUIRES_IPSEC))
			continue;
		uint16_t vrf = e->config->instances[b->instance].vrf;
		uint32_t other = 0;
		if (e->ops.inner_address_owner)
			other = e->ops.inner_address_owner(e->context, vrf, &b->care_of_address);
		suspended += inner_owner_set(e, b, other, now);
	}
	return suspended;
}

unsigned mip4_engine_inner_check(struct mip4_engine *e, struct clock_now now)
{
	unsigned suspended = 0;
	uint32_t cursor = 0;

	while (cursor != UINT32_MAX) {
		struct binding *b = binding_cache_iterate(e->cache, &cursor, UINT32_MAX - 1);
		if (!b || !(b->flags & BINDING_REQUIRES_IPSEC) || b->flags & BINDING_SUSPENDED ||
			(b->sa_id && e->ops.inner_address_owned &&
				e->ops.inner_address_owned(
					e->context, b->sa_id, &b->care_of_address)))
			continue;
		suspended += inner_owner_set(e, b, 0, now);
	}
	return suspended;
}

int mip4_engine_clear(struct mip4_engine *e, uint32_t binding_id, struct clock_now now)
{
	struct binding *b = binding_cache_lookup(e->cache, binding_id);

	if (!b)
		return -ENOENT;
	revocation_start(e, b, now);
	counter_add(e, b->instance, MIP4_BINDINGS_REVOKED);
	commit_binding_end(e, b, MIP4_CAUSE_CLEARED, TRANSACTION_NONE, now);
	return 0;
}

unsigned mip4_engine_clear_home(struct mip4_engine *e, uint16_t instance,
	const struct ip_address *home_address, struct clock_now now)
{
	struct binding *b;
	unsigned done = 0;

	while ((b = binding_cache_home(e->cache, instance, home_address))) {
		mip4_engine_clear(e, b->id, now);
		done++;
	}
	return done;
}

unsigned mip4_engine_clear_nai(
	struct mip4_engine *e, uint16_t instance, const char *nai, struct clock_now now)
{
	unsigned done = 0, cursor = 0;
	const struct binding *b;

	while ((b = mip4_show_find_nai(e, instance, nai, &cursor))) {
		mip4_engine_clear(e, b->id, now);
		done++;
	}
	return done;
}

void mip4_engine_drain(struct mip4_engine *e, bool on)
{
	e->draining = on;
}
