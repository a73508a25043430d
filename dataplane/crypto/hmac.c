#include "dataplane/crypto/hmac.h"

#include "dataplane/crypto/job_fill.h"

bool hmac_has(const struct suite *suite)
{
	switch (suite->integrity) {
	case SA_INTEGRITY_HMAC_SHA1_96:
	case SA_INTEGRITY_HMAC_SHA2_256_128:
	case SA_INTEGRITY_HMAC_SHA2_384_192:
	case SA_INTEGRITY_HMAC_SHA2_512_256:
		return true;
	default: /* the library hashes no others in bursts */
		return false;
	}
}

/* False when the library did not do all of them. */
static bool cipher_all(
	struct crypto_engine *engine, const struct suite *suite, unsigned count, bool encrypt)
{
	IMB_MGR *manager = engine->manager;

	if (suite->cipher == SUITE_CIPHER_NULL || count == 0)
		return true;
	return manager->submit_cipher_burst_nocheck(manager, engine->jobs, count,
		       engine->jobs[0].cipher_mode, encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT,
		       suite->cipher_key_length) == count;
}

static bool hash_all(struct crypto_engine *engine, unsigned count)
{
	IMB_MGR *manager = engine->manager;

	return manager->submit_hash_burst_nocheck(
		       manager, engine->jobs, count, engine->jobs[0].hash_alg) == count;
}

static void encrypt_all(struct crypto_engine *engine, const struct suite *suite, unsigned count)
{
	if (!cipher_all(engine, suite, count, true) || !hash_all(engine, count))
		return;
	for (unsigned i = 0; i < count; i++) {
		struct crypto_operation *operation = engine->jobs[i].user_data;
		engine_icv_copy(engine_text(operation) + operation->length,
			engine->slots[i].computed, suite->icv_length);
		operation->status = CRYPTO_DONE;
	}
}

/* Only the authentic ones are left for the cipher (ESP-ALG-17, RFC 4303 3.4.4.1). */
static void decrypt_all(struct crypto_engine *engine, const struct suite *suite, unsigned count)
{
	unsigned kept = 0;

	if (!hash_all(engine, count))
		return;
	for (unsigned i = 0; i < count; i++) {
		struct crypto_operation *operation = engine->jobs[i].user_data;
		const struct engine_slot *slot = &engine->slots[i];

		if (engine_icv_status(slot->computed, slot->received, suite->icv_length) !=
			CRYPTO_DONE) {
			operation->status = CRYPTO_BAD_ICV;
			continue;
		}
		if (kept != i)
			engine->jobs[kept] = engine->jobs[i];
		kept++;
	}
	if (!cipher_all(engine, suite, kept, false))
		return;
	for (unsigned i = 0; i < kept; i++)
		((struct crypto_operation *)engine->jobs[i].user_data)->status = CRYPTO_DONE;
}

void hmac_burst(struct crypto_engine *engine, struct crypto_operation *const *operations,
	unsigned count, bool encrypt)
{
	for (unsigned i = 0; i < count; i++)
		job_fill(engine, operations[i], &engine->slots[i], &engine->jobs[i], encrypt);
	(encrypt ? encrypt_all : decrypt_all)(engine, operations[0]->suite, count);
}
