/*
 * The engine's inside, shared by engine.c, gcm.c, hmac.c, job.c and job_fill.c.
 */
#ifndef DATAPLANE_CRYPTO_ENGINE_PRIVATE_H
#define DATAPLANE_CRYPTO_ENGINE_PRIVATE_H

#include "dataplane/crypto/cbc_iv.h"
#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"

#include <string.h>

/* Operations at once: no more than this ever wait for the library. */
#define ENGINE_CHUNK 64
/* Packets between the request for a key's lines and their use: 6 to 8 is best by measurement, less
 * comes too late, more than 16 gains nothing. */
#define ENGINE_AHEAD   8
#define ENGINE_ICV_MAX 32
/* The longest ESP packet: an IP packet's 65,535 octets, and room for the high half behind it. */
#define ENGINE_BOUNCE_SIZE 65600

enum { ENGINE_KEY_128, ENGINE_KEY_192, ENGINE_KEY_256, ENGINE_KEY_SIZES };

/* 16 octets that are written at once: the library reads 12 of them in one piece, and would wait for
 * several smaller stores (30 cycles). */
typedef uint64_t engine_block __attribute__((vector_size(16), aligned(1)));

/* What a job refers to until it is done. */
struct engine_slot {
	_Alignas(64) uint8_t nonce[16];
	uint8_t additional[16];
	uint8_t received[ENGINE_ICV_MAX]; /* ICV of the packet, for decryption */
	uint8_t computed[64];             /* the library's */
};

struct crypto_engine {
	IMB_MGR *manager;
	aes_gcm_enc_dec_t gcm_encrypt[ENGINE_KEY_SIZES], gcm_decrypt[ENGINE_KEY_SIZES];
	aes_gcm_init_t gcm_init[ENGINE_KEY_SIZES];
	aes_gcm_enc_dec_update_t gcm_encrypt_update[ENGINE_KEY_SIZES],
		gcm_decrypt_update[ENGINE_KEY_SIZES];
	aes_gcm_enc_dec_finalize_t gcm_encrypt_finalize[ENGINE_KEY_SIZES],
		gcm_decrypt_finalize[ENGINE_KEY_SIZES];
	aes_gmac_init_t gmac_init[ENGINE_KEY_SIZES];
	aes_gmac_update_t gmac_update[ENGINE_KEY_SIZES];
	aes_gmac_finalize_t gmac_finalize[ENGINE_KEY_SIZES];
	struct gcm_context_data context;
	struct cbc_iv cbc_iv;
	unsigned waiting_count; /* job.c */
	struct crypto_operation *waiting[ENGINE_CHUNK];
	struct engine_slot slots[ENGINE_CHUNK];
	IMB_JOB jobs[ENGINE_CHUNK]; /* hmac.c */
	uint8_t bounce[ENGINE_BOUNCE_SIZE];
};

static inline unsigned engine_key_index(const struct suite *suite)
{
	return suite->cipher_key_length / 8u - 2;
}

static inline uint8_t *engine_text(const struct crypto_operation *operation)
{
	return operation->esp + esp_codec_text_offset(operation->suite);
}

/* The number in the order of the wire; without ESN the high half is zero, whatever the caller says.
 */
static inline uint64_t engine_sequence(const struct crypto_operation *operation)
{
	return __builtin_bswap64(operation->flags & CRYPTO_ESN ? operation->sequence
							       : (uint32_t)operation->sequence);
}

/*
 * The eight octets of a counter based IV (ESP-ALG-18): the number when it is sent, or when it is
 * implicit (RFC 8750); taken from the packet when it is received.
 */
static inline uint64_t engine_counter_iv(const struct crypto_operation *operation, bool encrypt)
{
	const uint8_t *at = operation->esp + ESP_HEADER_LENGTH;
	uint64_t iv;

	if (operation->suite->flags & SUITE_IMPLICIT_IV)
		return engine_sequence(operation);
	if (encrypt && !(operation->flags & CRYPTO_IV_GIVEN))
		return engine_sequence(operation);
	memcpy(&iv, at, sizeof(iv));
	return iv;
}

/* Writes it where it has to be written. */
static inline void engine_counter_iv_write(const struct crypto_operation *operation)
{
	uint64_t iv = engine_sequence(operation);

	if (!(operation->suite->flags & SUITE_IMPLICIT_IV) && !(operation->flags & CRYPTO_IV_GIVEN))
		memcpy(operation->esp + ESP_HEADER_LENGTH, &iv, sizeof(iv));
}

/* SPI and whole number, or SPI and low half: what AEADs authenticate besides the text (ESP-ALG-14).
 * `buffer` is for ESN, 12 octets of 16. */
static inline const uint8_t *engine_additional(
	const struct crypto_operation *operation, uint8_t *buffer, uint64_t *length)
{
	uint32_t high = __builtin_bswap32((uint32_t)(operation->sequence >> 32));
	uint32_t spi, low;

	if (!(operation->flags & CRYPTO_ESN)) {
		*length = 8;
		return operation->esp;
	}
	memcpy(&spi, operation->esp, sizeof(spi));
	memcpy(&low, operation->esp + sizeof(spi), sizeof(low));
	*(engine_block *)buffer = (engine_block){spi | (uint64_t)high << 32, low};
	*length = 12;
	return buffer;
}

/* An ICV is 8 to 32 octets long: the first and the last eight, which may overlap, and of the long
 * ones the sixteen behind the first. */
static inline void engine_icv_copy(uint8_t *to, const uint8_t *from, uint32_t length)
{
	uint64_t words[4];

	memcpy(&words[0], from, 8);
	memcpy(&words[1], from + length - 8, 8);
	if (length > 16) {
		memcpy(&words[2], from + 8, 16);
		memcpy(to + 8, &words[2], 16);
	}
	memcpy(to, &words[0], 8);
	memcpy(to + length - 8, &words[1], 8);
}

/* ESP-ALG-22: over all octets, whatever they are. */
static inline uint8_t engine_icv_status(
	const uint8_t *computed, const uint8_t *received, uint32_t length)
{
	uint64_t a[4] = {0}, b[4] = {0}, difference;

	memcpy(&a[0], computed, 8);
	memcpy(&b[0], received, 8);
	memcpy(&a[1], computed + length - 8, 8);
	memcpy(&b[1], received + length - 8, 8);
	if (length > 16) {
		memcpy(&a[2], computed + 8, 16);
		memcpy(&b[2], received + 8, 16);
	}
	difference = (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]);
	__asm__("" : "+r"(difference)); /* the compiler may not leave early */
	return difference ? CRYPTO_BAD_ICV : CRYPTO_DONE;
}

/* Asks for the key of a later operation, unless it is the one of the operation before. */
static inline void engine_prefetch(
	const struct crypto_operation *operations, unsigned index, unsigned ahead)
{
	const struct crypto_operation *next = &operations[index];

	if (index < ahead && (index == 0 || next->key != next[-1].key))
		crypto_key_prefetch(next->suite, next->key, next->length);
}

#endif
