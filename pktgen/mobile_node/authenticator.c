#include "pktgen/mobile_node/authenticator.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

static const struct {
	const char *name;
	const EVP_MD *(*digest)(void);
	uint8_t size;
} algorithms[AUTHENTICATOR_ALGORITHM_COUNT] = {
	[AUTHENTICATOR_HMAC_MD5] = {"hmac-md5", EVP_md5, 16},
	[AUTHENTICATOR_HMAC_SHA1] = {"hmac-sha1", EVP_sha1, 20},
	[AUTHENTICATOR_HMAC_SHA256] = {"hmac-sha256", EVP_sha256, 32},
	[AUTHENTICATOR_KEYED_MD5] = {"keyed-md5", EVP_md5, 16},
};

int authenticator_algorithm_parse(const char *name, enum authenticator_algorithm *out)
{
	for (unsigned i = 0; i < AUTHENTICATOR_ALGORITHM_COUNT; i++) {
		if (strcmp(name, algorithms[i].name) == 0) {
			*out = (enum authenticator_algorithm)i;
			return 0;
		}
	}
	return -EINVAL;
}

uint8_t authenticator_size(enum authenticator_algorithm algorithm)
{
	return algorithms[algorithm].size;
}

static bool keyed_md5(const struct secret *key, const void *data, size_t length,
	uint8_t out[AUTHENTICATOR_SIZE_MAX])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool done = context && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 &&
		    EVP_DigestUpdate(context, key->bytes, key->length) == 1 &&
		    EVP_DigestUpdate(context, data, length) == 1 &&
		    EVP_DigestUpdate(context, key->bytes, key->length) == 1 &&
		    EVP_DigestFinal_ex(context, out, NULL) == 1;

	EVP_MD_CTX_free(context);
	return done;
}

bool authenticator_compute(enum authenticator_algorithm algorithm, const struct secret *key,
	const void *data, size_t length, uint8_t out[AUTHENTICATOR_SIZE_MAX])
{
	if (algorithm == AUTHENTICATOR_KEYED_MD5)
		return keyed_md5(key, data, length, out);
	return HMAC(algorithms[algorithm].digest(), key->bytes, key->length, data, length, out,
		       NULL) != NULL;
}
