/* A mirror and a dataplane that reads when told to, refuses, dies and forgets. */
#ifndef TESTS_UNIT_CONTROL_MIRROR_MIRROR_BED_H
#define TESTS_UNIT_CONTROL_MIRROR_MIRROR_BED_H

#include "control/mirror/mirror.h"
#include "tests/unit/control/mirror/fake_dataplane.h"

#define EVERYTHING 1000000

extern const struct region_limits limits;
extern struct fake_dataplane *fake;
extern struct mirror *mirror;
extern uint64_t done_ticket;  /* the last one: they must come in order, none left out */
extern int errors[20000];     /* by ticket */
extern unsigned events_heard; /* other than refusals */

int setup(void **state);
int teardown(void **state);
/* The old one is freed, and with it all that it knew. */
void new_mirror(void);
/* Both sides until nothing moves. */
void settle(void);
void attach_and_settle(void);

struct command agent(void);
/* Home address 10.1.0.0 + home, care-of address 198.51.100.0 + care_of. */
struct command binding(uint32_t id, uint32_t home, uint32_t care_of);
struct command prefix(uint32_t number, uint32_t id);
struct command route(uint32_t number, uint16_t port);

/* Tickets. drop: the REMOVE of the SET `c`. */
uint64_t set(struct command c);
uint64_t drop(struct command c);
/* The dataplane has exactly this. */
void assert_has(struct command c);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
