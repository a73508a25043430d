/*
 * What every bed of control's IPsec stands on: its configuration, a mirror, and the dataplane of
 * esp_dataplane.h, which outlives a control that dies. Time moves when a test moves it.
 */
#ifndef TESTS_UNIT_CONTROL_IPSEC_CONTROL_BED_H
#define TESTS_UNIT_CONTROL_IPSEC_CONTROL_BED_H

#include "control/ipsec/ipsec.h"
#include "control/mirror/mirror.h"
#include "tests/unit/control/ipsec/esp_dataplane.h"

#define SECOND CLOCK_NS_PER_S

extern struct esp_dataplane *dataplane;
extern struct attachment attachment;
extern struct mirror *mirror;
extern struct ipsec *ipsec;
extern struct config *config;
extern monotonic now;

/* Until control and dataplane have nothing more to say to each other. */
void settle(void);
/* From a text; fails the test with what is wrong with it. */
struct config *config_of(const char *text);

/* For a test's setup and teardown: the dataplane, and the time. */
void control_bed_open(void);
void control_bed_close(void);
/* A control that takes the configuration over; its refer and random of `ops` are the bed's. */
void control_bed_start(struct config *with, const struct ipsec_ops *ops,
	void (*on_done)(void *context, uint64_t ticket, int error),
	void (*on_event)(void *context, const struct event *event));
/* Without a word to the dataplane, which goes on. */
void control_bed_end(void);
/* Not random, but each one another. */
void control_bed_random(void *context, void *out, size_t length);

#endif
