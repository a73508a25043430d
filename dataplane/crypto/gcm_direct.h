/*
 * One AES-GCM packet in one buffer, straight to the library's call (RFC 4106): for a lane, which
 * knows all that the engine would ask first. What lies in an SA's own line is told instead of its
 * suite. The engine's worker alone.
 */
#ifndef DATAPLANE_CRYPTO_GCM_DIRECT_H
#define DATAPLANE_CRYPTO_GCM_DIRECT_H

#include "dataplane/crypto/engine_private.h"

struct gcm_direct {
	const struct crypto_key *key;
	uint8_t *esp;       /* the SPI; 8 octets of IV follow the number */
	uint64_t number;    /* with CRYPTO_ESN all of it counts */
	uint32_t length;    /* octets of text, not 0, a multiple of 4 */
	uint8_t key_length; /* octets of the cipher's own key: 16, 24, 32 */
	uint8_t icv_length; /* 8, 12, 16 */
	uint8_t flags;      /* enum crypto_flag */
};

#define GCM_DIRECT_TEXT (ESP_HEADER_LENGTH + 8) /* where the text begins */

/* Sixteen octets written at once: the library reads twelve of them in one piece, and would wait for
 * smaller stores (some 30 cycles). */
typedef uint64_t gcm_direct_block __attribute__((vector_size(16)));

/* ESP-ALG-22: all octets are looked at, in two pieces that overlap. */
static inline bool gcm_direct_equal(const uint8_t *a, const uint8_t *b, uint8_t length)
{
	uint64_t first[2], last[2];

	memcpy(&first[0], a, 8);
	memcpy(&first[1], b, 8);
	memcpy(&last[0], a + length - 8, 8);
	memcpy(&last[1], b + length - 8, 8);
	return ((first[0] ^ first[1]) | (last[0] ^ last[1])) == 0;
}

/* What is authenticated besides the text: the header as it lies there, or with the whole number. */
static inline uint8_t *gcm_direct_additional(
	const struct gcm_direct *packet, gcm_direct_block *extended, uint64_t *length)
{
	uint32_t spi, low, high = __builtin_bswap32((uint32_t)(packet->number >> 32));

	*length = ESP_HEADER_LENGTH;
	if (!(packet->flags & CRYPTO_ESN))
		return packet->esp;
	memcpy(&spi, packet->esp, sizeof(spi));
	memcpy(&low, packet->esp + sizeof(spi), sizeof(low));
	*extended = (gcm_direct_block){spi | (uint64_t)high << 32, low};
	*length += sizeof(high);
	return (uint8_t *)extended;
}

static inline gcm_direct_block gcm_direct_nonce(const struct gcm_direct *packet, uint64_t iv)
{
	uint32_t salt;

	memcpy(&salt, packet->key->salt, sizeof(salt));
	return (gcm_direct_block){salt | iv << 32, iv >> 32};
}

/* Deciphers in place; true when the packet is authentic. */
static inline bool gcm_direct_decrypt(struct crypto_engine *engine, const struct gcm_direct *packet)
{
	uint8_t *text = packet->esp + GCM_DIRECT_TEXT, *additional;
	gcm_direct_block nonce, extended;
	_Alignas(16) uint8_t tag[16];
	uint64_t iv, additional_length;

	memcpy(&iv, packet->esp + ESP_HEADER_LENGTH, sizeof(iv));
	nonce = gcm_direct_nonce(packet, iv);
	additional = gcm_direct_additional(packet, &extended, &additional_length);
	engine->gcm_decrypt[packet->key_length / 8u - 2](&packet->key->gcm, &engine->context, text,
		text, packet->length, (uint8_t *)&nonce, additional, additional_length, tag,
		packet->icv_length);
	return gcm_direct_equal(tag, text + packet->length, packet->icv_length);
}

/* Enciphers in place; the number is the IV (ESP-ALG-18), which the caller has written, and the ICV
 * follows the text. */
static inline void gcm_direct_encrypt(struct crypto_engine *engine, const struct gcm_direct *packet)
{
	uint8_t *text = packet->esp + GCM_DIRECT_TEXT, *additional;
	gcm_direct_block nonce = gcm_direct_nonce(packet, __builtin_bswap64(packet->number));
	gcm_direct_block extended;
	uint64_t additional_length;

	additional = gcm_direct_additional(packet, &extended, &additional_length);
	engine->gcm_encrypt[packet->key_length / 8u - 2](&packet->key->gcm, &engine->context, text,
		text, packet->length, (uint8_t *)&nonce, additional, additional_length,
		text + packet->length, packet->icv_length);
}

#endif
