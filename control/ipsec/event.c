/*
 * What the dataplane tells of IPsec. Its events are copies of what another process wrote: every id
 * is looked up, nothing is believed beyond that.
 */
#include "control/ipsec/ipsec_state.h"
#include "control/mirror/mirror.h"
#include "lib/ipc/drop_reasons.h"

#include <arpa/inet.h>

#define MOVES_PER_MINUTE 60 /* MOB-17 */

static const char *cause_of(uint64_t expiry)
{
	static const char *const causes[] = {
		[SA_EXPIRED_SOFT_TIME] = "time",
		[SA_EXPIRED_SOFT_BYTES] = "bytes",
		[SA_EXPIRED_SOFT_PACKETS] = "packets",
		[SA_EXPIRED_SOFT_SEQUENCE] = "sequence",
		[SA_EXPIRED_HARD_TIME] = "time",
		[SA_EXPIRED_HARD_BYTES] = "bytes",
		[SA_EXPIRED_HARD_PACKETS] = "packets",
		[SA_EXPIRED_HARD_SEQUENCE] = "sequence",
	};

	return expiry < sizeof(causes) / sizeof(causes[0]) ? causes[expiry] : NULL;
}

/* LIFE-02: soft is told; hard ends the association, which stays to be seen until it is removed or
 * replaced. */
static void expired(struct ipsec *ipsec, const struct event *event)
{
	enum sa_direction direction = event->port == SA_OUTBOUND ? SA_OUTBOUND : SA_INBOUND;
	struct sa *sa = sa_database_slot(ipsec->associations, direction, event->id);
	const char *cause = cause_of(event->value);
	bool hard = event->value >= SA_EXPIRED_HARD_TIME;

	if (!sa || !cause || sa->state != SA_IS_LIVE || sa->expired & 1u << event->value)
		return;
	sa->expired |= (uint8_t)(1u << event->value);
	ipsec_tell(ipsec, &(struct ipsec_event){.type = hard ? IPSEC_EVENT_SA_HARD_EXPIRED
							     : IPSEC_EVENT_SA_SOFT_EXPIRED,
				  .sa = sa,
				  .spi = ntohl(sa->command.spi),
				  .source = sa->command.local,
				  .destination = sa->command.remote,
				  .cause = cause});
	if (!hard)
		return;
	sa->state = SA_IS_EXPIRED;
	struct mirror_reference reference = {
		.id = sa->command.sa_id, .direction = sa->command.direction};
	(void)ipsec->ops.refer(ipsec->ops.context, COMMAND_SA_REMOVE, &reference);
	if (direction == SA_OUTBOUND)
		ipsec_point_policies(ipsec, sa->name);
	else if (ipsec->ops.inner_lost)
		ipsec->ops.inner_lost(ipsec->ops.context, sa);
}

static bool may_move(struct sa *sa, monotonic now)
{
	if (now - sa->moves_since_ns >= 60 * CLOCK_NS_PER_S) {
		sa->moves_since_ns = now;
		sa->moves = 0;
	}
	return sa->moves++ < MOVES_PER_MINUTE;
}

static void move(struct ipsec *ipsec, struct sa *sa, const struct event *event, monotonic now)
{
	struct sa_command settings = sa->command;

	settings.remote = event->address;
	settings.remote_port = event->udp_port;
	uint32_t wanted = sa->wanted; /* a mapping is nobody's wish */
	(void)ipsec_update_sa(ipsec, sa, &settings, sa->follow_mapping, now);
	sa->wanted = wanted;
}

/* NAT-09: the newest authentic packet came from elsewhere. NAT-10: the dataplane does not follow by
 * itself. */
static void mapping(struct ipsec *ipsec, const struct event *event, monotonic now)
{
	struct sa *sa = sa_database_slot(ipsec->associations, SA_INBOUND, event->id);

	if (!sa || sa->state != SA_IS_LIVE || !(sa->command.flags & SA_UDP) ||
		!ip_address_is_unicast(&event->address) || !event->udp_port)
		return;
	struct ipsec_event told = {.type = IPSEC_EVENT_MAPPING,
		.sa = sa,
		.spi = ntohl(sa->command.spi),
		.source = event->address,
		.port = event->udp_port,
		.destination = sa->command.local};
	if (sa->follow_mapping && !may_move(sa, now)) {
		ipsec->counters.moves_limited++;
	} else if (sa->follow_mapping) {
		told.type = IPSEC_EVENT_SA_MOVED;
		move(ipsec, sa, event, now);
		if (sa->pair)
			move(ipsec, sa->pair, event, now);
	}
	ipsec_tell(ipsec, &told);
}

static void acquire(struct ipsec *ipsec, const struct event *event)
{
	unsigned entry;

	ipsec_tell(
		ipsec, &(struct ipsec_event){.type = IPSEC_EVENT_ACQUIRE,
			       .policy = policy_database_entry(ipsec->policies, event->id, &entry),
			       .source = event->address2,
			       .destination = event->address,
			       .protocol = (uint8_t)(event->value >> 32),
			       .source_port = (uint16_t)(event->value >> 16),
			       .destination_port = (uint16_t)event->value});
}

static void rejected(struct ipsec *ipsec, const struct event *event, monotonic now)
{
	uint64_t reason = event->value >> 32;
	enum sa_direction direction =
		event->audit.flags & AUDIT_OUTBOUND ? SA_OUTBOUND : SA_INBOUND;

	ipsec_tell(ipsec, &(struct ipsec_event){.type = IPSEC_EVENT_REJECTED,
				  .sa = sa_database_slot(ipsec->associations, direction, event->id),
				  .audit = &event->audit,
				  .source = event->address,
				  .destination = event->address2,
				  .spi = (uint32_t)event->value,
				  .cause = reason < DROP_REASON_COUNT
						   ? drop_reason_name((enum drop_reason)reason)
						   : NULL});
	if (reason == DROP_ipsec_no_sa)
		ipsec_liveness_hint(
			ipsec, &event->address, &event->address2, (uint32_t)event->value, now);
}

bool ipsec_event(struct ipsec *ipsec, const struct event *event, monotonic now)
{
	switch (event->type) {
	case EVENT_SA_EXPIRED:
		expired(ipsec, event);
		return true;
	case EVENT_SA_MAPPING:
		mapping(ipsec, event, now);
		return true;
	case EVENT_SA_REJECTED:
		rejected(ipsec, event, now);
		return true;
	case EVENT_ACQUIRE:
		acquire(ipsec, event);
		return true;
	default:
		return false;
	}
}
