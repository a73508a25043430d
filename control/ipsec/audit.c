#include "control/ipsec/audit.h"

#include "control/ipsec/selector.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct text {
	char *at;
	size_t used, size;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->at + text->used, text->size - text->used, format, arguments);
	va_end(arguments);
	if (length > 0)
		text->used += (size_t)length;
	if (text->used >= text->size)
		text->used = text->size - 1;
}

bool audit_wanted(const struct config_control *config, const char *reason)
{
	for (unsigned i = 0; reason && i < config->audit_off_count; i++)
		if (strcmp(config->audit_off[i], reason) == 0)
			return false;
	return true;
}

/* The dataplane noted its monotonic clock, which is ours. */
static void add_time(struct text *text, monotonic at_ns, struct clock_now now)
{
	uint64_t ago_ns = at_ns < now.monotonic_ns ? now.monotonic_ns - at_ns : 0;
	uint64_t wall_ns = ago_ns < now.wall_ns ? now.wall_ns - ago_ns : 0;
	time_t seconds = (time_t)(wall_ns / CLOCK_NS_PER_S);
	struct tm utc;

	gmtime_r(&seconds, &utc);
	add(text, " time=%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", utc.tm_year + 1900, utc.tm_mon + 1,
		utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
		(unsigned)(wall_ns % CLOCK_NS_PER_S / 1000000));
}

static void add_side(struct text *text, const char *key, const struct ip_address *address,
	const struct event_audit *audit, uint16_t port)
{
	struct traffic_selector side = {.first = *address,
		.last = *address,
		.port_first = audit->flags & AUDIT_PORTS ? port : 0,
		.port_last = audit->flags & AUDIT_PORTS ? port : UINT16_MAX,
		.protocol = audit->protocol};
	char buffer[TRAFFIC_SELECTOR_TEXT_SIZE];

	add(text, " %s=%s", key, traffic_selector_format(&side, buffer));
}

static void add_packet(struct text *text, const struct event_audit *audit)
{
	bool one_port = audit->protocol == 1 || audit->protocol == 58; /* ICMP: type and code */

	add_side(text, "packet_source", &audit->source, audit, audit->source_port);
	add_side(text, "packet_destination", &audit->destination, audit,
		one_port ? audit->source_port : audit->destination_port);
}

static void add_selectors(struct text *text, const struct sa *sa)
{
	struct traffic_selector local = selector_local(&sa->selectors[0]),
				remote = selector_remote(&sa->selectors[0]);
	char buffer[TRAFFIC_SELECTOR_TEXT_SIZE];

	add(text, " sa_local=%s", traffic_selector_format(&local, buffer));
	add(text, " sa_remote=%s", traffic_selector_format(&remote, buffer));
	if (sa->selector_count > 1)
		add(text, " sa_selectors=%u", sa->selector_count);
}

size_t audit_describe(
	const struct ipsec_event *event, struct clock_now now, char *text, size_t used, size_t size)
{
	const struct event_audit *audit = event->audit;
	struct text out = {text, used, size};

	if (!audit)
		return used;
	add_time(&out, audit->at_ns, now);
	if (audit->flags & AUDIT_NUMBER)
		add(&out, " sequence=%u", audit->number);
	if (audit->flow_label)
		add(&out, " flow_label=0x%05x", audit->flow_label);
	if (audit->flags & AUDIT_SELECTORS) {
		add_packet(&out, audit);
		if (event->sa && event->sa->selector_count > 0)
			add_selectors(&out, event->sa);
	}
	if (audit->untold)
		add(&out, " held_back=%u", audit->untold);
	return out.used;
}
