/*
 * The ordered security policy database, RFC 4301 4.4.1: first match decides, whatever the tables
 * behind it do.
 *
 * Two kinds of policy are kept apart, because a mobile gateway has one policy for each of its nodes
 * and few others:
 *
 *   host     the remote selector is one address: found by a hash of (vrf, direction, remote),
 * several of one address chained in order general  anything else, at most POLICY_GENERAL_MAX of a
 * vrf, direction and family: policy_classifier
 *
 * A host policy also knows which general policies stand before it and may match the same packet (a
 * hint, made when either changes): usually none or a handful, which are then compared one by one,
 * so that a packet of a known node costs one hash and no classification. The result is always the
 * first match of the whole order (SPD-03).
 *
 * Changes are staged and become visible as one step (SPD-22): each entry carries the version it is
 * born in and the one it dies in; the main lcore publishes a new version with one pointer store; a
 * worker reads the pointer once a burst and judges every packet of it by that version. What no
 * worker can see any more is unlinked after one grace period and reused after another.
 *
 * Writer: main lcore. Readers: workers, between two quiescent points.
 */
#ifndef DATAPLANE_TABLE_POLICY_TABLE_H
#define DATAPLANE_TABLE_POLICY_TABLE_H

#include "dataplane/table/policy_classifier.h"
#include "dataplane/table/slab.h"
#include "dataplane/table/slot_table.h"

#define POLICY_NONE UINT32_MAX
#define POLICY_VRFS 16

struct policy_verdict {
	uint32_t policy_id; /* POLICY_NONE: none matched; the action is then the vrf's default */
	uint32_t sa_id;     /* outbound SA of PROTECT, SA_NONE */
	uint32_t order;     /* of that policy */
	uint32_t flags;     /* enum policy_flag */
	uint8_t action;     /* enum policy_action */
	uint8_t reserved[3];
};

struct policy_entry;
struct policy_version;
struct policy_change;
struct sa_table;

struct policy_table {
	/* read by workers */
	struct policy_version *current;
	struct slot_table hosts; /* key: first entry of a chain */
	struct slab entries;
	/* main lcore alone */
	const struct sa_table *sas; /* whose lines have room for hits: policy_line.h; NULL none */
	struct rte_rcu_qsbr *qsbr;
	struct retirement *retirement;
	struct policy_version
		*versions; /* a ring: which of them are still read is told by their tokens */
	uint64_t version_first, version_next;
	uint64_t number; /* of the current version */
	uint32_t limit;
	uint32_t used;
	uint32_t vrf_used[POLICY_VRFS];
	uint32_t nested_used; /* entries with POLICY_NESTED */
	uint32_t *live;       /* [limit] by policy id: visible entry, 0 none */
	uint32_t *staged;     /* [limit] entry to come, or POLICY_GOES, 0 no change */
	uint32_t *generation; /* [limit] of the last SET */
	uint32_t *changed;    /* [limit] ids with a staged change */
	uint32_t changed_count;
	struct policy_change *dying; /* entries that no new version shows, oldest first: a ring */
	uint64_t dying_first, dying_next;
};

/* Room for policy ids 0..limit-1. 0 or -ENOMEM. */
int policy_table_init(struct policy_table *table, struct rte_rcu_qsbr *qsbr,
	struct retirement *retirement, uint32_t limit);
void policy_table_fini(struct policy_table *table);
/* Entries of the slab: what the retirement must have room for. */
uint32_t policy_table_objects(const struct policy_table *table);

/* 0 or a positive errno that refuses the command, from its fields alone. */
int policy_table_check(const struct policy_command *command);

/*
 * Stages one change; workers see it after the next commit. 0; -ENOSPC too many; -EAGAIN when
 * entries wait for workers: publish, wait, again.
 */
int policy_table_set(
	struct policy_table *table, const struct policy_command *command, uint32_t generation);
int policy_table_remove(struct policy_table *table, uint32_t policy_id);
/* Makes all staged changes visible. 0; -ENOSPC more than POLICY_GENERAL_MAX general ones, -ENOMEM:
 * nothing changed, the changes stay staged; -EAGAIN as above. */
int policy_table_commit(struct policy_table *table);
/* End of a resynchronisation: what was not set in this generation goes; then a commit. */
int policy_table_sweep(struct policy_table *table, uint32_t generation);
/* After a grace period: unlinks what is dead, frees old versions; never waits. */
void policy_table_collect(struct policy_table *table);

/* True when any policy of the vrf exists: then what matches none is discarded (SPD-15), else
 * bypassed. Worker. */
bool policy_table_vrf_used(const struct policy_table *table, uint16_t vrf);
/* Any policy of POLICY_NESTED: ESP of ours is judged as well. Worker. */
bool policy_table_nested(const struct policy_table *table);
/* First match for each of up to LOOKUP_BURST keys, all by one version. Worker. */
void policy_table_lookup_burst(const struct policy_table *table, const struct policy_key *keys,
	unsigned count, struct policy_verdict *verdicts);

#endif
