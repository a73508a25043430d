#include "dataplane/crypto/job_fill.h"

static IMB_HASH_ALG hash_of(const struct suite *suite)
{
	switch (suite->integrity) {
	case SA_INTEGRITY_HMAC_SHA1_96:
		return IMB_AUTH_HMAC_SHA_1;
	case SA_INTEGRITY_HMAC_SHA2_256_128:
		return IMB_AUTH_HMAC_SHA_256;
	case SA_INTEGRITY_HMAC_SHA2_384_192:
		return IMB_AUTH_HMAC_SHA_384;
	case SA_INTEGRITY_HMAC_SHA2_512_256:
		return IMB_AUTH_HMAC_SHA_512;
	case SA_INTEGRITY_AES_XCBC_96:
		return IMB_AUTH_AES_XCBC;
	default:
		return IMB_AUTH_AES_CMAC;
	}
}

static void set_hash_key(IMB_JOB *job, const struct suite *suite, const struct key_hash *hash)
{
	switch (suite->integrity) {
	case SA_INTEGRITY_AES_XCBC_96:
		job->u.XCBC._k1_expanded = hash->aes.expanded;
		job->u.XCBC._k2 = hash->aes.second;
		job->u.XCBC._k3 = hash->aes.third;
		break;
	case SA_INTEGRITY_AES_CMAC_96:
		job->u.CMAC._key_expanded = hash->aes.expanded;
		job->u.CMAC._skey1 = hash->aes.second;
		job->u.CMAC._skey2 = hash->aes.third;
		break;
	default:
		job->u.HMAC._hashed_auth_key_xor_ipad = hash->hmac.inner;
		job->u.HMAC._hashed_auth_key_xor_opad = hash->hmac.outer;
		break;
	}
}

/* Cipher and key, and the nonce or IV that it wants. */
static void set_cipher(struct crypto_engine *engine, struct crypto_operation *operation,
	struct engine_slot *slot, IMB_JOB *job, bool encrypt)
{
	static const uint8_t first_block[4] = {0, 0, 0, 1};
	const struct crypto_key *key = operation->key;
	uint64_t iv;

	job->enc_keys = key->separate.encrypt;
	job->dec_keys = key->separate.decrypt;
	job->iv = slot->nonce;
	switch (operation->suite->cipher) {
	case SUITE_CIPHER_NULL:
		job->cipher_mode = IMB_CIPHER_NULL;
		return;
	case SUITE_CIPHER_CBC:
		job->cipher_mode = IMB_CIPHER_CBC;
		job->iv = operation->esp + ESP_HEADER_LENGTH;
		job->iv_len_in_bytes = CBC_IV_LENGTH;
		if (encrypt && !(operation->flags & CRYPTO_IV_GIVEN))
			cbc_iv_take(&engine->cbc_iv, operation->esp + ESP_HEADER_LENGTH);
		return;
	case SUITE_CIPHER_CTR: /* ESP-ALG-13 */
		job->cipher_mode = IMB_CIPHER_CNTR;
		job->dec_keys = job->enc_keys;
		job->iv_len_in_bytes = 16;
		memcpy(slot->nonce + 12, first_block, sizeof(first_block));
		break;
	case SUITE_CIPHER_CCM: /* ESP-ALG-12 */
		job->cipher_mode = IMB_CIPHER_CCM;
		job->dec_keys = job->enc_keys;
		job->iv_len_in_bytes = 11;
		break;
	default:
		job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
		job->enc_keys = job->dec_keys = key->chacha20;
		job->iv_len_in_bytes = 12;
		break;
	}
	iv = engine_counter_iv(operation, encrypt);
	if (encrypt)
		engine_counter_iv_write(operation);
	/* of AES-CCM's salt, one octet less, the last is written over */
	memcpy(slot->nonce, key->salt, sizeof(key->salt));
	memcpy(slot->nonce + operation->suite->salt_length, &iv, sizeof(iv));
}

static void set_aead(
	const struct crypto_operation *operation, struct engine_slot *slot, IMB_JOB *job)
{
	uint64_t length;
	const uint8_t *additional = engine_additional(operation, slot->additional, &length);

	job->hash_start_src_offset_in_bytes = job->cipher_start_src_offset_in_bytes;
	job->msg_len_to_hash_in_bytes = operation->length;
	if (operation->suite->cipher == SUITE_CIPHER_CCM) { /* the ICV is made of the plain text */
		job->chain_order = job->cipher_direction == IMB_DIR_ENCRYPT ? IMB_ORDER_HASH_CIPHER
									    : IMB_ORDER_CIPHER_HASH;
		job->hash_alg = IMB_AUTH_AES_CCM;
		job->u.CCM.aad = additional;
		job->u.CCM.aad_len_in_bytes = length;
	} else {
		job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
		job->u.CHACHA20_POLY1305.aad = additional;
		job->u.CHACHA20_POLY1305.aad_len_in_bytes = length;
	}
}

/* ESP-ALG-16, 17: over SPI, number, IV and text; with ESN the high half of the number lies behind
 * the text, in the place of the ICV, while the library works. */
static void set_separate(const struct crypto_operation *operation, IMB_JOB *job)
{
	const struct suite *suite = operation->suite;
	uint8_t *icv = engine_text(operation) + operation->length;

	job->hash_alg = hash_of(suite);
	set_hash_key(job, suite, &operation->key->separate.hash);
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = (uint64_t)(icv - operation->esp);
	if (suite->cipher == SUITE_CIPHER_NULL)
		job->msg_len_to_cipher_in_bytes = 0;
	if (operation->flags & CRYPTO_ESN) {
		uint32_t high = __builtin_bswap32((uint32_t)(operation->sequence >> 32));
		memcpy(icv, &high, sizeof(high));
		job->msg_len_to_hash_in_bytes += sizeof(high);
	}
}

void job_fill(struct crypto_engine *engine, struct crypto_operation *operation,
	struct engine_slot *slot, IMB_JOB *job, bool encrypt)
{
	const struct suite *suite = operation->suite;

	job->cipher_direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	job->chain_order = encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	job->key_len_in_bytes = suite->cipher_key_length;
	job->src = operation->esp;
	job->dst = engine_text(operation);
	job->cipher_start_src_offset_in_bytes = esp_codec_text_offset(suite);
	job->msg_len_to_cipher_in_bytes = operation->length;
	job->auth_tag_output = slot->computed;
	job->auth_tag_output_len_in_bytes = suite->icv_length;
	job->user_data = operation;
	job->user_data2 = slot;
	set_cipher(engine, operation, slot, job, encrypt);
	if (!encrypt)
		engine_icv_copy(slot->received, job->dst + operation->length, suite->icv_length);
	if (suite->flags & SUITE_AEAD)
		set_aead(operation, slot, job);
	else
		set_separate(operation, job);
}
