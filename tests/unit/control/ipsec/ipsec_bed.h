/*
 * Control's IPsec for its tests: over a mirror and the dataplane of esp_dataplane.h, with what it
 * told, lost and injected written down. Time moves when a test moves it.
 */
#ifndef TESTS_UNIT_CONTROL_IPSEC_IPSEC_BED_H
#define TESTS_UNIT_CONTROL_IPSEC_IPSEC_BED_H

#include "control/ipsec/audit.h"
#include "lib/wire/checksum.h"
#include "tests/unit/control/ipsec/control_bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// after the standard headers
#include <cmocka.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Pieces of configurations: two pairs, a policy for the first, one for all else. */
extern const char pair_b[], pair_c[], policy_b[], policy_rest[];
extern char both[2000], both_policies[1000]; /* as load_both made them */

/* What was told: how often each, and of the last one; inner addresses lost. */
extern unsigned told[IPSEC_EVENT_TYPE_COUNT], lost;
extern char told_sa[32];
extern int told_error;
extern const char *told_cause;
extern const struct sa *told_of;
extern struct inject_record injected; /* the last */
extern unsigned injected_count, inject_room;

/* A configuration of these pairs and policies. */
struct config *load(const char *pairs, const char *policies);
void attach(void);
/* Takes the configuration over. */
void control_starts(struct config *with);
/* Without a word to the dataplane, which goes on. */
void control_dies(void);
int setup(void **state);
int teardown(void **state);
struct config *load_both(void);
/* The association of a pair, which has to be there. */
struct sa *live(enum sa_direction direction, const char *name);
/* The peer of pair b was heard from there. */
struct event mapping_to(const char *address, uint16_t port);

#endif
