/*
 * From a request and a code to a reply on its way (HA4-RRP-01..14).
 */
#include "control/mip4/engine_state.h"

#include <stdio.h>

static bool is_home_deregistration(const struct request *r)
{
	return r->facts.request.lifetime_s == 0 &&
	       ip_address_equal(&r->facts.care_of_address, &r->facts.home_address) &&
	       ip_address_equal(&r->record->source, &r->facts.home_address);
}

static void delivery(const struct request *r, struct reply *out)
{
	const struct punt_record *record = r->record;
	bool broadcast = record->flags & PUNT_IP_BROADCAST;

	out->source = broadcast ? r->config->addresses[0] : record->destination;
	out->source_port = record->destination_port;
	out->destination = record->source;
	out->destination_port = record->source_port;
	out->port = record->port;
	out->vlan = record->vlan;
	out->vrf = record->vrf;
	if (ip_address_is_unspecified(&record->source)) { // HA4-RRP-14
		out->destination = ip_address_from_v4(0xffffffff);
		out->to_mac = true;
	} else if (is_home_deregistration(r) && record->layer_count == 0) { // HA4-HOME-09
		const struct config_home_network *n = view_home_network(r->config, &record->source);
		out->to_mac = n && n->port == record->port;
	}
	if (out->to_mac)
		memcpy(out->mac, record->source_mac, sizeof(out->mac));
}

static be32 agent_field(const struct request *r)
{
	for (unsigned i = 0; i < r->config->address_count; i++)
		if (ip_address_equal(&r->config->addresses[i], &r->facts.home_agent))
			return r->facts.request.home_agent;
	if (!(r->record->flags & PUNT_IP_BROADCAST))
		return ip_address_v4(&r->record->destination);
	return ip_address_v4(&r->config->addresses[0]);
}

void answer_prepare(struct mip4_engine *e, const struct request *r, uint8_t code,
	uint16_t lifetime_s, struct reply *out)
{
	const struct facts *f = &r->facts;
	bool accepted = code <= CODE_ACCEPTED_NOSIM;

	*out = (struct reply){
		.code = code,
		.lifetime_s = accepted ? lifetime_s : f->request.lifetime_s,
		.identification = r->reply_identification,
		.home_address = f->request.home_address,
		.home_agent = agent_field(r),
		.instance = r->instance,
		.deregistration = f->request.lifetime_s == 0,
		.trusted = r->config->role == ROLE_INTERNAL_HA,
		.node = r->node,
		.profile = r->profile_index,
		.spi = r->context->spi,
	};
	delivery(r, out);
	if (accepted && out->home_address == 0)
		out->home_address = ip_address_v4(&r->home_address);
	if (f->nai.at) {
		memcpy(out->nai, f->nai.at, f->nai.length);
		out->nai_length = f->nai.length;
	}
	if (!accepted && code != CODE_NODE_AUTHENTICATION) // HA4-XTN-04
		snprintf(out->message, sizeof(out->message), "%.254s", r->config->message);
	if (r->config->challenge_copy && f->challenge.at) {
		memcpy(out->challenge, f->challenge.at, f->challenge.length);
		out->challenge_length = f->challenge.length;
	}
	if (r->config->service_echo && r->config->service_count && f->service.at) { // HA4-XTN-08
		memcpy(out->service, f->service.at, f->service.length);
		out->service_length = f->service.length;
		out->service_to_agent = f->service_from_agent;
	}
	if (r->redirect) {
		out->redirected = true;
		out->redirect = ip_address_v4(r->redirect);
		out->redirect_short = f->dynamic_ha && f->dynamic_short;
	}
	for (unsigned i = 0; r->denied_networks && i < f->network_count; i++)
		out->networks[out->network_count++] = (struct reply_network){
			.prefix = f->networks[i].prefix,
			.length = f->networks[i].length,
			.code = r->denied_networks[i],
			.subtype = 1,
		};
	if (r->agent != PROFILE_NONE && e->config->foreign_agents[r->agent].security_count) {
		const struct config_foreign_agent *fa = &e->config->foreign_agents[r->agent];
		const struct config_security *context =
			r->agent_context ? r->agent_context
					 : authenticate_default(fa->security, fa->security_count,
						   r->now.wall_ns);
		if (context) {
			out->agent = fa->address;
			out->agent_spi = context->spi;
		}
	}
}

void answer_count(struct mip4_engine *e, const struct reply *reply)
{
	static const uint8_t codes[] = {128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139,
		140, 141, 142, 143, 144, 147, 148, 151};
	unsigned counter = MIP4_DENIED_128;
	struct node *n = node_table_get(e->nodes, reply->node);

	if (n && reply->code <= CODE_ACCEPTED_NOSIM)
		n->accepted++;
	else if (n)
		n->denied++;
	if (reply->code <= CODE_ACCEPTED_NOSIM) {
		counter_add(e, reply->instance,
			reply->deregistration
				? (reply->code ? MIP4_DEREG_ACCEPTED_NOSIM : MIP4_DEREG_ACCEPTED)
				: (reply->code ? MIP4_REG_ACCEPTED_NOSIM : MIP4_REG_ACCEPTED));
		return;
	}
	for (unsigned i = 0; i < sizeof(codes); i++)
		if (codes[i] == reply->code)
			counter = MIP4_DENIED_128 + i;
	counter_add(e, reply->instance, counter);
}

static const struct config_mobile_node *profile_of(struct mip4_engine *e, const struct reply *reply)
{
	if (reply->node != NODE_NONE)
		return walk_profile(e, reply->node);
	return reply->profile < e->config->mobile_node_count
		       ? &e->config->mobile_nodes[reply->profile]
		       : NULL;
}

void answer_send(struct mip4_engine *e, struct reply *reply, struct clock_now now)
{
	struct inject_record record;
	struct reply_contexts contexts = {NULL, NULL};

	const struct config_mobile_node *p = profile_of(e, reply);
	uint32_t agent =
		ip_address_is_unspecified(&reply->agent)
			? PROFILE_NONE
			: profile_foreign_agent(e->profiles, reply->instance, &reply->agent);

	if (p) {
		contexts.node =
			authenticate_find(p->security, p->security_count, reply->spi, now.wall_ns);
		if (!contexts.node)
			contexts.node =
				authenticate_default(p->security, p->security_count, now.wall_ns);
	}
	if (agent != PROFILE_NONE) {
		const struct config_foreign_agent *fa = &e->config->foreign_agents[agent];
		contexts.agent = authenticate_find(
			fa->security, fa->security_count, reply->agent_spi, now.wall_ns);
	}
	/* Without a context (reloaded away meanwhile) nothing could be authentic: nothing is sent.
	 */
	if (!contexts.node || !reply_build(e->authenticator, &e->config->instances[reply->instance],
				      reply, contexts, now.wall_ns, &record))
		return;
	counter_add(
		e, reply->instance, reply->deregistration ? MIP4_TX_DEREG_REPLY : MIP4_TX_REPLY);
	trace_reply(e, reply, &record, now.monotonic_ns);
	e->ops.send(e->context, &record);
}

void answer_deny(struct mip4_engine *e, struct request *r, uint8_t code, const char *why)
{
	struct mip4_event event = event_of(r, MIP4_EVENT_DENIED, why);
	struct node *n = node_table_get(e->nodes, r->node);
	struct reply reply;

	if (r->pool_reserved && n) { /* nobody was told of it */
		pool_release(e->pools[r->instance][n->pool - 1], &n->assigned,
			r->now.monotonic_ns + r->config->hold_down_s * CLOCK_NS_PER_S);
		n->pool = 0;
	}
	answer_prepare(e, r, code, 0, &reply);
	answer_count(e, &reply);
	answer_send(e, &reply, r->now);
	if (n) {
		n->denied_ns = r->now.monotonic_ns;
		n->denied_code = code;
		event.nai = n->nai ? n->nai : "";
	}
	event.code = code;
	event_emit(e, &event, true, r->now.monotonic_ns);
}
