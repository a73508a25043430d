#include "dataplane/crypto/engine.h"

#include "dataplane/crypto/engine_private.h"
#include "dataplane/crypto/gcm.h"
#include "dataplane/crypto/job.h"
#include "dataplane/crypto/library.h"
#include "dataplane/crypto/segment.h"

#include "lib/base/secret.h"

static void take_functions(struct crypto_engine *engine, const IMB_MGR *m)
{
	const aes_gcm_enc_dec_t encrypt[] = {m->gcm128_enc, m->gcm192_enc, m->gcm256_enc};
	const aes_gcm_enc_dec_t decrypt[] = {m->gcm128_dec, m->gcm192_dec, m->gcm256_dec};
	const aes_gcm_init_t init[] = {m->gcm128_init, m->gcm192_init, m->gcm256_init};
	const aes_gcm_enc_dec_update_t encrypt_update[] = {
		m->gcm128_enc_update, m->gcm192_enc_update, m->gcm256_enc_update};
	const aes_gcm_enc_dec_update_t decrypt_update[] = {
		m->gcm128_dec_update, m->gcm192_dec_update, m->gcm256_dec_update};
	const aes_gcm_enc_dec_finalize_t encrypt_finalize[] = {
		m->gcm128_enc_finalize, m->gcm192_enc_finalize, m->gcm256_enc_finalize};
	const aes_gcm_enc_dec_finalize_t decrypt_finalize[] = {
		m->gcm128_dec_finalize, m->gcm192_dec_finalize, m->gcm256_dec_finalize};
	const aes_gmac_init_t gmac_init[] = {m->gmac128_init, m->gmac192_init, m->gmac256_init};
	const aes_gmac_update_t gmac_update[] = {
		m->gmac128_update, m->gmac192_update, m->gmac256_update};
	const aes_gmac_finalize_t gmac_finalize[] = {
		m->gmac128_finalize, m->gmac192_finalize, m->gmac256_finalize};

	memcpy(engine->gcm_encrypt, encrypt, sizeof(encrypt));
	memcpy(engine->gcm_decrypt, decrypt, sizeof(decrypt));
	memcpy(engine->gcm_init, init, sizeof(init));
	memcpy(engine->gcm_encrypt_update, encrypt_update, sizeof(encrypt_update));
	memcpy(engine->gcm_decrypt_update, decrypt_update, sizeof(decrypt_update));
	memcpy(engine->gcm_encrypt_finalize, encrypt_finalize, sizeof(encrypt_finalize));
	memcpy(engine->gcm_decrypt_finalize, decrypt_finalize, sizeof(decrypt_finalize));
	memcpy(engine->gmac_init, gmac_init, sizeof(gmac_init));
	memcpy(engine->gmac_update, gmac_update, sizeof(gmac_update));
	memcpy(engine->gmac_finalize, gmac_finalize, sizeof(gmac_finalize));
}

/* Not in core dumps: the key of the IVs, nonces, text of chained packets (ESP-ALG-25). */
struct crypto_engine *crypto_engine_new(struct crypto_library *library)
{
	struct crypto_engine *engine = secret_alloc(sizeof(*engine));

	if (!engine)
		return NULL;
	engine->manager = crypto_library_manager(library);
	take_functions(engine, engine->manager);
	if (!cbc_iv_init(&engine->cbc_iv, engine->manager)) {
		crypto_engine_free(engine);
		return NULL;
	}
	return engine;
}

void crypto_engine_free(struct crypto_engine *engine)
{
	secret_free(engine, sizeof(*engine));
}

/* What the library would not forgive: no text, or text that does not end where a block does. */
static bool length_sound(const struct crypto_operation *operation)
{
	uint32_t length = operation->length;

	if (length == 0 || length & (operation->suite->alignment - 1u))
		return false;
	return operation->segment_count == 0 ||
	       segment_total(operation) == (uint64_t)length +
						   esp_codec_text_offset(operation->suite) +
						   operation->suite->icv_length;
}

/* A packet in several buffers: AES-GCM takes them as they are, everything else works on a copy. */
static void run_segments(
	struct crypto_engine *engine, struct crypto_operation *operation, bool encrypt)
{
	struct crypto_operation copy = *operation;
	uint32_t length = esp_codec_text_offset(operation->suite) + operation->length +
			  operation->suite->icv_length;

	if (operation->suite->cipher == SUITE_CIPHER_GCM) {
		if (encrypt)
			gcm_encrypt_segments(engine, operation);
		else
			gcm_decrypt_segments(engine, operation);
		return;
	}
	if (length > sizeof(engine->bounce)) {
		operation->status = CRYPTO_FAILED;
		return;
	}
	segment_gather(operation, 0, engine->bounce, length);
	copy.esp = engine->bounce;
	copy.segment_count = 0;
	(encrypt ? copy.suite->encrypt : copy.suite->decrypt)(engine, &copy, 1, 1);
	job_flush(engine, encrypt);
	segment_scatter(operation, 0, engine->bounce, length);
	operation->status = copy.status;
}

/* Runs of operations with the same packet function go to it together. */
static void run_chunk(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, bool encrypt)
{
	unsigned from, to;

	for (unsigned i = 0; i < count && i < ENGINE_AHEAD; i++)
		engine_prefetch(operations, i, count);
	for (unsigned i = 0; i < count; i++)
		operations[i].status = length_sound(&operations[i]) ? CRYPTO_DONE : CRYPTO_FAILED;
	for (from = 0; from < count; from = to) {
		const struct suite *suite = operations[from].suite;
		suite_burst run = encrypt ? suite->encrypt : suite->decrypt;

		to = from + 1;
		if (operations[from].segment_count) {
			if (operations[from].status == CRYPTO_DONE)
				run_segments(engine, &operations[from], encrypt);
			continue;
		}
		while (to < count && !operations[to].segment_count &&
			(operations[to].suite == suite ||
				run == (encrypt ? operations[to].suite->encrypt
						: operations[to].suite->decrypt)))
			to++;
		run(engine, operations + from, to - from, count - from);
	}
	job_flush(engine, encrypt);
}

void crypto_engine_encrypt_burst(
	struct crypto_engine *engine, struct crypto_operation *operations, unsigned count)
{
	for (; count > ENGINE_CHUNK; count -= ENGINE_CHUNK, operations += ENGINE_CHUNK)
		run_chunk(engine, operations, ENGINE_CHUNK, true);
	run_chunk(engine, operations, count, true);
}

void crypto_engine_decrypt_burst(
	struct crypto_engine *engine, struct crypto_operation *operations, unsigned count)
{
	for (; count > ENGINE_CHUNK; count -= ENGINE_CHUNK, operations += ENGINE_CHUNK)
		run_chunk(engine, operations, ENGINE_CHUNK, false);
	run_chunk(engine, operations, count, false);
}
