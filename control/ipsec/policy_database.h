/*
 * The ordered SPD that control wants (RFC 4301 4.4.1). A policy is what configuration or an
 * operator names; it makes one entry of the dataplane for each direction and each pair of
 * selectors, all with its order. Entries have ids of their own (policy_id of commands).
 *
 * A policy names a pair of security associations, not a slot: the entries follow the pair when it
 * is replaced (SPD-19, LIFE-08), and ask for one (EVENT_ACQUIRE) while there is none. Loop thread.
 */
#ifndef CONTROL_IPSEC_POLICY_DATABASE_H
#define CONTROL_IPSEC_POLICY_DATABASE_H

#include "config/config.h"
#include "lib/ipc/command.h"

#define POLICY_ENTRIES_MAX (2 * CONFIG_SELECTORS_MAX)

struct policy {
	struct config_policy settings; /* local_ts and remote_ts owned */
	bool from_config;
	uint32_t *ids; /* [entry_count], owned */
	struct policy_command *entries;
	unsigned entry_count;
	uint32_t version; /* raised when its target changed: tell the dataplane again */
	uint32_t place;   /* the database's own */
	void *owner;      /* control/charon's; NULL: a policy of the configuration or an operator */
};

struct policy_database;

/* For `entries` ids. NULL with errno. */
struct policy_database *policy_database_new(uint32_t entries);
void policy_database_free(struct policy_database *database);

/* Copies the settings and makes the entries, their sa_id SA_NONE. NULL with errno: EEXIST the name,
 * ENOSPC, ENOMEM. */
struct policy *policy_database_add(
	struct policy_database *database, const struct config_policy *settings, bool from_config);
void policy_database_remove(struct policy_database *database, struct policy *policy);

/*
 * Another action, order, target and reqid of the same selectors, at once where the dataplane is
 * concerned: its ids stay. The caller raises `version` and tells the mirror.
 */
void policy_database_change(struct policy_database *database, struct policy *policy,
	enum config_policy_action action, uint32_t order, const char *security_association,
	uint32_t reqid);

struct policy *policy_database_named(const struct policy_database *database, const char *name);
/* By the id of one of its entries; *entry is its number. NULL when there is none. */
struct policy *policy_database_entry(
	const struct policy_database *database, uint32_t policy_id, unsigned *entry);
/* In no order; *cursor starts at 0, NULL at the end. */
struct policy *policy_database_next(const struct policy_database *database, uint32_t *cursor);
/* In the order of the SPD: order, then the age of the entry; sorts when something changed. `index`
 * from 0, NULL at the end. */
struct policy *policy_database_ordered(struct policy_database *database, uint32_t index);
uint32_t policy_database_count(const struct policy_database *database);
uint32_t policy_database_entries(const struct policy_database *database);

/* Whether two settings make the same policy. Pure. */
bool policy_database_same(const struct config_policy *a, const struct config_policy *b);

#endif
