/* A pair of SAs of which one world is both ends: out of port 0, in again from port 1. */
#ifndef TESTS_UNIT_DATAPLANE_ESP_PAIR_H
#define TESTS_UNIT_DATAPLANE_ESP_PAIR_H

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/lane/lane.h"
#include "dataplane/packet.h"
#include "dataplane/pipeline.h"

#include "tests/unit/parsed.h"
#include "tests/unit/selector_any.h"
#include "tests/walk/world.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <stdio.h>
#include <stdlib.h>

#define SPI       0xc0000001u
#define HERE      "192.0.2.1"
#define THERE     "198.51.100.2"
#define SERVER    "192.0.2.129"
#define CLIENT    "203.0.113.193"
#define PAIR_MAX  3072
#define SIZE_LAST 9200

/* The SET of one end of the pair. */
struct command sa_command(uint8_t direction, uint32_t id, uint32_t spi);
/* What precedes an SA_SET: its key, which begins with first_octet, and its selector. */
void stage(struct world *w, const struct sa_command *sa, uint8_t first_octet);
/* Staged and set; 0 or the errno of the refusal, negative. */
int sa_set(struct world *w, struct command c);
/* Committed at once. */
void policy(struct world *w, uint32_t id, uint8_t direction, uint8_t action, uint32_t sa_id);
/* From port 2 through the SA out of port 0; from port 1 in again. */
struct world *setup(uint32_t flags);
/* An IPv4 packet of `length` octets from SERVER to CLIENT, in a frame for `port`. */
uint32_t frame_make(uint8_t *frame, uint32_t length, bool df, uint16_t port);
/* What left port 0 comes in on port 1; returns how many frames came out of port 2. */
unsigned loop_back(struct world *w, unsigned from);

#endif
