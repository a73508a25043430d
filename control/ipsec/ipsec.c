#include "control/ipsec/ipsec.h"

#include "control/ipsec/ipsec_state.h"
#include "control/ipsec/sa_identity.h"
#include "control/mirror/mirror.h"
#include "lib/ipc/sa_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TICKETS_MAX 65536 /* watched at once; those beyond are not told of when refused */

struct ipsec *ipsec_new(const struct config *config, const struct ipsec_ops *ops, monotonic now)
{
	static const struct config nothing;
	struct ipsec *ipsec = calloc(1, sizeof(*ipsec));
	struct config_error error;
	int result = -ENOMEM;

	if (!ipsec)
		return NULL;
	ipsec->ops = *ops;
	ipsec->larval_due_ns = CLOCK_NEVER;
	ipsec->standby = config->control.ipsec_role == ROLE_STANDBY;
	ipsec->associations = sa_database_new(config->dataplane.max_security_associations);
	ipsec->policies = policy_database_new(config->dataplane.max_policies);
	ipsec->handover = sa_handover_new(config->dataplane.max_security_associations);
	ipsec->tickets = map_new(sizeof(uint64_t), TICKETS_MAX);
	if (ipsec->associations && ipsec->policies && ipsec->handover && ipsec->tickets)
		result = ipsec_configure(ipsec, &nothing, config, &error, now);
	if (!result)
		return ipsec;
	ipsec_free(ipsec);
	errno = -result;
	return NULL;
}

void ipsec_free(struct ipsec *ipsec)
{
	if (!ipsec)
		return;
	sa_database_free(ipsec->associations);
	policy_database_free(ipsec->policies);
	sa_handover_free(ipsec->handover);
	map_free(ipsec->tickets);
	free(ipsec);
}

void ipsec_tell(struct ipsec *ipsec, const struct ipsec_event *event)
{
	ipsec->counters.events[event->type]++;
	if (ipsec->ops.tell)
		ipsec->ops.tell(ipsec->ops.context, event);
}

/* ---- telling the mirror ---- */

static struct mirror_reference reference_of(const struct sa *sa)
{
	return (struct mirror_reference){.id = sa->command.sa_id,
		.direction = sa->command.direction,
		.incarnation = sa->incarnation,
		.version = sa->version};
}

void ipsec_refer_sa(struct ipsec *ipsec, const struct sa *sa)
{
	struct mirror_reference reference = reference_of(sa);

	if (!sa->command.sa_id || sa->state == SA_IS_EXPIRED)
		return;
	uint64_t ticket = ipsec->ops.refer(ipsec->ops.context, COMMAND_SA_SET, &reference);
	if (!ticket)
		ipsec_tell(ipsec, &(struct ipsec_event){.type = IPSEC_EVENT_REFUSED,
					  .sa = sa,
					  .spi = ntohl(sa->command.spi),
					  .error = errno});
	else
		(void)map_put(ipsec->tickets, &ticket,
			(uint64_t)sa->command.direction << 32 | sa->command.sa_id);
}

static void forget_sa(struct ipsec *ipsec, const struct sa *sa)
{
	struct mirror_reference reference = reference_of(sa);

	if (sa->command.sa_id)
		(void)ipsec->ops.refer(ipsec->ops.context, COMMAND_SA_REMOVE, &reference);
}

void ipsec_refer_policy(struct ipsec *ipsec, const struct policy *policy)
{
	if (!ipsec->placed) /* the slots that they name are not known */
		return;
	for (unsigned i = 0; i < policy->entry_count; i++) {
		struct mirror_reference reference = {
			.id = policy->ids[i], .incarnation = 1, .version = policy->version};
		uint64_t ticket =
			ipsec->ops.refer(ipsec->ops.context, COMMAND_POLICY_SET, &reference);
		if (ticket)
			(void)map_put(ipsec->tickets, &ticket, UINT64_C(2) << 32 | policy->ids[i]);
	}
}

void ipsec_point_policies(struct ipsec *ipsec, const char *pair_name)
{
	uint32_t cursor = 0;

	for (struct policy *p; (p = policy_database_next(ipsec->policies, &cursor));) {
		if (p->settings.action != ACTION_PROTECT ||
			strcmp(p->settings.security_association, pair_name) != 0)
			continue;
		p->version++;
		ipsec_refer_policy(ipsec, p);
	}
}

uint32_t ipsec_policy_version(struct ipsec *ipsec)
{
	return ipsec->policy_versions += 1u << 12;
}

struct policy *ipsec_add_policy(
	struct ipsec *ipsec, const struct config_policy *settings, bool from_config)
{
	struct policy *policy = policy_database_add(ipsec->policies, settings, from_config);

	if (!policy)
		return NULL;
	policy->version = ipsec_policy_version(ipsec);
	ipsec_refer_policy(ipsec, policy);
	return policy;
}

void ipsec_remove_policy(struct ipsec *ipsec, struct policy *policy)
{
	for (unsigned i = 0; i < policy->entry_count && ipsec->placed; i++) {
		struct mirror_reference reference = {.id = policy->ids[i]};
		(void)ipsec->ops.refer(ipsec->ops.context, COMMAND_POLICY_REMOVE, &reference);
	}
	policy_database_remove(ipsec->policies, policy);
}

bool ipsec_done(struct ipsec *ipsec, uint64_t ticket, int error)
{
	uint64_t about;

	if (!map_remove(ipsec->tickets, &ticket, &about))
		return false;
	uint32_t id = (uint32_t)about;
	unsigned entry;
	struct ipsec_event event = {.type = IPSEC_EVENT_REFUSED, .error = error};
	if (!error)
		return true;
	if (about >> 32 == 2) {
		event.policy = policy_database_entry(ipsec->policies, id, &entry);
	} else {
		event.sa =
			sa_database_slot(ipsec->associations, (enum sa_direction)(about >> 32), id);
		event.spi = event.sa ? ntohl(event.sa->command.spi) : 0;
	}
	ipsec_tell(ipsec, &event);
	return true;
}

/* ---- the dataplane ---- */

/* While strangers' lines lie in the region: the next slot without one, 0 when there is none. */
static uint32_t unowned_slot(struct ipsec *ipsec, enum sa_direction direction)
{
	uint32_t slots = sa_database_slots(ipsec->associations);

	for (uint32_t slot; (slot = ++ipsec->held_slots) < slots;)
		if (!sa_database_slot(ipsec->associations, direction, slot) &&
			!sa_handover_owned(ipsec->handover, direction, slot))
			return slot;
	ipsec->held_slots = 0;
	return SA_SLOT_NONE;
}

/* The slot that an SPI of our choosing carries, when it is free; else 0. */
static uint32_t carried_slot(const struct ipsec *ipsec, const struct sa *sa)
{
	uint32_t spi = ntohl(sa->command.spi);

	if (sa->command.direction != SA_INBOUND || spi < SA_SPI_FIRST || spi > SA_SPI_LAST)
		return SA_SLOT_NONE;
	uint32_t slot = sa_spi_slot(spi, sa_database_slots(ipsec->associations));
	bool taken = sa_database_slot(ipsec->associations, SA_INBOUND, slot) ||
		     (ipsec->held && sa_handover_owned(ipsec->handover, SA_INBOUND, slot));
	return taken ? SA_SLOT_NONE : slot;
}

/* The one that holds its state, else the one that had its SPI just now, else the one in its SPI,
 * else its pair's number, else any. */
void ipsec_place(struct ipsec *ipsec, struct sa *sa, monotonic now)
{
	enum sa_direction direction = (enum sa_direction)sa->command.direction;
	uint32_t wanted = sa_handover_find(ipsec->handover, sa);

	if (wanted && !sa_database_slot(ipsec->associations, direction, wanted))
		(void)sa_database_wake(ipsec->associations, direction, wanted, 0);
	else if (direction == SA_INBOUND)
		wanted =
			sa_database_wake(ipsec->associations, direction, 0, ntohl(sa->command.spi));
	if (!wanted)
		wanted = carried_slot(ipsec, sa);
	if (!wanted && ipsec->held)
		wanted = unowned_slot(ipsec, direction);
	if (!wanted && sa->pair)
		wanted = sa->pair->command.sa_id;
	(void)sa_database_place(ipsec->associations, sa, wanted, now); /* as many as SAs */
}

/* Whether a dataplane holds its state; then what the control before us noted of it is taken over.
 * charon says itself how old its SAs are. */
static bool recall(struct ipsec *ipsec, struct sa *sa)
{
	uint32_t slot = sa_handover_find(ipsec->handover, sa);

	if (slot && sa->origin == SA_FROM_CONFIG)
		sa_handover_recall(ipsec->handover, sa, slot);
	return slot;
}

/* The first dataplane: what was wanted before gets its slots, and is told. */
static void place_all(struct ipsec *ipsec, monotonic now)
{
	uint32_t cursor;

	/* Those that have state first: nobody else may take their slots. */
	for (unsigned round = 0; round < 2; round++)
		for (unsigned direction = 0; direction < 2; direction++) {
			cursor = 0;
			for (struct sa *sa; (sa = sa_database_next(ipsec->associations,
						     (enum sa_direction)direction, &cursor));)
				if (round || recall(ipsec, sa))
					ipsec_place(ipsec, sa, now);
		}
	for (unsigned direction = 0; direction < 2; direction++) {
		cursor = 0;
		for (struct sa *sa; (sa = sa_database_next(ipsec->associations,
					     (enum sa_direction)direction, &cursor));)
			ipsec_refer_sa(ipsec, sa);
	}
	cursor = 0;
	for (struct policy *p; (p = policy_database_next(ipsec->policies, &cursor));)
		ipsec_refer_policy(ipsec, p);
}

void ipsec_attached(struct ipsec *ipsec, const struct attachment *attachment, monotonic now)
{
	bool first = !ipsec->placed;

	ipsec->attachment = attachment;
	sa_handover_attached(ipsec->handover, attachment);
	ipsec->placed = true;
	ipsec_role_attached(ipsec, first);
	if (first)
		place_all(ipsec, now);
}

void ipsec_detached(struct ipsec *ipsec, struct attachment *former)
{
	ipsec->attachment = NULL;
	sa_handover_keep(ipsec->handover, former);
}

monotonic ipsec_tick(struct ipsec *ipsec, monotonic now)
{
	monotonic next = sa_database_tick(ipsec->associations, now);
	uint32_t cursor = 0;

	if (now < ipsec->larval_due_ns)
		return next < ipsec->larval_due_ns ? next : ipsec->larval_due_ns;
	ipsec->larval_due_ns = CLOCK_NEVER;
	for (struct sa *sa; (sa = sa_database_next(ipsec->associations, SA_INBOUND, &cursor));) {
		if (sa->state != SA_IS_LARVAL)
			continue;
		if (sa->larval_until_ns <= now) { /* SAD-05 */
			ipsec_del_sa(ipsec, sa, now);
			cursor--;
		} else if (sa->larval_until_ns < ipsec->larval_due_ns) {
			ipsec->larval_due_ns = sa->larval_until_ns;
		}
	}
	return next < ipsec->larval_due_ns ? next : ipsec->larval_due_ns;
}

/* ---- associations ---- */

uint32_t ipsec_get_spi(struct ipsec *ipsec, uint16_t vrf, monotonic now)
{
	struct sa model;
	uint32_t slot = sa_database_free_slot(ipsec->associations, now);
	uint32_t spi = slot ? sa_database_spi(ipsec->associations, slot, ipsec->ops.random,
				      ipsec->ops.context)
			    : 0;

	if (!spi) {
		errno = ENOSPC;
		return 0;
	}
	memset(&model, 0, sizeof(model));
	model.origin = SA_FROM_IKE;
	model.command.direction = SA_INBOUND;
	model.command.spi = htonl(spi);
	model.command.vrf = vrf;
	model.larval_until_ns = now + SA_LARVAL_NS;
	struct sa *sa = sa_database_add(ipsec->associations, &model, NULL, now);
	if (!sa)
		return 0;
	(void)sa_database_place(ipsec->associations, sa, slot, now);
	if (model.larval_until_ns < ipsec->larval_due_ns)
		ipsec->larval_due_ns = model.larval_until_ns;
	if (ipsec->placed)
		ipsec_refer_sa(ipsec, sa);
	return spi;
}

struct sa *ipsec_add_sa(
	struct ipsec *ipsec, const struct sa *model, const struct sa_keys *keys, monotonic now)
{
	struct sa copy = *model, *sa = NULL;

	sa_identity(&copy.command, keys, copy.identity);
	copy.wanted = sa_handover_ends(&copy.command);
	if (copy.command.direction == SA_INBOUND)
		sa = sa_database_inbound(ipsec->associations, ntohl(copy.command.spi));
	if (sa && sa->state == SA_IS_LARVAL) {
		int error = sa_database_replace(ipsec->associations, sa, &copy, keys, now);
		if (error) {
			errno = -error;
			return NULL;
		}
	} else {
		sa = sa_database_add(ipsec->associations, &copy, keys, now);
	}
	if (!sa)
		return NULL;
	if (ipsec->placed && !sa->command.sa_id) /* as many as SAs: there is one */
		ipsec_place(ipsec, sa, now);
	ipsec_refer_sa(ipsec, sa);
	ipsec_tell(ipsec,
		&(struct ipsec_event){
			.type = IPSEC_EVENT_SA_ADDED, .sa = sa, .spi = ntohl(sa->command.spi)});
	return sa;
}

void ipsec_pair(struct ipsec *ipsec, struct sa *inbound, struct sa *outbound)
{
	inbound->pair = outbound;
	outbound->pair = inbound;
	inbound->command.pair_id = outbound->command.sa_id ? outbound->command.sa_id : SA_NONE;
	outbound->command.pair_id = inbound->command.sa_id ? inbound->command.sa_id : SA_NONE;
	inbound->version++;
	outbound->version++;
	ipsec_refer_sa(ipsec, inbound);
	ipsec_refer_sa(ipsec, outbound);
}

int ipsec_update_sa(struct ipsec *ipsec, struct sa *sa, const struct sa_command *settings,
	bool follow_mapping, monotonic now)
{
	static const uint32_t fixed = SA_TRANSPORT | SA_ESN | SA_SHARED;
	struct sa_command *c = &sa->command;

	(void)now;
	if ((c->flags ^ settings->flags) & fixed)
		return -EINVAL;
	c->local = settings->local;
	c->remote = settings->remote;
	c->local_port = settings->local_port;
	c->remote_port = settings->remote_port;
	c->flags = settings->flags;
	c->path_mtu = settings->path_mtu;
	c->tunnel_ttl = settings->tunnel_ttl;
	c->dscp = settings->dscp;
	c->tfc = settings->tfc;
	c->reqid = settings->reqid;
	sa->follow_mapping = follow_mapping;
	sa->wanted = sa_handover_ends(c);
	sa->version++;
	ipsec_refer_sa(ipsec, sa);
	return 0;
}

void ipsec_del_sa(struct ipsec *ipsec, struct sa *sa, monotonic now)
{
	bool was_live = sa->state == SA_IS_LIVE, was_larval = sa->state == SA_IS_LARVAL;

	if (sa->state != SA_IS_EXPIRED)
		forget_sa(ipsec, sa);
	sa->state = SA_IS_EXPIRED; /* owns no inner address any more */
	if (sa->users)             /* its slot will be another's */
		ipsec_point_policies(ipsec, sa->name);
	if (sa->command.direction == SA_INBOUND && was_live && ipsec->ops.inner_lost)
		ipsec->ops.inner_lost(ipsec->ops.context, sa);
	if (!was_larval)
		ipsec_tell(ipsec, &(struct ipsec_event){.type = IPSEC_EVENT_SA_REMOVED,
					  .sa = sa,
					  .spi = ntohl(sa->command.spi)});
	sa_database_remove(ipsec->associations, sa, now);
}

struct ipsec_sa_state ipsec_query_sa(const struct ipsec *ipsec, const struct sa *sa)
{
	const struct attachment *a = sa_handover_region(ipsec->handover);
	struct ipsec_sa_state state = {0};
	uint32_t slot = sa->command.sa_id;

	if (!a || !slot || slot >= a->limits.sas || sa->state == SA_IS_LARVAL ||
		!sa_handover_is_own(ipsec->handover, sa))
		return state;
	state.known = ipsec->attachment;
	if (sa->command.direction == SA_OUTBOUND) {
		const struct sa_outbound_state *s = &a->sa_outbound[slot];
		state.packets = atomic_load_explicit(&s->packets, memory_order_relaxed);
		state.bytes = atomic_load_explicit(&s->bytes, memory_order_relaxed);
		state.sequence = atomic_load_explicit(&s->sequence, memory_order_relaxed);
		state.last_use_ns = atomic_load_explicit(&s->last_use_ns, memory_order_relaxed);
		return state;
	}
	const struct sa_inbound_state *s = &a->sa_inbound[slot];
	state.packets = atomic_load_explicit(&s->packets, memory_order_relaxed);
	state.bytes = atomic_load_explicit(&s->bytes, memory_order_relaxed);
	state.sequence = atomic_load_explicit(&s->highest, memory_order_relaxed);
	state.last_use_ns = atomic_load_explicit(&s->last_use_ns, memory_order_relaxed);
	state.front = atomic_load_explicit(&s->front, memory_order_relaxed);
	state.replays = atomic_load_explicit(&s->replays, memory_order_relaxed);
	state.replays_late = atomic_load_explicit(&s->replays_late, memory_order_relaxed);
	state.bad_icv = atomic_load_explicit(&s->bad_icv, memory_order_relaxed);
	return state;
}

/* ---- looking ---- */

struct sa_database *ipsec_associations(const struct ipsec *ipsec)
{
	return ipsec->associations;
}

struct policy_database *ipsec_policies(const struct ipsec *ipsec)
{
	return ipsec->policies;
}

struct ipsec_counters ipsec_counters_get(const struct ipsec *ipsec)
{
	return ipsec->counters;
}

struct sa_handover_counters ipsec_handover_counters(const struct ipsec *ipsec)
{
	return sa_handover_counters_get(ipsec->handover);
}

const struct attachment *ipsec_attachment(const struct ipsec *ipsec)
{
	return ipsec->attachment;
}

const char *ipsec_event_name(enum ipsec_event_type type)
{
	static const char *const names[] = {"sa_added", "sa_removed", "sa_soft_expired",
		"sa_hard_expired", "sa_moved", "sa_mapping", "acquire", "ipsec_audit",
		"ipsec_refused", "liveness_hint"};

	return names[type];
}

static bool owns(const struct sa *sa, const struct ip_address *address)
{
	if (sa->state != SA_IS_LIVE || sa->command.flags & SA_TRANSPORT)
		return false;
	for (unsigned i = 0; i < sa->selector_count; i++) {
		const struct selector *s = &sa->selectors[i];
		if (memcmp(address, &s->remote_first, sizeof(*address)) >= 0 &&
			memcmp(address, &s->remote_last, sizeof(*address)) <= 0)
			return true;
	}
	return false;
}

bool ipsec_inner_owned(const struct ipsec *ipsec, uint32_t sa_id, const struct ip_address *address)
{
	const struct sa *sa = sa_database_slot(ipsec->associations, SA_INBOUND, sa_id);

	return sa && owns(sa, address);
}

uint32_t ipsec_owner_of(const struct ipsec *ipsec, uint16_t vrf, const struct ip_address *address)
{
	uint32_t cursor = 0;

	for (const struct sa *sa;
		(sa = sa_database_next(ipsec->associations, SA_INBOUND, &cursor));)
		if (sa->command.vrf == vrf && sa->command.sa_id && owns(sa, address))
			return sa->command.sa_id;
	return SA_SLOT_NONE;
}
