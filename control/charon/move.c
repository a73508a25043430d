/* charon moves an association: in place, not too often, and what names its ends goes with it. */
#include "control/charon/charon_state.h"
#include "control/charon/policy_stack.h"

#include <arpa/inet.h>
#include <string.h>

#define MOVES_PER_MINUTE 60 /* MOB-17 */
#define MINUTE_NS        (60 * CLOCK_NS_PER_S)

static struct sa_command moved(const struct sa *sa, const struct keying_update_sa *update)
{
	struct sa_command settings = sa->command;

	settings.flags &= ~(uint32_t)SA_UDP;
	settings.flags |= update->flags & KEYING_SA_ENCAP ? SA_UDP : 0u; // MOB-08
	model_set_ends(&settings, &update->source, &update->destination);
	if (update->reqid)
		settings.reqid = update->reqid;
	return settings;
}

bool move_address(struct ip_address *first, struct ip_address *last,
	const struct ip_address *former, const struct ip_address *now)
{
	if (!ip_address_equal(first, last) || !ip_address_equal(first, former) ||
		ip_address_equal(former, now) || ip_address_is_v4(former) != ip_address_is_v4(now))
		return false;
	*first = *last = *now;
	return true;
}

/* TRN-13: selectors that are the SA's own ends stay so, as charon leaves them to us. */
static void follow(struct charon *c, struct sa *sa, const struct sa_command *settings)
{
	char identity[KEYING_NAME_SIZE];
	bool moved = false;

	inner_identity(c, sa, identity);
	inner_release(c, sa);
	for (unsigned i = 0; i < sa->selector_count; i++) {
		struct selector *s = &sa->selectors[i];
		moved |= move_address(
			&s->local_first, &s->local_last, &sa->command.local, &settings->local);
		moved |= move_address(
			&s->remote_first, &s->remote_last, &sa->command.remote, &settings->remote);
	}
	sa->selectors_moved |= moved;
	inner_take(c, sa, identity);
}

static void apply_move(
	struct charon *c, struct sa *sa, const struct sa_command *settings, monotonic now)
{
	struct sa_command former = sa->command;

	follow(c, sa, settings);
	(void)ipsec_update_sa(c->ipsec, sa, settings, false, now);
	if (sa->selectors_moved)
		policy_stack_follow(c, sa, &former);
}

/* MOB-17: false when it has to wait; then only the latest of the waiting ones counts. */
static bool may_move(
	struct charon *c, struct sa *sa, const struct keying_update_sa *update, monotonic now)
{
	if (now - sa->moves_since_ns >= MINUTE_NS) {
		sa->moves_since_ns = now;
		sa->moves = 0;
	}
	if (sa->moves < MOVES_PER_MINUTE || c->delayed_count == DELAYED_MOVES_MAX) {
		sa->moves++;
		return true;
	}
	unsigned i = 0;
	while (i < c->delayed_count && c->delayed[i].update.sa.handle != update->sa.handle)
		i++;
	c->delayed[i] = (struct delayed_move){*update, sa->moves_since_ns + MINUTE_NS};
	if (i == c->delayed_count)
		c->delayed_count++;
	c->counters[CHARON_MOVES_DELAYED]++;
	return false;
}

void move_update(struct charon *c, const struct keying_update_sa *update, struct sa_command *former,
	struct verdict *verdict, monotonic now)
{
	struct sa *sa = association_find(c, &update->sa);

	if (!sa) {
		(void)verdict_refuse(verdict, KEYING_NOT_FOUND,
			"no security association with SPI 0x%08x", ntohl(update->sa.spi));
		return;
	}
	*former = sa->command;
	if (authorise_is_proxy(sa)) {
		(void)verdict_refuse(verdict, KEYING_REFUSED,
			"a transport mode association between home addresses is not moved");
		return;
	}
	uint32_t flags = update->flags | (update->sa.flags & KEYING_SA_INBOUND);
	struct sa_command settings = moved(sa, update);
	if (!model_ends_are_good(c, &update->source, &update->destination, flags, verdict) ||
		!authorise_remote(c, &settings.remote, verdict))
		return;
	if (!may_move(c, sa, update, now)) {
		verdict->status = KEYING_ACCEPTED;
		return;
	}
	apply_move(c, sa, &settings, now);
}

monotonic move_tick(struct charon *c, monotonic now)
{
	monotonic next = CLOCK_NEVER;

	for (unsigned i = 0; i < c->delayed_count;) {
		struct delayed_move *d = &c->delayed[i];
		if (d->due_ns > now) {
			next = d->due_ns < next ? d->due_ns : next;
			i++;
			continue;
		}
		struct sa *sa = association_find(c, &d->update.sa);
		struct sa_command settings;
		if (sa) {
			settings = moved(sa, &d->update);
			sa->moves_since_ns = now;
			sa->moves = 1;
			apply_move(c, sa, &settings, now);
		}
		c->delayed[i] = c->delayed[--c->delayed_count];
	}
	return next;
}
