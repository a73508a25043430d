/*
 * What charon has to know of the dataplane: limits, new mappings of NATs, packets that need an SA.
 * An expiry that no client heard is told after the next replay; the dataplane repeats the others.
 */
#include "control/charon/charon_state.h"
#include "control/charon/policy_stack.h"
#include "lib/ipc/event.h"

#include <arpa/inet.h>
#include <string.h>

#define HARD_EXPIRIES 0xf0u /* of enum sa_expiry, as bits */

bool tell_event(struct charon *c, struct keying_message *m, enum charon_counter counter)
{
	m->header.id = ++c->events;
	if (!c->greeted || !connection_send(c->connection, m)) {
		c->counters[CHARON_EVENTS_LOST]++;
		return false;
	}
	c->counters[counter]++;
	return true;
}

static struct keying_sa_id id_of(const struct sa *sa)
{
	return (struct keying_sa_id){.handle = sa->handle,
		.spi = sa->command.spi,
		.flags = sa->command.direction == SA_INBOUND ? KEYING_SA_INBOUND : 0};
}

bool tell_expire(struct charon *c, struct sa *sa, bool hard, const char *cause)
{
	struct keying_message m = {.header = {.type = KEYING_EXPIRE}};
	bool inbound = sa->command.direction == SA_INBOUND;

	if (!sa->handle)
		return false;
	m.expire = (struct keying_expire){.sa = id_of(sa),
		.hard = hard,
		.destination = inbound ? sa->command.local : sa->command.remote}; // LIFE-04
	snprintf(m.expire.cause, sizeof(m.expire.cause), "%s", cause ? cause : "");
	if (!tell_event(c, &m, CHARON_EXPIRES))
		return false;
	sa->told |= hard ? sa->expired : sa->expired & (uint8_t)~HARD_EXPIRIES;
	return true;
}

static void tell_mapping(struct charon *c, const struct ipsec_event *event)
{
	struct keying_message m = {.header = {.type = KEYING_MAPPING}};
	const struct sa *sa = event->sa;

	if (!sa->handle)
		return;
	m.mapping.sa = id_of(sa);
	m.mapping.local = (struct keying_endpoint){
		.address = sa->command.local, .port = sa->command.local_port};
	m.mapping.remote = (struct keying_endpoint){.address = event->source, .port = event->port};
	(void)tell_event(c, &m, CHARON_MAPPINGS);
}

static struct traffic_selector packet_side(
	const struct ip_address *address, uint8_t protocol, uint16_t port)
{
	struct traffic_selector ts = traffic_selector_host(address);

	ts.protocol = protocol;
	if (port) { /* none that could be read is any */
		ts.port_first = port;
		ts.port_last = port;
	}
	return ts;
}

/* SPD-12, KIF-42 */
static void tell_acquire(struct charon *c, const struct ipsec_event *event)
{
	struct keying_message m = {.header = {.type = KEYING_ACQUIRE}};

	if (!event->policy || !event->policy->owner)
		return;
	m.acquire.reqid = policy_stack_reqid(event->policy);
	m.acquire.source = packet_side(&event->source, event->protocol, event->source_port);
	m.acquire.destination =
		packet_side(&event->destination, event->protocol, event->destination_port);
	if (m.acquire.reqid)
		(void)tell_event(c, &m, CHARON_ACQUIRES);
}

void charon_tell(struct charon *charon, const struct ipsec_event *event)
{
	/* The event names one of control/ipsec's own, which is not const there. */
	struct sa *sa = (struct sa *)(uintptr_t)event->sa;

	switch (event->type) {
	case IPSEC_EVENT_SA_SOFT_EXPIRED:
		(void)tell_expire(charon, sa, false, event->cause);
		break;
	case IPSEC_EVENT_SA_HARD_EXPIRED:
		(void)tell_expire(charon, sa, true, event->cause);
		break;
	case IPSEC_EVENT_SA_REMOVED:
		if (!charon->deleting) /* an operator's doing */
			(void)tell_expire(charon, sa, true, "removed");
		if (sa->origin == SA_FROM_IKE)
			association_gone(charon, sa);
		break;
	case IPSEC_EVENT_MAPPING:
		tell_mapping(charon, event);
		break;
	case IPSEC_EVENT_ACQUIRE:
		tell_acquire(charon, event);
		break;
	default:
		break;
	}
}

void tell_missed(struct charon *c)
{
	for (unsigned direction = 0; direction < 2; direction++) {
		uint32_t cursor = 0;
		for (struct sa *sa; (sa = sa_database_next(ipsec_associations(c->ipsec),
					     (enum sa_direction)direction, &cursor));) {
			uint8_t missed = sa->expired & (uint8_t)~sa->told;
			if (sa->handle && missed)
				(void)tell_expire(c, sa, missed & HARD_EXPIRIES, "missed");
		}
	}
}
