#include "control/ipsec/policy_database.h"

#include "control/ipsec/selector.h"
#include "lib/base/map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct owner {                 /* of an id */
	struct policy *policy; /* NULL: free */
	uint32_t entry;        /* its number; of a free id: the next free one */
};

struct policy_database {
	struct owner *owners;            /* [count] */
	uint32_t count, end, free, used; /* free: list head, UINT32_MAX none */
	struct policy **all;             /* dense; in order when `sorted` */
	uint32_t policies;
	struct map *names;
	bool sorted;
};

struct policy_database *policy_database_new(uint32_t entries)
{
	struct policy_database *d = calloc(1, sizeof(*d));
	uint32_t count = entries ? entries : 1;

	if (!d)
		return NULL;
	d->count = entries;
	d->free = UINT32_MAX;
	d->owners = calloc(count, sizeof(*d->owners));
	d->all = calloc(count, sizeof(*d->all));
	d->names = map_new(CONFIG_NAME_SIZE, count);
	if (!d->owners || !d->all || !d->names) {
		policy_database_free(d);
		errno = ENOMEM;
		return NULL;
	}
	return d;
}

static void free_policy(struct policy *policy)
{
	free(policy->settings.local_ts);
	free(policy->settings.remote_ts);
	free(policy->ids);
	free(policy->entries);
	free(policy);
}

void policy_database_free(struct policy_database *database)
{
	if (!database)
		return;
	for (uint32_t i = 0; i < database->policies; i++)
		free_policy(database->all[i]);
	free(database->owners);
	free(database->all);
	map_free(database->names);
	free(database);
}

static const uint8_t actions[] = {[ACTION_DISCARD] = POLICY_DISCARD,
	[ACTION_BYPASS] = POLICY_BYPASS,
	[ACTION_PROTECT] = POLICY_PROTECT};

static struct policy_command entry_of(
	const struct config_policy *settings, const struct selector *selector, uint8_t direction)
{
	struct policy_command c;

	memset(&c, 0, sizeof(c));
	c.selector = *selector;
	c.order = settings->order;
	c.sa_id = SA_NONE;
	c.flags = (settings->mip_signalling ? POLICY_MIP_SIGNALLING : 0u) |
		  (settings->answer_icmp ? POLICY_HIT_ICMP : 0u) |
		  (settings->nested && direction == SA_OUTBOUND ? POLICY_NESTED : 0u);
	c.vrf = settings->vrf;
	c.direction = direction;
	c.action = actions[settings->action];
	return c;
}

static unsigned make_entries(
	const struct config_policy *settings, struct policy_command out[POLICY_ENTRIES_MAX])
{
	struct selector selectors[CONFIG_SELECTORS_MAX];
	unsigned made = selector_combine(settings->local_ts, settings->local_ts_count,
			 settings->remote_ts, settings->remote_ts_count, selectors),
		 count = 0;

	for (unsigned i = 0; i < made; i++) {
		if (settings->direction != DIRECTION_IN)
			out[count++] = entry_of(settings, &selectors[i], SA_OUTBOUND);
		if (settings->direction != DIRECTION_OUT)
			out[count++] = entry_of(settings, &selectors[i], SA_INBOUND);
	}
	return count;
}

static void *copy_of(const void *from, size_t size)
{
	void *copy = malloc(size ? size : 1);

	if (copy && size)
		memcpy(copy, from, size);
	return copy;
}

static struct policy *build(
	const struct config_policy *settings, const struct policy_command *entries, unsigned count)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->settings = *settings;
	p->settings.local_ts =
		copy_of(settings->local_ts, settings->local_ts_count * sizeof(*settings->local_ts));
	p->settings.remote_ts = copy_of(
		settings->remote_ts, settings->remote_ts_count * sizeof(*settings->remote_ts));
	p->entries = copy_of(entries, count * sizeof(*entries));
	p->ids = calloc(count ? count : 1, sizeof(*p->ids));
	p->entry_count = count;
	if (p->settings.local_ts && p->settings.remote_ts && p->entries && p->ids)
		return p;
	free_policy(p);
	return NULL;
}

static uint32_t take_id(struct policy_database *d, struct policy *policy, uint32_t entry)
{
	uint32_t id = d->free;

	if (id != UINT32_MAX)
		d->free = d->owners[id].entry;
	else
		id = d->end++;
	d->owners[id] = (struct owner){policy, entry};
	return id;
}

static struct policy *fail(int error)
{
	errno = error;
	return NULL;
}

struct policy *policy_database_add(
	struct policy_database *database, const struct config_policy *settings, bool from_config)
{
	struct policy_command entries[POLICY_ENTRIES_MAX];
	unsigned count = make_entries(settings, entries);

	if (policy_database_named(database, settings->name))
		return fail(EEXIST);
	if (count > database->count - database->used)
		return fail(ENOSPC);
	struct policy *p = build(settings, entries, count);
	if (!p)
		return fail(ENOMEM);
	for (unsigned i = 0; i < count; i++)
		p->entries[i].policy_id = p->ids[i] = take_id(database, p, i);
	p->from_config = from_config;
	p->place = database->policies;
	database->used += count;
	database->all[database->policies++] = p;
	database->sorted = false;
	(void)map_put_pointer(database->names, p->settings.name, p);
	return p;
}

void policy_database_remove(struct policy_database *database, struct policy *policy)
{
	map_remove(database->names, policy->settings.name, NULL);
	for (unsigned i = 0; i < policy->entry_count; i++) {
		database->owners[policy->ids[i]] = (struct owner){NULL, database->free};
		database->free = policy->ids[i];
	}
	database->used -= policy->entry_count;
	database->all[policy->place] = database->all[--database->policies];
	database->all[policy->place]->place = policy->place;
	database->sorted = false;
	free_policy(policy);
}

void policy_database_change(struct policy_database *database, struct policy *policy,
	enum config_policy_action action, uint32_t order, const char *security_association,
	uint32_t reqid)
{
	database->sorted &= policy->settings.order == order;
	policy->settings.action = action;
	policy->settings.order = order;
	snprintf(policy->settings.security_association,
		sizeof(policy->settings.security_association), "%s", security_association);
	for (unsigned i = 0; i < policy->entry_count; i++) {
		policy->entries[i].action = actions[action];
		policy->entries[i].order = order;
		policy->entries[i].reqid = reqid;
	}
}

struct policy *policy_database_named(const struct policy_database *database, const char *name)
{
	char key[CONFIG_NAME_SIZE] = "";

	if (strlen(name) >= sizeof(key))
		return NULL;
	memcpy(key, name, strlen(name) + 1);
	return map_get_pointer(database->names, key);
}

struct policy *policy_database_entry(
	const struct policy_database *database, uint32_t policy_id, unsigned *entry)
{
	if (policy_id >= database->end || !database->owners[policy_id].policy)
		return NULL;
	*entry = database->owners[policy_id].entry;
	return database->owners[policy_id].policy;
}

struct policy *policy_database_next(const struct policy_database *database, uint32_t *cursor)
{
	return *cursor < database->policies ? database->all[(*cursor)++] : NULL;
}

static int compare_order(const void *a, const void *b)
{
	const struct policy *x = *(const struct policy *const *)a,
			    *y = *(const struct policy *const *)b;

	if (x->settings.order != y->settings.order)
		return x->settings.order < y->settings.order ? -1 : 1;
	return x->ids[0] < y->ids[0] ? -1 : x->ids[0] > y->ids[0];
}

struct policy *policy_database_ordered(struct policy_database *database, uint32_t index)
{
	if (!database->sorted && database->policies) {
		qsort(database->all, database->policies, sizeof(*database->all), compare_order);
		for (uint32_t i = 0; i < database->policies; i++)
			database->all[i]->place = i;
	}
	database->sorted = true;
	return index < database->policies ? database->all[index] : NULL;
}

uint32_t policy_database_count(const struct policy_database *database)
{
	return database->policies;
}

uint32_t policy_database_entries(const struct policy_database *database)
{
	return database->used;
}

bool policy_database_same(const struct config_policy *a, const struct config_policy *b)
{
	return a->order == b->order && a->vrf == b->vrf && a->direction == b->direction &&
	       a->action == b->action && a->mip_signalling == b->mip_signalling &&
	       a->answer_icmp == b->answer_icmp && a->nested == b->nested &&
	       a->local_ts_count == b->local_ts_count && a->remote_ts_count == b->remote_ts_count &&
	       !strcmp(a->security_association, b->security_association) &&
	       !memcmp(a->local_ts, b->local_ts, a->local_ts_count * sizeof(*a->local_ts)) &&
	       !memcmp(a->remote_ts, b->remote_ts, a->remote_ts_count * sizeof(*a->remote_ts));
}
