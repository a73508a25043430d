/*
 * What the node says on stdout: one line per event, `key=value` pairs in a stable order and with
 * stable names, or one JSON object per line. The first key is always `event`. Lines are flushed at
 * once. One thread.
 */
#ifndef PKTGEN_MOBILE_NODE_REPORT_H
#define PKTGEN_MOBILE_NODE_REPORT_H

#include "pktgen/mobile_node/registration.h"

struct report {
	bool json;
	unsigned fields;
};

void report_begin(struct report *report, const char *event);
void report_text(struct report *report, const char *key, const char *value);
void report_address(struct report *report, const char *key, be32 value);
void report_number(struct report *report, const char *key, uint64_t value);
void report_milliseconds(struct report *report, const char *key, uint64_t nanoseconds); /* 12.345 */
void report_truth(struct report *report, const char *key, bool value); /* yes|no, true|false */
void report_end(struct report *report);
/* A whole line: what the registration machine told. */
void report_registration(struct report *report, const struct registration_event *event);

#endif
