#include "control/mip4/authenticate.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define CHAP_SPI  2 // RFC 4721 8
#define CHAP_TAIL 237

struct authenticator {
	EVP_MAC *hmac;
	EVP_MAC_CTX *contexts[ALGORITHM_HMAC_SHA256 + 1];
	EVP_MD *md5;
	EVP_MD_CTX *digest;
};

static const struct {
	const char *digest; /* NULL: not an HMAC */
	uint8_t size;
} algorithms[] = {
	[ALGORITHM_HMAC_MD5] = {"MD5", 16},
	[ALGORITHM_KEYED_MD5] = {NULL, 16},
	[ALGORITHM_HMAC_SHA1] = {"SHA1", 20},
	[ALGORITHM_HMAC_SHA256] = {"SHA256", 32},
};

uint8_t authenticate_size(enum config_algorithm algorithm)
{
	return algorithms[algorithm].size;
}

int authenticate_new(struct authenticator **out)
{
	struct authenticator *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	a->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	a->digest = EVP_MD_CTX_new();
	bool good = a->hmac && a->md5 && a->digest;
	for (unsigned i = 0; good && i <= ALGORITHM_HMAC_SHA256; i++) {
		if (!algorithms[i].digest)
			continue;
		OSSL_PARAM params[] = {
			OSSL_PARAM_construct_utf8_string(
				OSSL_MAC_PARAM_DIGEST, (char *)algorithms[i].digest, 0),
			OSSL_PARAM_construct_end(),
		};
		a->contexts[i] = EVP_MAC_CTX_new(a->hmac);
		good = a->contexts[i] && EVP_MAC_CTX_set_params(a->contexts[i], params);
	}
	if (!good) {
		authenticate_free(a);
		return -ENOTSUP;
	}
	*out = a;
	return 0;
}

void authenticate_free(struct authenticator *a)
{
	if (!a)
		return;
	for (unsigned i = 0; i <= ALGORITHM_HMAC_SHA256; i++)
		EVP_MAC_CTX_free(a->contexts[i]);
	EVP_MAC_free(a->hmac);
	EVP_MD_free(a->md5);
	EVP_MD_CTX_free(a->digest);
	free(a);
}

struct span {
	const void *data;
	size_t length;
};

static bool md5_of(struct authenticator *a, const struct span *parts, unsigned count, uint8_t *out)
{
	unsigned size = 16;

	if (!EVP_DigestInit_ex2(a->digest, a->md5, NULL))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!EVP_DigestUpdate(a->digest, parts[i].data, parts[i].length))
			return false;
	return EVP_DigestFinal_ex(a->digest, out, &size);
}

bool authenticate_make(struct authenticator *a, const struct config_security *context,
	const void *data, size_t length, uint8_t *out)
{
	const struct secret *key = &context->key;
	size_t size = authenticate_size(context->algorithm);

	if (context->algorithm == ALGORITHM_KEYED_MD5) {
		// RFC 5944 5.1, "prefix+suffix": MD5(key, data, key)
		struct span parts[] = {
			{key->bytes, key->length}, {data, length}, {key->bytes, key->length}};
		return md5_of(a, parts, 3, out);
	}
	EVP_MAC_CTX *mac = a->contexts[context->algorithm];
	return EVP_MAC_init(mac, key->bytes, key->length, NULL) &&
	       EVP_MAC_update(mac, data, length) && EVP_MAC_final(mac, out, &size, size);
}

bool authenticate_check(struct authenticator *a, const struct config_security *context,
	const void *data, size_t length, const uint8_t *have, size_t have_length)
{
	uint8_t want[AUTHENTICATOR_SIZE_MAX];

	if (have_length != authenticate_size(context->algorithm) ||
		!authenticate_make(a, context, data, length, want))
		return false;
	return secret_equal(want, have, have_length);
}

bool authenticate_check_aaa(struct authenticator *a, const struct config_security *context,
	const struct authenticate_aaa *given)
{
	uint8_t inner[16], want[16];
	static const uint8_t zero = 0;
	const uint8_t *challenge = given->challenge_length ? given->challenge : &zero;
	size_t challenge_length = given->challenge_length ? given->challenge_length : 1;

	if (context->spi != CHAP_SPI) {
		struct config_security hmac = *context;
		hmac.algorithm = ALGORITHM_HMAC_MD5;
		bool good = authenticate_check(a, &hmac, given->data, given->length,
			given->authenticator, given->authenticator_length);
		secret_wipe(&hmac, sizeof(hmac));
		return good;
	}
	size_t tail = challenge_length > CHAP_TAIL ? CHAP_TAIL : challenge_length;
	struct span preceding = {given->data, given->length};
	if (given->authenticator_length != sizeof(want) || !md5_of(a, &preceding, 1, inner))
		return false;
	struct span parts[] = {
		{challenge, 1},
		{context->key.bytes, context->key.length},
		{inner, sizeof(inner)},
		{challenge + challenge_length - tail, tail},
	};
	return md5_of(a, parts, 4, want) && secret_equal(want, given->authenticator, sizeof(want));
}

static bool valid_now(const struct config_security *s, uint64_t wall_ns)
{
	int64_t now = (int64_t)(wall_ns / CLOCK_NS_PER_S);
	return (!s->not_before || now >= s->not_before) && (!s->not_after || now < s->not_after);
}

const struct config_security *authenticate_find_any(
	const struct config_security *contexts, unsigned count, uint32_t spi, uint64_t wall_ns)
{
	for (unsigned i = 0; i < count; i++)
		if (contexts[i].spi == spi && valid_now(&contexts[i], wall_ns))
			return &contexts[i];
	return NULL;
}

const struct config_security *authenticate_find(
	const struct config_security *contexts, unsigned count, uint32_t spi, uint64_t wall_ns)
{
	return spi >= 256 ? authenticate_find_any(contexts, count, spi, wall_ns) : NULL;
}

const struct config_security *authenticate_default(
	const struct config_security *contexts, unsigned count, uint64_t wall_ns)
{
	for (unsigned i = 0; i < count; i++)
		if (contexts[i].spi >= 256 && valid_now(&contexts[i], wall_ns))
			return &contexts[i];
	return NULL;
}
