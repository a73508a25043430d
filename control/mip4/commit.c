/*
 * Carrying out a verdict: the binding cache first, then the dataplane, and only when that has it,
 * the reply (HA4-REG-21).
 *
 *   accepted -> binding_set ----done----> prefixes, removal of other bindings ----done----> store,
 * ARP, event, reply
 *                     \---refused---> the cache as it was before, reply 128 or 130
 *
 * A handover reuses the slot of the binding it replaces: for the dataplane it is one store
 * (HA4-REG-22). What a transaction waits for is a count of tickets; they are acknowledged in their
 * order.
 */
#include "control/mip4/engine_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void command_fill(
	const struct mip4_engine *e, const struct binding *b, struct binding_command *out)
{
	*out = (struct binding_command){
		.home_address = b->home_address,
		.care_of_address = b->care_of_address,
		.care_of_field = b->care_of_field,
		.agent_address = b->agent_address,
		.expires_ns = b->expires_ns,
		.binding_id = b->id,
		.flags = b->flags,
		.sa_id = b->sa_id,
		.vrf = e->config->instances[b->instance].vrf,
		.home_port = b->home_port,
		.care_of_port = b->care_of_port,
		.agent_port = b->flags & BINDING_UDP ? (be16)__builtin_bswap16(MIP4_PORT) : 0,
		.encapsulation = b->encapsulation,
	};
}

uint64_t commit_binding_set(struct mip4_engine *e, const struct binding *b)
{
	struct binding_command command;

	command_fill(e, b, &command);
	return e->ops.binding_set(e->context, &command);
}

void commit_networks_drop(struct mip4_engine *e, struct binding *b, uint32_t transaction)
{
	struct ip_prefix list[NETWORKS_PER_BINDING_MAX];
	unsigned count = network_table_of(e->networks, b->id, list, NETWORKS_PER_BINDING_MAX);

	for (unsigned i = 0; i < count; i++) {
		struct prefix_command command = {.prefix = list[i],
			.vrf = e->config->instances[b->instance].vrf,
			.binding_id = b->id};
		network_table_remove(e->networks, b->instance, &list[i]);
		transaction_ticket_add(
			e, e->ops.prefix_remove(e->context, &command), transaction, TICKET_REST, 0);
	}
	b->prefix_count = 0;
}

static void lease_release(
	struct mip4_engine *e, struct node *n, const struct binding *b, monotonic now)
{
	if (!n->pool || !ip_address_equal(&n->assigned, &b->home_address))
		return;
	const struct config_instance *c = &e->config->instances[b->instance];
	if (n->pool <= c->pool_count && e->pools[b->instance][n->pool - 1])
		pool_release(e->pools[b->instance][n->pool - 1], &n->assigned,
			now + c->hold_down_s * CLOCK_NS_PER_S);
	n->pool = 0; /* `assigned` stays: the same node gets it back within the hold-down */
}

void commit_binding_end(struct mip4_engine *e, struct binding *b, enum mip4_cause cause,
	uint32_t transaction, struct clock_now now)
{
	struct node *n = node_table_get(e->nodes, b->node);
	struct binding_command command;
	struct mip4_event event = {
		.type = MIP4_EVENT_BINDING_DELETED,
		.cause = cause,
		.instance = b->instance,
		.home_address = b->home_address,
		.source = b->source,
		.nai = mip4_show_nai(e, b),
		.binding = b,
		.text = mip4_event_cause_name(cause),
	};

	commit_networks_drop(e, b, transaction);
	command_fill(e, b, &command);
	transaction_ticket_add(
		e, e->ops.binding_remove(e->context, &command), transaction, TICKET_REST, 0);
	record_binding_delete(e, b);
	event_emit(e, &event, false, now.monotonic_ns);
	struct binding *first = binding_cache_home(e->cache, b->instance, &b->home_address);
	bool last = first == b && !binding_cache_home_next(e->cache, b);
	if (last && transaction == TRANSACTION_NONE)
		engine_home_changed(e, b, false, false, NULL);
	if (n) {
		if (--n->bindings == 0)
			n->service_ns += now.monotonic_ns - n->away_since_ns;
		if (last)
			lease_release(e, n, b, now.monotonic_ns);
	}
	binding_cache_remove(e->cache, b);
}

static void deregister(struct mip4_engine *e, struct request *r, const struct verdict *v)
{
	bool all = ip_address_equal(&r->facts.care_of_address, &r->home_address);
	uint32_t index;
	struct transaction *t = transaction_take(e, r, &index);

	if (!t) {
		answer_deny(
			e, r, CODE_UNSPECIFIED, "too many registrations wait for the dataplane");
		return;
	}
	answer_prepare(e, r, v->code, 0, &t->reply);
	t->phase = TRANSACTION_REST;
	t->deregistration = true;
	struct binding *b = binding_cache_home(e->cache, r->instance, &r->home_address);
	const struct config_home_network *home = view_home_network(r->config, &r->home_address);
	t->was_away = b != NULL;
	t->has_mac = t->reply.to_mac && !ip_address_is_unspecified(&r->record->source);
	t->port = home ? home->port : PORT_NONE;
	t->vlan = r->record->vlan;
	memcpy(t->mac, r->record->source_mac, sizeof(t->mac));
	t->before.home_address = r->home_address;
	t->before.instance = r->instance;
	t->before.home_port = t->port;
	while (b) {
		struct binding *next = binding_cache_home_next(e->cache, b);
		/* The field as registered, never the effective address (HA4-REG-06). */
		if (all || ip_address_equal(&b->care_of_field, &r->facts.care_of_address))
			commit_binding_end(e, b, MIP4_CAUSE_DEREGISTERED, index, r->now);
		b = next;
	}
	t->home_return =
		t->was_away && !binding_cache_home(e->cache, r->instance, &r->home_address);
	transaction_advance(e, t, r->now); /* nothing was there: at once */
}

static uint8_t nat_of(const struct verdict *v, const struct request *r)
{
	if (!v->udp)
		return BINDING_NAT_NONE;
	bool mismatch = !ip_address_equal(&r->record->source, &r->facts.care_of_address);
	return v->forced || !mismatch ? BINDING_NAT_FORCED : BINDING_NAT_DETECTED;
}

/* HA4-REG-07: everything new, nothing inherited but the slot, the creation time and the cache's
 * links. */
static void binding_fill(
	struct mip4_engine *e, struct binding *b, struct request *r, const struct verdict *v)
{
	const struct facts *f = &r->facts;
	const struct config_home_network *network = view_home_network(r->config, &r->home_address);
	bool agent_field_ours = view_own_address(e, r->config->vrf, &f->home_agent);
	monotonic now = r->now.monotonic_ns;
	unsigned layers = r->record->layer_count < DECAP_LAYERS_MAX ? r->record->layer_count
								    : DECAP_LAYERS_MAX;

	b->node = r->node;
	b->care_of_field = f->care_of_address;
	b->agent_field = agent_field_ours ? f->home_agent : r->record->destination;
	/* HA4-FWD-02: the Home Agent field; HA4-NAT-19: in UDP the address the request was sent to.
	 */
	b->agent_address = v->udp ? r->record->destination : b->agent_field;
	b->source = r->record->source;
	b->source_port = r->record->source_port;
	b->identification = r->reply_identification;
	b->request_identification = f->request.identification;
	b->refreshed_ns = now;
	b->lifetime_s = v->lifetime_s;
	b->request_flags = f->request.flags;
	b->encapsulation = v->encapsulation;
	b->flags = v->binding_flags;
	b->service = v->service;
	b->spi = r->context->spi;
	b->foreign_agent = r->agent;
	b->relayed = !(f->request.flags & MIP4_D);
	b->home_port = network ? network->port : PORT_NONE;
	b->ingress_port = r->record->port;
	b->keepalive_s = v->udp ? (uint16_t)r->config->keepalive_s : 0;
	b->nat = nat_of(v, r);
	b->unreachable = false;
	b->sa_id = b->flags & BINDING_REQUIRES_IPSEC && layers &&
				   r->record->layers[layers - 1].kind == DECAP_ESP
			   ? r->record->layers[layers - 1].id
			   : 0;
	b->revocation = (struct binding_revocation){
		.peer_timestamp = f->revocation_timestamp,
		.negotiated = r->config->revocation &&
			      ((f->revocation_agent && r->agent_authentic) ||
				      (f->revocation_node && (f->request.flags & MIP4_D))),
	};
	b->revocation.inform = b->revocation.negotiated && f->revocation_inform;
	binding_cache_endpoint_set(e->cache, b, &v->effective, v->effective_port);
	binding_cache_schedule(e->cache, b,
		v->lifetime_s == MIP4_LIFETIME_INFINITE ? CLOCK_NEVER
							: now + v->lifetime_s * CLOCK_NS_PER_S);
}

static void reply_fill(struct mip4_engine *e, const struct request *r, const struct verdict *v,
	const struct decide_input *in, const struct binding *b, struct reply *out)
{
	const struct facts *f = &r->facts;
	unsigned implicit = 0;

	answer_prepare(e, r, v->code, v->lifetime_s, out);
	out->udp_reply = v->udp_reply;
	out->udp_to_agent = f->udp_from_agent;
	out->udp_code = v->udp_reply_code;
	out->udp_forced = v->forced;
	out->keepalive_s = v->udp ? b->keepalive_s : 0;
	/* HA4-XTN-01: to who was not registered, later to those that show they understand it. */
	if (in->view.bindings == 0 || f->nai_carrying)
		snprintf(out->identity, sizeof(out->identity), "%.253s", r->config->identity);
	out->revocation = b->revocation.negotiated;
	out->revocation_to_agent = f->revocation_agent;
	out->revocation_inform = b->revocation.inform;
	if (!r->config->nemo)
		return;
	for (unsigned i = 0; i < f->network_count; i++)
		out->networks[out->network_count++] = (struct reply_network){
			.prefix = f->networks[i].prefix,
			.length = f->networks[i].length,
			.code = in->view.networks[i],
			.subtype = 1,
		};
	if (f->network_count || !r->profile->mobile_router || !r->profile->implicit_networks)
		return;
	for (; implicit < r->profile->network_count &&
		out->network_count < NETWORKS_PER_BINDING_MAX;
		implicit++) {
		const struct ip_prefix *p = &r->profile->networks[implicit];
		bool free_for =
			network_table_free_for(e->networks, r->instance, p, &r->home_address);
		out->networks[out->network_count++] = (struct reply_network){
			.prefix = ip_address_v4(&p->address),
			.length = (uint8_t)(p->length - 96),
			.code = free_for ? NETWORK_OK : NETWORK_FAILED,
			.subtype = 2,
		};
	}
}

static void accept(struct mip4_engine *e, struct request *r, const struct decide_input *in,
	const struct verdict *v)
{
	struct binding *b = binding_cache_care_of(
		e->cache, r->instance, &r->home_address, &r->facts.care_of_address);
	uint32_t index;
	struct transaction *t = transaction_take(e, r, &index);

	if (!t) {
		answer_deny(
			e, r, CODE_UNSPECIFIED, "too many registrations wait for the dataplane");
		return;
	}
	t->was_away = binding_cache_home(e->cache, r->instance, &r->home_address) != NULL;
	if (!b && !v->keep_others)
		b = binding_cache_home(e->cache, r->instance, &r->home_address);
	t->had_before = b != NULL;
	if (b) {
		t->before = *b;
		t->before_network_count = network_table_of(
			e->networks, b->id, t->before_networks, NETWORKS_PER_BINDING_MAX);
	} else {
		b = binding_cache_insert(e->cache, r->instance, &r->home_address);
		if (!b) {
			transaction_end(e, t, r->now);
			answer_deny(e, r, CODE_RESOURCES, "no binding slot left");
			return;
		}
		b->created_ns = r->now.monotonic_ns;
		struct node *n = node_table_get(e->nodes, r->node);
		if (n->bindings++ == 0)
			n->away_since_ns = r->now.monotonic_ns;
	}
	binding_fill(e, b, r, v);
	t->binding_id = b->id;
	t->phase = TRANSACTION_SET;
	t->keep_others = v->keep_others;
	reply_fill(e, r, v, in, b, &t->reply);
	uint64_t ticket = commit_binding_set(e, b);
	if (ticket == 0 || e->ticket_count == TICKETS_MAX) {
		t->refused = true;
		t->error = ENOBUFS;
	} else {
		transaction_ticket_add(e, ticket, index, TICKET_SET, 0);
	}
	transaction_advance(e, t, r->now);
}

void commit(struct mip4_engine *e, struct request *r, const struct decide_input *in,
	const struct verdict *v)
{
	char why[160];

	if (v->code <= CODE_ACCEPTED_NOSIM) {
		if (r->facts.request.lifetime_s == 0)
			deregister(e, r, v);
		else
			accept(e, r, in, v);
		return;
	}
	if (v->delete_bindings) { // RFC 5446 4.2: the one denial that takes something away
		struct binding *b = binding_cache_home(e->cache, r->instance, &r->home_address);
		while (b) {
			struct binding *next = binding_cache_home_next(e->cache, b);
			revocation_start(e, b, r->now); // HA4-RVK-05: policy ended it
			commit_binding_end(e, b, MIP4_CAUSE_SERVICE, TRANSACTION_NONE, r->now);
			b = next;
		}
	}
	r->redirect = v->redirected ? &v->redirect : NULL;
	r->denied_networks = v->code == CODE_NETWORK_ERROR ? in->view.networks : NULL;
	snprintf(why, sizeof(why), "step %u: %s", v->step, v->why);
	answer_deny(e, r, v->code, why);
}
