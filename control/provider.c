/*
 * What operators see and may do (control/operator/provider.h), from the engine, the link and the
 * mirror. Nothing is copied or summed ahead of time: each call reads the parts as they are.
 */
#include "control/mip4/counters.h"
#include "control/process.h"

#include <errno.h>
#include <string.h>

#define LOOK_PER_STEP 256

static struct process *process_of(void *context)
{
	return context;
}

static const struct config *get_config(void *context)
{
	return process_of(context)->config;
}

static void fill_tables(struct provider_status *out, const struct attachment *attachment)
{
	struct region_header *header = attachment->header;
	out->dataplane_epoch = attachment->epoch;
	out->session = attachment->session;
	out->events_lost = atomic_load_explicit(&header->events_lost, memory_order_relaxed);
	out->dataplane_heartbeat =
		atomic_load_explicit(&header->dataplane_heartbeat, memory_order_relaxed);
	out->commands_applied =
		atomic_load_explicit(&header->applied_sequence, memory_order_relaxed);
	out->routes_used = atomic_load_explicit(&header->routes_used, memory_order_relaxed);
	out->neighbors_used = atomic_load_explicit(&header->neighbors_used, memory_order_relaxed);
	out->prefixes_used = atomic_load_explicit(&header->prefixes_used, memory_order_relaxed);
	out->buffers_used = atomic_load_explicit(&header->buffers_used, memory_order_relaxed);
	out->buffers_max = atomic_load_explicit(&header->buffers_total, memory_order_relaxed);
	out->routes_max = attachment->limits.routes;
	out->neighbors_max = attachment->limits.neighbors;
	out->prefixes_max = attachment->limits.prefixes;
	memcpy(out->crypto, header->crypto, sizeof(out->crypto) - 1); /* the peer may not end it */
}

static void get_status(void *context, struct provider_status *out)
{
	struct process *p = context;
	struct mirror_stats mirror = mirror_stats(p->mirror);
	const struct loop_statistics *loop = loop_statistics_get(p->loop);
	const struct binding_cache *cache = mip4_show_cache(p->engine);
	const struct attachment *attachment = dataplane_link_attachment(p->link);
	*out = (struct provider_status){
		.attached = attachment != NULL,
		.synchronised = mirror_synced(p->mirror),
		.draining = mip4_show_draining(p->engine),
		.uptime_ms = (clock_read().monotonic_ns - p->started_ns) / 1000000,
		.commands_sent = mirror.sent,
		.pending_replies = mip4_show_pending_count(p->engine),
		.bindings = binding_cache_count(cache),
		.bindings_max = binding_cache_capacity(cache),
		.nodes = mip4_show_node_count(p->engine),
		.loop_turns = loop->turns,
		.loop_turn_ns_max = loop->turn_ns_max,
	};
	if (attachment)
		fill_tables(out, attachment);
}

static const char *state_name(uint8_t state)
{
	return state == BINDING_PENDING ? "pending" : "active";
}

static const char *service_name(const struct process *p, const struct binding *b)
{
	const struct config_instance *instance = &p->config->instances[b->instance];
	return b->service && b->service <= instance->service_count
		       ? instance->services[b->service - 1]
		       : "";
}

static uint64_t milliseconds(monotonic from, monotonic to)
{
	return to > from ? (to - from) / 1000000 : 0;
}

static void fill_binding(
	const struct process *p, const struct binding *b, struct provider_binding *out)
{
	monotonic now = clock_read().monotonic_ns;
	*out = (struct provider_binding){
		.home_address = b->home_address,
		.care_of_field = b->care_of_field,
		.care_of_address = b->care_of_address,
		.agent_address = b->agent_address,
		.source = b->source,
		.nai = mip4_show_nai(p->engine, b),
		.state = state_name(b->state),
		.mode = mip4_show_mode(p->engine, b),
		.service = "",
		.identification = b->identification,
		.remaining_ms = b->expires_ns == CLOCK_NEVER ? UINT64_MAX
							     : milliseconds(now, b->expires_ns),
		.age_ms = milliseconds(b->created_ns, now),
		.refreshed_ms = milliseconds(b->refreshed_ns, now),
		.binding_id = b->id,
		.spi = b->spi,
		.flags = b->flags,
		.instance = b->instance,
		.lifetime_s = b->lifetime_s,
		.keepalive_s = b->keepalive_s,
		.care_of_port = b->care_of_port,
		.source_port = b->source_port,
		.request_flags = b->request_flags,
		.encapsulation = b->encapsulation,
		.nat = (enum provider_nat)b->nat,
		.relayed = b->relayed,
		.unreachable = b->unreachable,
		.revocation_negotiated = b->revocation.negotiated,
		.revocation_inform = b->revocation.inform,
	};
	if (b->instance < p->config->instance_count)
		out->service = service_name(p, b);
	out->network_count = mip4_show_networks(p->engine, b, out->networks, PROVIDER_NETWORKS_MAX);
}

static enum provider_step binding_next(
	void *context, uint64_t *cursor, struct provider_binding *out)
{
	const struct process *p = context;
	uint32_t slot = (uint32_t)*cursor;
	if (slot == UINT32_MAX)
		return PROVIDER_END;
	const struct binding *b =
		binding_cache_iterate(mip4_show_cache(p->engine), &slot, LOOK_PER_STEP);
	*cursor = slot;
	if (!b)
		return slot == UINT32_MAX ? PROVIDER_END : PROVIDER_AGAIN;
	fill_binding(p, b, out);
	return PROVIDER_FOUND;
}

static bool binding_find(void *context, uint16_t instance, const struct ip_address *home,
	unsigned index, struct provider_binding *out)
{
	const struct process *p = context;
	const struct binding_cache *cache = mip4_show_cache(p->engine);
	const struct attachment *attachment = dataplane_link_attachment(p->link);
	for (unsigned i = 0; i < p->config->instance_count; i++) {
		if (instance != PROVIDER_INSTANCE_ANY && instance != i)
			continue;
		const struct binding *b = binding_cache_home(cache, (uint16_t)i, home);
		for (; b; b = binding_cache_home_next(cache, b)) {
			if (index--)
				continue;
			fill_binding(p, b, out);
			if (attachment)
				out->counters = attach_binding_counters(attachment, b->id);
			return true;
		}
	}
	return false;
}

/* What the process counts outside of any instance, behind the engine's own. */
static bool process_counter(struct process *p, unsigned index, struct provider_counter *out)
{
	struct advertise_statistics advertise = advertise_statistics_get(p->advertise);
	struct dataplane_link_statistics link = dataplane_link_statistics_get(p->link);
	const struct provider_counter counters[] = {
		{"gratuitous_arp_sent", "gratuitous ARPs sent on home links",
			gratuitous_arp_sent(p->arp)},
		{"advertisements_sent", "agent advertisements sent", advertise.sent},
		{"advertisements_solicited", "of these, in answer to a solicitation",
			advertise.solicited},
		{"solicitations_received", "agent solicitations received", advertise.solicitations},
		{"solicitations_ignored", "malformed, too many, or with the wrong TTL",
			advertise.solicitations_ignored},
		{"home_arp_claims", "ARP of others for an away home address", p->home_arp_seen},
		{"punts_received", "packets handed to control", link.punts},
		{"punts_deferred", "of these, senders without a binding that had to queue",
			link.punts_deferred},
		{"punts_dropped", "the queue of senders without a binding was full",
			link.punts_dropped},
		{"injected", "packets handed to the dataplane to send", link.injected},
		{"inject_dropped", "the queue of packets to send was full", link.inject_dropped},
		{"dataplane_attaches", "times a dataplane was attached", link.attaches},
	};
	if (index >= sizeof(counters) / sizeof(counters[0]))
		return false;
	*out = counters[index];
	return true;
}

static bool counter(void *context, unsigned instance, unsigned index, struct provider_counter *out)
{
	struct process *p = context;
	if (instance > p->config->instance_count)
		return false;
	if (index >= MIP4_COUNTER_COUNT)
		return instance == p->config->instance_count &&
		       process_counter(p, index - MIP4_COUNTER_COUNT, out);
	const struct mip4_counters *counters = mip4_counters_of(p->engine, (uint16_t)instance);
	*out = (struct provider_counter){
		.name = mip4_counter_name(index),
		.help = mip4_counter_help(index),
		.value = counters ? counters->value[index] : 0,
	};
	return true;
}

static const struct worker_counters *get_workers(void *context, unsigned *count)
{
	const struct attachment *attachment = dataplane_link_attachment(process_of(context)->link);
	*count = attachment ? attachment->limits.workers : 0;
	return attachment ? attachment->worker_counters : NULL;
}

static const struct port_counters *get_ports(void *context, unsigned *count)
{
	const struct attachment *attachment = dataplane_link_attachment(process_of(context)->link);
	*count = attachment ? attachment->limits.ports : 0;
	return attachment ? attachment->port_counters : NULL;
}

static bool drop_trace(void *context, struct provider_drop_trace *out)
{
	const struct attachment *attachment = dataplane_link_attachment(process_of(context)->link);
	if (!attachment)
		return false;
	*out = (struct provider_drop_trace){.mode = &attachment->header->drop_trace,
		.count = &attachment->header->drop_trace_count,
		.traces = attachment->drop_traces,
		.workers = attachment->limits.workers};
	return true;
}

static bool violation(void *context, unsigned index, struct provider_violation *out)
{
	/* The text of one entry at a time: borrowed until the next turn, copied by the caller
	 * before. */
	static struct mip4_violation v;
	const struct process *p = context;
	if (!mip4_show_violation(p->engine, index, &v))
		return false;
	*out = (struct provider_violation){
		.source = v.source,
		.home_address = v.home_address,
		.identification = v.identification,
		.count = v.count,
		.last_wall_ns = v.last_wall_ns,
		.spi = v.spi,
		.instance = v.instance,
		.reason = mip4_counter_name(v.counter),
		.nai = v.nai,
	};
	return true;
}

static bool pool(void *context, unsigned index, struct provider_pool *out)
{
	const struct process *p = context;
	struct mip4_pool_view view;
	for (unsigned i = 0; i < p->config->instance_count; i++) {
		if (index >= p->config->instances[i].pool_count) {
			index -= p->config->instances[i].pool_count;
			continue;
		}
		if (!mip4_show_pool(p->engine, (uint16_t)i, index, &view))
			return false;
		*out = (struct provider_pool){
			.name = view.name,
			.instance = (uint16_t)i,
			.first = view.first,
			.last = view.last,
			.size = view.size,
			.leased = view.leased,
			.held_down = view.held_down,
		};
		return true;
	}
	return false;
}

static uint64_t milliseconds_ago(monotonic then, monotonic now)
{
	return then ? milliseconds(then, now) : UINT64_MAX;
}

static enum provider_step node_next(void *context, uint64_t *cursor, struct provider_node *out)
{
	const struct process *p = context;
	monotonic now = clock_read().monotonic_ns;
	struct mip4_node_view view;
	uint32_t slot = (uint32_t)*cursor;
	if (slot == UINT32_MAX)
		return PROVIDER_END;
	bool found = mip4_show_node(p->engine, &slot, LOOK_PER_STEP, now, &view);
	*cursor = slot;
	if (!found)
		return slot == UINT32_MAX ? PROVIDER_END : PROVIDER_AGAIN;
	*out = (struct provider_node){
		.nai = view.nai,
		.home_address = view.home_address,
		.accepted = view.accepted,
		.denied = view.denied,
		.service_ms = view.service_ns / 1000000,
		.accepted_ago_ms = milliseconds_ago(view.accepted_ns, now),
		.denied_ago_ms = milliseconds_ago(view.denied_ns, now),
		.bindings = view.bindings,
		.instance = view.instance,
		.denied_code = view.denied_code,
	};
	return PROVIDER_FOUND;
}

static void rehearse(
	void *context, const struct provider_rehearsal *what, struct provider_rehearsed *out)
{
	const struct process *p = context;
	struct mip4_rehearsed done;
	struct mip4_rehearsal rehearsal = {
		.nai = what->nai,
		.home_address = what->home_address,
		.home_agent = p->config->instances[what->instance].addresses[0],
		.care_of_address = what->care_of_address,
		.source = what->source,
		.source_port = (be16)__builtin_bswap16(434),
		.instance = what->instance,
		.lifetime_s = what->lifetime_s,
		.port = what->port,
		.flags = what->flags,
		.udp_tunnel = what->udp_tunnel,
		.udp_forced = what->udp_forced,
	};
	mip4_rehearse(p->engine, &rehearsal, clock_read(), &done);
	*out = (struct provider_rehearsed){
		.step = done.step,
		.code = done.code,
		.discarded = done.discarded,
		.why = done.why,
		.lifetime_s = done.lifetime_s,
		.encapsulation = done.encapsulation,
		.udp = done.udp,
		.home_address = done.home_address,
		.care_of_address = done.effective,
		.care_of_port = done.effective_port,
	};
}

static int clear_binding(void *context, uint32_t binding_id)
{
	return mip4_engine_clear(process_of(context)->engine, binding_id, clock_read());
}

static unsigned clear_home(void *context, uint16_t instance, const struct ip_address *home)
{
	struct process *p = context;
	unsigned count = 0;
	for (unsigned i = 0; i < p->config->instance_count; i++) {
		if (instance == PROVIDER_INSTANCE_ANY || instance == i)
			count += mip4_engine_clear_home(p->engine, (uint16_t)i, home, clock_read());
	}
	return count;
}

static unsigned clear_nai(void *context, uint16_t instance, const char *nai)
{
	struct process *p = context;
	unsigned count = 0;
	for (unsigned i = 0; i < p->config->instance_count; i++) {
		if (instance == PROVIDER_INSTANCE_ANY || instance == i)
			count += mip4_engine_clear_nai(p->engine, (uint16_t)i, nai, clock_read());
	}
	return count;
}

static void drain(void *context, bool on)
{
	mip4_engine_drain(process_of(context)->engine, on);
}

static bool trace(void *context, const char *which)
{
	return mip4_trace_set(process_of(context)->engine, which);
}

static int reload(void *context, struct config_error *error)
{
	return process_reload(context, error);
}

void provider_fill(struct provider *provider, struct process *process)
{
	*provider = (struct provider){
		.context = process,
		.config = get_config,
		.status = get_status,
		.binding_next = binding_next,
		.binding_find = binding_find,
		.counter = counter,
		.workers = get_workers,
		.ports = get_ports,
		.drop_trace = drop_trace,
		.violation = violation,
		.pool = pool,
		.node_next = node_next,
		.rehearse = rehearse,
		.clear_binding = clear_binding,
		.clear_home = clear_home,
		.clear_nai = clear_nai,
		.drain = drain,
		.trace = trace,
		.reload = reload,
	};
	provider_ipsec_fill(provider);
}
