/*
 * An SA's key, expanded to what the library wants: 1,024 octets in release 1.3. It lies behind its
 * SA in memory that the SA table allocates beforehand (and that is kept out of core dumps) and is
 * wiped when the SA goes (ESP-ALG-25). Side by side, keys would be a power of two apart: the few
 * lines that a short packet reads of each would meet in a part of the caches' sets.
 *
 * What follows the schedule lies in its last line on purpose: AES-GCM reads that line for the
 * shortest packet (the hash key's first power is its end), so the salt costs no line of its own.
 */
#ifndef DATAPLANE_CRYPTO_KEY_H
#define DATAPLANE_CRYPTO_KEY_H

#include "dataplane/crypto/suite.h"

#include <assert.h>

#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>
#include <stddef.h>

struct crypto_library;

struct key_hash { /* of a separate integrity algorithm */
	union {
		struct {
			uint8_t inner[64], outer[64]; /* states after the padded key */
		} hmac;
		struct {
			_Alignas(16) uint32_t expanded[44];
			_Alignas(16) uint8_t second[16], third[16];
		} aes; /* XCBC: K1, K2, K3; CMAC: key and both subkeys */
	};
};

struct crypto_key {
	_Alignas(64) union {
		struct gcm_key_data gcm; /* GCM, GMAC */
		struct {
			_Alignas(16) uint32_t encrypt[60]; /* CBC, CTR, CCM */
			struct key_hash hash;
			uint32_t decrypt[60]; /* CBC */
		} separate;
		uint8_t chacha20[32];
	};
	uint8_t salt[4];
	uint8_t reserved[12];
};

static_assert(sizeof(struct crypto_key) % 64 == 0, "whole cache lines");

/*
 * Expands the key of `suite`; the lengths are the suite's, as suite_find checked them. With a
 * library that no other thread uses at this moment (the main lcore has its own). The caller wipes
 * its copy of the raw keys.
 */
void crypto_key_expand(struct crypto_library *library, const struct suite *suite,
	const uint8_t *encryption_key, const uint8_t *integrity_key, struct crypto_key *key);
/* Overwrites it. Only when no worker uses the SA any more. */
void crypto_key_wipe(struct crypto_key *key);

/* Octets at the front of the key of anything but GCM and GMAC that a packet may read. */
static inline uint32_t crypto_key_separate_length(const struct suite *suite)
{
	switch (suite->cipher) {
	case SUITE_CIPHER_CHACHA20_POLY1305:
		return sizeof(((struct crypto_key *)0)->chacha20);
	case SUITE_CIPHER_CCM:
		return offsetof(struct crypto_key, separate.hash);
	case SUITE_CIPHER_CBC:
		return sizeof(((struct crypto_key *)0)->separate);
	default:
		return offsetof(struct crypto_key, separate.decrypt);
	}
}

/* A function that does nothing but fetch does nothing at all for gcc, which takes calls of it out.
 */
#define CRYPTO_KEY_INLINE inline __attribute__((always_inline))

/*
 * Those lines of an AES-GCM key that a packet with `length` octets of text will read: round keys
 * from the front, then as many powers of the hash key, which are stored from the back, as there are
 * blocks (and two for additional data and lengths). `key_length`: octets of the cipher's own key.
 *
 * The five that every packet reads are asked for criss-cross, which was measured to cost less than
 * in order. Why is not proved: neighbours one after another may look like a stream, whose further
 * lines the processor then fetches by itself.
 */
static CRYPTO_KEY_INLINE void crypto_key_prefetch_gcm(
	const struct crypto_key *key, uint32_t key_length, uint32_t length)
{
	const char *line = (const char *)key, *last = line + sizeof(*key) - 64;

	__builtin_prefetch(line + 128);
	__builtin_prefetch(last - 64);
	__builtin_prefetch(line);
	__builtin_prefetch(last);
	__builtin_prefetch(line + 64);
	if (key_length > 16)
		__builtin_prefetch(line + 192);
	if (length <= 80) /* the powers of the last two lines are enough */
		return;

	const char *power = line + sizeof(*key) - (size_t)(((length + 15) / 16 + 3) * 16);
	const char *round = line + (key_length > 16 ? 256 : 192);
	for (last -= 128; last + 64 > power && last >= round; last -= 64)
		__builtin_prefetch(last);
}

/*
 * Fetches the lines that a packet with `length` octets of text will read, 6 to 8 packets before its
 * turn. The engine does it within a burst; a step that knows the key earlier may do it earlier.
 */
static CRYPTO_KEY_INLINE void crypto_key_prefetch(
	const struct suite *suite, const struct crypto_key *key, uint32_t length)
{
	const char *line = (const char *)key;

	/* Or gcc drops the calls of those that this is inlined into, engine_prefetch for one. */
	__asm__ volatile("");
	if (suite->cipher == SUITE_CIPHER_GCM || suite->cipher == SUITE_CIPHER_GMAC) {
		crypto_key_prefetch_gcm(key, suite->cipher_key_length, length);
		return;
	}
	for (uint32_t at = 0; at < crypto_key_separate_length(suite); at += 64)
		__builtin_prefetch(line + at);
	__builtin_prefetch(line + sizeof(*key) - 64); /* the salt */
}

#endif
