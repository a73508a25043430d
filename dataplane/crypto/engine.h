/*
 * The ESP engine: a burst in, a burst out, in place, one engine a worker. Start here.
 *
 * An operation is one whole ESP packet, from the SPI to the last octet of the ICV: the engine
 * writes the IV (outbound), makes nonce and additional data, ciphers the text and makes or checks
 * the ICV. What differs between transforms is in suite.c's rows and, behind their packet functions,
 * in gcm.c (AES-GCM and GMAC: the library's direct calls) and job.c (all others: many packets side
 * by side, those with an HMAC in hmac.c's two passes). key.h has the expanded keys, library.h the
 * worker's own copy of the library, esp_codec.h what is ESP but not cryptography: lengths, padding,
 * trailer, MTU. known_answer.h proves each row at start on the very path that packets will take.
 *
 * A mobile gateway's next packet nearly always belongs to another SA, whose key is in no cache. So
 * a burst first asks for the key lines of its first operations and then stays that many operations
 * ahead; the lines asked for are those that a packet of that length reads (docs: key.h).
 *
 * RFC 4303 (ESP), 4106 (GCM), 4543 (GMAC), 4309 (CCM), 7634 (ChaCha20-Poly1305), 3602 (CBC), 3686
 * (CTR), 8750 (implicit IV), 2404 and 4868 (HMAC), 3566 (XCBC), 4494 (CMAC).
 */
#ifndef DATAPLANE_CRYPTO_ENGINE_H
#define DATAPLANE_CRYPTO_ENGINE_H

#include "dataplane/crypto/key.h"
#include "dataplane/crypto/suite.h"

#include <stdbool.h>

struct crypto_engine;
struct crypto_library;

enum crypto_status {
	CRYPTO_DONE,
	CRYPTO_BAD_ICV, /* not authentic; the text is undefined */
	CRYPTO_FAILED,  /* the library refused, or a length that no ESP packet has: drop, never send
			 */
};

enum crypto_flag {
	CRYPTO_ESN = 1 << 0,      /* 64-bit numbers: the high half is authenticated */
	CRYPTO_IV_GIVEN = 1 << 1, /* outbound: the IV is in the packet already (vectors) */
};

/* Of a packet in several buffers: they hold, in order, header, IV, text and ICV and nothing else.
 */
struct crypto_segment {
	uint8_t *data;
	uint32_t length;
};

struct crypto_operation {
	const struct suite *suite;
	const struct crypto_key *key;
	uint8_t *esp;      /* the SPI; header and IV are contiguous; the SPI and the low half of the
			      number are filled in by the caller */
	uint64_t sequence; /* whole number; without ESN the high half is zero */
	uint32_t length;   /* octets of text: payload, TFC padding, padding, 2. A multiple of the
			      alignment, at least one */
	uint8_t flags;     /* enum crypto_flag */
	uint8_t status;    /* enum crypto_status, out */
	uint16_t segment_count; /* 0: all contiguous, text at esp + 8 + IV, ICV behind it */
	const struct crypto_segment *segments; /* with segment_count: the first begins at esp */
	void *user;                            /* the caller's */
};

/*
 * A worker's engine on its library; NULL when out of memory or without randomness. `library` stays
 * the caller's and outlives the engine. Main lcore.
 */
struct crypto_engine *crypto_engine_new(struct crypto_library *library);
void crypto_engine_free(struct crypto_engine *engine);

/*
 * Encrypts or decrypts `count` packets in place and sets each one's status; no order among them, no
 * allocation. Encryption writes the IV: the number for counter based transforms (ESP-ALG-18), an
 * unpredictable one for CBC (ESP-ALG-19). Decryption compares the whole ICV in constant time
 * (ESP-ALG-22) and leaves the octets of the ICV undefined. The worker that owns the engine.
 */
void crypto_engine_encrypt_burst(
	struct crypto_engine *engine, struct crypto_operation *operations, unsigned count);
void crypto_engine_decrypt_burst(
	struct crypto_engine *engine, struct crypto_operation *operations, unsigned count);

#endif
