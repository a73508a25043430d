/*
 * What the mirror sends for an SA or a policy, made at the moment of sending: keys are copied out
 * of their memory once, onto the ring, and the dataplane wipes them there.
 */
#include "control/ipsec/ipsec_state.h"
#include "control/mirror/mirror.h"

#include <string.h>

static_assert(SA_SELECTORS_MAX + 3 <= MIRROR_EXPANSION_MAX, "an SA fits");

static monotonic deadline(const struct sa *sa, uint64_t seconds)
{
	return seconds ? sa->created_ns + seconds * CLOCK_NS_PER_S : CLOCK_NEVER;
}

static void put_keys(const struct sa *sa, struct command *out)
{
	struct sa_key_command *key = &out->sa_key;

	out->type = COMMAND_SA_KEY;
	key->sa_id = sa->command.sa_id;
	key->direction = sa->command.direction;
	key->encryption_length = sa->keys->encryption_length;
	key->integrity_length = sa->keys->integrity_length;
	memcpy(key->encryption_key, sa->keys->encryption, sizeof(key->encryption_key));
	memcpy(key->integrity_key, sa->keys->integrity, sizeof(key->integrity_key));
}

static void put_limits(const struct sa *sa, struct command *out)
{
	const struct sa_lifetime *l = &sa->lifetime;

	out->type = COMMAND_SA_LIMITS;
	out->sa_limits = (struct sa_limits_command){.sa_id = sa->command.sa_id,
		.direction = sa->command.direction,
		.soft_bytes = l->soft_bytes,
		.hard_bytes = l->hard_bytes,
		.soft_packets = l->soft_packets,
		.hard_packets = l->hard_packets,
		.soft_ns = deadline(sa, l->soft_s),
		.hard_ns = deadline(sa, l->hard_s)};
}

static void put_selector(const struct sa *sa, unsigned index, struct command *out)
{
	out->type = COMMAND_SA_SELECTOR;
	out->sa_selector.sa_id = sa->command.sa_id;
	out->sa_selector.direction = sa->command.direction;
	out->sa_selector.selector = sa->selectors[index];
}

static unsigned expand_sa(struct ipsec *ipsec, const struct sa *sa, bool told, struct command *out)
{
	unsigned count = 0;
	bool resume = false;

	if (sa->keys && !told) {
		put_keys(sa, &out[count++]);
		put_limits(sa, &out[count++]);
		for (unsigned i = 0; i < sa->selector_count; i++)
			put_selector(sa, i, &out[count++]);
		resume = sa_handover_claim(ipsec->handover, sa);
	}
	for (unsigned i = 0; told && sa->selectors_moved && i < sa->selector_count; i++)
		put_selector(sa, i, &out[count++]); /* they replace those that it has */
	sa_handover_note(ipsec->handover, sa);
	out[count].type = COMMAND_SA_SET;
	out[count].sa = sa->command;
	out[count].sa.flags |= (resume ? SA_RESUME : 0u) | (sa->keys ? 0u : SA_LARVAL) |
			       (ipsec->standby && sa->keys ? SA_STANDBY : 0u);
	return count + 1;
}

static unsigned expand_policy(
	struct ipsec *ipsec, const struct policy *policy, unsigned entry, struct command *out)
{
	const struct sa *sa = policy->settings.action == ACTION_PROTECT
				      ? sa_database_named(ipsec->associations, SA_OUTBOUND,
						policy->settings.security_association)
				      : NULL;

	out->type = COMMAND_POLICY_SET;
	out->policy = policy->entries[entry];
	if (sa && sa->state == SA_IS_LIVE && sa->command.sa_id) {
		out->policy.sa_id = sa->command.sa_id;
		out->policy.reqid = sa->command.reqid;
	}
	return 1;
}

unsigned ipsec_expand(struct ipsec *ipsec, uint16_t type, const struct mirror_reference *reference,
	bool told, struct command *out)
{
	if (type == COMMAND_POLICY_SET) {
		unsigned entry;
		struct policy *policy =
			policy_database_entry(ipsec->policies, reference->id, &entry);
		return policy ? expand_policy(ipsec, policy, entry, out) : 0;
	}
	const struct sa *sa = sa_database_slot(
		ipsec->associations, (enum sa_direction)reference->direction, reference->id);
	return sa && sa->state != SA_IS_EXPIRED ? expand_sa(ipsec, sa, told, out) : 0;
}
