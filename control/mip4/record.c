/*
 * Records that survive a restart (HA4-OPS-19): one per binding, one per mobile node with its replay
 * state (HA4-RPL-10). Written in network order with a version, so that a file from another build is
 * refused, not misread. Never a key.
 *
 * A remaining lifetime is told twice: by the monotonic clock, right while the machine stayed up,
 * and by the wall clock for a reboot in between. Which one counts is seen from whether both clocks
 * agree about the time that passed.
 */
#include "control/mip4/engine_state.h"

#include <errno.h>

#define VERSION 1

static size_t binding_key(const struct binding *b, uint8_t key[MIP4_STORE_KEY_MAX])
{
	struct writer w = writer_make(key, MIP4_STORE_KEY_MAX);

	writer_u8(&w, 'b');
	writer_u32(&w, b->id);
	return writer_length(&w);
}

static size_t node_key(const struct node *n, uint8_t key[MIP4_STORE_KEY_MAX])
{
	struct writer w = writer_make(key, MIP4_STORE_KEY_MAX);

	writer_u8(&w, 'n');
	writer_u16(&w, n->instance);
	writer_u8(&w, n->nai ? 1 : 0);
	if (n->nai)
		writer_bytes(&w, n->nai, strlen(n->nai));
	else
		writer_bytes(&w, n->home_address.bytes, 16);
	return writer_length(&w);
}

void record_node_put(struct mip4_engine *e, const struct node *n)
{
	uint8_t key[MIP4_STORE_KEY_MAX], data[MIP4_STORE_RECORD_MAX];
	struct writer w = writer_make(data, sizeof(data));

	writer_u8(&w, VERSION);
	writer_u8(&w, (uint8_t)((n->replay.has_identification ? 1 : 0) |
				(n->replay.has_nonce_success ? 2 : 0) |
				(n->replay.has_nonce_failure ? 4 : 0)));
	writer_u64(&w, n->replay.last_identification);
	writer_u32(&w, n->replay.nonce_success);
	writer_u32(&w, n->replay.nonce_failure);
	e->ops.store_put(e->context, key, node_key(n, key), data, writer_length(&w));
}

void record_node_delete(struct mip4_engine *e, const struct node *n)
{
	uint8_t key[MIP4_STORE_KEY_MAX];
	e->ops.store_delete(e->context, key, node_key(n, key));
}

static void key_of_node_write(struct writer *w, const struct node *n)
{
	size_t length = n && n->nai ? strlen(n->nai) : 0;

	writer_u8(w, (uint8_t)length);
	writer_bytes(w, n && n->nai ? n->nai : "", length);
	writer_bytes(w, n ? n->home_address.bytes : (const uint8_t[16]){0}, 16);
}

void record_binding_put(struct mip4_engine *e, const struct binding *b, struct clock_now now)
{
	uint8_t key[MIP4_STORE_KEY_MAX], data[MIP4_STORE_RECORD_MAX];
	struct writer w = writer_make(data, sizeof(data));
	const struct node *n = node_table_get(e->nodes, b->node);
	struct ip_prefix list[NETWORKS_PER_BINDING_MAX];
	unsigned count = network_table_of(e->networks, b->id, list, NETWORKS_PER_BINDING_MAX);

	writer_u8(&w, VERSION);
	writer_u64(&w, now.monotonic_ns);
	writer_u64(&w, now.wall_ns);
	writer_u64(&w, b->expires_ns);
	writer_u64(&w, b->created_ns);
	writer_u16(&w, b->instance);
	key_of_node_write(&w, n);
	writer_bytes(&w, b->home_address.bytes, 16);
	writer_bytes(&w, b->care_of_field.bytes, 16);
	writer_bytes(&w, b->care_of_address.bytes, 16);
	writer_bytes(&w, b->agent_address.bytes, 16);
	writer_bytes(&w, b->agent_field.bytes, 16);
	writer_bytes(&w, b->source.bytes, 16);
	writer_u64(&w, b->identification);
	writer_u64(&w, b->request_identification);
	writer_u32(&w, b->revocation.peer_timestamp);
	writer_u8(&w, (uint8_t)((b->revocation.negotiated ? 1 : 0) |
				(b->revocation.inform ? 2 : 0) | (b->relayed ? 4 : 0)));
	writer_u32(&w, b->spi);
	writer_u32(&w, b->flags);
	writer_u32(&w, b->sa_id);
	writer_u16(&w, b->lifetime_s);
	writer_u16(&w, b->keepalive_s);
	writer_u16(&w, b->home_port);
	writer_u16(&w, b->ingress_port);
	writer_u16(&w, b->care_of_port);
	writer_u16(&w, b->source_port);
	writer_u8(&w, b->request_flags);
	writer_u8(&w, b->encapsulation);
	writer_u8(&w, b->nat);
	writer_u8(&w, b->service);
	writer_u8(&w, (uint8_t)count);
	for (unsigned i = 0; i < count; i++) {
		writer_bytes(&w, list[i].address.bytes, 16);
		writer_u8(&w, list[i].length);
	}
	e->ops.store_put(e->context, key, binding_key(b, key), data, writer_length(&w));
}

void record_binding_delete(struct mip4_engine *e, const struct binding *b)
{
	uint8_t key[MIP4_STORE_KEY_MAX];
	e->ops.store_delete(e->context, key, binding_key(b, key));
}

static void address_read(struct reader *r, struct ip_address *out)
{
	const uint8_t *p = reader_take(r, 16);
	if (p)
		memcpy(out->bytes, p, 16);
}

/* A node of the configuration, or NODE_NONE. */
static uint32_t node_restore(struct mip4_engine *e, uint16_t instance, const char *nai,
	size_t length, const struct ip_address *home, struct clock_now now)
{
	struct node_key key = {
		.nai = length ? nai : NULL, .nai_length = length, .instance = instance};
	uint32_t profile = length ? profile_by_nai(e->profiles, instance, nai, length)
				  : profile_by_home_address(e->profiles, instance, home);

	key.home_address = *home;
	if (profile == PROFILE_NONE)
		return NODE_NONE;
	uint32_t index = node_table_get_or_add(e->nodes, &key, 0, NULL, NULL);
	if (index != NODE_NONE) {
		walk_profile(e, index);
		node_table_get(e->nodes, index)->heard_ns = now.monotonic_ns;
	}
	return index;
}

static int node_record_read(
	struct mip4_engine *e, struct reader *key, struct reader *r, struct clock_now now)
{
	uint16_t instance = reader_u16(key);
	bool named = reader_u8(key);
	const char *nai = named ? (const char *)key->at : NULL;
	size_t length = named ? reader_left(key) : 0;
	struct ip_address home = {.words = {0}};
	struct node_replay replay = {0};

	if (!named)
		address_read(key, &home);
	if (reader_u8(r) != VERSION)
		return -EINVAL;
	uint8_t bits = reader_u8(r);
	replay.last_identification = reader_u64(r);
	replay.nonce_success = reader_u32(r);
	replay.nonce_failure = reader_u32(r);
	replay.has_identification = bits & 1;
	replay.has_nonce_success = bits & 2;
	replay.has_nonce_failure = bits & 4;
	if (key->short_read || r->short_read || instance >= e->config->instance_count)
		return -EINVAL;
	uint32_t index = node_restore(e, instance, nai, length, &home, now);
	if (index == NODE_NONE)
		return -EINVAL;
	node_table_get(e->nodes, index)->replay = replay;
	return 0;
}

/* When it expires by today's monotonic clock; 0: it already did. */
static monotonic expiry(monotonic expires, monotonic put, uint64_t put_wall, struct clock_now now)
{
	if (expires == CLOCK_NEVER)
		return CLOCK_NEVER;
	int64_t steady = (int64_t)(now.monotonic_ns - put),
		wall = (int64_t)(now.wall_ns - put_wall);
	int64_t apart = steady > wall ? steady - wall : wall - steady;
	if (put <= now.monotonic_ns && apart < (int64_t)(5 * CLOCK_NS_PER_S))
		return expires > now.monotonic_ns ? expires : 0;
	if (wall < 0)
		wall = 0;
	int64_t left = (int64_t)(expires - put) - wall;
	return left > 0 ? now.monotonic_ns + (uint64_t)left : 0;
}

static void binding_facts_read(struct reader *r, struct binding *b)
{
	address_read(r, &b->home_address);
	address_read(r, &b->care_of_field);
	address_read(r, &b->care_of_address);
	address_read(r, &b->agent_address);
	address_read(r, &b->agent_field);
	address_read(r, &b->source);
	b->identification = reader_u64(r);
	b->request_identification = reader_u64(r);
	b->revocation.peer_timestamp = reader_u32(r);
	uint8_t bits = reader_u8(r);
	b->revocation.negotiated = bits & 1;
	b->revocation.inform = bits & 2;
	b->relayed = bits & 4;
	b->spi = reader_u32(r);
	b->flags = reader_u32(r);
	b->sa_id = reader_u32(r);
	b->lifetime_s = reader_u16(r);
	b->keepalive_s = reader_u16(r);
	b->home_port = reader_u16(r);
	b->ingress_port = reader_u16(r);
	b->care_of_port = reader_u16(r);
	b->source_port = reader_u16(r);
	b->request_flags = reader_u8(r);
	b->encapsulation = reader_u8(r);
	b->nat = reader_u8(r);
	b->service = reader_u8(r);
}

static void networks_restore(struct mip4_engine *e, struct binding *b, struct reader *r)
{
	uint8_t count = reader_u8(r);

	for (unsigned i = 0; i < count && i < NETWORKS_PER_BINDING_MAX; i++) {
		struct prefix_command command = {
			.vrf = e->config->instances[b->instance].vrf, .binding_id = b->id};
		address_read(r, &command.prefix.address);
		command.prefix.length = reader_u8(r);
		if (r->short_read || command.prefix.length > 128 ||
			!network_table_set(
				e->networks, b->instance, &command.prefix, &b->home_address, b->id))
			return;
		b->prefix_count++;
		e->ops.prefix_set(e->context, &command);
	}
}

static void binding_revive(struct mip4_engine *e, struct binding *b, const struct binding *facts,
	uint32_t node, monotonic expires)
{
	const struct config_home_network *network =
		view_home_network(&e->config->instances[b->instance], &b->home_address);
	struct node *n = node_table_get(e->nodes, node);

	b->care_of_field = facts->care_of_field;
	b->agent_address = facts->agent_address;
	b->agent_field = facts->agent_field;
	b->source = facts->source;
	b->identification = facts->identification;
	b->request_identification = facts->request_identification;
	b->revocation = facts->revocation;
	b->created_ns = facts->created_ns;
	b->refreshed_ns = facts->created_ns;
	b->spi = facts->spi;
	b->flags = facts->flags;
	b->sa_id = facts->sa_id;
	b->lifetime_s = facts->lifetime_s;
	b->keepalive_s = facts->keepalive_s;
	b->ingress_port = facts->ingress_port;
	b->source_port = facts->source_port;
	b->request_flags = facts->request_flags;
	b->encapsulation = facts->encapsulation;
	b->nat = facts->nat;
	b->service = facts->service;
	b->relayed = facts->relayed;
	b->foreign_agent = profile_foreign_agent(e->profiles, b->instance, &facts->source);
	if (b->foreign_agent == PROFILE_NONE && b->relayed) /* behind a NAT (HA4-AUTH-20) */
		b->foreign_agent =
			profile_foreign_agent(e->profiles, b->instance, &facts->care_of_field);
	b->home_port = network ? network->port : PORT_NONE;
	b->state = BINDING_ACTIVE;
	b->node = node;
	if (n->bindings++ == 0)
		n->away_since_ns = facts->created_ns;
	binding_cache_endpoint_set(e->cache, b, &facts->care_of_address, facts->care_of_port);
	binding_cache_schedule(e->cache, b, expires);
	for (unsigned i = 0; !n->pool && i < e->config->instances[b->instance].pool_count; i++) {
		struct pool *pool = e->pools[b->instance][i];
		const struct config_mobile_node *p = walk_profile(e, node);
		if (p && p->dynamic_address && pool &&
			pool_claim(pool, node_identity_hash(n), &b->home_address)) {
			n->pool = (uint16_t)(i + 1);
			n->assigned = b->home_address;
		}
	}
	commit_binding_set(e, b);
}

static int binding_record_read(
	struct mip4_engine *e, struct reader *key, struct reader *r, struct clock_now now)
{
	struct binding facts = {.id = reader_u32(key)};
	struct ip_address home = {.words = {0}};

	if (reader_u8(r) != VERSION)
		return -EINVAL;
	monotonic put = reader_u64(r);
	uint64_t put_wall = reader_u64(r);
	monotonic expires = reader_u64(r);
	facts.created_ns = reader_u64(r);
	facts.instance = reader_u16(r);
	uint8_t length = reader_u8(r);
	const char *nai = (const char *)reader_take(r, length);
	address_read(r, &home);
	binding_facts_read(r, &facts);
	if (key->short_read || r->short_read || facts.instance >= e->config->instance_count)
		return -EINVAL;
	expires = expiry(expires, put, put_wall, now);
	if (expires == 0)
		return 0;
	uint32_t node = node_restore(e, facts.instance, nai, length, &home, now);
	if (node == NODE_NONE)
		return -EINVAL;
	struct binding *b =
		binding_cache_insert_at(e->cache, facts.id, facts.instance, &facts.home_address);
	if (!b)
		return -EINVAL;
	binding_revive(e, b, &facts, node, expires);
	networks_restore(e, b, r);
	engine_home_changed(e, b, true, true, NULL);
	return 0;
}

int mip4_record_restore(struct mip4_engine *e, const void *key, size_t key_length,
	const void *record, size_t length, struct clock_now now)
{
	struct reader k = reader_make(key, key_length), r = reader_make(record, length);

	switch (reader_u8(&k)) {
	case 'n':
		return node_record_read(e, &k, &r, now);
	case 'b':
		return binding_record_read(e, &k, &r, now);
	default:
		return -EINVAL;
	}
}
