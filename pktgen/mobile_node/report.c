#include "pktgen/mobile_node/report.h"

#include <inttypes.h>
#include <stdio.h>

static void key_write(struct report *report, const char *key)
{
	if (report->json)
		printf("%s\"%s\":", report->fields ? "," : "{", key);
	else
		printf("%s%s=", report->fields ? " " : "", key);
	report->fields++;
}

void report_begin(struct report *report, const char *event)
{
	report->fields = 0;
	report_text(report, "event", event);
}

/* Values are our own words, addresses and interface names: what could break a line is replaced, not
 * escaped. */
void report_text(struct report *report, const char *key, const char *value)
{
	key_write(report, key);
	if (report->json)
		putchar('"');
	for (; *value; value++) {
		char c = *value;
		if (c == '"' || c == '\\' || (unsigned char)c < ' ')
			c = '?';
		putchar(c == ' ' && !report->json ? '_' : c);
	}
	if (report->json)
		putchar('"');
}

void report_address(struct report *report, const char *key, be32 value)
{
	char text[IP_ADDRESS_TEXT_SIZE];
	struct ip_address a = ip_address_from_v4(value);

	report_text(report, key, ip_address_format(&a, text));
}

void report_number(struct report *report, const char *key, uint64_t value)
{
	key_write(report, key);
	printf("%" PRIu64, value);
}

void report_milliseconds(struct report *report, const char *key, uint64_t nanoseconds)
{
	key_write(report, key);
	printf("%" PRIu64 ".%03" PRIu64, nanoseconds / 1000000, nanoseconds / 1000 % 1000);
}

void report_truth(struct report *report, const char *key, bool value)
{
	key_write(report, key);
	if (report->json)
		fputs(value ? "true" : "false", stdout);
	else
		fputs(value ? "yes" : "no", stdout);
}

void report_end(struct report *report)
{
	fputs(report->json ? "}\n" : "\n", stdout);
	fflush(stdout);
}

void report_registration(struct report *r, const struct registration_event *event)
{
	bool outcome = event->type == REGISTRATION_EVENT_REGISTERED ||
		       event->type == REGISTRATION_EVENT_REFRESHED ||
		       event->type == REGISTRATION_EVENT_HOME;

	report_begin(r, registration_event_name(event->type));
	if (event->reason)
		report_text(r, "reason", event->reason);
	if (outcome || event->type == REGISTRATION_EVENT_DENIED ||
		event->type == REGISTRATION_EVENT_RESYNC)
		report_number(r, "code", event->code);
	if (outcome || event->type == REGISTRATION_EVENT_REQUEST)
		report_number(r, "lifetime", event->lifetime_s);
	report_address(r, "home_address", event->home_address);
	report_address(r, "care_of", event->care_of_address);
	if (event->type == REGISTRATION_EVENT_REQUEST)
		report_number(r, "attempt", event->attempt);
	if (outcome) {
		report_truth(r, "udp", event->udp_tunnel);
		if (event->udp_tunnel)
			report_number(r, "keepalive", event->keepalive_s);
		report_truth(r, "trusted", event->trusted);
		report_milliseconds(r, "took_ms", event->took_ns);
	}
	report_end(r);
}
