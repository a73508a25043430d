/*
 * Revocation (RFC 3543). An outstanding one of ours is kept apart from the binding, whose slot is
 * free at once: the dataplane forgets the node before its foreign agent hears of it. Both tables
 * are bounded; when ours is full the agent learns from the next packet it tunnels in vain.
 */
#include "control/mip4/engine_state.h"

#include <errno.h>
#include <stdlib.h>

#define OUTSTANDING_MAX 4096
#define REMEMBERED_MAX  1024
#define REMEMBER_NS     (60 * CLOCK_NS_PER_S) /* HA4-RVK-12 */
#define TICK_LOOK       OUTSTANDING_MAX

struct outstanding {
	struct ip_address home_address, agent_address, foreign_domain, peer;
	monotonic next_ns, interval_ns, ends_ns;
	uint64_t identity; /* of a direct node: its slot may be another's by now */
	uint32_t identifier, node, agent, spi;
	uint16_t instance, vrf;
	be16 peer_port;
	bool used, inform, relayed, repeated;
};

struct remembered { /* a revocation of theirs that was carried out */
	struct ip_address home_address, peer;
	monotonic until_ns;
	uint32_t identifier;
	uint16_t instance;
	bool inform;
};

struct revocations {
	struct outstanding out[OUTSTANDING_MAX];
	struct remembered done[REMEMBERED_MAX];
	uint32_t count, high, done_next;
	monotonic next_ns;
};

int revocation_table_new(struct revocations **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->next_ns = CLOCK_NEVER;
	return 0;
}

void revocation_table_free(struct revocations *r)
{
	free(r);
}

unsigned revocation_outstanding(const struct mip4_engine *e)
{
	return e->revocations->count;
}

static uint32_t clock_of(struct clock_now now) /* the same as in extension 137 */
{
	return (uint32_t)(now.wall_ns / CLOCK_NS_PER_S);
}

/* Who was told, and so who acknowledges; false when the configuration has it no longer. */
static bool contexts_of(struct mip4_engine *e, const struct outstanding *o,
	const struct config_security **list, unsigned *count)
{
	if (o->relayed) {
		if (o->agent >= e->config->foreign_agent_count)
			return false;
		*list = e->config->foreign_agents[o->agent].security;
		*count = e->config->foreign_agents[o->agent].security_count;
		return true;
	}
	const struct node *n = node_table_get(e->nodes, o->node);
	const struct config_mobile_node *p =
		n && node_identity_hash(n) == o->identity ? walk_profile(e, o->node) : NULL;
	if (!p)
		return false;
	*list = p->security;
	*count = p->security_count;
	return true;
}

static const struct config_security *context_of(
	struct mip4_engine *e, const struct outstanding *o, uint64_t wall_ns)
{
	const struct config_security *list, *found;
	unsigned count;

	if (!contexts_of(e, o, &list, &count))
		return NULL;
	found = authenticate_find(list, count, o->spi, wall_ns);
	return found ? found : authenticate_default(list, count, wall_ns);
}

static void transmit(struct mip4_engine *e, struct outstanding *o, struct clock_now now)
{
	const struct config_security *context = context_of(e, o, now.wall_ns);
	struct inject_record record;
	struct mip4_revocation message = {
		.home_address = ip_address_v4(&o->home_address),
		.home_domain_address = ip_address_v4(&o->agent_address),
		.foreign_domain_address = ip_address_v4(&o->foreign_domain),
		.flags = MIP4_REVOCATION_A | (o->inform ? MIP4_REVOCATION_I : 0),
	};

	uint32_t identifier = clock_of(now);
	if ((int32_t)(identifier - o->identifier) <= 0 && o->repeated)
		identifier = o->identifier + 1; /* each one new, also within a second */
	message.identifier = o->identifier = identifier;
	memset(&record, 0, offsetof(struct inject_record, data));
	struct writer w = writer_make(record.data + REPLY_HEADERS, MIP4_PAYLOAD_MAX);
	mip4_revocation_write(&w, &message);
	if (!context || !reply_authenticate(e->authenticator, &w,
				o->relayed ? MIP4_EXT_FOREIGN_HOME_AUTH : MIP4_EXT_MOBILE_HOME_AUTH,
				context))
		return;
	reply_frame(&record, &e->config->instances[o->instance],
		(struct reply_endpoint){&o->agent_address, (be16)__builtin_bswap16(MIP4_PORT)},
		(struct reply_endpoint){&o->peer, o->peer_port}, writer_length(&w));
	record.kind = INJECT_DATAGRAM;
	record.flags = INJECT_BYPASS_BINDING;
	record.vrf = o->vrf;
	counter_add(e, o->instance, o->repeated ? MIP4_TX_REVOCATION_RETRY : MIP4_TX_REVOCATION);
	o->repeated = true;
	e->ops.send(e->context, &record);
}

void revocation_start(struct mip4_engine *e, const struct binding *b, struct clock_now now)
{
	struct revocations *r = e->revocations;
	const struct config_instance *c = &e->config->instances[b->instance];
	const struct node *n = node_table_get(e->nodes, b->node);
	uint32_t i = 0;

	if (!b->revocation.negotiated || b->expires_ns <= now.monotonic_ns || !n)
		return;
	while (i < OUTSTANDING_MAX && r->out[i].used)
		i++;
	if (i == OUTSTANDING_MAX)
		return;
	bool udp = b->flags & BINDING_UDP && b->care_of_port;
	uint64_t first =
		(uint64_t)(c->revocation_retry_ms < 1000 ? 1000 : c->revocation_retry_ms) * 1000000;
	struct outstanding *o = &r->out[i];
	*o = (struct outstanding){
		.home_address = b->home_address,
		.agent_address = b->agent_field,
		.foreign_domain = b->care_of_field,
		.peer = udp ? b->care_of_address : b->source, // HA4-RVK-07
		.peer_port = udp ? b->care_of_port : (be16)__builtin_bswap16(MIP4_PORT),
		.interval_ns = first,
		.next_ns = now.monotonic_ns + first,
		.ends_ns = b->expires_ns,
		.node = b->node,
		.identity = node_identity_hash(n),
		.agent = b->foreign_agent,
		.instance = b->instance,
		.vrf = c->vrf,
		.used = true,
		.inform = b->revocation.inform ||
			  !b->relayed, // HA4-RVK-06: a direct node is told itself
		.relayed = b->relayed,
		.spi = b->relayed ? 0 : b->spi,
	};
	r->count++;
	if (i >= r->high)
		r->high = i + 1;
	if (o->next_ns < r->next_ns)
		r->next_ns = o->next_ns;
	transmit(e, o, now);
}

monotonic revocation_tick(struct mip4_engine *e, struct clock_now now)
{
	struct revocations *r = e->revocations;

	if (now.monotonic_ns < r->next_ns)
		return r->next_ns;
	r->next_ns = CLOCK_NEVER;
	for (uint32_t i = 0; i < r->high; i++) {
		struct outstanding *o = &r->out[i];
		if (!o->used)
			continue;
		if (o->ends_ns <=
			now.monotonic_ns) { /* HA4-RVK-08: never for an expired registration */
			o->used = false;
			r->count--;
			continue;
		}
		if (o->next_ns <= now.monotonic_ns) {
			transmit(e, o, now);
			if (o->interval_ns < 64 * CLOCK_NS_PER_S)
				o->interval_ns *= 2;
			o->next_ns = now.monotonic_ns + o->interval_ns;
		}
		monotonic due = o->next_ns < o->ends_ns ? o->next_ns : o->ends_ns;
		if (due < r->next_ns)
			r->next_ns = due;
	}
	while (r->high && !r->out[r->high - 1].used)
		r->high--;
	return r->next_ns;
}

void revocation_agents_found_again(struct mip4_engine *e, const struct config *before)
{
	struct revocations *r = e->revocations;

	for (uint32_t i = 0; i < r->high; i++) {
		struct outstanding *o = &r->out[i];
		if (o->used && o->relayed && o->agent < before->foreign_agent_count)
			o->agent = profile_foreign_agent(e->profiles, o->instance,
				&before->foreign_agents[o->agent].address);
	}
}

/* The one authenticator of a revocation message of this type; checked with `context` list. */
static bool authentic(struct mip4_engine *e, const struct request *r, uint8_t type,
	const struct config_security *list, unsigned list_count)
{
	int index = mip4_extension_find(&r->message, type, 0);
	struct mip4_authentication auth;

	if (index < 0 ||
		!mip4_authentication_read(&r->message, &r->message.extensions[index], &auth))
		return false;
	const struct config_security *context =
		authenticate_find(list, list_count, auth.spi, r->now.wall_ns);
	return context && authenticate_check(e->authenticator, context, r->message.payload,
				  auth.covered, auth.authenticator, auth.authenticator_length);
}

void revocation_ack_receive(struct mip4_engine *e, struct request *r)
{
	const struct mip4_revocation *ack = &r->message.revocation;
	struct revocations *all = e->revocations;

	for (uint32_t i = 0; i < all->high; i++) {
		struct outstanding *o = &all->out[i];
		if (!o->used || o->instance != r->instance || o->identifier != ack->identifier ||
			ip_address_v4(&o->home_address) != ack->home_address ||
			!ip_address_equal(&o->peer, &r->record->source))
			continue;
		const struct config_security *list;
		unsigned list_count;
		bool good =
			contexts_of(e, o, &list, &list_count) &&
			authentic(e, r,
				o->relayed ? MIP4_EXT_FOREIGN_HOME_AUTH : MIP4_EXT_MOBILE_HOME_AUTH,
				list, list_count);
		if (!good)
			break;
		o->used = false;
		all->count--;
		counter_add(e, r->instance, MIP4_REVOCATION_ACKED);
		return;
	}
	counter_add(e, r->instance, MIP4_REVOCATION_ACK_STRAY);
}

static void acknowledge(struct mip4_engine *e, const struct request *r, bool inform)
{
	const struct config_foreign_agent *fa = &e->config->foreign_agents[r->agent];
	struct mip4_revocation ack = {
		.home_address = r->message.revocation.home_address,
		.identifier = r->message.revocation.identifier,
		.flags = inform ? MIP4_REVOCATION_ACK_I : 0,
	};
	struct inject_record record;

	memset(&record, 0, offsetof(struct inject_record, data));
	struct writer w = writer_make(record.data + REPLY_HEADERS, MIP4_PAYLOAD_MAX);
	mip4_revocation_ack_write(&w, &ack);
	const struct config_security *context =
		authenticate_default(fa->security, fa->security_count, r->now.wall_ns);
	if (!context ||
		!reply_authenticate(e->authenticator, &w, MIP4_EXT_FOREIGN_HOME_AUTH, context))
		return;
	reply_frame(&record, r->config,
		(struct reply_endpoint){&r->record->destination, r->record->destination_port},
		(struct reply_endpoint){&r->record->source, r->record->source_port},
		writer_length(&w));
	record.kind = INJECT_DATAGRAM;
	record.flags = INJECT_BYPASS_BINDING;
	record.vrf = r->record->vrf;
	counter_add(e, r->instance, MIP4_TX_REVOCATION_ACK);
	e->ops.send(e->context, &record);
}

static struct remembered *remembered_find(struct revocations *all, const struct request *r)
{
	struct ip_address home = ip_address_from_v4(r->message.revocation.home_address);

	for (uint32_t i = 0; i < REMEMBERED_MAX; i++) {
		struct remembered *d = &all->done[i];
		if (d->until_ns > r->now.monotonic_ns && d->instance == r->instance &&
			ip_address_equal(&d->home_address, &home) &&
			ip_address_equal(&d->peer, &r->record->source))
			return d;
	}
	return NULL;
}

static void refuse(
	struct mip4_engine *e, const struct request *r, enum mip4_counter reason, const char *why)
{
	counter_add(e, r->instance, reason);
	event_security(e, r, reason, why);
}

/* HA4-RVK-10: agent, direction and domain; false when the message is not for us to act on. */
static bool acceptable(struct mip4_engine *e, struct request *r)
{
	const struct mip4_revocation *m = &r->message.revocation;
	struct ip_address foreign = ip_address_from_v4(m->foreign_domain_address);
	struct ip_address domain = ip_address_from_v4(m->home_domain_address);
	bool ours = false;

	r->agent = profile_foreign_agent(e->profiles, r->instance, &r->record->source);
	if (r->agent == PROFILE_NONE)
		r->agent = profile_foreign_agent(e->profiles, r->instance, &foreign);
	for (unsigned i = 0; i < r->config->address_count; i++)
		ours = ours || ip_address_equal(&r->config->addresses[i], &domain);
	if (!r->config->revocation || r->agent == PROFILE_NONE || (m->flags & MIP4_REVOCATION_A) ||
		!ours)
		return false;
	return authentic(e, r, MIP4_EXT_FOREIGN_HOME_AUTH,
		e->config->foreign_agents[r->agent].security,
		e->config->foreign_agents[r->agent].security_count);
}

void revocation_receive(struct mip4_engine *e, struct request *r)
{
	const struct mip4_revocation *m = &r->message.revocation;
	struct ip_address home = ip_address_from_v4(m->home_address);
	struct ip_address care_of = ip_address_from_v4(m->foreign_domain_address);

	if (!acceptable(e, r)) {
		refuse(e, r, MIP4_REVOCATION_BAD,
			"revocation not authentic, reflected or not for us");
		return;
	}
	struct binding *b = binding_cache_care_of(e->cache, r->instance, &home, &care_of);
	struct remembered *before = remembered_find(e->revocations, r);
	if (before && (int32_t)(m->identifier - before->identifier) <= 0) {
		refuse(e, r, MIP4_REVOCATION_REPLAY, "revocation identifier used before");
		return;
	}
	if (!b || !b->relayed) {
		if (!before || b) {
			refuse(e, r, MIP4_REVOCATION_NO_BINDING,
				"no such binding through this agent");
			return;
		}
		before->identifier = m->identifier; /* its acknowledgment was lost */
		counter_add(e, r->instance, MIP4_REVOCATION_ACCEPTED);
		acknowledge(e, r, before->inform && (m->flags & MIP4_REVOCATION_I));
		return;
	}
	if (!b->revocation.negotiated ||
		(int32_t)(m->identifier - b->revocation.peer_timestamp) <= 0) {
		refuse(e, r, MIP4_REVOCATION_REPLAY, "revocation older than the registration");
		return;
	}
	bool inform = b->revocation.inform;
	struct remembered *d =
		before ? before
		       : &e->revocations->done[e->revocations->done_next++ % REMEMBERED_MAX];
	*d = (struct remembered){
		.home_address = home,
		.peer = r->record->source,
		.identifier = m->identifier,
		.instance = r->instance,
		.inform = inform,
		.until_ns = r->now.monotonic_ns + REMEMBER_NS,
	};
	counter_add(e, r->instance, MIP4_REVOCATION_ACCEPTED);
	counter_add(e, r->instance, MIP4_BINDINGS_REVOKED);
	commit_binding_end(e, b, MIP4_CAUSE_REVOKED, TRANSACTION_NONE, r->now);
	acknowledge(e, r, inform && (m->flags & MIP4_REVOCATION_I));
}
