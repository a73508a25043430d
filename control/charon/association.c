/*
 * charon's security associations: what is added, found and deleted. model.c looks at what a message
 * asks for, move.c changes addresses.
 */
#include "control/charon/charon_state.h"
#include "lib/base/secret.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

/* ---- add ---- */

/* "home.12": the CHILD_SA's name, and a number that no other SA has. */
static void make_name(struct charon *c, const char *child, char out[SA_NAME_SIZE])
{
	char text[SA_NAME_SIZE - 11];

	snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, child[0] ? child : "ike");
	for (char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_-.", *p))
			*p = '_';
	snprintf(out, SA_NAME_SIZE, "%s.%u", text, ++c->names);
}

/* KIF-10: the same again is no error; what moved since goes to where it is now. */
static bool add_again(struct charon *c, struct sa *sa, const struct model *model,
	struct verdict *verdict, monotonic now)
{
	const struct sa_command *is = &sa->command, *wanted = &model->sa.command;
	struct sa_command settings = sa->command;

	if (is->direction != wanted->direction || is->spi != wanted->spi ||
		memcmp(sa->identity, model->sa.identity, sizeof(sa->identity)) != 0 ||
		(is->flags ^ wanted->flags) & (SA_TRANSPORT | SA_ESN))
		return verdict_refuse(verdict, KEYING_EXISTS,
			"handle %llu is a security association with SPI 0x%08x and other keys",
			(unsigned long long)sa->handle, ntohl(is->spi));
	sa->round = c->round;
	if (sa->state == SA_IS_EXPIRED)
		return verdict_refuse(verdict, KEYING_STALE, "its hard limit was reached");
	/* TRN-13: such a one is named with its first ends, and its move comes behind the policies.
	 */
	if (!sa->selectors_moved) {
		settings.local = wanted->local;
		settings.remote = wanted->remote;
		settings.local_port = wanted->local_port;
		settings.remote_port = wanted->remote_port;
		settings.flags = (settings.flags & ~(uint32_t)SA_UDP) | (wanted->flags & SA_UDP);
	}
	settings.reqid = wanted->reqid;
	if (memcmp(&settings, &sa->command, sizeof(settings)) != 0)
		(void)ipsec_update_sa(c->ipsec, sa, &settings, false, now);
	return true;
}

struct pair_key {
	uint32_t reqid, direction;
};

static struct pair_key pair_key(const struct sa *sa, bool other)
{
	return (struct pair_key){sa->command.reqid, (uint32_t)(sa->command.direction ^ other)};
}

/* charon installs the two directions of a CHILD_SA one after another. */
static struct sa *find_partner(const struct charon *c, const struct sa *sa)
{
	struct pair_key key = pair_key(sa, true);
	uint64_t handle;
	struct sa *other =
		map_get(c->unpaired, &key, &handle) ? map_get_pointer(c->handles, &handle) : NULL;

	if (!other || other->pair || (other->command.flags ^ sa->command.flags) & SA_TRANSPORT ||
		!ip_address_equal(&other->command.local, &sa->command.local) ||
		!ip_address_equal(&other->command.remote, &sa->command.remote))
		return NULL;
	return other;
}

static void join(struct charon *c, struct sa *sa, struct sa *partner)
{
	struct pair_key key = pair_key(sa, true), own = pair_key(sa, false);

	if (!partner) {
		(void)map_put(c->unpaired, &own, sa->handle);
		return;
	}
	map_remove(c->unpaired, &key, NULL);
	if (sa->command.direction == SA_INBOUND)
		ipsec_pair(c->ipsec, sa, partner);
	else
		ipsec_pair(c->ipsec, partner, sa);
}

static bool refuse_errno(struct verdict *verdict, int error, uint32_t spi)
{
	if (error == EEXIST)
		return verdict_refuse(verdict, KEYING_EXISTS,
			"inbound SPI 0x%08x is another security association's", spi); // SAD-01
	if (error == ENOSPC)
		return verdict_refuse(verdict, KEYING_NO_ROOM, // SAD-09
			"dataplane.max_security_associations are in use");
	return verdict_refuse(verdict, KEYING_NO_MEMORY, "out of memory");
}

static void add_new(struct charon *c, const struct keying_add_sa *add, struct model *model,
	struct verdict *verdict, monotonic now)
{
	uint64_t handle = add->handle;
	struct sa *partner = find_partner(c, &model->sa);

	if (model->sa.resume && ipsec_is_placed(c->ipsec) &&
		!ipsec_has_numbers(c->ipsec, &model->sa.command, &model->keys)) {
		c->counters[CHARON_STALE]++;
		(void)verdict_refuse(verdict, KEYING_STALE,
			"the numbers of SPI 0x%08x are lost, it would use them again",
			ntohl(add->spi));
		return;
	}
	if (!inner_free(c, &model->sa, verdict))
		return;
	if (partner)
		memcpy(model->sa.name, partner->name, sizeof(model->sa.name));
	else
		make_name(c, add->name, model->sa.name);
	struct sa *sa = ipsec_add_sa(c->ipsec, &model->sa, &model->keys, now);
	if (!sa) {
		(void)refuse_errno(verdict, errno, ntohl(add->spi));
		return;
	}
	if (map_put_pointer(c->handles, &handle, sa)) {
		sa->handle = 0;
		ipsec_del_sa(c->ipsec, sa, now);
		(void)refuse_errno(verdict, ENOSPC, ntohl(add->spi));
		return;
	}
	inner_take(c, sa, add->identity);
	join(c, sa, partner);
}

void association_add(
	struct charon *c, const struct keying_add_sa *add, struct verdict *verdict, monotonic now)
{
	struct model model;
	uint64_t handle = add->handle;

	if (model_make(c, add, &model, verdict)) {
		struct sa *sa = map_get_pointer(c->handles, &handle);
		if (sa)
			(void)add_again(c, sa, &model, verdict, now);
		else
			add_new(c, add, &model, verdict, now);
	}
	secret_wipe(&model, sizeof(model));
}

struct sa *association_find(const struct charon *c, const struct keying_sa_id *id)
{
	uint64_t handle = id->handle;
	struct sa *sa = map_get_pointer(c->handles, &handle);
	enum sa_direction direction = id->flags & KEYING_SA_INBOUND ? SA_INBOUND : SA_OUTBOUND;

	return sa && sa->command.spi == id->spi && sa->command.direction == direction ? sa : NULL;
}

/* ---- delete ---- */

void association_gone(struct charon *c, struct sa *sa)
{
	uint64_t handle = sa->handle, waiting;
	struct pair_key key = pair_key(sa, false);

	inner_release(c, sa);
	if (!handle)
		return;
	if (map_get(c->unpaired, &key, &waiting) && waiting == handle)
		map_remove(c->unpaired, &key, NULL);
	map_remove(c->handles, &handle, NULL);
	for (unsigned i = 0; i < c->delayed_count; i++)
		if (c->delayed[i].update.sa.handle == handle) {
			c->delayed[i] = c->delayed[--c->delayed_count];
			break;
		}
	sa->handle = 0;
}

void association_drop(struct charon *c, struct sa *sa, monotonic now)
{
	c->deleting = true;
	ipsec_del_sa(c->ipsec, sa, now);
	c->deleting = false;
}

unsigned association_drop_all(struct charon *c,
	bool (*unwanted)(const struct charon *c, const struct sa *sa), monotonic now)
{
	const struct sa_database *database = ipsec_associations(c->ipsec);
	unsigned dropped = 0;

	for (unsigned direction = 0; direction < 2; direction++) {
		uint32_t cursor = 0;
		for (struct sa *sa;
			(sa = sa_database_next(database, (enum sa_direction)direction, &cursor));) {
			if (sa->origin != SA_FROM_IKE || !unwanted(c, sa))
				continue;
			association_drop(c, sa, now);
			dropped++;
			cursor--; /* another took its place */
		}
	}
	return dropped;
}

/* A lease, by its SPI alone. */
static bool drop_lease(struct charon *c, const struct keying_sa_id *id, monotonic now)
{
	struct sa *sa = id->flags & KEYING_SA_INBOUND
				? sa_database_inbound(ipsec_associations(c->ipsec), ntohl(id->spi))
				: NULL;

	if (!sa || sa->state != SA_IS_LARVAL || sa->origin != SA_FROM_IKE)
		return false;
	association_drop(c, sa, now);
	return true;
}

void association_del(
	struct charon *c, const struct keying_sa_id *id, struct verdict *verdict, monotonic now)
{
	struct sa *sa = association_find(c, id);

	if (sa)
		association_drop(c, sa, now);
	else if (id->handle || !drop_lease(c, id, now))
		(void)verdict_refuse(verdict, KEYING_NOT_FOUND,
			"no security association with SPI 0x%08x", ntohl(id->spi));
}
