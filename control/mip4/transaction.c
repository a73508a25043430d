/*
 * What waits for the dataplane: transactions, their tickets, and what happens when the last one
 * comes in.
 */
#include "control/mip4/engine_state.h"

#include <errno.h>
#include <stdlib.h>

struct transaction *transaction_take(
	struct mip4_engine *e, const struct request *r, uint32_t *index)
{
	if (e->transaction_free != TRANSACTION_NONE) {
		*index = e->transaction_free;
		e->transaction_free = e->transactions[*index].free_next;
	} else if (e->transaction_used < TRANSACTIONS_MAX) {
		*index = e->transaction_used++;
	} else {
		return NULL;
	}
	struct transaction *t = &e->transactions[*index];
	/* Only what every transaction reads; the big arrays are written before they are read. */
	t->outstanding = 0;
	t->refused = t->deregistration = t->keep_others = t->had_before = t->home_return =
		t->has_mac = t->was_away = false;
	t->error = 0;
	t->waiting = NULL;
	t->before_network_count = 0;
	t->binding_id = BINDING_NONE;
	t->node = r->node;
	t->request_identification = r->facts.request.identification;
	t->request_source = r->record->source;
	t->request_source_port = r->record->source_port;
	node_table_get(e->nodes, r->node)->transaction = *index;
	e->pending++;
	return t;
}

void transaction_end(struct mip4_engine *e, struct transaction *t, struct clock_now now)
{
	uint32_t index = (uint32_t)(t - e->transactions);
	struct punt_record *waiting = t->waiting;

	node_table_get(e->nodes, t->node)->transaction = TRANSACTION_NONE;
	t->phase = TRANSACTION_FREE;
	t->waiting = NULL;
	t->free_next = e->transaction_free;
	e->transaction_free = index;
	e->pending--;
	if (waiting) {
		e->waiting--;
		receive_again(e, waiting, now);
		free(waiting);
	}
}

void transaction_ticket_add(struct mip4_engine *e, uint64_t number, uint32_t transaction,
	enum ticket_role role, uint8_t network)
{
	if (transaction == TRANSACTION_NONE || number == 0 || e->ticket_count == TICKETS_MAX)
		return;
	e->tickets[(e->ticket_head + e->ticket_count++) % TICKETS_MAX] = (struct ticket){
		.number = number, .transaction = transaction, .role = role, .network = network};
	e->transactions[transaction].outstanding++;
}

static void event_binding(
	struct mip4_engine *e, enum mip4_event_type type, const struct binding *b, monotonic now)
{
	struct mip4_event event = {
		.type = type,
		.instance = b->instance,
		.home_address = b->home_address,
		.source = b->source,
		.nai = mip4_show_nai(e, b),
		.binding = b,
		.text = mip4_event_name(type),
	};
	event_emit(e, &event, false, now);
}

/* HA4-NAT-18: whoever else held this mapping sends nothing more until its own refresh. */
static void stale_others(struct mip4_engine *e, const struct binding *b)
{
	if (!(b->flags & BINDING_UDP) || b->care_of_port == 0)
		return;
	struct binding *other =
		binding_cache_endpoint(e->cache, b->instance, &b->care_of_address, b->care_of_port);
	for (; other; other = binding_cache_endpoint_next(e->cache, other)) {
		if (other->node == b->node || (other->relayed && b->relayed) ||
			!(other->flags & BINDING_UDP) || (other->flags & BINDING_STALE_NAT))
			continue;
		other->flags |= BINDING_STALE_NAT;
		counter_add(e, b->instance, MIP4_STALE_NAT);
		commit_binding_set(e, other);
	}
}

/* The dataplane did not take it: everything as it was, code 130 when it has no room, else 128. */
static void roll_back(struct mip4_engine *e, struct transaction *t, struct clock_now now)
{
	struct binding *b = binding_cache_lookup(e->cache, t->binding_id);

	if (b && b->node != t->node)
		b = NULL;
	bool full = t->error == ENOSPC || t->error == ENOMEM;

	counter_add(e, t->reply.instance, MIP4_REFUSED);
	if (b && t->had_before) {
		struct binding before = t->before;
		binding_cache_endpoint_set(
			e->cache, b, &before.care_of_address, before.care_of_port);
		binding_cache_schedule(e->cache, b, before.expires_ns);
		/* The cache's own links stay as they are now; they are the struct's tail. */
		memcpy(b, &before, offsetof(struct binding, ticking));
		/* The dataplane still has this one; what it is meant to have must say so again. */
		commit_binding_set(e, b);
	} else if (b) {
		commit_binding_end(e, b, MIP4_CAUSE_REFUSED, TRANSACTION_NONE, now);
	}
	t->reply.code = full ? CODE_RESOURCES : CODE_UNSPECIFIED;
	t->reply.udp_reply = t->reply.revocation = false;
	t->reply.network_count = 0;
	answer_count(e, &t->reply);
	answer_send(e, &t->reply, now);
	transaction_end(e, t, now);
}

static bool wanted(const struct reply *reply, const struct ip_prefix *prefix)
{
	for (unsigned i = 0; i < reply->network_count; i++) {
		struct ip_address a = ip_address_from_v4(reply->networks[i].prefix);
		struct ip_prefix p = ip_prefix_make(&a, (uint8_t)(96 + reply->networks[i].length));
		if (reply->networks[i].code == NETWORK_OK && ip_prefix_equal(&p, prefix))
			return true;
	}
	return false;
}

/* HA4-NEMO-05: prefixes not asked for again go, the others are set (again). */
static void networks_update(struct mip4_engine *e, struct transaction *t, struct binding *b)
{
	uint32_t index = (uint32_t)(t - e->transactions);
	struct prefix_command command = {
		.vrf = e->config->instances[b->instance].vrf, .binding_id = b->id};

	for (unsigned i = 0; i < t->before_network_count; i++) {
		if (wanted(&t->reply, &t->before_networks[i]))
			continue;
		command.prefix = t->before_networks[i];
		network_table_remove(e->networks, b->instance, &command.prefix);
		transaction_ticket_add(
			e, e->ops.prefix_remove(e->context, &command), index, TICKET_REST, 0);
	}
	for (unsigned i = 0; i < t->reply.network_count; i++) {
		struct reply_network *n = &t->reply.networks[i];
		if (n->code != NETWORK_OK)
			continue;
		struct ip_address a = ip_address_from_v4(n->prefix);
		command.prefix = ip_prefix_make(&a, (uint8_t)(96 + n->length));
		uint64_t ticket = network_table_set(e->networks, b->instance, &command.prefix,
					  &b->home_address, b->id)
					  ? e->ops.prefix_set(e->context, &command)
					  : 0;
		if (ticket)
			transaction_ticket_add(e, ticket, index, TICKET_PREFIX, (uint8_t)i);
		else
			n->code = NETWORK_FAILED;
	}
}

static void start_rest(
	struct mip4_engine *e, struct transaction *t, struct binding *b, struct clock_now now)
{
	uint32_t index = (uint32_t)(t - e->transactions);

	t->phase = TRANSACTION_REST;
	networks_update(e, t, b);
	/* HA4-RVK-05: the agent that the node left is told, when it can be. */
	if (t->had_before && t->before.relayed &&
		!ip_address_equal(&t->before.care_of_field, &b->care_of_field))
		revocation_start(e, &t->before, now);
	struct binding *other =
		t->keep_others ? NULL : binding_cache_home(e->cache, b->instance, &b->home_address);
	while (other) {
		struct binding *next = binding_cache_home_next(e->cache, other);
		if (other != b) {
			if (other->relayed)
				revocation_start(e, other, now);
			commit_binding_end(e, other, MIP4_CAUSE_REPLACED, index, now);
		}
		other = next;
	}
}

/* No network came up although some were asked for: RFC 5177 6.3 has no binding then. */
static bool networks_failed(const struct transaction *t)
{
	for (unsigned i = 0; i < t->reply.network_count; i++)
		if (t->reply.networks[i].code == NETWORK_OK || t->reply.networks[i].subtype == 2)
			return false;
	return t->reply.network_count > 0;
}

static void finish_accept(
	struct mip4_engine *e, struct transaction *t, struct binding *b, struct clock_now now)
{
	bool moved = t->had_before &&
		     (t->before.care_of_port != b->care_of_port ||
			     !ip_address_equal(&t->before.care_of_address, &b->care_of_address));
	struct node *n = node_table_get(e->nodes, t->node);
	struct ip_prefix list[NETWORKS_PER_BINDING_MAX];

	if (networks_failed(t)) {
		t->reply.code = CODE_NETWORK_ERROR;
		t->reply.udp_reply = t->reply.revocation = false;
		commit_binding_end(e, b, MIP4_CAUSE_REFUSED, TRANSACTION_NONE, now);
		answer_count(e, &t->reply);
		answer_send(e, &t->reply, now);
		return;
	}
	b->state = BINDING_ACTIVE;
	b->prefix_count =
		(uint8_t)network_table_of(e->networks, b->id, list, NETWORKS_PER_BINDING_MAX);
	n->accepted_ns = now.monotonic_ns;
	if (now.monotonic_ns - n->moves_since_ns > 60 * CLOCK_NS_PER_S) { // HA4-NAT-27
		n->moves_since_ns = now.monotonic_ns;
		n->moves = 0;
	}
	n->moves += moved;
	counter_add(e, b->instance,
		!t->had_before ? MIP4_BINDINGS_ADDED
		: moved        ? MIP4_BINDINGS_MOVED
			       : MIP4_BINDINGS_REFRESHED);
	stale_others(e, b);
	record_binding_put(e, b, now);
	if (!t->was_away)
		engine_home_changed(
			e, b, true, false, NULL); // HA4-HOME-03; a refresh sends none, HA4-HOME-05
	answer_count(e, &t->reply);
	answer_send(e, &t->reply, now);
	event_binding(e,
		!t->had_before ? MIP4_EVENT_BINDING_ADDED
		: moved        ? MIP4_EVENT_BINDING_MOVED
			       : MIP4_EVENT_BINDING_REFRESHED,
		b, now.monotonic_ns);
}

void transaction_advance(struct mip4_engine *e, struct transaction *t, struct clock_now now)
{
	struct binding *b;

	if (t->outstanding)
		return;
	if (t->deregistration) {
		answer_count(e, &t->reply);
		if (t->home_return)
			engine_home_changed(e, &t->before, false, false,
				t); // HA4-HOME-06: proxy ARP is off by now
		answer_send(e, &t->reply, now);
		transaction_end(e, t, now);
		return;
	}
	b = binding_cache_lookup(e->cache, t->binding_id);
	if (b && b->node != t->node)
		b = NULL;
	if (!b && !t->refused) { /* cleared or expired while it waited: the node has nothing */
		t->refused = true;
		t->error = ECANCELED;
	}
	if (t->refused) {
		roll_back(e, t, now);
		return;
	}
	if (t->phase == TRANSACTION_SET)
		start_rest(e, t, b, now);
	if (t->outstanding)
		return;
	finish_accept(e, t, b, now);
	transaction_end(e, t, now);
}

bool transaction_outlived(struct mip4_engine *e, struct binding *b, struct clock_now now)
{
	const struct node *n = node_table_get(e->nodes, b->node);
	struct transaction *t =
		n && n->transaction != TRANSACTION_NONE ? &e->transactions[n->transaction] : NULL;

	if (!t || t->phase != TRANSACTION_SET || t->deregistration || t->binding_id != b->id ||
		!t->had_before || t->before.expires_ns <= now.monotonic_ns)
		return false;
	t->refused = true;
	t->error = ECANCELED;
	binding_cache_schedule(e->cache, b, t->before.expires_ns);
	return true;
}

static void ticket_done(
	struct mip4_engine *e, const struct ticket *ticket, int error, struct clock_now now)
{
	struct transaction *t = &e->transactions[ticket->transaction];

	t->outstanding--;
	if (error && ticket->role == TICKET_SET) {
		t->refused = true;
		t->error = error < 0 ? -error : error;
	}
	if (error && ticket->role == TICKET_PREFIX) {
		struct reply_network *n = &t->reply.networks[ticket->network];
		struct binding *b = binding_cache_lookup(e->cache, t->binding_id);
		struct ip_address a = ip_address_from_v4(n->prefix);
		struct ip_prefix prefix = ip_prefix_make(&a, (uint8_t)(96 + n->length));
		n->code = NETWORK_FAILED;
		if (b)
			network_table_remove(e->networks, b->instance, &prefix);
	}
	transaction_advance(e, t, now);
}

static struct ticket *ticket_at(struct mip4_engine *e, uint32_t i)
{
	return &e->tickets[(e->ticket_head + i) % TICKETS_MAX];
}

void mip4_transaction_done(struct mip4_engine *e, uint64_t number, int error, struct clock_now now)
{
	/* A refusal may overtake the acknowledgement of earlier tickets: it is noted and waits its
	 * turn. */
	for (uint32_t i = 0; error && i < e->ticket_count; i++) {
		struct ticket *t = ticket_at(e, i);
		if (t->number != number)
			continue;
		t->settled = true;
		t->error = error;
		break;
	}
	while (e->ticket_count) {
		struct ticket ticket = *ticket_at(e, 0);
		if (!ticket.settled && (error || ticket.number > number))
			break;
		e->ticket_head = (e->ticket_head + 1) % TICKETS_MAX;
		e->ticket_count--;
		ticket_done(e, &ticket, ticket.error, now);
	}
}
