/* IPsec's side of the wiring: what it asks for, and what it tells the log and operators. */
#include "control/wiring.h"

#include "control/ipsec/audit.h"

#include "lib/base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define EVENT_TEXT_SIZE 900

static uint64_t refer(void *context, uint16_t type, const struct mirror_reference *reference)
{
	struct process *p = context;
	return mirror_refer(p->mirror, type, reference);
}

static bool send_record(void *context, const struct inject_record *record)
{
	const struct process *p = context;
	return dataplane_link_send(p->link, record);
}

static void describe(
	const struct ipsec_event *event, struct clock_now now, char text[EVENT_TEXT_SIZE])
{
	char source[IP_ADDRESS_TEXT_SIZE], destination[IP_ADDRESS_TEXT_SIZE];
	bool addressed = !ip_address_is_unspecified(&event->source);
	size_t used = 0;
	text[0] = '\0';
	if (event->sa && event->sa->name[0])
		used += (size_t)snprintf(
			text + used, EVENT_TEXT_SIZE - used, " sa=%s", event->sa->name);
	if (event->sa)
		used += (size_t)snprintf(text + used, EVENT_TEXT_SIZE - used, " direction=%s",
			event->sa->command.direction == SA_INBOUND ? "in" : "out");
	if (event->policy)
		used += (size_t)snprintf(text + used, EVENT_TEXT_SIZE - used, " policy=%s",
			event->policy->settings.name);
	if (event->spi)
		used += (size_t)snprintf(
			text + used, EVENT_TEXT_SIZE - used, " spi=0x%08x", event->spi);
	if (addressed)
		used += (size_t)snprintf(text + used, EVENT_TEXT_SIZE - used,
			" source=%s destination=%s", ip_address_format(&event->source, source),
			ip_address_format(&event->destination, destination));
	if (event->cause)
		used += (size_t)snprintf(
			text + used, EVENT_TEXT_SIZE - used, " cause=%s", event->cause);
	used = audit_describe(event, now, text, used, EVENT_TEXT_SIZE);
	if (event->error)
		snprintf(text + used, EVENT_TEXT_SIZE - used, " error=\"%s\"",
			strerror(event->error));
}

/* AUD-05: what strangers can cause is limited, each kind for itself. Audit records come limited by
 * class and SA already; this is for all of them together. */
static struct log_limit *limit_of(enum ipsec_event_type type)
{
	static struct log_limit rejected = LOG_LIMIT(100, 100), acquired = LOG_LIMIT(1, 10),
				moved = LOG_LIMIT(10, 100), refused = LOG_LIMIT(1, 10);
	switch (type) {
	case IPSEC_EVENT_REJECTED:
		return &rejected;
	case IPSEC_EVENT_ACQUIRE:
		return &acquired;
	case IPSEC_EVENT_REFUSED:
		return &refused;
	default:
		return &moved;
	}
}

static enum log_level level_of(enum ipsec_event_type type)
{
	switch (type) {
	case IPSEC_EVENT_REFUSED:
	case IPSEC_EVENT_REJECTED:
	case IPSEC_EVENT_SA_HARD_EXPIRED:
		return LOG_LEVEL_WARNING;
	case IPSEC_EVENT_SA_ADDED:
	case IPSEC_EVENT_SA_REMOVED:
		return LOG_LEVEL_DEBUG;
	default:
		return LOG_LEVEL_NOTICE;
	}
}

static void tell(void *context, const struct ipsec_event *event)
{
	struct process *p = context;
	struct clock_now now = clock_read();
	const char *name = ipsec_event_name(event->type);
	if (p->charon)
		charon_tell(p->charon, event);
	char text[EVENT_TEXT_SIZE];
	if (event->type == IPSEC_EVENT_REJECTED && !audit_wanted(&p->config->control, event->cause))
		return;
	describe(event, now, text);
	log_limited(limit_of(event->type), now.monotonic_ns, level_of(event->type), name, "%s",
		text[0] ? text + 1 : text);
	if (!p->operators)
		return;
	struct operator_event published = {.type = name,
		.cause = event->cause,
		.text = text[0] ? text + 1 : NULL,
		.source = ip_address_is_unspecified(&event->source) ? NULL : &event->source,
		.instance = PROVIDER_INSTANCE_ANY,
		.code = -1};
	operator_publish(p->operators, &published, now.wall_ns);
}

/* Bindings are walked for an SA alone that could have carried some: its inner addresses are ones
 * that the VPN gives out. */
static bool carries_inner(const struct process *p, const struct sa *sa)
{
	for (unsigned i = 0; i < p->config->instance_count; i++) {
		const struct config_instance *instance = &p->config->instances[i];
		for (unsigned k = 0; k < instance->tunnel_inner_count; k++)
			for (unsigned s = 0; s < sa->selector_count; s++) {
				struct traffic_selector remote = {
					.first = sa->selectors[s].remote_first,
					.last = sa->selectors[s].remote_last};
				const struct ip_prefix *inner = &instance->tunnel_inner[k];
				if (ip_prefix_contains(inner, &remote.first) ||
					traffic_selector_contains(&remote, &inner->address))
					return true;
			}
	}
	return false;
}

/* HA4-MODE-11 */
static void inner_lost(void *context, const struct sa *sa)
{
	struct process *p = context;
	unsigned suspended =
		p->engine && sa->command.sa_id && carries_inner(p, sa)
			? mip4_engine_inner_lost(p->engine, sa->command.sa_id, clock_read())
			: 0;
	if (suspended)
		log_notice("bindings_suspended", "sa=%s count=%u", sa->name, suspended);
}

uint32_t wiring_ipsec_inner_owner(void *context, uint16_t vrf, const struct ip_address *address)
{
	const struct process *p = context;
	return ipsec_owner_of(p->ipsec, vrf, address);
}

static uint64_t last_ticket(void *context)
{
	const struct process *p = context;
	return mirror_ticket(p->mirror);
}

static void hold(void *context, bool held)
{
	struct process *p = context;
	mirror_hold(p->mirror, held);
}

/* HA4-MODE-11, over a restart */
static void known(void *context)
{
	struct process *p = context;
	unsigned suspended = p->engine ? mip4_engine_inner_check(p->engine, clock_read()) : 0;
	if (suspended)
		log_notice("bindings_suspended", "count=%u cause=\"their associations are gone\"",
			suspended);
}

static bool is_local(void *context, uint16_t vrf, const struct ip_address *address)
{
	const struct process *p = context;
	struct command command = {.type = COMMAND_LOCAL_SET};
	command.local.vrf = vrf;
	command.local.address = *address;
	return desired_is_agent(&p->desired, vrf, address) || mirror_get(p->mirror, &command);
}

struct charon_ops wiring_charon_ops(struct process *process)
{
	return (struct charon_ops){.context = process,
		.ticket = last_ticket,
		.hold = hold,
		.known = known,
		.random = wiring_random,
		.is_local = is_local};
}

struct ipsec_ops wiring_ipsec_ops(struct process *process)
{
	return (struct ipsec_ops){.context = process,
		.refer = refer,
		.random = wiring_random,
		.tell = tell,
		.send = send_record,
		.inner_lost = inner_lost};
}

unsigned wiring_ipsec_expand(void *context, uint16_t type, const struct mirror_reference *reference,
	bool told, struct command *out)
{
	struct process *p = context;
	return ipsec_expand(p->ipsec, type, reference, told, out);
}

bool wiring_ipsec_inner_owned(void *context, uint32_t sa_id, const struct ip_address *address)
{
	const struct process *p = context;
	return ipsec_inner_owned(p->ipsec, sa_id, address);
}

void wiring_ipsec_former(void *context, struct attachment *former)
{
	struct process *p = context;
	ipsec_detached(p->ipsec, former);
}
