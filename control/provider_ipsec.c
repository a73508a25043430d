/* What operators see and do of IPsec: the provider's part over control/ipsec. */
#include "control/ipsec/sa_export.h"
#include "control/ipsec/selector.h"
#include "control/process.h"

#include "lib/base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const char *const state_names[] = {"larval", "live", "expired"};
static const char *const origin_names[] = {"configuration", "operator", "ike"};

static void describe(const struct ipsec *ipsec, const struct sa *sa, struct provider_sa *out)
{
	static char algorithm[ESP_ALGORITHM_NAME_SIZE]; /* borrowed until the next call */
	const struct sa_command *c = &sa->command;
	struct ipsec_sa_state state = ipsec_query_sa(ipsec, sa);
	monotonic now = clock_read().monotonic_ns;
	*out = (struct provider_sa){.name = sa->name,
		.state = state_names[sa->state],
		.origin = origin_names[sa->origin],
		.algorithm = sa->keys ? esp_algorithm_name(c->encryption, c->integrity,
						sa->keys->encryption_length, algorithm)
				      : NULL,
		.inbound = c->direction == SA_INBOUND,
		.transport = c->flags & SA_TRANSPORT,
		.encap = c->flags & SA_UDP,
		.esn = c->flags & SA_ESN,
		.follow_mapping = sa->follow_mapping,
		.in_dataplane = state.known && sa->state == SA_IS_LIVE,
		.local = c->local,
		.remote = c->remote,
		.local_port = c->local_port,
		.remote_port = c->remote_port,
		.spi = ntohl(c->spi),
		.reqid = c->reqid,
		.sa_id = c->sa_id,
		.pair_id = c->pair_id,
		.replay_window = c->replay_window,
		.vrf = c->vrf,
		.path_mtu = c->path_mtu,
		.selectors = sa->selectors,
		.selector_count = sa->selector_count,
		.age_s = (now - sa->created_ns) / CLOCK_NS_PER_S,
		.idle_s = state.last_use_ns && state.last_use_ns <= now
				  ? (now - state.last_use_ns) / CLOCK_NS_PER_S
				  : UINT64_MAX,
		.packets = state.packets,
		.bytes = state.bytes,
		.sequence = state.sequence,
		.replays = state.replays,
		.replays_late = state.replays_late,
		.window_front = state.front,
		.bad_icv = state.bad_icv,
		.soft_bytes = sa->lifetime.soft_bytes,
		.hard_bytes = sa->lifetime.hard_bytes,
		.soft_packets = sa->lifetime.soft_packets,
		.hard_packets = sa->lifetime.hard_packets,
		.soft_s = sa->lifetime.soft_s,
		.hard_s = sa->lifetime.hard_s};
}

/* The cursor: direction in the upper half, place in the lower. */
static bool sa_next(void *context, uint64_t *cursor, struct provider_sa *out)
{
	const struct process *p = context;
	for (; *cursor >> 32 < 2; *cursor = ((*cursor >> 32) + 1) << 32) {
		uint32_t place = (uint32_t)*cursor;
		const struct sa *sa = sa_database_next(
			ipsec_associations(p->ipsec), (enum sa_direction)(*cursor >> 32), &place);
		if (!sa)
			continue;
		*cursor = (*cursor >> 32) << 32 | place;
		describe(p->ipsec, sa, out);
		return true;
	}
	return false;
}

static const char *sa_name(void *context, bool inbound, uint32_t sa_id)
{
	const struct process *p = context;
	const struct sa *sa = sa_database_slot(
		ipsec_associations(p->ipsec), inbound ? SA_INBOUND : SA_OUTBOUND, sa_id);
	return sa ? sa->name : NULL;
}

static bool sa_find(void *context, const char *name, bool inbound, struct provider_sa *out)
{
	const struct process *p = context;
	const struct sa *sa = sa_database_named(
		ipsec_associations(p->ipsec), inbound ? SA_INBOUND : SA_OUTBOUND, name);
	if (sa)
		describe(p->ipsec, sa, out);
	return sa;
}

static void describe_policy(
	const struct process *p, const struct policy *policy, struct provider_policy *out)
{
	const struct attachment *attachment = ipsec_attachment(p->ipsec);
	*out = (struct provider_policy){
		.settings = &policy->settings, .from_config = policy->from_config};
	for (unsigned i = 0; attachment && i < policy->entry_count; i++) {
		uint64_t hits = attach_policy_hits(attachment, policy->ids[i]);
		if (policy->entries[i].direction == SA_INBOUND)
			out->hits_in += hits;
		else
			out->hits_out += hits;
	}
}

static bool policy_at(void *context, uint64_t index, struct provider_policy *out)
{
	const struct process *p = context;
	const struct policy *policy =
		index < UINT32_MAX
			? policy_database_ordered(ipsec_policies(p->ipsec), (uint32_t)index)
			: NULL;
	if (policy)
		describe_policy(p, policy, out);
	return policy;
}

static bool policy_find(void *context, const char *name, struct provider_policy *out)
{
	const struct process *p = context;
	const struct policy *policy = policy_database_named(ipsec_policies(p->ipsec), name);
	if (policy)
		describe_policy(p, policy, out);
	return policy;
}

static int sa_add(
	void *context, struct config_security_association *pair, struct config_error *error)
{
	struct process *p = context;
	return ipsec_manual_add(p->ipsec, p->config, pair, error, clock_read().monotonic_ns);
}

static int sa_update(void *context, const char *name, const struct provider_move *move,
	struct config_error *error)
{
	struct process *p = context;
	struct ipsec_move m = {.local = move->local,
		.remote = move->remote,
		.local_port = move->local_port,
		.remote_port = move->remote_port,
		.encap = move->encap,
		.follow_mapping = move->follow_mapping,
		.path_mtu = move->path_mtu};
	const struct sa *sa = sa_database_named(ipsec_associations(p->ipsec), SA_OUTBOUND, name);
	if (sa && sa->origin == SA_FROM_IKE && p->charon)
		return charon_migrate(p->charon, sa, &m, error);
	return ipsec_manual_update(p->ipsec, name, &m, error, clock_read().monotonic_ns);
}

static int sa_del(void *context, const char *name, struct config_error *error)
{
	struct process *p = context;
	return ipsec_manual_del(p->ipsec, name, error, clock_read().monotonic_ns);
}

static int sa_dummy(void *context, const char *name, unsigned count, unsigned length,
	struct config_error *error)
{
	struct process *p = context;
	return ipsec_dummy(p->ipsec, name, count, length, error);
}

static int sa_move(void *context, uint32_t spi, uint64_t worker, struct config_error *error)
{
	struct process *p = context;
	const struct config_dataplane *d = &p->config->dataplane;
	int result = 0;
	if (d->sa_sharing != SAS_OWNED)
		result = -ENOTSUP;
	else if (worker >= d->workers)
		result = -EINVAL;
	else
		result = ipsec_own(p->ipsec, spi, (unsigned)worker);
	if (result)
		snprintf(error->text, sizeof(error->text), "%s",
			result == -ENOTSUP  ? "every worker works on every association "
					      "(dataplane.sa_sharing)"
			: result == -EINVAL ? "there is no such worker"
					    : "no association has that SPI");
	return result;
}

static int sa_takeover(
	void *context, const char *path, struct provider_takeover *out, struct config_error *error)
{
	struct process *p = context;
	struct sa_export export;
	struct ipsec_takeover took;
	char reason[SA_EXPORT_ERROR_SIZE];
	int result = path[0] == '/' ? sa_export_read(path, &export, reason) : -EINVAL;
	if (result) {
		snprintf(error->text, sizeof(error->text), "%.200s: %s", path,
			path[0] == '/' ? reason : "not an absolute path");
		return result;
	}
	result = ipsec_takeover(p->ipsec, &export, clock_read(), &took, error);
	sa_export_fini(&export);
	if (result)
		return result;
	*out = (struct provider_takeover){took.known, took.unknown, took.gap_ms};
	log_notice("takeover", "known=%u unknown=%u gap_ms=%llu", took.known, took.unknown,
		(unsigned long long)took.gap_ms);
	return 0;
}

static void sa_release(void *context)
{
	struct process *p = context;
	ipsec_release(p->ipsec);
	log_notice("released", "role=standby");
}

static unsigned sa_bitmap(
	void *context, uint32_t sa_id, uint32_t window, const _Atomic uint64_t **words)
{
	const struct process *p = context;
	const struct attachment *a = ipsec_attachment(p->ipsec);
	if (!a || sa_id >= a->limits.sas || window > a->limits.replay_window)
		return 0;
	*words = a->sa_windows + (size_t)sa_id * sa_window_words(a->limits.replay_window);
	return sa_window_words(window);
}

static int policy_add(void *context, const struct config_policy *policy, struct config_error *error)
{
	struct process *p = context;
	return ipsec_manual_policy_add(p->ipsec, p->config, policy, error);
}

static int policy_del(void *context, const char *name, struct config_error *error)
{
	struct process *p = context;
	return ipsec_manual_policy_del(p->ipsec, name, error);
}

static void summary(void *context, struct provider_ipsec *out)
{
	const struct process *p = context;
	const struct sa_database *database = ipsec_associations(p->ipsec);
	struct sa_handover_counters handover = ipsec_handover_counters(p->ipsec);
	*out = (struct provider_ipsec){.slots = p->config->dataplane.max_security_associations,
		.policies = policy_database_count(ipsec_policies(p->ipsec)),
		.policy_entries = policy_database_entries(ipsec_policies(p->ipsec)),
		.policy_entries_max = p->config->dataplane.max_policies,
		.states_copied = handover.copied,
		.states_adopted = handover.adopted,
		.moves_limited = ipsec_counters_get(p->ipsec).moves_limited,
		.dummies = ipsec_counters_get(p->ipsec).dummies};
	for (unsigned direction = 0; direction < 2; direction++) {
		uint32_t cursor = 0;
		for (const struct sa *sa;
			(sa = sa_database_next(database, (enum sa_direction)direction, &cursor));) {
			out->live[direction] += sa->state == SA_IS_LIVE;
			out->expired[direction] += sa->state == SA_IS_EXPIRED;
			out->larval += sa->state == SA_IS_LARVAL;
		}
	}
}

static bool event_counter(void *context, unsigned index, struct provider_counter *out)
{
	const struct process *p = context;
	if (index >= IPSEC_EVENT_TYPE_COUNT)
		return false;
	*out = (struct provider_counter){.name = ipsec_event_name((enum ipsec_event_type)index),
		.value = ipsec_counters_get(p->ipsec).events[index]};
	return true;
}

static bool charon(void *context, struct provider_charon *out)
{
	static char agent[KEYING_NAME_SIZE]; /* borrowed until the next call */
	const struct process *p = context;
	if (!p->charon)
		return false;
	struct charon_summary s = charon_summary_get(p->charon);
	memcpy(agent, s.agent, sizeof(agent));
	*out = (struct provider_charon){.connected = s.connected,
		.replayed = s.replayed,
		.awaited = s.held,
		.agent = agent,
		.instance = s.instance,
		.associations = s.associations,
		.leases = s.leases,
		.policies = s.policies,
		.waiting = s.waiting};
	return true;
}

static bool charon_count(void *context, unsigned index, struct provider_counter *out)
{
	const struct process *p = context;
	if (!p->charon || index >= CHARON_COUNTER_COUNT)
		return false;
	*out = (struct provider_counter){.name = charon_counter_name((enum charon_counter)index),
		.help = charon_counter_help((enum charon_counter)index),
		.value = charon_counter(p->charon, (enum charon_counter)index)};
	return true;
}

void provider_ipsec_fill(struct provider *provider)
{
	provider->sa_next = sa_next;
	provider->sa_find = sa_find;
	provider->sa_name = sa_name;
	provider->policy_at = policy_at;
	provider->policy_find = policy_find;
	provider->sa_add = sa_add;
	provider->sa_update = sa_update;
	provider->sa_del = sa_del;
	provider->sa_dummy = sa_dummy;
	provider->sa_move = sa_move;
	provider->sa_takeover = sa_takeover;
	provider->sa_release = sa_release;
	provider->sa_bitmap = sa_bitmap;
	provider->policy_add = policy_add;
	provider->policy_del = policy_del;
	provider->ipsec = summary;
	provider->charon = charon;
	provider->charon_counter = charon_count;
	provider->ipsec_counter = event_counter;
}
