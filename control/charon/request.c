/* One message of the client: what it is for, and its answer now or later. */
#include "control/charon/charon_state.h"
#include "control/charon/policy_stack.h"
#include "lib/base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define IKE_PORT 500

struct turn { /* of one request */
	const struct keying_message *request;
	struct keying_message *answer;
	struct verdict verdict;
	enum pending_kind kind;
	uint64_t about;
	struct sa_command former;
	monotonic now;
};

/* True: the answer is in place already. */
typedef bool handler(struct charon *c, struct turn *t);

static bool on_lease(struct charon *c, struct turn *t)
{
	uint32_t slots = sa_database_slots(ipsec_associations(c->ipsec));
	uint32_t leased = ipsec_leases(c->ipsec);
	struct keying_spis *out = &t->answer->spis;

	if (!c->replayed || c->replaying)
		return verdict_refuse(
			&t->verdict, KEYING_WRONG_STATE, "SPIs are leased after the replay");
	t->answer->header.type = KEYING_SPIS;
	while (out->count < t->request->lease_spis.count && leased + out->count < slots / 2) {
		uint32_t spi = ipsec_lease_spi(c->ipsec, c->config->keying.vrf, c->round, t->now);
		if (!spi)
			break;
		out->of[out->count++] = htonl(spi);
	}
	if (out->count)
		return true;
	return verdict_refuse(&t->verdict, KEYING_NO_ROOM, "no slot is free for an inbound SPI");
}

static bool on_claim(struct charon *c, struct turn *t)
{
	uint32_t spi = ntohl(t->request->claim_spi.spi);

	if (!c->replaying)
		return verdict_refuse(
			&t->verdict, KEYING_WRONG_STATE, "SPIs are claimed in a replay");
	if (spi < 256)
		return verdict_refuse(&t->verdict, KEYING_BAD_SPI, "SPI %u is reserved", spi);
	switch (ipsec_claim_spi(c->ipsec, spi, c->config->keying.vrf, c->round, t->now)) {
	case 0:
		return false;
	case -EEXIST:
		return verdict_refuse(
			&t->verdict, KEYING_EXISTS, "SPI 0x%08x is a security association's", spi);
	default:
		return verdict_refuse(
			&t->verdict, KEYING_NO_ROOM, "no slot is free for SPI 0x%08x", spi);
	}
}

static bool on_add_sa(struct charon *c, struct turn *t)
{
	t->kind = PENDING_ADD_SA;
	t->about = t->request->add_sa.handle;
	association_add(c, &t->request->add_sa, &t->verdict, t->now);
	return false;
}

static bool on_update_sa(struct charon *c, struct turn *t)
{
	t->kind = PENDING_UPDATE_SA;
	t->about = t->request->update_sa.sa.handle;
	move_update(c, &t->request->update_sa, &t->former, &t->verdict, t->now);
	return false;
}

static bool on_query_sa(struct charon *c, struct turn *t)
{
	const struct sa *sa = association_find(c, &t->request->sa);

	if (!sa)
		return verdict_refuse(&t->verdict, KEYING_NOT_FOUND,
			"no security association with SPI 0x%08x", ntohl(t->request->sa.spi));
	struct ipsec_sa_state state = ipsec_query_sa(c->ipsec, sa);
	t->answer->header.type = KEYING_SA_STATE;
	t->answer->sa_state = (struct keying_sa_state){.packets = state.packets,
		.bytes = state.bytes,
		.last_use_s = state.last_use_ns / CLOCK_NS_PER_S,
		.sequence = state.sequence};
	return true;
}

static bool on_del_sa(struct charon *c, struct turn *t)
{
	association_del(c, &t->request->sa, &t->verdict, t->now);
	return false;
}

static bool is_any(const struct charon *c, const struct sa *sa)
{
	(void)c;
	(void)sa;
	return true;
}

static bool on_flush_sas(struct charon *c, struct turn *t)
{
	(void)association_drop_all(c, is_any, t->now);
	return false;
}

static bool on_add_policy(struct charon *c, struct turn *t)
{
	t->kind = PENDING_POLICY;
	t->about = policy_stack_add(c, &t->request->policy, &t->verdict);
	return false;
}

static bool on_query_policy(struct charon *c, struct turn *t)
{
	if (!policy_stack_state(c, &t->request->policy, &t->answer->policy_state))
		return verdict_refuse(&t->verdict, KEYING_NOT_FOUND, "there is no such policy");
	t->answer->header.type = KEYING_POLICY_STATE;
	return true;
}

static bool on_del_policy(struct charon *c, struct turn *t)
{
	policy_stack_del(c, &t->request->policy, &t->verdict);
	return false;
}

static bool on_flush_policies(struct charon *c, struct turn *t)
{
	(void)t;
	(void)policy_stack_sweep(c, true);
	return false;
}

static bool on_replay_begin(struct charon *c, struct turn *t)
{
	replay_begin(c, &t->verdict);
	return false;
}

static bool on_replay_end(struct charon *c, struct turn *t)
{
	replay_end(c, &t->verdict, t->now);
	return false;
}

/* KIF-26: the port of IKE is not ESP's (NAT-02), but charon names it too. */
static bool on_udp_port(struct charon *c, struct turn *t)
{
	uint16_t port = ntohs(t->request->udp_port.port);

	if (authorise_is_esp_port(c, port) || port == IKE_PORT)
		return false;
	return verdict_refuse(&t->verdict, KEYING_UNSUPPORTED,
		"UDP port %u is neither 4500 nor in dataplane.esp_ports", port);
}

static handler *const handlers[] = {
	[KEYING_LEASE_SPIS] = on_lease,
	[KEYING_CLAIM_SPI] = on_claim,
	[KEYING_ADD_SA] = on_add_sa,
	[KEYING_UPDATE_SA] = on_update_sa,
	[KEYING_QUERY_SA] = on_query_sa,
	[KEYING_DEL_SA] = on_del_sa,
	[KEYING_FLUSH_SAS] = on_flush_sas,
	[KEYING_ADD_POLICY] = on_add_policy,
	[KEYING_QUERY_POLICY] = on_query_policy,
	[KEYING_DEL_POLICY] = on_del_policy,
	[KEYING_FLUSH_POLICIES] = on_flush_policies,
	[KEYING_REPLAY_BEGIN] = on_replay_begin,
	[KEYING_REPLAY_END] = on_replay_end,
	[KEYING_UDP_PORT] = on_udp_port,
};

/* ---- answers ---- */

static void count_refusal(struct charon *c, const struct turn *t)
{
	static struct log_limit limit = LOG_LIMIT(5, 50);
	enum keying_status status = t->verdict.status;
	char text[KEYING_TEXT_SIZE + 8];

	c->counters[CHARON_REFUSED]++;
	c->counters[CHARON_CONFLICTS] += status == KEYING_CONFLICT;
	c->counters[CHARON_UNAUTHORISED] += status == KEYING_UNAUTHORISED;
	if (status == KEYING_NOT_FOUND) /* tolerated (KIF-22, KIF-25) */
		return;
	log_limited(&limit, t->now, LOG_LEVEL_WARNING, "keying_refused",
		"request=%s status=%s error=%s", keying_type_name(t->request->header.type),
		keying_status_name(status), log_quote(text, sizeof(text), t->verdict.text));
}

static void put_status(struct turn *t)
{
	t->answer->header.type = KEYING_STATUS;
	memset(&t->answer->status, 0, sizeof(t->answer->status));
	t->answer->status.status = t->verdict.status;
	memcpy(t->answer->status.text, t->verdict.text, sizeof(t->verdict.text));
}

/* What the request asked of the mirror is done at once, in 100 ms, or later. */
static bool settle(struct charon *c, struct turn *t, uint64_t before)
{
	struct pending pending = {.id = t->request->header.id,
		.first = before + 1,
		.last = c->ops.ticket(c->ops.context),
		.about = t->about,
		.due_ns = t->now + CHARON_WAIT_NS,
		.former = t->former,
		.connection = connection_number(c->connection),
		.kind = t->kind};
	bool waits = t->verdict.status == KEYING_OK && pending.last >= pending.first;
	bool late = c->replaying || !c->attached;

	if (waits && late) {
		t->verdict.status = KEYING_ACCEPTED;
		pending.answered = true; /* below */
	}
	if (t->verdict.status == KEYING_OK && !waits && !ipsec_is_placed(c->ipsec) &&
		(t->kind == PENDING_ADD_SA || t->kind == PENDING_POLICY))
		t->verdict.status = KEYING_ACCEPTED;
	if (waits && !pending_put(c, &pending))
		t->verdict.status = KEYING_ACCEPTED;
	else if (waits && !late)
		return false;
	c->counters[CHARON_ACCEPTED_LATE] += t->verdict.status == KEYING_ACCEPTED;
	put_status(t);
	return true;
}

/* ---- greeting ---- */

static bool greet(struct charon *c, struct turn *t)
{
	if (c->greeted) {
		(void)verdict_refuse(&t->verdict, KEYING_WRONG_STATE, "a second hello");
		put_status(t);
		return false;
	}
	replay_hello(c, &t->request->hello);
	uint32_t slots = sa_database_slots(ipsec_associations(c->ipsec));
	t->answer->header.type = KEYING_WELCOME;
	t->answer->welcome = (struct keying_welcome){.epoch = c->epoch,
		.spi_block = slots / 16 > 64 ? 64
			     : slots / 16    ? slots / 16
					     : 1,
		.wait_ms = CHARON_WAIT_NS / 1000000,
		.replay_window_max = c->config->dataplane.max_replay_window,
		.dataplane = c->attached};
	return true;
}

bool charon_request(struct charon *charon, const struct keying_message *request,
	struct keying_message *answer, bool *end, monotonic now)
{
	struct charon *c = charon;
	struct turn t = {.request = request, .answer = answer, .now = now, .kind = PENDING_OTHER};
	uint16_t type = request->header.type;

	memset(answer, 0, sizeof(*answer));
	answer->header.id = request->header.id;
	*end = false;
	c->counters[CHARON_REQUESTS]++;
	if (type == KEYING_HELLO) {
		*end = !greet(c, &t);
		return true;
	}
	if (!c->greeted || type >= sizeof(handlers) / sizeof(handlers[0])) {
		(void)verdict_refuse(&t.verdict, c->greeted ? KEYING_MALFORMED : KEYING_WRONG_STATE,
			"%s is no %s", keying_type_name(type), c->greeted ? "request" : "hello");
		count_refusal(c, &t);
		put_status(&t);
		*end = true;
		return true;
	}
	uint64_t before = c->ops.ticket(c->ops.context);
	if (handlers[type](c, &t))
		return true;
	if (t.verdict.status != KEYING_OK && t.verdict.status != KEYING_ACCEPTED)
		count_refusal(c, &t);
	return settle(c, &t, before);
}
