/*
 * The authenticators of RFC 5944 3.5.1 and 5.1, computed with OpenSSL: HMAC-MD5 (the default),
 * HMAC-SHA1, HMAC-SHA-256, and MD5 in prefix+suffix mode for old home agents (HA4-AUTH-06..08).
 */
#ifndef PKTGEN_MOBILE_NODE_AUTHENTICATOR_H
#define PKTGEN_MOBILE_NODE_AUTHENTICATOR_H

#include "lib/base/secret.h"

#define AUTHENTICATOR_SIZE_MAX 32

enum authenticator_algorithm {
	AUTHENTICATOR_HMAC_MD5,
	AUTHENTICATOR_HMAC_SHA1,
	AUTHENTICATOR_HMAC_SHA256,
	AUTHENTICATOR_KEYED_MD5,
	AUTHENTICATOR_ALGORITHM_COUNT
};

/* "hmac-md5", "hmac-sha1", "hmac-sha256", "keyed-md5"; -EINVAL for anything else. */
int authenticator_algorithm_parse(const char *name, enum authenticator_algorithm *out);
uint8_t authenticator_size(enum authenticator_algorithm algorithm); /* octets */
/* Writes authenticator_size octets to `out`. False when the library refuses (MD5 switched off by
 * policy). */
bool authenticator_compute(enum authenticator_algorithm algorithm, const struct secret *key,
	const void *data, size_t length, uint8_t out[AUTHENTICATOR_SIZE_MAX]);

#endif
