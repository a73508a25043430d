#include "control/charon/charon.h"

#include "control/charon/charon_state.h"
#include "control/charon/policy_stack.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the connection ---- */

static void on_opened(void *context)
{
	struct charon *c = context;

	c->greeted = c->replaying = false;
	c->counters[CHARON_CONNECTIONS]++;
}

static void on_closed(void *context)
{
	struct charon *c = context;

	if (c->greeted)
		log_notice(
			"charon_gone", "agent=\"%s\" effect=\"its associations stay\"", c->agent);
	c->greeted = c->replaying = false;
}

static void on_stranger(void *context, uid_t uid, const char *why)
{
	static struct log_limit limit = LOG_LIMIT(1, 5);
	struct charon *c = context;

	c->counters[CHARON_STRANGERS]++;
	log_limited(&limit, clock_read().monotonic_ns, LOG_LEVEL_WARNING, "keying_stranger",
		"uid=%u reason=\"%s\"", (unsigned)uid, why);
}

static void malformed(
	struct charon *c, enum keying_status status, uint64_t id, const char *reason, monotonic now)
{
	static struct log_limit limit = LOG_LIMIT(1, 10);
	struct keying_message m = {.header = {.type = KEYING_STATUS, .id = id}};

	c->counters[CHARON_MALFORMED]++;
	log_limited(&limit, now, LOG_LEVEL_WARNING, "keying_malformed",
		"error=\"the message %s\" effect=\"the connection ends\"", reason);
	m.status.status = status;
	snprintf(m.status.text, sizeof(m.status.text), "the message %s", reason);
	(void)connection_send(c->connection, &m);
}

static bool on_message(
	void *context, const uint8_t *octets, size_t length, const struct clock_now *now)
{
	struct charon *c = context;
	struct keying_message request, answer;
	const char *reason;
	bool end = false;
	enum keying_status status = keying_decode(octets, length, &request, &reason);

	if (status != KEYING_OK) {
		malformed(c, status, request.header.id, reason, now->monotonic_ns);
		return false;
	}
	if (charon_request(c, &request, &answer, &end, now->monotonic_ns))
		(void)connection_send(c->connection, &answer);
	if (request.header.type == KEYING_ADD_SA)
		secret_wipe(&request, sizeof(request));
	return !end;
}

/* ---- begin and end ---- */

static int open_parts(struct charon *c)
{
	const struct config_dataplane *d = &c->config->dataplane;
	uint32_t sas = d->max_security_associations;

	c->handles = map_new(sizeof(uint64_t), 2 * sas);
	c->unpaired = map_new(2 * sizeof(uint32_t), 2 * sas);
	c->inner = map_new(2 * sizeof(struct ip_address), 4 * sas);
	c->policies = policy_stack_new(d->max_policies);
	return c->handles && c->unpaired && c->inner && c->policies ? 0 : -ENOMEM;
}

int charon_new(struct loop *loop, const struct config *config, struct ipsec *ipsec,
	const struct charon_ops *ops, uid_t owner, struct charon **out)
{
	struct charon *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->config = config;
	c->ipsec = ipsec;
	c->ops = *ops;
	c->hash = hash_key_random();
	c->grace_until_ns = CLOCK_NEVER;
	c->ops.random(c->ops.context, &c->epoch, sizeof(c->epoch));
	struct connection_callbacks callbacks = {.context = c,
		.opened = on_opened,
		.closed = on_closed,
		.message = on_message,
		.stranger = on_stranger};
	int error = open_parts(c);
	if (!error)
		error = connection_listen(
			loop, config->keying.socket, owner, &callbacks, &c->connection);
	if (error) {
		charon_free(c);
		return error;
	}
	*out = c;
	return 0;
}

void charon_free(struct charon *charon)
{
	struct charon *c = charon;

	if (!c)
		return;
	connection_free(c->connection);
	pending_free(&c->pending);
	policy_stack_free(c->policies);
	if (c->inner)
		inner_clear(c);
	map_free(c->inner);
	map_free(c->handles);
	map_free(c->unpaired);
	free(c);
}

void charon_configure(struct charon *charon, const struct config *config)
{
	charon->config = config;
}

/* ---- the dataplane ---- */

static bool has_lost_numbers(const struct charon *c, const struct sa *sa)
{
	return sa->resume && sa->keys && !ipsec_has_numbers(c->ipsec, &sa->command, sa->keys);
}

/* What was named before there was a dataplane, and whose numbers it does not have. */
static void drop_stale(struct charon *c, monotonic now)
{
	for (unsigned direction = 0; direction < 2; direction++) {
		uint32_t cursor = 0;
		for (struct sa *sa; (sa = sa_database_next(ipsec_associations(c->ipsec),
					     (enum sa_direction)direction, &cursor));) {
			if (sa->origin != SA_FROM_IKE || !has_lost_numbers(c, sa)) {
				sa->resume = false;
				continue;
			}
			c->counters[CHARON_STALE]++;
			(void)tell_expire(c, sa, true, "stale");
			association_drop(c, sa, now);
			cursor--;
		}
	}
}

void charon_attached(struct charon *charon, uint64_t session, monotonic now)
{
	struct charon *c = charon;

	c->attached = true;
	drop_stale(c, now);
	if (session > 1 && !c->replayed && !c->held && c->grace_until_ns == CLOCK_NEVER &&
		ipsec_has_strangers(c->ipsec)) {
		c->grace_until_ns = now + c->config->keying.grace_s * CLOCK_NS_PER_S;
		c->held = true;
		ipsec_hold(c->ipsec, true);
		c->ops.hold(c->ops.context, true);
		log_notice("charon_awaited",
			"grace_s=%u effect=\"the dataplane goes on with the "
			"associations and policies that it has\"",
			c->config->keying.grace_s);
	} else if (session <= 1) {
		replay_release(c); /* an empty dataplane has nothing to go on with */
	}
}

void charon_detached(struct charon *charon)
{
	charon->attached = false;
}

void charon_done(struct charon *charon, uint64_t ticket, int error, monotonic now)
{
	pending_done(charon, ticket, error, now);
}

monotonic charon_tick(struct charon *charon, monotonic now)
{
	struct charon *c = charon;
	monotonic next = pending_tick(c, now), move = move_tick(c, now);

	if (c->held && c->grace_until_ns <= now) {
		log_warning("charon_missing",
			"grace_s=%u effect=\"the associations of the last charon are removed\"",
			c->config->keying.grace_s);
		replay_release(c);
		if (c->ops.known)
			c->ops.known(c->ops.context);
	}
	if (c->held && c->grace_until_ns < next)
		next = c->grace_until_ns;
	return move < next ? move : next;
}

/* ---- looking ---- */

struct charon_summary charon_summary_get(const struct charon *charon)
{
	struct charon_summary s = {.connected = charon->greeted,
		.replaying = charon->replaying,
		.replayed = charon->replayed,
		.held = charon->held,
		.instance = charon->instance,
		.associations = map_count(charon->handles),
		.leases = ipsec_leases(charon->ipsec),
		.policies = policy_stack_count(charon),
		.waiting = charon->pending.count};

	memcpy(s.agent, charon->agent, sizeof(s.agent));
	return s;
}

uint64_t charon_counter(const struct charon *charon, enum charon_counter counter)
{
	return charon->counters[counter];
}

static const struct {
	const char *name, *help;
} counter_texts[CHARON_COUNTER_COUNT] = {
	[CHARON_REQUESTS] = {"requests", "Requests of charon's plugin."},
	[CHARON_REFUSED] = {"refused", "Answered with an error."},
	[CHARON_ACCEPTED_LATE] = {"accepted_late", "Answered before the dataplane had them."},
	[CHARON_TAKEN_BACK] = {"taken_back", "Refused by the dataplane."},
	[CHARON_MALFORMED] = {"malformed", "Messages that were none."},
	[CHARON_STRANGERS] = {"strangers", "Connections of others, or of a second charon."},
	[CHARON_CONNECTIONS] = {"connections", "Connections of charon's plugin."},
	[CHARON_REPLAYS] = {"replays", "Replays that ended."},
	[CHARON_SWEPT] = {"swept", "What a replay did not name."},
	[CHARON_STALE] = {"stale", "Associations whose numbers were lost."},
	[CHARON_EXPIRES] = {"expires", "Expiries told."},
	[CHARON_MAPPINGS] = {"mappings", "NAT mappings told."},
	[CHARON_ACQUIRES] = {"acquires", "Acquires told."},
	[CHARON_MIGRATES] = {"migrates", "Moves asked for."},
	[CHARON_EVENTS_LOST] = {"events_lost", "Events while charon was away."},
	[CHARON_MOVES_DELAYED] = {"moves_delayed", "Updates of associations that moved too often."},
	[CHARON_CONFLICTS] = {"conflicts", "Inner addresses or policies of another peer's."},
	[CHARON_OVERLAPS] = {"overlaps",
		"Inner addresses inside of another peer's, or around them."},
	[CHARON_UNAUTHORISED] = {"unauthorised",
		"Transport mode to an end that is not the peer's."},
};

const char *charon_counter_name(enum charon_counter counter)
{
	return counter_texts[counter].name;
}

const char *charon_counter_help(enum charon_counter counter)
{
	return counter_texts[counter].help;
}
