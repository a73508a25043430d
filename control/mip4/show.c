/*
 * What operators may look at; changes nothing.
 */
#include "control/mip4/engine_state.h"

const struct binding_cache *mip4_show_cache(const struct mip4_engine *e)
{
	return e->cache;
}

const struct config *mip4_show_config(const struct mip4_engine *e)
{
	return e->config;
}

const char *mip4_show_nai(const struct mip4_engine *e, const struct binding *b)
{
	const struct node *n = node_table_get(e->nodes, b->node);
	return n && n->nai ? n->nai : "";
}

const struct binding *mip4_show_find_nai(
	const struct mip4_engine *e, uint16_t instance, const char *nai, unsigned *cursor)
{
	struct node_key key = {.nai = nai, .nai_length = strlen(nai), .instance = instance};
	uint32_t node = node_table_lookup(e->nodes, &key), at = *cursor;

	/* A node's bindings are not chained; walking the slots is the operators' price, not the
	 * registrations'. */
	while (node != NODE_NONE && node_table_get(e->nodes, node)->bindings && at != UINT32_MAX) {
		const struct binding *b = binding_cache_iterate(e->cache, &at, UINT32_MAX);
		if (b && b->node == node) {
			*cursor = at;
			return b;
		}
	}
	*cursor = UINT32_MAX;
	return NULL;
}

unsigned mip4_show_networks(
	const struct mip4_engine *e, const struct binding *b, struct ip_prefix *out, unsigned size)
{
	return network_table_of(e->networks, b->id, out, size);
}

const char *mip4_show_mode(const struct mip4_engine *e, const struct binding *b)
{
	if (b->flags & BINDING_STATIC || b->instance >= e->config->instance_count ||
		e->config->instances[b->instance].role != ROLE_INTERNAL_HA)
		return "-";
	if (b->flags & BINDING_REQUIRES_IPSEC)
		return "mc";
	return b->relayed ? "f" : "c";
}

uint32_t mip4_show_node_count(const struct mip4_engine *e)
{
	return node_table_count(e->nodes);
}

uint32_t mip4_show_pending_count(const struct mip4_engine *e)
{
	return e->pending + e->waiting;
}

bool mip4_show_draining(const struct mip4_engine *e)
{
	return e->draining;
}

bool mip4_show_pool(
	const struct mip4_engine *e, uint16_t instance, unsigned pool, struct mip4_pool_view *out)
{
	if (instance >= e->config->instance_count ||
		pool >= e->config->instances[instance].pool_count)
		return false;
	const struct config_pool *c = &e->config->instances[instance].pools[pool];
	const struct pool *p = e->pools[instance][pool];
	*out = (struct mip4_pool_view){
		.name = c->name,
		.first = c->first,
		.last = c->last,
		.size = pool_size(p),
		.leased = pool_leased(p),
		.held_down = pool_held(p, e->last_clock.monotonic_ns),
	};
	return true;
}

bool mip4_show_violation(const struct mip4_engine *e, unsigned index, struct mip4_violation *out)
{
	return violations_get(&e->violations, index, out);
}

bool mip4_show_node(const struct mip4_engine *e, uint32_t *cursor, uint32_t look, monotonic now,
	struct mip4_node_view *out)
{
	uint32_t high = node_table_high(e->nodes);

	for (; look && *cursor < high; look--) {
		const struct node *n = node_table_get(e->nodes, (*cursor)++);
		if (!n)
			continue;
		*out = (struct mip4_node_view){
			.nai = n->nai ? n->nai : "",
			.home_address = n->nai ? n->assigned : n->home_address,
			.accepted = n->accepted,
			.denied = n->denied,
			.service_ns = n->service_ns + (n->bindings ? now - n->away_since_ns : 0),
			.accepted_ns = n->accepted_ns,
			.denied_ns = n->denied_ns,
			.bindings = n->bindings,
			.instance = n->instance,
			.denied_code = n->denied_code,
		};
		return true;
	}
	if (*cursor >= high)
		*cursor = UINT32_MAX;
	return false;
}
