#include "dataplane/crypto/key.h"

#include "dataplane/crypto/library.h"

#include "lib/base/secret.h"

#include <stddef.h>
#include <string.h>

static_assert(offsetof(struct crypto_key, salt) >= sizeof(struct gcm_key_data),
	"the salt lies behind the schedule");

static void expand_aes(
	IMB_MGR *manager, unsigned length, const uint8_t *raw, void *encrypt, void *decrypt)
{
	if (length == 16)
		IMB_AES_KEYEXP_128(manager, raw, encrypt, decrypt);
	else if (length == 24)
		IMB_AES_KEYEXP_192(manager, raw, encrypt, decrypt);
	else
		IMB_AES_KEYEXP_256(manager, raw, encrypt, decrypt);
}

static void expand_gcm(
	IMB_MGR *manager, unsigned length, const uint8_t *raw, struct gcm_key_data *gcm)
{
	if (length == 16)
		IMB_AES128_GCM_PRE(manager, raw, gcm);
	else if (length == 24)
		IMB_AES192_GCM_PRE(manager, raw, gcm);
	else
		IMB_AES256_GCM_PRE(manager, raw, gcm);
}

/* RFC 2104: the state of the hash after one block of the key and a constant. Keys of ESP are never
 * longer than a block. */
static void expand_hmac(IMB_MGR *manager, const struct suite *suite, const uint8_t *raw,
	uint8_t constant, uint8_t *state)
{
	_Alignas(16) uint8_t block[IMB_SHA_512_BLOCK_SIZE];

	memset(block, constant, sizeof(block));
	for (unsigned i = 0; i < suite->integrity_key_length; i++)
		block[i] ^= raw[i];
	switch (suite->integrity) {
	case SA_INTEGRITY_HMAC_SHA1_96:
		IMB_SHA1_ONE_BLOCK(manager, block, state);
		break;
	case SA_INTEGRITY_HMAC_SHA2_256_128:
		IMB_SHA256_ONE_BLOCK(manager, block, state);
		break;
	case SA_INTEGRITY_HMAC_SHA2_384_192:
		IMB_SHA384_ONE_BLOCK(manager, block, state);
		break;
	default:
		IMB_SHA512_ONE_BLOCK(manager, block, state);
		break;
	}
	secret_wipe(block, sizeof(block));
}

static void expand_hash(
	IMB_MGR *manager, const struct suite *suite, const uint8_t *raw, struct key_hash *hash)
{
	_Alignas(16) uint32_t unused[60];

	switch (suite->integrity) {
	case SA_INTEGRITY_NONE:
		return;
	case SA_INTEGRITY_AES_XCBC_96:
		IMB_AES_XCBC_KEYEXP(
			manager, raw, hash->aes.expanded, hash->aes.second, hash->aes.third);
		return;
	case SA_INTEGRITY_AES_CMAC_96:
		IMB_AES_KEYEXP_128(manager, raw, hash->aes.expanded, unused);
		IMB_AES_CMAC_SUBKEY_GEN_128(
			manager, hash->aes.expanded, hash->aes.second, hash->aes.third);
		secret_wipe(unused, sizeof(unused));
		return;
	default:
		expand_hmac(manager, suite, raw, 0x36, hash->hmac.inner);
		expand_hmac(manager, suite, raw, 0x5c, hash->hmac.outer);
		return;
	}
}

void crypto_key_expand(struct crypto_library *library, const struct suite *suite,
	const uint8_t *encryption_key, const uint8_t *integrity_key, struct crypto_key *key)
{
	IMB_MGR *manager = crypto_library_manager(library);
	unsigned length = suite->cipher_key_length;

	memset(key, 0, sizeof(*key));
	switch (suite->cipher) {
	case SUITE_CIPHER_GCM:
	case SUITE_CIPHER_GMAC:
		expand_gcm(manager, length, encryption_key, &key->gcm);
		break;
	case SUITE_CIPHER_CHACHA20_POLY1305:
		memcpy(key->chacha20, encryption_key, sizeof(key->chacha20));
		break;
	case SUITE_CIPHER_NULL:
		break;
	default:
		expand_aes(manager, length, encryption_key, key->separate.encrypt,
			key->separate.decrypt);
		break;
	}
	if (suite->salt_length)
		memcpy(key->salt, encryption_key + length, suite->salt_length);
	expand_hash(manager, suite, integrity_key, &key->separate.hash);
}

void crypto_key_wipe(struct crypto_key *key)
{
	secret_wipe(key, sizeof(*key));
}
