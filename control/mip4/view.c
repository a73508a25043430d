/*
 * What decide wants to know of the caches, gathered before it is asked. The only thing changed here
 * is a pool's reservation, which answer_deny gives back.
 */
#include "control/mip4/engine_state.h"

#include <arpa/inet.h>

#define CHAIN_STEPS 32 /* care-of addresses looked at for a cycle */

const struct config_home_network *view_home_network(
	const struct config_instance *config, const struct ip_address *address)
{
	const struct config_home_network *best = NULL;

	for (unsigned i = 0; i < config->home_network_count; i++) {
		const struct config_home_network *n = &config->home_networks[i];
		if (ip_prefix_contains(&n->prefix, address) &&
			(!best || n->prefix.length > best->prefix.length))
			best = n;
	}
	return best;
}

bool view_own_address(const struct mip4_engine *e, uint16_t vrf, const struct ip_address *address)
{
	for (unsigned i = 0; i < e->config->instance_count; i++) {
		const struct config_instance *c = &e->config->instances[i];
		for (unsigned a = 0; c->vrf == vrf && a < c->address_count; a++)
			if (ip_address_equal(&c->addresses[a], address))
				return true;
	}
	return false;
}

bool view_external(const struct mip4_engine *e, const struct punt_record *record)
{
	return record->port >= e->config->dataplane.port_count ||
	       e->config->dataplane.ports[record->port].zone == ZONE_EXTERNAL;
}

bool view_network_or_broadcast(
	const struct config_instance *config, const struct ip_address *address)
{
	const struct config_home_network *network = view_home_network(config, address);

	if (!network || !ip_address_is_v4(address) || network->prefix.length > 96 + 30)
		return false;
	uint32_t hosts = 0xffffffffu >> (network->prefix.length - 96);
	uint32_t host = ntohl(ip_address_v4(address)) & hosts;
	return host == 0 || host == hosts;
}

static bool listed(const struct config_mobile_node *p, const struct ip_address *home)
{
	for (unsigned i = 0; i < p->home_address_count; i++)
		if (ip_address_equal(&p->home_addresses[i], home))
			return true;
	return p->home_address.length && ip_prefix_contains(&p->home_address, home);
}

/* A rehearsed node may be one that never came; it has nothing then. */
static const struct node *node_of(const struct mip4_engine *e, const struct request *r)
{
	static const struct node nobody;
	const struct node *n = node_table_get(e->nodes, r->node);

	return n ? n : &nobody;
}

static enum decide_home home_granted(
	const struct mip4_engine *e, const struct request *r, const struct ip_address *home)
{
	const struct node *n = node_of(e, r);
	const struct config_home_network *network = view_home_network(r->config, home);
	bool mine = ip_address_equal(&n->assigned, home);

	if (!ip_address_is_unicast(home) || (!network && !listed(r->profile, home)))
		return HOME_NOT_SERVED;
	if (view_own_address(e, r->config->vrf, home) || view_network_or_broadcast(r->config, home))
		return HOME_RESERVED_ADDRESS;
	if (!mine && !listed(r->profile, home))
		return HOME_NOT_ALLOWED;
	const struct binding *b = binding_cache_home(e->cache, r->instance, home);
	return b && b->node != r->node ? HOME_TAKEN : HOME_GRANTED;
}

static bool pool_assign(struct mip4_engine *e, struct request *r, struct ip_address *home)
{
	struct node *n = node_table_get(e->nodes, r->node);

	for (unsigned i = 0; i < r->config->pool_count; i++) {
		struct pool *pool = e->pools[r->instance][i];
		unsigned tries = 16; /* addresses that somebody brought along are passed over */
		while (pool && tries-- &&
			pool_take(pool, node_identity_hash(n), &n->assigned, r->now.monotonic_ns,
				home)) {
			const struct binding *b = binding_cache_home(e->cache, r->instance, home);
			if (!b || b->node == r->node) {
				n->assigned = *home;
				n->pool = (uint16_t)(i + 1);
				r->pool_reserved = true;
				return true;
			}
			pool_release(pool, home, r->now.monotonic_ns + CLOCK_NS_PER_S);
		}
	}
	return false;
}

static bool pool_has(const struct mip4_engine *e, const struct request *r)
{
	for (unsigned i = 0; i < r->config->pool_count; i++) {
		const struct pool *pool = e->pools[r->instance][i];
		if (pool &&
			pool_leased(pool) + pool_held(pool, r->now.monotonic_ns) < pool_size(pool))
			return true;
	}
	return false;
}

/* HA4-DYN-03, -05: the address it has, a static one, one from a pool. */
static enum decide_home home_assigned(
	struct mip4_engine *e, struct request *r, struct ip_address *home)
{
	const struct node *n = node_of(e, r);

	if (n->pool) {
		*home = n->assigned;
		return HOME_GRANTED;
	}
	if (r->facts.request.lifetime_s == 0 && !r->profile->home_address_count &&
		r->profile->home_address.length != 128)
		return HOME_NO_DYNAMIC; /* nothing to deregister */
	for (unsigned i = 0; i < r->profile->home_address_count; i++) {
		*home = r->profile->home_addresses[i];
		if (home_granted(e, r, home) == HOME_GRANTED)
			return HOME_GRANTED;
	}
	if (r->profile->home_address.length == 128) {
		*home = r->profile->home_address.address;
		return home_granted(e, r, home);
	}
	if (!r->profile->dynamic_address)
		return HOME_NO_DYNAMIC;
	if (r->rehearsed)
		return pool_has(e, r) ? HOME_GRANTED : HOME_POOL_EMPTY;
	return pool_assign(e, r, home) ? HOME_GRANTED : HOME_POOL_EMPTY;
}

/* Does the chain of care-of addresses from `start` lead back to `home` (HA4-REG-12)? */
static bool closes_cycle(const struct mip4_engine *e, const struct request *r,
	const struct ip_address *start, const struct ip_address *home)
{
	struct ip_address todo[CHAIN_STEPS];
	unsigned count = 0, at = 0;

	todo[count++] = *start;
	for (; at < count; at++) {
		if (ip_address_equal(&todo[at], home))
			return true;
		const struct binding *b = binding_cache_home(e->cache, r->instance, &todo[at]);
		if (!b) {
			uint32_t id = network_table_lookup(e->networks, r->instance, &todo[at]);
			b = id == BINDING_NONE ? NULL : binding_cache_lookup(e->cache, id);
			if (b && ip_address_equal(&b->home_address, home))
				return true;
		}
		for (; b; b = binding_cache_home_next(e->cache, b)) {
			if (count == CHAIN_STEPS)
				return true; /* deeper than the dataplane would follow anyway */
			todo[count++] = b->care_of_address;
		}
	}
	return false;
}

static bool in_inner(const struct config_instance *c, const struct ip_address *a)
{
	for (unsigned i = 0; i < c->tunnel_inner_count; i++)
		if (ip_prefix_contains(&c->tunnel_inner[i], a))
			return true;
	return false;
}

static uint8_t network_code(struct mip4_engine *e, const struct request *r,
	const struct ip_address *home, const struct facts_network *asked)
{
	struct ip_address address = ip_address_from_v4(asked->prefix);
	bool allowed = false;

	if (asked->length < 1 || asked->length > 32)
		return NETWORK_INVALID_LENGTH;
	struct ip_prefix prefix = ip_prefix_make(&address, (uint8_t)(96 + asked->length));
	for (unsigned i = 0; i < r->profile->network_count; i++)
		allowed = allowed || ip_prefix_equal(&r->profile->networks[i], &prefix);
	if (!allowed)
		return NETWORK_UNAUTHORISED;
	return network_table_free_for(e->networks, r->instance, &prefix, home) ? NETWORK_OK
									       : NETWORK_FAILED;
}

void view_gather(struct mip4_engine *e, struct request *r, struct decide_input *in)
{
	const struct facts *f = &r->facts;
	const struct punt_record *record = r->record;
	struct ip_address home = f->home_address;
	uint32_t limit = r->config->max_bindings;

	*in = (struct decide_input){
		.facts = f,
		.instance = r->config,
		.profile = r->profile,
		.source = record->source,
		.destination = record->destination,
		.source_port = record->source_port,
	};
	struct decide_view *v = &in->view;
	v->home = ip_address_is_unspecified(&home) ? home_assigned(e, r, &home)
						   : home_granted(e, r, &home);
	in->home_address = r->home_address = home;
	v->broadcast = record->flags & PUNT_IP_BROADCAST;
	for (unsigned i = 0; i < r->config->address_count; i++)
		if (ip_address_equal(&r->config->addresses[i], &f->home_agent))
			v->agent_field_ours = true;
	v->agent_known = r->agent != PROFILE_NONE;
	v->agent_authentic = r->agent_authentic;
	v->care_of_own = view_own_address(e, r->config->vrf, &f->care_of_address);
	v->care_of_broadcast = view_network_or_broadcast(r->config, &f->care_of_address);
	v->source_own = view_own_address(e, r->config->vrf, &record->source);
	v->care_of_inner = in_inner(r->config, &f->care_of_address);
	v->source_inner = in_inner(r->config, &record->source);
	v->care_of_cycle = closes_cycle(e, r, &f->care_of_address, &home);
	v->source_cycle = f->udp_present && closes_cycle(e, r, &record->source, &home);
	v->external = view_external(e, record);
	v->minute = (uint16_t)(r->now.wall_ns / CLOCK_NS_PER_S / 60 % 1440);
	v->draining = e->draining;
	v->instance_full =
		(limit && binding_cache_instance_count(e->cache, r->instance) >= limit) ||
		binding_cache_count(e->cache) >= binding_cache_capacity(e->cache);
	for (const struct binding *b = binding_cache_home(e->cache, r->instance, &home); b;
		b = binding_cache_home_next(e->cache, b)) {
		v->bindings++;
		if (ip_address_equal(&b->care_of_field, &f->care_of_address))
			v->same_care_of = true;
	}
	for (unsigned i = 0; i < f->network_count; i++)
		v->networks[i] = network_code(e, r, &home, &f->networks[i]);
}
