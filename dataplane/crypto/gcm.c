#include "dataplane/crypto/gcm.h"

#include "dataplane/crypto/engine_private.h"
#include "dataplane/crypto/segment.h"

/* Salt and IV (ESP-ALG-11). */
static inline void make_nonce(
	const struct crypto_operation *operation, bool encrypt, uint8_t nonce[16])
{
	uint64_t iv = engine_counter_iv(operation, encrypt);
	uint32_t salt;

	memcpy(&salt, operation->key->salt, sizeof(salt));
	*(engine_block *)nonce = (engine_block){salt | iv << 32, iv >> 32};
}

static inline void cipher_one(
	struct crypto_engine *engine, struct crypto_operation *operation, bool encrypt)
{
	const struct suite *suite = operation->suite;
	unsigned key = engine_key_index(suite);
	uint8_t nonce[16], buffer[16], tag[ENGINE_ICV_MAX];
	uint8_t *text = engine_text(operation), *icv = text + operation->length;
	uint64_t additional_length;
	const uint8_t *additional = engine_additional(operation, buffer, &additional_length);

	make_nonce(operation, encrypt, nonce);
	if (encrypt) {
		engine->gcm_encrypt[key](&operation->key->gcm, &engine->context, text, text,
			operation->length, nonce, additional, additional_length, icv,
			suite->icv_length);
		operation->status = CRYPTO_DONE;
	} else {
		engine->gcm_decrypt[key](&operation->key->gcm, &engine->context, text, text,
			operation->length, nonce, additional, additional_length, tag,
			suite->icv_length);
		operation->status = engine_icv_status(tag, icv, suite->icv_length);
	}
}

static inline void cipher_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead, bool encrypt)
{
	/* Before all calls: they read header and IV in one piece, see engine_block. */
	for (unsigned i = 0; encrypt && i < count; i++)
		if (operations[i].status == CRYPTO_DONE)
			engine_counter_iv_write(&operations[i]);
	for (unsigned i = 0; i < count; i++) {
		engine_prefetch(operations, i + ENGINE_AHEAD, ahead);
		if (operations[i].status == CRYPTO_DONE)
			cipher_one(engine, &operations[i], encrypt);
	}
}

void gcm_encrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead)
{
	cipher_burst(engine, operations, count, ahead, true);
}

void gcm_decrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead)
{
	cipher_burst(engine, operations, count, ahead, false);
}

/* With ESN the whole number goes before the IV, which is not as the packet has it. */
static void gmac_extended(struct crypto_engine *engine, const struct crypto_operation *operation,
	const uint8_t *nonce, const uint8_t *end, uint8_t *tag)
{
	const struct gcm_key_data *schedule = &operation->key->gcm;
	const uint8_t *rest = operation->esp + ESP_HEADER_LENGTH;
	unsigned key = engine_key_index(operation->suite);
	uint8_t buffer[16];
	uint64_t length;
	const uint8_t *additional = engine_additional(operation, buffer, &length);

	engine->gmac_init[key](schedule, &engine->context, nonce, 12);
	engine->gmac_update[key](schedule, &engine->context, additional, length);
	engine->gmac_update[key](schedule, &engine->context, rest, (uint64_t)(end - rest));
	engine->gmac_finalize[key](schedule, &engine->context, tag, operation->suite->icv_length);
}

/* ESP-ALG-15: all is additional data: SPI, whole number, the IV although RFC 4543's figures 2 and 3
 * leave it out, and the text. Without ESN that is the packet as it lies there: one call of AES-GCM
 * for a text of no octets. */
static inline void gmac_one(
	struct crypto_engine *engine, struct crypto_operation *operation, bool encrypt)
{
	const struct suite *suite = operation->suite;
	uint8_t nonce[16], computed[ENGINE_ICV_MAX];
	uint8_t *icv = engine_text(operation) + operation->length;
	uint8_t *tag = encrypt ? icv : computed;

	if (encrypt)
		engine_counter_iv_write(operation);
	make_nonce(operation, encrypt, nonce);
	if (operation->flags & CRYPTO_ESN)
		gmac_extended(engine, operation, nonce, icv, tag);
	else
		engine->gcm_encrypt[engine_key_index(suite)](&operation->key->gcm, &engine->context,
			icv, icv, 0, nonce, operation->esp, (uint64_t)(icv - operation->esp), tag,
			suite->icv_length);
	operation->status = encrypt ? CRYPTO_DONE : engine_icv_status(tag, icv, suite->icv_length);
}

static inline void gmac_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead, bool encrypt)
{
	for (unsigned i = 0; i < count; i++) {
		engine_prefetch(operations, i + ENGINE_AHEAD, ahead);
		if (operations[i].status == CRYPTO_DONE)
			gmac_one(engine, &operations[i], encrypt);
	}
}

void gcm_gmac_encrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead)
{
	gmac_burst(engine, operations, count, ahead, true);
}

void gcm_gmac_decrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead)
{
	gmac_burst(engine, operations, count, ahead, false);
}

static void start_segments(
	struct crypto_engine *engine, const struct crypto_operation *operation, bool encrypt)
{
	uint8_t nonce[16], buffer[16];
	uint64_t length;
	const uint8_t *additional = engine_additional(operation, buffer, &length);

	if (encrypt)
		engine_counter_iv_write(operation);
	make_nonce(operation, encrypt, nonce);
	engine->gcm_init[engine_key_index(operation->suite)](
		&operation->key->gcm, &engine->context, nonce, additional, length);
}

static void update_segments(struct crypto_engine *engine, const struct crypto_operation *operation,
	aes_gcm_enc_dec_update_t update)
{
	struct segment_cursor cursor;
	uint32_t left = operation->length, part;
	uint8_t *at;

	segment_seek(&cursor, operation, esp_codec_text_offset(operation->suite));
	while ((at = segment_next(&cursor, left, &part))) {
		update(&operation->key->gcm, &engine->context, at, at, part);
		left -= part;
	}
}

void gcm_encrypt_segments(struct crypto_engine *engine, struct crypto_operation *operation)
{
	const struct suite *suite = operation->suite;
	unsigned key = engine_key_index(suite);
	uint8_t tag[16];

	start_segments(engine, operation, true);
	update_segments(engine, operation, engine->gcm_encrypt_update[key]);
	engine->gcm_encrypt_finalize[key](
		&operation->key->gcm, &engine->context, tag, suite->icv_length);
	segment_scatter(operation, esp_codec_text_offset(suite) + operation->length, tag,
		suite->icv_length);
	operation->status = CRYPTO_DONE;
}

void gcm_decrypt_segments(struct crypto_engine *engine, struct crypto_operation *operation)
{
	const struct suite *suite = operation->suite;
	unsigned key = engine_key_index(suite);
	uint8_t tag[ENGINE_ICV_MAX], icv[ENGINE_ICV_MAX];

	segment_gather(operation, esp_codec_text_offset(suite) + operation->length, icv,
		suite->icv_length);
	start_segments(engine, operation, false);
	update_segments(engine, operation, engine->gcm_decrypt_update[key]);
	engine->gcm_decrypt_finalize[key](
		&operation->key->gcm, &engine->context, tag, suite->icv_length);
	operation->status = engine_icv_status(tag, icv, suite->icv_length);
}
