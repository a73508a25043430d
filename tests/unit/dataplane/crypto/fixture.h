/*
 * An engine on its library, keys of fixed octets, and packets with guard octets on both sides: what
 * the tests of the engine share.
 */
#ifndef TESTS_UNIT_DATAPLANE_CRYPTO_FIXTURE_H
#define TESTS_UNIT_DATAPLANE_CRYPTO_FIXTURE_H

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/crypto/library.h"

#define FIXTURE_GUARD   64 /* octets before and behind a packet */
#define FIXTURE_SPI     0xc0a80001u
#define FIXTURE_LONGEST 9216 /* octets of text */

struct fixture {
	struct crypto_library *library;
	struct crypto_engine *engine;
};

/* A suite with its raw and its expanded key. */
struct fixture_key {
	const struct suite *suite;
	uint8_t encryption[SA_ENCRYPTION_KEY_MAX];
	uint8_t integrity[SA_INTEGRITY_KEY_MAX];
	struct crypto_key key;
};

/* A packet in its own memory, exactly as long as it and its guards are. */
struct fixture_packet {
	uint8_t *memory;
	uint32_t length; /* of the ESP packet */
	struct crypto_operation operation;
};

void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);

/* `seed` makes another key. */
void fixture_key_make(
	struct fixture *fixture, const struct suite *suite, unsigned seed, struct fixture_key *key);

/* The packet before encryption: `payload` octets of a pattern, the trailer with next header 4.
 * Release with fixture_packet_free. */
struct fixture_packet fixture_packet_make(
	const struct fixture_key *key, uint32_t payload, uint64_t sequence, unsigned flags);
void fixture_packet_free(struct fixture_packet *packet);
/* Fails the test when an octet beside the packet changed. */
void fixture_packet_check_guards(const struct fixture_packet *packet);
/* Is the text what fixture_packet_make wrote? */
bool fixture_packet_is_plain(const struct fixture_packet *packet, uint32_t payload);

#endif
