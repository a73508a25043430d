/*
 * Where a punted message comes in: which home agent, which type, may it come this way (HA4-MSG,
 * HA4-TNC-02/03, HA4-BAD). Everything thrown away here gets no answer of any kind and one counter.
 */
#include "control/mip4/engine_state.h"

#include <arpa/inet.h>

static bool instance_has(const struct config_instance *config, const struct ip_address *address)
{
	for (unsigned i = 0; i < config->address_count; i++)
		if (ip_address_equal(&config->addresses[i], address))
			return true;
	return false;
}

/* HA4-MSG-01: by address; a broadcast belongs to the instance with a home link on that port. */
static bool instance_find(
	const struct mip4_engine *e, const struct punt_record *record, uint16_t *out)
{
	for (unsigned i = 0; i < e->config->instance_count; i++) {
		const struct config_instance *c = &e->config->instances[i];
		if (c->vrf != record->vrf)
			continue;
		bool ours = instance_has(c, &record->destination);
		for (unsigned n = 0;
			!ours && (record->flags & PUNT_IP_BROADCAST) && n < c->home_network_count;
			n++)
			ours = c->home_networks[n].port == record->port;
		if (ours) {
			*out = (uint16_t)i;
			return true;
		}
	}
	return false;
}

static enum mip4_counter received_counter(const struct mip4_message *m, enum mip4_status status)
{
	if (status != MIP4_OK)
		return MIP4_RX_OTHER;
	switch (m->type) {
	case MIP4_REGISTRATION_REQUEST:
		return m->request.lifetime_s ? MIP4_RX_REQUEST : MIP4_RX_DEREGISTRATION;
	case MIP4_REVOCATION:
		return MIP4_RX_REVOCATION;
	case MIP4_REVOCATION_ACK:
		return MIP4_RX_REVOCATION_ACK;
	default:
		return MIP4_RX_OTHER;
	}
}

static enum mip4_counter status_counter(enum mip4_status status)
{
	switch (status) {
	case MIP4_SHORT:
		return MIP4_RX_SHORT;
	case MIP4_EXT_OVERRUN:
		return MIP4_EXT_OVERRUN_COUNT;
	case MIP4_EXT_BADLEN:
		return MIP4_EXT_BADLEN_COUNT;
	case MIP4_EXT_UNKNOWN:
		return MIP4_UNKNOWN_EXT_NONSKIP;
	case MIP4_EXT_LIMIT:
		return MIP4_EXT_LIMIT_COUNT;
	default:
		return MIP4_RX_UNKNOWN_TYPE;
	}
}

bool receive_source_good(const struct mip4_engine *e, const struct request *r)
{
	const struct ip_address *source = &r->record->source;

	if (ip_address_is_unspecified(source)) {
		for (unsigned n = 0; n < r->config->home_network_count; n++)
			if (r->config->home_networks[n].port == r->record->port)
				return r->record->port != PORT_NONE;
		return false;
	}
	return ip_address_is_v4(source) && ip_address_is_unicast(source) &&
	       !view_own_address(e, r->config->vrf, source) &&
	       !view_network_or_broadcast(r->config, source);
}

static bool in_prefixes(const struct ip_prefix *list, unsigned count, const struct ip_address *a)
{
	for (unsigned i = 0; i < count; i++)
		if (ip_prefix_contains(&list[i], a))
			return true;
	return false;
}

/* The SA that the message came out of last, 0 when none. */
static uint32_t arrival_sa(const struct punt_record *record)
{
	unsigned layers =
		record->layer_count < DECAP_LAYERS_MAX ? record->layer_count : DECAP_LAYERS_MAX;

	if (layers == 0 || record->layers[layers - 1].kind != DECAP_ESP)
		return 0;
	return record->layers[layers - 1].id;
}

static bool inner_address_good(
	const struct mip4_engine *e, const struct request *r, const struct ip_address *a)
{
	if (!in_prefixes(r->config->tunnel_inner, r->config->tunnel_inner_count, a))
		return true;
	uint32_t sa = arrival_sa(r->record);
	return sa && e->ops.inner_address_owned && e->ops.inner_address_owned(e->context, sa, a);
}

enum mip4_counter receive_way(const struct mip4_engine *e, const struct request *r)
{
	const struct config_instance *c = r->config;
	bool external = view_external(e, r->record);

	if (c->role == ROLE_INTERNAL_HA &&
		!in_prefixes(c->trusted, c->trusted_count, &r->record->source))
		return MIP4_UNTRUSTED_SOURCE;
	if (c->role == ROLE_INTERNAL_HA && external && !arrival_sa(r->record))
		return MIP4_UNTRUSTED_ZONE;
	if (c->role == ROLE_EXTERNAL_HA && c->drop_internal && !external)
		return MIP4_INTERNAL_SOURCE;
	if (!inner_address_good(e, r, &r->record->source) ||
		(r->message.type == MIP4_REGISTRATION_REQUEST && r->message.request.lifetime_s &&
			!inner_address_good(e, r, &r->facts.care_of_address)))
		return MIP4_TUNNEL_INNER_SOURCE;
	return MIP4_COUNTER_COUNT;
}

static bool way_good(struct mip4_engine *e, const struct request *r)
{
	enum mip4_counter reason = receive_way(e, r);

	if (reason == MIP4_COUNTER_COUNT)
		return true;
	counter_add(e, r->instance, reason);
	event_security(e, r, reason, "message came a way it must not come");
	return false;
}

/* HA4-REV-12, second line behind the dataplane's: signalling out of the node's own tunnel. */
static bool own_tunnel(const struct mip4_engine *e, const struct request *r)
{
	for (unsigned i = 0; i < r->record->layer_count && i < DECAP_LAYERS_MAX; i++) {
		const struct decap_layer *l = &r->record->layers[i];
		if (l->kind == DECAP_NONE || l->kind == DECAP_ESP)
			continue;
		const struct binding *b = binding_cache_lookup(e->cache, l->id);
		if (b && ip_address_equal(&b->home_address, &r->record->source))
			return true;
	}
	return false;
}

static void dispatch(struct mip4_engine *e, struct request *r)
{
	if (r->record->source_port == 0) {
		counter_add(e, r->instance, MIP4_RX_SOURCE_PORT);
	} else if (!receive_source_good(e, r)) {
		counter_add(e, r->instance, MIP4_RX_SOURCE_ADDRESS);
	} else if (own_tunnel(e, r)) {
		counter_add(e, r->instance, MIP4_SIGNALLING_IN_TUNNEL);
	} else if (r->message.type == MIP4_REGISTRATION_REPLY) {
		counter_add(e, r->instance, MIP4_RX_UNEXPECTED_RRP);
	} else if (r->message.type == MIP4_TUNNEL_DATA) {
		counter_add(e, r->instance, MIP4_RX_TUNNEL_DATA);
	} else if (way_good(e, r)) {
		enum police_result police = police_request(e->police, r->config, r->instance,
			&r->record->source, r->record->source_port, r->now.monotonic_ns);
		static const enum mip4_counter policed[] = {
			[POLICE_ENDPOINT] = MIP4_POLICED_ENDPOINT,
			[POLICE_SOURCE] = MIP4_POLICED_SOURCE,
			[POLICE_INSTANCE] = MIP4_POLICED_INSTANCE,
		};
		if (police != POLICE_PASS)
			counter_add(e, r->instance, policed[police]);
		else if (r->message.type == MIP4_REGISTRATION_REQUEST)
			walk_request(e, r);
		else if (r->message.type == MIP4_REVOCATION)
			revocation_receive(e, r);
		else
			revocation_ack_receive(e, r);
	}
}

/* HA4-OPS-42: the two clocks must run alike. */
static void clock_watch(struct mip4_engine *e, struct clock_now now)
{
	int64_t wall = (int64_t)(now.wall_ns - e->last_clock.wall_ns);
	int64_t steady = (int64_t)(now.monotonic_ns - e->last_clock.monotonic_ns);
	int64_t apart = wall > steady ? wall - steady : steady - wall;

	if (e->clock_known && apart > (int64_t)(7 * CLOCK_NS_PER_S)) {
		struct mip4_event event = {
			.type = MIP4_EVENT_ALARM,
			.nai = "",
			.text = "the wall clock stepped: nodes with timestamps will see code 133",
		};
		e->counters[e->config->instance_count].value[MIP4_CLOCK_STEPS]++;
		event_emit(e, &event, false, now.monotonic_ns);
	}
	e->clock_known = true;
	e->last_clock = now;
}

void mip4_receive(struct mip4_engine *e, const struct punt_record *record, struct clock_now now)
{
	struct request r = {
		.record = record,
		.instance = (uint16_t)e->config->instance_count,
		.node = NODE_NONE,
		.agent = PROFILE_NONE,
		.now = now,
	};

	if (record->kind != PUNT_MOBILE_IPV4)
		return;
	clock_watch(e, now);
	bool found = instance_find(e, record, &r.instance);
	size_t length = record->length <= PACKET_RECORD_DATA_SIZE ? record->length : 0;
	enum mip4_status status = mip4_parse(&r.message, record->data, length, true);

	counter_add(e, r.instance, received_counter(&r.message, status));
	if (!found) {
		counter_add(e, r.instance, MIP4_RX_NO_INSTANCE);
		return;
	}
	r.config = &e->config->instances[r.instance];
	if (status == MIP4_OK && (r.message.extension_count > r.config->max_extensions ||
					 length > r.config->max_message))
		status = MIP4_EXT_LIMIT; // HA4-EXT-14
	if (status != MIP4_OK) {
		counter_add(e, r.instance, status_counter(status));
		return;
	}
	if (r.message.type == MIP4_REGISTRATION_REQUEST) {
		e->counters[r.instance].value[MIP4_UNKNOWN_EXT_SKIP] += r.message.skipped_unknown;
		e->counters[r.instance].value[MIP4_EXT_BADLEN_SKIP] += r.message.skipped_badlen;
		facts_read(&r.facts, &r.message);
		trace_received(e, &r);
	}
	dispatch(e, &r);
}

void receive_again(struct mip4_engine *e, const struct punt_record *record, struct clock_now now)
{
	struct request r = {
		.record = record,
		.node = NODE_NONE,
		.agent = PROFILE_NONE,
		.now = now,
	};

	/* The configuration may have changed since; then it ends like any message for nobody. */
	if (!instance_find(e, record, &r.instance) ||
		mip4_parse(&r.message, record->data, record->length, true) != MIP4_OK) {
		counter_add(e, (unsigned)e->config->instance_count, MIP4_RX_NO_INSTANCE);
		return;
	}
	r.config = &e->config->instances[r.instance];
	facts_read(&r.facts, &r.message);
	walk_request(e, &r);
}
