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
