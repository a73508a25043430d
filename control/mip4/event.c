/*
 * What the engine tells the log and the operators' watch: events, security exceptions, and how many
 * of them a second.
 */
#include "control/mip4/engine_state.h"

#include <stdio.h>

#define EVENT_RATE  50 /* log lines a second beyond which they are counted only */
#define EVENT_BURST 100

const char *mip4_event_cause_name(enum mip4_cause cause)
{
	static const char *const names[MIP4_CAUSE_COUNT] = {
		[MIP4_CAUSE_DEREGISTERED] = "deregistered",
		[MIP4_CAUSE_EXPIRED] = "expired",
		[MIP4_CAUSE_REPLACED] = "replaced",
		[MIP4_CAUSE_CLEARED] = "cleared",
		[MIP4_CAUSE_REVOKED] = "revoked",
		[MIP4_CAUSE_SERVICE] = "service",
		[MIP4_CAUSE_REFUSED] = "refused",
		[MIP4_CAUSE_CONFIG] = "configuration",
	};
	return (unsigned)cause < MIP4_CAUSE_COUNT ? names[cause] : "none";
}

const char *mip4_event_name(enum mip4_event_type type)
{
	static const char *const names[MIP4_EVENT_COUNT] = {
		[MIP4_EVENT_BINDING_ADDED] = "binding added",
		[MIP4_EVENT_BINDING_REFRESHED] = "binding refreshed",
		[MIP4_EVENT_BINDING_MOVED] = "binding moved",
		[MIP4_EVENT_BINDING_DELETED] = "binding deleted",
		[MIP4_EVENT_DENIED] = "denied",
		[MIP4_EVENT_SECURITY] = "security",
		[MIP4_EVENT_TRACE] = "trace",
		[MIP4_EVENT_ALARM] = "alarm",
	};
	return (unsigned)type < MIP4_EVENT_COUNT ? names[type] : "none";
}

struct mip4_event event_of(const struct request *r, enum mip4_event_type type, const char *text)
{
	struct mip4_event event = {
		.type = type,
		.instance = r->instance,
		.source = r->record->source,
		.nai = "",
		.text = text,
	};

	if (r->facts.message)
		event.home_address = r->facts.home_address;
	return event;
}

void event_emit(struct mip4_engine *e, struct mip4_event *event, bool limited, monotonic now)
{
	if (limited && !token_bucket_peek(&e->events, EVENT_RATE, EVENT_BURST, now)) {
		e->events_suppressed++;
		return;
	}
	if (limited) {
		token_bucket_take(&e->events);
		event->suppressed += e->events_suppressed;
		e->events_suppressed = 0;
	}
	e->ops.event(e->context, event);
}

void event_security(
	struct mip4_engine *e, const struct request *r, enum mip4_counter reason, const char *text)
{
	struct mip4_violation v = {
		.source = r->record->source,
		.instance = r->instance,
		.counter = (uint16_t)reason,
		.last_wall_ns = r->now.wall_ns,
	};
	char line[256], nai[64] = "";
	struct mip4_authentication auth;
	uint32_t suppressed;

	if (r->facts.message) {
		v.home_address = r->facts.home_address;
		v.identification = r->facts.request.identification;
		if (r->facts.first_auth >= 0 &&
			mip4_authentication_read(
				&r->message, &r->message.extensions[r->facts.first_auth], &auth))
			v.spi = auth.spi;
		if (r->facts.nai.at && nai_valid(r->facts.nai.at, r->facts.nai.length))
			snprintf(nai, sizeof(nai), "%.*s", (int)r->facts.nai.length,
				r->facts.nai.at);
	}
	memcpy(v.nai, nai, sizeof(v.nai));
	if (!violations_add(&e->violations, &v, r->now.monotonic_ns, &suppressed))
		return;
	snprintf(line, sizeof(line), "%s: %s, spi 0x%08x, identification %08x.%08x",
		mip4_counter_name(reason), text, v.spi, (uint32_t)(v.identification >> 32),
		(uint32_t)v.identification);
	struct mip4_event event = event_of(r, MIP4_EVENT_SECURITY, line);
	event.nai = nai;
	event.suppressed = suppressed;
	event_emit(e, &event, true, r->now.monotonic_ns);
}
