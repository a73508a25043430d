/*
 * Rounds: a client names what it has, and what it does not name goes. HA-07.
 */
#include "control/charon/charon_state.h"
#include "control/charon/policy_stack.h"
#include "lib/base/log.h"

void replay_release(struct charon *c)
{
	if (!c->held)
		return;
	c->held = false;
	ipsec_hold(c->ipsec, false);
	c->ops.hold(c->ops.context, false);
}

/* The handles of another charon process mean nothing any more. */
static void forget_handles(struct charon *c)
{
	for (unsigned direction = 0; direction < 2; direction++) {
		uint32_t cursor = 0;
		for (struct sa *sa; (sa = sa_database_next(ipsec_associations(c->ipsec),
					     (enum sa_direction)direction, &cursor));)
			sa->handle = 0;
	}
	map_clear(c->handles);
	map_clear(c->unpaired);
	c->delayed_count = 0;
}

void replay_hello(struct charon *c, const struct keying_hello *hello)
{
	if (hello->instance != c->instance)
		forget_handles(c);
	c->instance = hello->instance;
	c->greeted = true;
	c->replaying = c->replayed = false;
	snprintf(c->agent, sizeof(c->agent), "%s", hello->agent);
	log_notice("charon_connected", "agent=\"%s\" instance=%016llx", c->agent,
		(unsigned long long)c->instance);
}

void replay_begin(struct charon *c, struct verdict *verdict)
{
	if (c->replaying) {
		(void)verdict_refuse(
			verdict, KEYING_WRONG_STATE, "a replay has begun and not ended");
		return;
	}
	c->replaying = true;
	c->round++;
}

static bool is_unnamed(const struct charon *c, const struct sa *sa)
{
	return sa->round != c->round;
}

void replay_end(struct charon *c, struct verdict *verdict, monotonic now)
{
	if (!c->replaying) {
		(void)verdict_refuse(verdict, KEYING_WRONG_STATE, "no replay has begun");
		return;
	}
	unsigned swept = policy_stack_sweep(c, false);
	swept += association_drop_all(c, is_unnamed, now);
	c->replaying = false;
	c->replayed = true;
	c->counters[CHARON_REPLAYS]++;
	c->counters[CHARON_SWEPT] += swept;
	replay_release(c);
	if (c->ops.known)
		c->ops.known(c->ops.context);
	tell_missed(c);
	log_notice("charon_replayed", "associations=%u policies=%u swept=%u", map_count(c->handles),
		policy_stack_count(c), swept);
}
