/*
 * A walk case: its JSON, its pcaps, and what is wrong with it. Shared by walk.c, which plays the
 * steps, and walk_check.c, which looks at what came of them.
 */
#ifndef TESTS_WALK_WALK_CASE_H
#define TESTS_WALK_WALK_CASE_H

#include "tests/walk/world.h"

#include <jansson.h>
#include <stdio.h>

struct frame {
	uint32_t length;
	uint8_t octets[65536];
};

/* Why the case fails, for its TAP line; returns false. */
bool wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *wrong_text(void);

/* NULL when it cannot be read. */
FILE *pcap_open(const char *folder, const char *name);
bool pcap_read(FILE *file, struct frame *frame);

const char *text(const json_t *object, const char *key);
json_int_t number(const json_t *object, const char *key, json_int_t otherwise);
struct ip_address address_of(const json_t *object, const char *key, const char *otherwise);

/* walk_check.c: everything that the case says must have come of it; traced: the drop trace too. */
bool walk_check(const struct world *world, const char *folder, const json_t *c, bool traced);

#endif
