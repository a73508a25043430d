/*
 * One mobile node under the glass (HA4-OPS-38): every message of it decoded, every verdict with its
 * step, every reply, as events. Costs one comparison a message while nobody is traced; the rate of
 * events is the log's, so a flood cannot make it loud.
 */
#include "control/mip4/engine_state.h"

#include <arpa/inet.h>
#include <stdio.h>

bool mip4_trace_set(struct mip4_engine *e, const char *which)
{
	struct trace trace = {.on = true};

	if (strcmp(which, "off") == 0)
		trace.on = false;
	else if (strchr(which, '@') && strlen(which) < sizeof(trace.nai))
		snprintf(trace.nai, sizeof(trace.nai), "%s", which);
	else if (ip_address_parse(which, &trace.address) < 0 || !ip_address_is_v4(&trace.address))
		return false;
	e->trace = trace;
	return true;
}

static bool traced(const struct mip4_engine *e, const char *nai, size_t nai_length,
	const struct ip_address *home, const struct ip_address *care_of)
{
	const struct trace *t = &e->trace;

	if (t->nai[0])
		return nai && nai_equal(t->nai, strlen(t->nai), nai, nai_length);
	return ip_address_equal(&t->address, home) || ip_address_equal(&t->address, care_of);
}

bool trace_request(const struct mip4_engine *e, const struct request *r)
{
	return e->trace.on && traced(e, r->facts.nai.at, r->facts.nai.length,
				      &r->facts.home_address, &r->facts.care_of_address);
}

static void tell(struct mip4_engine *e, struct mip4_event *event, const char *text, monotonic now)
{
	event->type = MIP4_EVENT_TRACE;
	event->text = text;
	event_emit(e, event, true, now);
}

static const char *flags_text(uint8_t flags, char out[9])
{
	static const char set[] = "SBDMGrTx", clear[] = "sbdmg-t-"; // HA4-OPS-25
	for (unsigned i = 0; i < 8; i++)
		out[i] = (flags & 0x80 >> i ? set : clear)[i];
	out[8] = '\0';
	return out;
}

/* "131+15 144+6 32+20": types with the octets of their data. */
static void extensions_text(const struct mip4_message *m, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < m->extension_count && used < size; i++) {
		int length = snprintf(out + used, size - used, "%s%u%s+%u", i ? " " : "",
			m->extensions[i].type, m->extensions[i].recognized ? "" : "?",
			m->extensions[i].data_length);
		used += length > 0 ? (size_t)length : 0;
	}
}

void trace_received(struct mip4_engine *e, const struct request *r)
{
	const struct mip4_request *q = &r->facts.request;
	char text[600], extensions[200], flags[9], agent[IP_ADDRESS_TEXT_SIZE],
		home[IP_ADDRESS_TEXT_SIZE], care_of[IP_ADDRESS_TEXT_SIZE],
		source[IP_ADDRESS_TEXT_SIZE];

	if (!trace_request(e, r))
		return;
	extensions_text(&r->message, extensions, sizeof(extensions));
	snprintf(text, sizeof(text),
		"request from %s:%u port %u layers %u: flags %s lifetime %u home %s agent %s "
		"care-of %s identification %08x.%08x extensions %s",
		ip_address_format(&r->record->source, source), ntohs(r->record->source_port),
		r->record->port, r->record->layer_count, flags_text(q->flags, flags), q->lifetime_s,
		ip_address_format(&r->facts.home_address, home),
		ip_address_format(&r->facts.home_agent, agent),
		ip_address_format(&r->facts.care_of_address, care_of),
		(uint32_t)(q->identification >> 32), (uint32_t)q->identification, extensions);
	struct mip4_event event = event_of(r, MIP4_EVENT_TRACE, text);
	tell(e, &event, text, r->now.monotonic_ns);
}

void trace_verdict(struct mip4_engine *e, const struct request *r, const struct verdict *v)
{
	char text[200], effective[IP_ADDRESS_TEXT_SIZE];

	if (!trace_request(e, r))
		return;
	snprintf(text, sizeof(text),
		"verdict step %u code %u: %s, lifetime %u encapsulation %u tunnel end %s:%u",
		v->step, v->code, v->why, v->lifetime_s, v->encapsulation,
		ip_address_format(&v->effective, effective), ntohs(v->effective_port));
	struct mip4_event event = event_of(r, MIP4_EVENT_TRACE, text);
	tell(e, &event, text, r->now.monotonic_ns);
}

void trace_reply(struct mip4_engine *e, const struct reply *reply,
	const struct inject_record *record, monotonic now)
{
	struct ip_address home = ip_address_from_v4(reply->home_address);
	char text[400], extensions[200], to[IP_ADDRESS_TEXT_SIZE];
	struct mip4_message message;

	if (!e->trace.on || !traced(e, reply->nai_length ? reply->nai : NULL, reply->nai_length,
				    &home, &reply->destination))
		return;
	if (mip4_parse(&message, record->data + REPLY_HEADERS, record->length - REPLY_HEADERS,
		    false) != MIP4_OK)
		return;
	extensions_text(&message, extensions, sizeof(extensions));
	snprintf(text, sizeof(text),
		"reply to %s:%u: code %u lifetime %u identification %08x.%08x extensions %s",
		ip_address_format(&reply->destination, to), ntohs(reply->destination_port),
		reply->code, reply->lifetime_s, (uint32_t)(reply->identification >> 32),
		(uint32_t)reply->identification, extensions);
	struct mip4_event event = {.home_address = home,
		.source = reply->destination,
		.instance = reply->instance,
		.nai = ""};
	tell(e, &event, text, now);
}
