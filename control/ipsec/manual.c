/*
 * Pairs and policies as operators give them: by name, checked by the rules of the configuration,
 * gone when control ends. What the configuration made may be moved and taken out too; a restart
 * brings it back.
 */
#include "control/ipsec/ipsec_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static int say(struct config_error *error, int result, const char *name, const char *text)
{
	snprintf(error->text, sizeof(error->text), "%s: %s", name, text);
	return result;
}

static bool is_overlapping(const struct selector *a, const struct traffic_selector *local,
	const struct traffic_selector *remote)
{
	return (!a->protocol || !remote->protocol || a->protocol == remote->protocol) &&
	       memcmp(&a->local_first, &local->last, sizeof(local->last)) <= 0 &&
	       memcmp(&local->first, &a->local_last, sizeof(local->last)) <= 0 &&
	       memcmp(&a->remote_first, &remote->last, sizeof(remote->last)) <= 0 &&
	       memcmp(&remote->first, &a->remote_last, sizeof(remote->last)) <= 0;
}

/* TRN-09, BAD-57: another peer behind the same NAT, in transport mode, with these selectors. */
static bool is_taken_behind_nat(
	const struct ipsec *ipsec, const struct config_security_association *pair)
{
	uint32_t cursor = 0;

	if (pair->mode != ESP_MODE_TRANSPORT || !pair->encap)
		return false;
	for (const struct sa *sa;
		(sa = sa_database_next(ipsec->associations, SA_INBOUND, &cursor));) {
		const struct sa_command *c = &sa->command;
		if (!(c->flags & SA_TRANSPORT) || !(c->flags & SA_UDP) || c->vrf != pair->vrf ||
			(ip_address_equal(&c->remote, &pair->remote) &&
				ntohs(c->remote_port) == pair->remote_port))
			continue;
		for (unsigned i = 0; i < sa->selector_count; i++)
			if (is_overlapping(&sa->selectors[i], pair->local_ts, pair->remote_ts))
				return true;
	}
	return false;
}

int ipsec_manual_add(struct ipsec *ipsec, const struct config *config,
	struct config_security_association *pair, struct config_error *error, monotonic now)
{
	if (sa_database_named(ipsec->associations, SA_INBOUND, pair->name) ||
		sa_database_named(ipsec->associations, SA_OUTBOUND, pair->name))
		return say(error, -EEXIST, pair->name, "there is one of that name");
	int result = config_check_ipsec_association(config, pair, error);
	if (result)
		return result;
	const struct sa *twin = sa_database_inbound(ipsec->associations, pair->spi_in);
	if (twin) // SAD-01
		return say(error, -EEXIST, pair->name, "spi-in is another association's");
	if (is_taken_behind_nat(ipsec, pair))
		return say(error, -EEXIST, pair->name,
			"another peer behind a NAT has these selectors");
	result = pair_add(ipsec, pair, SA_FROM_OPERATOR, now);
	if (result) // SAD-09
		return say(error, result, pair->name,
			result == -ENOSPC ? "dataplane.max_security_associations are in use"
					  : strerror(-result));
	ipsec_point_policies(ipsec, pair->name);
	return 0;
}

static int pick(int wanted, int now)
{
	return wanted < 0 ? now : wanted;
}

static struct sa_command moved(const struct sa *sa, const struct ipsec_move *move)
{
	struct sa_command c = sa->command;

	if (move->local)
		c.local = *move->local;
	if (move->remote)
		c.remote = *move->remote;
	if (move->encap >= 0)
		c.flags = move->encap ? c.flags | SA_UDP : c.flags & ~(uint32_t)SA_UDP;
	bool udp = c.flags & SA_UDP;
	/* 4500 where nothing was said: the association had no ports before. */
	uint16_t local = c.local_port ? ntohs(c.local_port) : 4500,
		 remote = c.remote_port ? ntohs(c.remote_port) : 4500;
	c.local_port = udp ? htons((uint16_t)pick(move->local_port, local)) : 0;
	c.remote_port = udp ? htons((uint16_t)pick(move->remote_port, remote)) : 0;
	c.path_mtu = (uint16_t)pick(move->path_mtu, c.path_mtu);
	return c;
}

static int check_move(
	const struct sa_command *c, bool follow, const char *name, struct config_error *error)
{
	if (!ip_address_is_unicast(&c->local) || !ip_address_is_unicast(&c->remote))
		return say(error, -EINVAL, name, "local and remote must be unicast addresses");
	if (ip_address_is_v4(&c->local) != ip_address_is_v4(&c->remote))
		return say(error, -EINVAL, name, "local and remote are of two families");
	if (ip_address_equal(&c->local, &c->remote))
		return say(error, -EINVAL, name, "local and remote are one address");
	if (follow && !(c->flags & SA_UDP))
		return say(error, -EINVAL, name, "follow_mapping needs encap");
	return 0;
}

int ipsec_manual_update(struct ipsec *ipsec, const char *name, const struct ipsec_move *move,
	struct config_error *error, monotonic now)
{
	struct sa *both[2] = {sa_database_named(ipsec->associations, SA_INBOUND, name),
		sa_database_named(ipsec->associations, SA_OUTBOUND, name)};

	if (!both[0] && !both[1])
		return say(error, -ENOENT, name, "no security association has that name");
	if ((both[0] ? both[0] : both[1])->origin == SA_FROM_IKE)
		return say(error, -EINVAL, name, "charon moves it");
	for (unsigned i = 0; i < 2; i++) {
		if (!both[i])
			continue;
		struct sa_command c = moved(both[i], move);
		bool follow = pick(move->follow_mapping, both[i]->follow_mapping);
		int result = check_move(&c, follow, name, error);
		if (result)
			return result;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (!both[i])
			continue;
		struct sa_command c = moved(both[i], move);
		bool follow = pick(move->follow_mapping, both[i]->follow_mapping);
		(void)ipsec_update_sa(ipsec, both[i], &c, follow, now);
	}
	struct sa *told = both[0] ? both[0] : both[1];
	ipsec_tell(ipsec, &(struct ipsec_event){.type = IPSEC_EVENT_SA_MOVED,
				  .sa = told,
				  .spi = ntohl(told->command.spi),
				  .source = told->command.remote,
				  .destination = told->command.local,
				  .cause = "operator"});
	return 0;
}

int ipsec_manual_del(
	struct ipsec *ipsec, const char *name, struct config_error *error, monotonic now)
{
	char copy[SA_NAME_SIZE];

	if (!sa_database_named(ipsec->associations, SA_INBOUND, name) &&
		!sa_database_named(ipsec->associations, SA_OUTBOUND, name))
		return say(error, -ENOENT, name, "no security association has that name");
	snprintf(copy, sizeof(copy), "%s", name); /* `name` may be the association's own */
	pair_remove(ipsec, copy, now);
	ipsec_point_policies(ipsec, copy);
	return 0;
}

/* SPD-20, BAD-57: the one that a packet could not tell from it. Another order is another place. */
static const struct policy *find_claim(
	const struct ipsec *ipsec, const struct config_policy *wanted)
{
	uint32_t cursor = 0;

	for (const struct policy *p; (p = policy_database_next(ipsec->policies, &cursor));) {
		const struct config_policy *s = &p->settings;
		if (s->order == wanted->order && s->vrf == wanted->vrf &&
			s->direction == wanted->direction &&
			s->local_ts_count == wanted->local_ts_count &&
			s->remote_ts_count == wanted->remote_ts_count &&
			!memcmp(s->local_ts, wanted->local_ts,
				s->local_ts_count * sizeof(*s->local_ts)) &&
			!memcmp(s->remote_ts, wanted->remote_ts,
				s->remote_ts_count * sizeof(*s->remote_ts)))
			return p;
	}
	return NULL;
}

int ipsec_manual_policy_add(struct ipsec *ipsec, const struct config *config,
	const struct config_policy *policy, struct config_error *error)
{
	int result = config_check_ipsec_policy(config, policy, error);

	if (result)
		return result;
	if (policy_database_named(ipsec->policies, policy->name))
		return say(error, -EEXIST, policy->name, "there is a policy of that name");
	const struct sa *sa =
		sa_database_named(ipsec->associations, SA_OUTBOUND, policy->security_association);
	if (policy->action == ACTION_PROTECT && !sa)
		return say(error, -ENOENT, policy->name, "no security association has that name");
	if (sa && sa->command.vrf != policy->vrf)
		return say(
			error, -EINVAL, policy->name, "the security association is in another vrf");
	if (find_claim(ipsec, policy))
		return say(error, -EEXIST, policy->name,
			"another policy has this order and these selectors");
	if (ipsec_add_policy(ipsec, policy, false))
		return 0;
	return say(error, -errno, policy->name,
		errno == ENOSPC ? "dataplane.max_policies are in use" : strerror(errno));
}

int ipsec_manual_policy_del(struct ipsec *ipsec, const char *name, struct config_error *error)
{
	struct policy *policy = policy_database_named(ipsec->policies, name);

	if (!policy)
		return say(error, -ENOENT, name, "no policy has that name");
	if (policy->owner)
		return say(error, -EINVAL, name, "it is charon's: end the tunnel there");
	ipsec_remove_policy(ipsec, policy);
	return 0;
}
