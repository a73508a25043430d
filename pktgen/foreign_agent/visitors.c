#include "pktgen/foreign_agent/visitors.h"

#include <string.h>

#define PENDING_TIME (7 * CLOCK_NS_PER_S) // RFC 5944 3.7.1

enum denial { // RFC 5944 3.4, RFC 3024 3.4, RFC 2794
	DENIAL_RESOURCES = 66,
	DENIAL_LIFETIME = 69,
	DENIAL_POORLY_FORMED = 70,
	DENIAL_ENCAPSULATION = 72,
	DENIAL_REVERSE_TUNNEL_MANDATORY = 75,
	DENIAL_TOO_DISTANT = 76,
	DENIAL_CARE_OF_ADDRESS = 77,
	DENIAL_TIMEOUT = 78,
	DENIAL_DELIVERY_STYLE = 79,
	DENIAL_HOME_ADDRESS_REQUIRED = 96,
	DENIAL_HOME_AGENT_ADDRESS = 194,
};

void visitors_init(struct visitors *visitors, const struct visitors_settings *settings)
{
	memset(visitors, 0, sizeof(*visitors));
	visitors->settings = *settings;
}

static struct visitor *find(struct visitors *visitors, be32 home_address)
{
	for (unsigned i = 0; i < VISITORS_MAX; i++)
		if (visitors->list[i].home_address == home_address)
			return &visitors->list[i];
	return NULL;
}

const struct visitor *visitors_lookup(const struct visitors *visitors, be32 home_address)
{
	return home_address ? find((struct visitors *)visitors, home_address) : NULL;
}

static void deny(struct visitors_answer *answer, const struct mip4_request *request, uint8_t code,
	uint16_t lifetime_s)
{
	struct writer w = writer_make(answer->denial, sizeof(answer->denial));
	const struct mip4_reply reply = {.home_address = request->home_address,
		.home_agent = request->home_agent,
		.identification = request->identification,
		.lifetime_s = lifetime_s,
		.code = code};

	mip4_reply_write(&w, &reply);
	answer->verdict = VISITORS_TO_NODE;
	answer->code = code;
	answer->payload = answer->denial;
	answer->length = writer_length(&w);
	answer->home_address = request->home_address;
}

/* Behind the node's authenticator for the home agent nothing is relayed (RFC 5944 3.7.2.2); 0:
 * there is none. */
static size_t relayed_length(const struct mip4_message *message)
{
	for (unsigned i = 0; i < message->extension_count; i++) {
		const struct mip4_extension *e = &message->extensions[i];
		if (e->recognized && (e->type == MIP4_EXT_MOBILE_HOME_AUTH ||
					     e->type == MIP4_EXT_GENERALIZED_AUTH))
			return (size_t)e->offset + e->length;
	}
	return 0;
}

/* 0, or the code of a denial (RFC 5944 3.7.2.1, RFC 3024 4.2.1). */
static uint8_t check(const struct visitors *visitors, const struct visitors_sender *sender,
	const struct mip4_message *message)
{
	const struct visitors_settings *s = &visitors->settings;
	const struct mip4_request *request = &message->request;

	if (!relayed_length(message))
		return DENIAL_POORLY_FORMED;
	if (!request->home_address)
		return DENIAL_HOME_ADDRESS_REQUIRED;
	if (request->home_agent == s->care_of_address || request->home_agent == s->link_address)
		return DENIAL_HOME_AGENT_ADDRESS;
	if (request->flags & (MIP4_M | MIP4_G))
		return DENIAL_ENCAPSULATION;
	if (mip4_extension_find(message, MIP4_EXT_DELIVERY_STYLE, 0) >= 0)
		return DENIAL_DELIVERY_STYLE;
	if (!(request->flags & MIP4_T) && s->reverse_tunnel_mandatory)
		return DENIAL_REVERSE_TUNNEL_MANDATORY;
	if (request->flags & MIP4_T && sender->ttl != 255)
		return DENIAL_TOO_DISTANT;
	if (!(request->flags & MIP4_D) && request->lifetime_s &&
		request->care_of_address != s->care_of_address)
		return DENIAL_CARE_OF_ADDRESS;
	return request->lifetime_s > s->lifetime_max_s ? DENIAL_LIFETIME : 0;
}

static struct visitors_pending *pending_get(
	struct visitors *visitors, be32 home_address, uint32_t low)
{
	struct visitors_pending *free = NULL;

	for (unsigned i = 0; i < PENDING_MAX; i++) {
		struct visitors_pending *p = &visitors->pending[i];
		if (home_address && p->home_address == home_address &&
			(uint32_t)p->identification == low)
			return p; /* the same request again */
		if (!p->home_address)
			free = p;
	}
	return free;
}

void visitors_request(struct visitors *visitors, monotonic now,
	const struct visitors_sender *sender, const void *payload, size_t length,
	struct visitors_answer *answer)
{
	struct mip4_message message;
	const struct mip4_request *request = &message.request;

	*answer = (struct visitors_answer){.sender = *sender};
	if (mip4_parse(&message, payload, length, true) != MIP4_OK ||
		message.type != MIP4_REGISTRATION_REQUEST)
		return;
	struct visitors_pending *pending =
		pending_get(visitors, request->home_address, (uint32_t)request->identification);
	uint8_t code = check(visitors, sender, &message);
	if (!code && !pending)
		code = DENIAL_RESOURCES;
	if (code) {
		if (visitors->denied && now - visitors->denied < CLOCK_NS_PER_S)
			return;
		visitors->denied = now;
		deny(answer, request, code,
			code == DENIAL_LIFETIME ? visitors->settings.lifetime_max_s
						: request->lifetime_s);
		return;
	}
	*pending = (struct visitors_pending){.home_address = request->home_address,
		.home_agent = request->home_agent,
		.sender = *sender,
		.identification = request->identification,
		.lifetime_s = request->lifetime_s,
		.reverse_tunnel = request->flags & MIP4_T,
		.deadline = now + PENDING_TIME};
	answer->verdict = VISITORS_TO_HOME_AGENT;
	answer->payload = payload;
	answer->length = relayed_length(&message);
	answer->home_agent = request->home_agent;
	answer->home_address = request->home_address;
}

/* RFC 5944 3.7.3.2. A new visitor when the list is full is left out: it will see no packets. */
static void list_update(struct visitors *visitors, monotonic now,
	const struct visitors_pending *pending, const struct mip4_reply *reply,
	struct visitors_answer *answer)
{
	struct visitor *visitor = find(visitors, pending->home_address);
	uint16_t lifetime = reply->lifetime_s;

	if (reply->code > 1)
		return; /* refused: what was granted before still is */
	if (!visitor && reply->lifetime_s)
		visitor = find(visitors, 0);
	if (!visitor)
		return;
	answer->before = *visitor;
	memset(visitor, 0, sizeof(*visitor));
	if (!lifetime)
		return;
	if (lifetime > visitors->settings.lifetime_max_s)
		lifetime = visitors->settings.lifetime_max_s;
	visitor->home_address = pending->home_address;
	visitor->home_agent = pending->home_agent;
	visitor->reverse_tunnel = pending->reverse_tunnel;
	visitor->expiry =
		lifetime == MIP4_LIFETIME_INFINITE ? CLOCK_NEVER : now + lifetime * CLOCK_NS_PER_S;
	memcpy(visitor->mac, pending->sender.mac, sizeof(visitor->mac));
	answer->after = *visitor;
}

void visitors_reply(struct visitors *visitors, monotonic now, be32 home_agent, const void *payload,
	size_t length, struct visitors_answer *answer)
{
	struct mip4_message message;
	const struct mip4_reply *reply = &message.reply;

	*answer = (struct visitors_answer){0};
	if (mip4_parse(&message, payload, length, false) != MIP4_OK ||
		message.type != MIP4_REGISTRATION_REPLY || !reply->home_address)
		return;
	struct visitors_pending *pending =
		pending_get(visitors, reply->home_address, (uint32_t)reply->identification);
	if (!pending || !pending->home_address || pending->home_agent != home_agent)
		return; // RFC 5944 3.7.3.1: of no request of ours
	list_update(visitors, now, pending, reply, answer);
	answer->verdict = VISITORS_TO_NODE;
	answer->code = reply->code;
	answer->payload = payload;
	answer->length = relayed_length(&message) ? relayed_length(&message) : length;
	answer->home_agent = home_agent;
	answer->home_address = pending->home_address;
	answer->sender = pending->sender;
	pending->home_address = 0;
}

bool visitors_timer(struct visitors *visitors, monotonic now, struct visitors_answer *answer)
{
	*answer = (struct visitors_answer){0};
	for (unsigned i = 0; i < PENDING_MAX; i++) {
		struct visitors_pending *p = &visitors->pending[i];
		if (!p->home_address || now < p->deadline)
			continue;
		const struct mip4_request request = {.home_address = p->home_address,
			.home_agent = p->home_agent,
			.identification = p->identification};
		deny(answer, &request, DENIAL_TIMEOUT, p->lifetime_s);
		answer->sender = p->sender;
		p->home_address = 0;
		return true;
	}
	for (unsigned i = 0; i < VISITORS_MAX; i++) {
		struct visitor *v = &visitors->list[i];
		if (!v->home_address || now < v->expiry)
			continue;
		answer->before = *v;
		answer->home_address = v->home_address;
		memset(v, 0, sizeof(*v));
		return true;
	}
	return false;
}

monotonic visitors_deadline(const struct visitors *visitors)
{
	monotonic first = CLOCK_NEVER;

	for (unsigned i = 0; i < PENDING_MAX; i++)
		if (visitors->pending[i].home_address && visitors->pending[i].deadline < first)
			first = visitors->pending[i].deadline;
	for (unsigned i = 0; i < VISITORS_MAX; i++)
		if (visitors->list[i].home_address && visitors->list[i].expiry < first)
			first = visitors->list[i].expiry;
	return first;
}
