/*
 * What control/charon needs besides: inbound SPIs given out before their keys (SAD-05, KIF-07),
 * what a restart of control left in the region, and policies whose target is an SA's name.
 */
#include "control/ipsec/ipsec_state.h"
#include "control/ipsec/sa_identity.h"
#include "lib/ipc/sa_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static struct sa *add_larval(
	struct ipsec *ipsec, uint32_t spi, uint16_t vrf, uint32_t round, monotonic now)
{
	struct sa model;

	memset(&model, 0, sizeof(model));
	model.origin = SA_FROM_IKE;
	model.command.direction = SA_INBOUND;
	model.command.spi = htonl(spi);
	model.command.vrf = vrf;
	model.larval_until_ns = CLOCK_NEVER; /* its client gives it back, or ends */
	model.round = round;
	return sa_database_add(ipsec->associations, &model, NULL, now);
}

/* Any of our range, before there are slots. */
static uint32_t spi_without_slot(struct ipsec *ipsec)
{
	uint32_t slot;

	ipsec->ops.random(ipsec->ops.context, &slot, sizeof(slot));
	return sa_database_spi(ipsec->associations,
		sa_spi_slot(slot, sa_database_slots(ipsec->associations)), ipsec->ops.random,
		ipsec->ops.context);
}

uint32_t ipsec_lease_spi(struct ipsec *ipsec, uint16_t vrf, uint32_t round, monotonic now)
{
	uint32_t slot = ipsec->placed ? sa_database_free_slot(ipsec->associations, now) : 0;
	uint32_t spi = 0;

	if (slot)
		spi = sa_database_spi(
			ipsec->associations, slot, ipsec->ops.random, ipsec->ops.context);
	else if (!ipsec->placed)
		spi = spi_without_slot(ipsec);
	errno = ENOSPC;
	struct sa *sa = spi ? add_larval(ipsec, spi, vrf, round, now) : NULL;
	if (!sa)
		return 0;
	if (slot) {
		(void)sa_database_place(ipsec->associations, sa, slot, now);
		ipsec_refer_sa(ipsec, sa);
	}
	return spi;
}

int ipsec_claim_spi(struct ipsec *ipsec, uint32_t spi, uint16_t vrf, uint32_t round, monotonic now)
{
	struct sa *sa = sa_database_inbound(ipsec->associations, spi);

	if (sa && (sa->state != SA_IS_LARVAL || sa->origin != SA_FROM_IKE))
		return -EEXIST;
	if (!sa) {
		sa = add_larval(ipsec, spi, vrf, round, now);
		if (!sa)
			return -errno;
		if (ipsec->placed) {
			ipsec_place(ipsec, sa, now);
			ipsec_refer_sa(ipsec, sa);
		}
	}
	sa->round = round;
	sa->larval_until_ns = CLOCK_NEVER;
	return 0;
}

uint32_t ipsec_leases(const struct ipsec *ipsec)
{
	uint32_t cursor = 0, count = 0;

	for (const struct sa *sa;
		(sa = sa_database_next(ipsec->associations, SA_INBOUND, &cursor));)
		count += sa->state == SA_IS_LARVAL && sa->origin == SA_FROM_IKE;
	return count;
}

void ipsec_hold(struct ipsec *ipsec, bool hold)
{
	ipsec->held = hold;
	ipsec->held_slots = 0;
}

bool ipsec_has_strangers(const struct ipsec *ipsec)
{
	uint32_t known = 0;

	for (unsigned direction = 0; direction < 2; direction++) {
		uint32_t cursor = 0;
		for (const struct sa *sa; (sa = sa_database_next(ipsec->associations,
						   (enum sa_direction)direction, &cursor));)
			known += sa_handover_find(ipsec->handover, sa) != SA_SLOT_NONE;
	}
	return sa_handover_lines(ipsec->handover) > known;
}

bool ipsec_is_placed(const struct ipsec *ipsec)
{
	return ipsec->placed;
}

bool ipsec_has_numbers(
	const struct ipsec *ipsec, const struct sa_command *command, const struct sa_keys *keys)
{
	struct sa_keys copy = *keys;
	struct sa sa = {.command = *command, .keys = &copy};

	sa_identity(command, keys, sa.identity);
	bool found = sa_handover_find(ipsec->handover, &sa) != SA_SLOT_NONE;
	secret_wipe(&copy, sizeof(copy));
	return found;
}

/* ---- policies ---- */

/* How many of them send through the SA that they name. */
static void use(struct ipsec *ipsec, const struct policy *policy, bool begin)
{
	struct sa *sa = policy->settings.security_association[0]
				? sa_database_named(ipsec->associations, SA_OUTBOUND,
					  policy->settings.security_association)
				: NULL;

	if (sa && (begin || sa->users))
		sa->users += begin ? 1u : -1u;
}

struct policy *ipsec_keyed_policy_add(
	struct ipsec *ipsec, const struct config_policy *settings, uint32_t reqid, void *owner)
{
	struct policy *policy = policy_database_add(ipsec->policies, settings, false);

	if (!policy)
		return NULL;
	policy->owner = owner;
	policy->version = ipsec_policy_version(ipsec);
	policy_database_change(ipsec->policies, policy, settings->action, settings->order,
		settings->security_association, reqid);
	use(ipsec, policy, true);
	ipsec_refer_policy(ipsec, policy);
	return policy;
}

void ipsec_keyed_policy_change(struct ipsec *ipsec, struct policy *policy,
	enum config_policy_action action, uint32_t order, const char *security_association,
	uint32_t reqid)
{
	use(ipsec, policy, false);
	policy_database_change(ipsec->policies, policy, action, order, security_association, reqid);
	use(ipsec, policy, true);
	policy->version++;
	ipsec_refer_policy(ipsec, policy);
}

void ipsec_keyed_policy_remove(struct ipsec *ipsec, struct policy *policy)
{
	use(ipsec, policy, false);
	ipsec_remove_policy(ipsec, policy);
}
