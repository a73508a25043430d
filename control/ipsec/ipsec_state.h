/* What the files of control/ipsec share. */
#ifndef CONTROL_IPSEC_IPSEC_STATE_H
#define CONTROL_IPSEC_IPSEC_STATE_H

#include "control/ipsec/ipsec.h"
#include "lib/base/map.h"

struct ipsec {
	struct ipsec_ops ops;
	struct sa_database *associations;
	struct policy_database *policies;
	struct sa_handover *handover;
	const struct attachment *attachment; /* NULL: none */
	bool placed;                         /* slots were given out: a dataplane was there */
	bool held;           /* some of the region's lines belong to SAs that are not named yet */
	uint32_t held_slots; /* those below were looked at */
	uint32_t policy_versions;
	bool standby;      /* another gateway is active (ipsec_takeover.c) */
	uint64_t taken_ms; /* when the file of the last takeover was written */
	monotonic hints_until_ns, hint_due_ns;
	monotonic larval_due_ns; /* the first of them ends */
	struct map *tickets;     /* ticket -> what it was about */
	struct ipsec_counters counters;
};

/* Counts it and hands it on. */
void ipsec_tell(struct ipsec *ipsec, const struct ipsec_event *event);
/* Tells the mirror of the SA as it is; nothing before it has a slot. */
void ipsec_refer_sa(struct ipsec *ipsec, const struct sa *sa);
void ipsec_refer_policy(struct ipsec *ipsec, const struct policy *policy);
/* The policies that name this pair use its outbound SA, or none. */
void ipsec_point_policies(struct ipsec *ipsec, const char *pair_name);
void ipsec_remove_policy(struct ipsec *ipsec, struct policy *policy);
/* A new one; NULL with errno. */
struct policy *ipsec_add_policy(
	struct ipsec *ipsec, const struct config_policy *settings, bool from_config);

/* The first version of a policy: they rise over all of them, an id that another one had is told
 * again. */
uint32_t ipsec_policy_version(struct ipsec *ipsec);
/* A slot for an SA that has none. */
void ipsec_place(struct ipsec *ipsec, struct sa *sa, monotonic now);

/* ipsec_takeover.c: a dataplane is there; `first` of this control: it remembers what we were. */
void ipsec_role_attached(struct ipsec *ipsec, bool first);
/* HA-06: a packet of an SA that nobody knows, after a takeover. */
void ipsec_liveness_hint(struct ipsec *ipsec, const struct ip_address *peer,
	const struct ip_address *local, uint32_t spi, monotonic now);

/* pair.c: the two directions of a configured pair, as models; selectors in `selectors`. */
struct pair_models {
	struct sa in, out;
	struct sa_keys in_keys, out_keys;
	struct selector selectors[CONFIG_SELECTORS_MAX];
};
void pair_models(struct pair_models *models, const struct config_security_association *pair,
	enum sa_origin origin);
void pair_models_wipe(struct pair_models *models);
/* What may change without another SA: the rest of both is the same. */
bool pair_same_sa(const struct sa *live, const struct sa *model);
/* Both whole. */
bool pair_same_settings(const struct sa *live, const struct sa *model);
/* Adds both directions and points the policies at them. 0 or -errno, nothing added. */
int pair_add(struct ipsec *ipsec, const struct config_security_association *pair,
	enum sa_origin origin, monotonic now);
/* Moves or replaces the live pair of that name. */
int pair_change(struct ipsec *ipsec, const struct config_security_association *pair, monotonic now);
void pair_remove(struct ipsec *ipsec, const char *name, monotonic now);

#endif
