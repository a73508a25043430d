/*
 * The keying server over control/ipsec, a mirror and a dataplane of the tests' own. Requests go in
 * without a socket; what became of them is seen in the databases, in the dataplane and in the
 * counters. Time is the test's own.
 */
#ifndef TESTS_UNIT_CONTROL_CHARON_CHARON_BED_H
#define TESTS_UNIT_CONTROL_CHARON_CHARON_BED_H

#include "control/charon/charon_state.h"
#include "tests/unit/control/ipsec/control_bed.h"
#include "tests/unit/parsed.h"

#include <arpa/inet.h>

extern struct charon *charon;
extern struct keying_message answer; /* the last one that came at once */

int setup(void **state);
int teardown(void **state);
/* A control with nothing but its settings; its death, after which the dataplane goes on. */
void control_starts(void);
void control_dies(void);
void attach(uint64_t session);
void detach(void);
/* Attached, and a charon that has nothing to replay. */
void ready(void);

/* True when it was answered at once. */
bool ask(const struct keying_message *message);
/* A request that is its type alone. */
void simple(uint16_t type);
void connects(uint64_t instance);
void replays_nothing(void);

/* carol's, between 10.1.0.0/16 and `inner`; its handle is its key. */
struct keying_message sa_of(uint64_t handle, uint32_t spi, bool inbound, const char *inner);
/* From 10.1.0.0/16 to 10.9.0.1. */
struct keying_message policy_of(uint64_t handle, uint32_t spi, enum keying_action action);
/* The first outbound SA whose name begins so. */
const struct sa *named_out(const char *prefix);
/* How many outbound policies the dataplane has, and the last one's SA and action. */
unsigned policies_out(uint32_t *sa_id, uint8_t *action);

#endif
