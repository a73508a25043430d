/*
 * Steps 5 to 8 of HA4-REG-01: who is it, is it really, is it fresh, is its foreign agent really who
 * it says. Then the verdict and its execution. Nothing is remembered of a request that is not
 * authentic (HA4-AUTH-10).
 */
#include "control/mip4/engine_state.h"

#include <stdlib.h>

#define AUTHENTICATORS_MAX 4 /* HMACs per message, HA4-BAD-14 */
#define CHAP_SPI           2

static struct node_key node_key(const struct config_mobile_node *profile,
	const struct facts_text *nai, const struct ip_address *home_address, uint16_t instance)
{
	struct node_key key = {.instance = instance};

	if (profile_is_exact(profile) && profile->nai[0]) {
		key.nai = profile->nai;
		key.nai_length = strlen(profile->nai);
	} else if (profile->nai[0] && nai->at) {
		key.nai = nai->at;
		key.nai_length = nai->length;
	} else {
		key.home_address = *home_address;
	}
	return key;
}

const struct config_mobile_node *walk_profile(struct mip4_engine *e, uint32_t node)
{
	struct node *n = node_table_get(e->nodes, node);

	if (!n)
		return NULL;
	if (n->generation != e->generation) {
		n->generation = e->generation;
		n->profile =
			n->nai ? profile_by_nai(e->profiles, n->instance, n->nai, strlen(n->nai))
			       : profile_by_home_address(
					 e->profiles, n->instance, &n->home_address);
	}
	return n->profile == PROFILE_NONE ? NULL : &e->config->mobile_nodes[n->profile];
}

static struct identification_clock walk_clock(const struct mip4_engine *e, struct clock_now now)
{
	/* 2024-01-01: no build of this is older; a machine that boots in 1970 or 2000 has no time
	 * yet. */
	return (struct identification_clock){
		.wall_ns = now.wall_ns,
		.wall_set = now.wall_ns / CLOCK_NS_PER_S >= 1704067200,
		.floor = e->identification_floor,
	};
}

enum mip4_counter walk_identity(const struct mip4_engine *e, struct request *r)
{
	const struct facts *f = &r->facts;

	if (f->nai.at && !nai_valid(f->nai.at, f->nai.length))
		return MIP4_NO_IDENTITY;
	if (!f->nai.at && f->request.home_address == 0)
		return MIP4_NO_IDENTITY;
	r->profile_index =
		f->nai.at ? profile_by_nai(e->profiles, r->instance, f->nai.at, f->nai.length)
			  : profile_by_home_address(e->profiles, r->instance, &f->home_address);
	if (r->profile_index == PROFILE_NONE ||
		e->config->mobile_nodes[r->profile_index].security_count == 0)
		return MIP4_NO_MSA;
	r->profile = &e->config->mobile_nodes[r->profile_index];
	r->key = node_key(r->profile, &f->nai, &f->home_address, r->instance);
	return MIP4_COUNTER_COUNT;
}

/* Step 5. */
static bool identity(struct mip4_engine *e, struct request *r)
{
	enum mip4_counter reason = walk_identity(e, r);

	if (reason == MIP4_COUNTER_COUNT && r->facts.first_auth < 0)
		reason = MIP4_NO_AUTH_EXT;
	if (reason == MIP4_COUNTER_COUNT)
		return true;
	counter_add(e, r->instance, reason);
	return false;
}

static bool agent_shares(const struct mip4_engine *e, uint32_t agent)
{
	return agent != PROFILE_NONE && e->config->foreign_agents[agent].security_count > 0;
}

void walk_agent_find(const struct mip4_engine *e, struct request *r)
{
	const struct facts *f = &r->facts;
	struct mip4_authentication auth;

	r->agent = profile_foreign_agent(e->profiles, r->instance, &r->record->source);
	if (!agent_shares(e, r->agent) && !(f->request.flags & MIP4_D) && f->udp_present &&
		f->udp_from_agent) {
		uint32_t behind =
			profile_foreign_agent(e->profiles, r->instance, &f->care_of_address);
		r->agent = behind == PROFILE_NONE ? r->agent : behind;
	}
	if (!agent_shares(e, r->agent) || f->agent_auth < 0 ||
		!mip4_authentication_read(
			&r->message, &r->message.extensions[f->agent_auth], &auth))
		return;
	const struct config_foreign_agent *fa = &e->config->foreign_agents[r->agent];
	r->agent_context =
		authenticate_find(fa->security, fa->security_count, auth.spi, r->now.wall_ns);
}

static bool agent_verify(struct mip4_engine *e, struct request *r)
{
	struct mip4_authentication auth;

	r->agent_authentic =
		r->agent_context &&
		mip4_authentication_read(
			&r->message, &r->message.extensions[r->facts.agent_auth], &auth) &&
		authenticate_check(e->authenticator, r->agent_context, r->message.payload,
			auth.covered, auth.authenticator, auth.authenticator_length);
	return r->agent_authentic;
}

/* HA4-OPS-31: at most one reply to a failed authentication a second and node, and so many in all.
 */
static bool failure_reply_taken(struct mip4_engine *e, const struct request *r)
{
	struct node key_node = {.nai = NULL, .home_address = r->key.home_address};
	uint64_t h = r->key.nai ? nai_hash(r->key.nai, r->key.nai_length)
				: node_identity_hash(&key_node);
	monotonic now = r->now.monotonic_ns, *told = &e->failure_told_ns[h % 4096];
	uint32_t rate = r->config->auth_failure_reply_rate;

	if ((*told && now - *told < CLOCK_NS_PER_S) ||
		!token_bucket_peek(&e->failure_replies, rate, rate, now))
		return false;
	token_bucket_take(&e->failure_replies);
	*told = now ? now : 1;
	return true;
}

/*
 * Code 131 when it may be sent (HA4-AUTH-12, -13): it must be with a valid Foreign-Home
 * authenticator, it may be where no association with the foreign agent is shared; where one is and
 * its authenticator is missing or wrong, nobody has vouched for the request.
 */
static void authentication_failed(struct mip4_engine *e, struct request *r, const char *why)
{
	const struct config_mobile_node *p = r->profile;
	struct mip4_authentication auth;
	bool vouched = agent_shares(e, r->agent) && r->facts.request.lifetime_s;

	counter_add(e, r->instance, MIP4_AUTH_FAIL);
	event_security(e, r, MIP4_AUTH_FAIL, why);
	bool allowed = agent_verify(e, r) || (!vouched && r->config->reply_auth_failure);
	r->context = NULL;
	if (mip4_authentication_read(
		    &r->message, &r->message.extensions[r->facts.first_auth], &auth))
		r->context =
			authenticate_find(p->security, p->security_count, auth.spi, r->now.wall_ns);
	if (!r->context)
		r->context = authenticate_default(p->security, p->security_count, r->now.wall_ns);
	if (!allowed || !r->context || !failure_reply_taken(e, r)) {
		counter_add(e, r->instance, MIP4_AUTH_FAIL_SILENT);
		return;
	}
	r->reply_identification = r->facts.request.identification;
	answer_deny(e, r, CODE_NODE_AUTHENTICATION, why);
}

static bool aaa_check(struct mip4_engine *e, struct request *r, const struct mip4_extension *x)
{
	const uint8_t *data = r->message.payload + x->data_offset;
	uint32_t spi = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 |
		       data[3];
	const struct config_security *context = NULL;

	if (spi >= 256 || spi == CHAP_SPI)
		context = authenticate_find_any(
			r->profile->security, r->profile->security_count, spi, r->now.wall_ns);
	const struct authenticate_aaa given = {
		.data = r->message.payload,
		.length = x->data_offset + 4u,
		.challenge = (const uint8_t *)r->facts.challenge.at,
		.challenge_length = r->facts.challenge.length,
		.authenticator = data + 4,
		.authenticator_length = x->data_length - 4u,
	};
	return context && authenticate_check_aaa(e->authenticator, context, &given);
}

/* A Mobile-Home authenticator; what is wrong with it is answered and counted here. */
static bool node_check(struct mip4_engine *e, struct request *r, const struct mip4_extension *x)
{
	const struct config_mobile_node *p = r->profile;
	const struct config_security *context = NULL;
	struct mip4_authentication auth;

	if (mip4_authentication_read(&r->message, x, &auth))
		context =
			authenticate_find(p->security, p->security_count, auth.spi, r->now.wall_ns);
	if (!context) {
		authentication_failed(e, r, "unknown SPI");
		return false;
	}
	if (context->require_udp_checksum && (r->record->flags & PUNT_UDP_ZERO_CHECKSUM)) {
		counter_add(e, r->instance, MIP4_ZERO_CHECKSUM);
		return false;
	}
	if (!authenticate_check(e->authenticator, context, r->message.payload, auth.covered,
		    auth.authenticator, auth.authenticator_length)) {
		authentication_failed(e, r, "invalid authenticator");
		return false;
	}
	if (!r->context)
		r->context = context;
	return true;
}

/* Step 6: every authorization-enabling authenticator, each over what precedes it (HA4-AUTH-14). */
static bool authenticate(struct mip4_engine *e, struct request *r)
{
	unsigned checked = 0, aaa = 0;
	bool aaa_good = true;

	for (unsigned i = 0; i < r->message.extension_count; i++) {
		const struct mip4_extension *x = &r->message.extensions[i];
		bool is_aaa = x->type == MIP4_EXT_GENERALIZED_AUTH;

		if (is_aaa && r->config->mn_aaa == MN_AAA_IGNORE)
			continue;
		if (x->type != MIP4_EXT_MOBILE_HOME_AUTH && !is_aaa)
			continue;
		if (++checked > AUTHENTICATORS_MAX) {
			authentication_failed(e, r, "too many authenticators");
			return false;
		}
		if (is_aaa) {
			aaa++;
			aaa_good = aaa_good && aaa_check(e, r, x);
			continue;
		}
		if (!node_check(e, r, x))
			return false;
	}
	if (aaa_good && (aaa || r->config->mn_aaa != MN_AAA_REQUIRE))
		return true;
	counter_add(e, r->instance, MIP4_AUTH_FAIL);
	event_security(e, r, MIP4_AUTH_FAIL, "Mobile-AAA authenticator missing or wrong");
	if (!failure_reply_taken(e, r)) {
		counter_add(e, r->instance, MIP4_AUTH_FAIL_SILENT);
		return false;
	}
	r->reply_identification = r->facts.request.identification;
	answer_deny(e, r, CODE_AAA_AUTHENTICATION, "Mobile-AAA authenticator missing or wrong");
	return false;
}

static void evicted(void *context, const struct node *node)
{
	record_node_delete(context, node);
}

/* What the request asked for and now has; what was refused then is not remembered. */
static void networks_again(struct mip4_engine *e, const struct request *r, const struct binding *b,
	struct reply *reply)
{
	for (unsigned i = 0; r->config->nemo && i < r->facts.network_count; i++) {
		const struct facts_network *asked = &r->facts.networks[i];
		struct ip_address a = ip_address_from_v4(asked->prefix);
		if (asked->length < 1 || asked->length > 32 ||
			network_table_lookup(e->networks, r->instance, &a) != b->id)
			continue;
		reply->networks[reply->network_count++] = (struct reply_network){
			.prefix = asked->prefix, .length = asked->length, .subtype = 1};
	}
}

/* A nonce-style retransmission of the request that made the current binding (HA4-RPL-15). */
static bool duplicate_answered(struct mip4_engine *e, struct request *r)
{
	if (r->context->replay != REPLAY_NONCE || r->facts.request.lifetime_s == 0)
		return false;
	struct ip_address home = r->facts.home_address;
	struct node *n = node_table_get(e->nodes, r->node);
	if (ip_address_is_unspecified(&home))
		home = n->assigned;
	const struct binding *b =
		binding_cache_care_of(e->cache, r->instance, &home, &r->facts.care_of_address);
	monotonic now = r->now.monotonic_ns;

	if (!b || b->node != r->node || b->state != BINDING_ACTIVE || b->expires_ns <= now ||
		b->request_identification != r->facts.request.identification ||
		b->source_port != r->record->source_port ||
		!ip_address_equal(&b->source, &r->record->source))
		return false;
	uint16_t left =
		b->expires_ns == CLOCK_NEVER
			? b->lifetime_s
			: (uint16_t)((b->expires_ns - now + CLOCK_NS_PER_S - 1) / CLOCK_NS_PER_S);
	struct reply reply;
	uint8_t code = decide_simultaneous(r->config, r->profile) > 1 ? 0 : 1;

	r->home_address = home;
	r->reply_identification = b->identification;
	answer_prepare(e, r, code, left, &reply);
	if (r->facts.udp_present && b->nat != BINDING_NAT_NONE) {
		reply.udp_reply = true;
		reply.udp_to_agent = r->facts.udp_from_agent;
		reply.udp_forced = b->nat == BINDING_NAT_FORCED;
		reply.keepalive_s = b->keepalive_s;
	}
	reply.revocation = b->revocation.negotiated;
	reply.revocation_to_agent = r->facts.revocation_agent;
	reply.revocation_inform = b->revocation.inform;
	networks_again(e, r, b, &reply);
	counter_add(e, r->instance, MIP4_REG_DUPLICATE);
	answer_send(e, &reply, r->now);
	return true;
}

/*
 * The node repeats itself while the dataplane still works on the first copy: its nonce is used up,
 * and the one reply is on its way (HA4-RPL-15).
 */
static bool duplicate_in_flight(struct mip4_engine *e, struct request *r)
{
	const struct node *n = node_table_get(e->nodes, r->node);

	if (r->context->replay != REPLAY_NONCE || n->transaction == TRANSACTION_NONE)
		return false;
	const struct transaction *t = &e->transactions[n->transaction];
	if (t->request_identification != r->facts.request.identification ||
		t->request_source_port != r->record->source_port ||
		!ip_address_equal(&t->request_source, &r->record->source))
		return false;
	counter_add(e, r->instance, MIP4_SUPERSEDED);
	return true;
}

/* HA4-REG-24: one request of a node at a time; the newest waits, an older one gives way. */
static bool held(struct mip4_engine *e, struct request *r)
{
	struct node *n = node_table_get(e->nodes, r->node);

	if (n->transaction == TRANSACTION_NONE)
		return false;
	struct transaction *t = &e->transactions[n->transaction];
	if (!t->waiting) {
		t->waiting = malloc(sizeof(*t->waiting));
		if (!t->waiting) {
			counter_add(e, r->instance, MIP4_SUPERSEDED);
			return true;
		}
		e->waiting++;
	} else {
		counter_add(e, r->instance, MIP4_SUPERSEDED);
	}
	*t->waiting = *r->record;
	return true;
}

/* Step 7; the replay state moves here and nowhere else. */
static bool fresh(struct mip4_engine *e, struct request *r)
{
	const struct config_security *c = r->context;
	uint64_t identification = r->facts.request.identification;
	struct node *n = node_table_get(e->nodes, r->node);
	enum identification_result result =
		identification_check(&n->replay, c, identification, walk_clock(e, r->now));
	uint32_t nonce = 0;

	if (result == IDENTIFICATION_OK && held(e, r))
		return false;
	if (result != IDENTIFICATION_OK && (duplicate_in_flight(e, r) || duplicate_answered(e, r)))
		return false;
	if (c->replay == REPLAY_NONCE)
		e->ops.random(e->context, &nonce, sizeof(nonce));
	n->heard_ns = r->now.monotonic_ns;
	if (result == IDENTIFICATION_OK)
		identification_accept(&n->replay, c, identification);
	r->reply_identification = identification_reply(
		&n->replay, c, identification, result == IDENTIFICATION_OK, r->now.wall_ns, nonce);
	if (result == IDENTIFICATION_OK || c->replay == REPLAY_NONCE)
		record_node_put(e, n);
	if (result == IDENTIFICATION_OK)
		return true;
	if (result == IDENTIFICATION_UNSET && !e->clock_unset_told) {
		struct mip4_event alarm =
			event_of(r, MIP4_EVENT_ALARM, identification_text(result));
		e->clock_unset_told = true;
		event_emit(e, &alarm, false, r->now.monotonic_ns);
	}
	counter_add(e, r->instance, MIP4_ID_MISMATCH);
	event_security(e, r, MIP4_ID_MISMATCH, identification_text(result));
	answer_deny(e, r, CODE_IDENTIFICATION, identification_text(result));
	return false;
}

/* Step 8, three different outcomes (HA4-AUTH-17, -18, -19). */
static bool agent_good(struct mip4_engine *e, struct request *r)
{
	bool shared = agent_shares(e, r->agent);
	bool present = r->facts.agent_auth_count > 0;

	if (present && !shared) {
		counter_add(e, r->instance, MIP4_STRAY_FA_AUTH);
		event_security(e, r, MIP4_STRAY_FA_AUTH, "no association with this foreign agent");
		return false;
	}
	if (!shared || r->facts.request.lifetime_s == 0)
		return true;
	if (r->facts.agent_auth_count == 1 && agent_verify(e, r))
		return true;
	const char *why = !present ? "Foreign-Home authenticator missing"
			  : r->facts.agent_auth_count > 1
				  ? "more than one Foreign-Home authenticator"
				  : "Foreign-Home authenticator wrong";
	event_security(e, r, MIP4_DENIED_132, why);
	answer_deny(e, r, CODE_AGENT_AUTHENTICATION, why);
	return false;
}

/* HA4-OPS-32, HA4-NAT-27: an authentic node that asks too often is told so. */
static bool node_policed(struct mip4_engine *e, struct request *r)
{
	struct node *n = node_table_get(e->nodes, r->node);
	struct token_bucket bucket = {
		.at_ns = n->bucket_ns, .milli = n->bucket_milli, .started = n->bucket_ns != 0};

	if (r->facts.request.lifetime_s == 0)
		return false;
	if (r->config->nat_move_limit && n->moves > r->config->nat_move_limit &&
		r->now.monotonic_ns - n->moves_since_ns <= 60 * CLOCK_NS_PER_S) {
		answer_deny(e, r, CODE_RESOURCES, "tunnel end moved too often within a minute");
		return true;
	}
	if (r->config->node_rate == 0)
		return false;
	bool pass = token_bucket_peek(
		&bucket, r->config->node_rate, r->config->node_burst, r->now.monotonic_ns);
	if (pass)
		token_bucket_take(&bucket);
	n->bucket_ns = bucket.at_ns;
	n->bucket_milli = (uint32_t)bucket.milli;
	if (pass)
		return false;
	answer_deny(e, r, CODE_RESOURCES, "too many registrations of this mobile node");
	return true;
}

void walk_request(struct mip4_engine *e, struct request *r)
{
	struct decide_input input;
	struct verdict verdict;
	monotonic now = r->now.monotonic_ns;
	monotonic idle = e->node_idle_ns; // HA4-RPL-09

	if (!identity(e, r))
		return;
	walk_agent_find(e, r);
	if (!authenticate(e, r))
		return;
	r->node = node_table_get_or_add(e->nodes, &r->key, now > idle ? now - idle : 0, evicted, e);
	if (r->node == NODE_NONE) {
		r->reply_identification = r->facts.request.identification;
		answer_deny(e, r, CODE_RESOURCES, "no room for another mobile node");
		return;
	}
	walk_profile(e, r->node);
	if (!fresh(e, r) || !agent_good(e, r) || node_policed(e, r))
		return;
	if (r->facts.repeated)
		counter_add(e, r->instance, MIP4_DUP_EXT);
	view_gather(e, r, &input);
	decide(&input, &verdict);
	trace_verdict(e, r, &verdict);
	commit(e, r, &input, &verdict);
}
