/*
 * Pairs of SAs for benches: pair i belongs to one inner address of 10/8, has an outbound host
 * policy (a /32), an outbound and an inbound SA, a replay window of 1,024 packets,
 * keys and a peer's address of its own. 1,000 general policies stand before the host policies. The
 * inside is 172.16/12 behind port 1.
 *
 * One set of pairs a program. All of it is the main thread's.
 */
#ifndef PKTGEN_BENCH_ESP_PAIRS_H
#define PKTGEN_BENCH_ESP_PAIRS_H

#include "pktgen/bench/path_bench.h"

#include "dataplane/crypto/suite.h"
#include "dataplane/crypto/workers.h"
#include "dataplane/table/policy_classifier.h"
#include "lib/ipc/command.h"

#define ESP_PAIRS_GENERAL  1000
#define ESP_PAIRS_WINDOW   1024
#define ESP_PAIRS_INSIDE   0xac100001u /* 172.16.0.1, behind us */
#define ESP_PAIRS_PEERS    0x0b000000u /* 11/8 and on */
#define ESP_PAIRS_PORT     1           /* the inside's */
#define ESP_PAIRS_ETHERNET 14

/* Limits for up to `pairs` pairs at once, `policies` host policies and whatever else is set in
 * them. */
void esp_pairs_limits(struct region_limits *limits, uint32_t pairs, uint32_t policies);

/*
 * SA table, far ends, crypto of the workers, inside and general policies; `room`: highest pair + 1.
 * Exits with a sentence when it cannot. `workers` points to as many as path_bench made.
 */
void esp_pairs_init(struct worker *workers, unsigned count, uint32_t room, enum library_copy copy);
void esp_pairs_fini(void);
const char *esp_pairs_crypto_text(void);
struct crypto_library *esp_pairs_far_library(void);

/* The algorithms of all pairs from now on: AES-128-GCM at first. Far ends start at number 1 again.
 */
void esp_pairs_suite_set(const struct suite *suite);
const struct suite *esp_pairs_suite(void);

/* Both SAs of a pair: made, or (`fresh` false) changed in place; `generation` another peer's
 * address of the same pair, `udp` inside UDP. */
void esp_pairs_set(uint32_t pair, bool fresh, bool udp, uint32_t generation);
void esp_pairs_remove(uint32_t pair);
/* Stages the pair's host policy; esp_pairs_policy_commit makes what is staged visible. */
void esp_pairs_policy_set(uint32_t pair);
void esp_pairs_policy_remove(uint32_t pair);
void esp_pairs_policy_commit(void);
/* Waits for a grace period and applies again where the tables ask for it. Exits when a command is
 * refused. */
void esp_pairs_apply(const struct command *command);

/* How the far end sends. */
enum esp_pairs_inside {
	ESP_PAIRS_PLAIN,
	ESP_PAIRS_IN_UDP = 1,
	ESP_PAIRS_TUNNEL = 2 /* its user's packet inside IP-in-IP to the agent: RFC 5266 mode mc */
};

uint32_t esp_pairs_home(uint32_t pair);
/* Another address of 12/8: the home address where the pair's own is a care-of address. */
uint32_t esp_pairs_node(uint32_t pair);
be32 esp_pairs_spi(uint32_t pair);
/* Home network 12/8, to which policy lets packets in clear pass; then mobile nodes in it, at a
 * care-of address that may be their pair's home. `limits` are the caller's. */
void esp_pairs_nodes_init(void);
void esp_pairs_node_set(uint32_t pair, uint32_t care_of);
void esp_pairs_node_remove(uint32_t pair);
/* What the policy step asks about a packet of esp_pairs_clear_frame to the pair's address. */
struct policy_key esp_pairs_policy_key(uint32_t pair);
/* A packet in clear from the inside: octets of the whole frame. */
uint16_t esp_pairs_clear_frame(uint8_t *frame, uint32_t destination, uint16_t size);
/* As the far end of the pair sends it, encrypted, with its next number; `size` of the user's
 * packet. */
uint16_t esp_pairs_sealed_frame(
	uint8_t *frame, uint32_t pair, uint16_t size, enum esp_pairs_inside inside);

#endif
