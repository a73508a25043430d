/*
 * Authenticators (RFC 5944 3.5, 5.1; RFC 4721 5; HA4-AUTH). Algorithms are fetched from OpenSSL
 * once. A comparison is constant-time and of the algorithm's whole output, never of a prefix
 * (HA4-AUTH-09). Loop thread alone: the library's contexts are used again and again.
 */
#ifndef CONTROL_MIP4_AUTHENTICATE_H
#define CONTROL_MIP4_AUTHENTICATE_H

#include "config/config.h"
#include "lib/base/clock.h"
#include "lib/wire/mip4.h"

#define AUTHENTICATOR_SIZE_MAX 32

struct authenticator;

/* 0, -ENOMEM, or -ENOTSUP when the library lacks one of the algorithms. */
int authenticate_new(struct authenticator **out);
void authenticate_free(struct authenticator *a);

/* Octets of output: 16, 20 or 32. */
uint8_t authenticate_size(enum config_algorithm algorithm);
/* out: authenticate_size octets. False only when the library fails. */
bool authenticate_make(struct authenticator *a, const struct config_security *context,
	const void *data, size_t length, uint8_t *out);
bool authenticate_check(struct authenticator *a, const struct config_security *context,
	const void *data, size_t length, const uint8_t *have, size_t have_length);
/* Mobile-AAA, 36/1 (RFC 4721 5, 8), as it came. */
struct authenticate_aaa {
	const void *data; /* up to and including the extension's SPI */
	size_t length;
	const uint8_t *challenge; /* length 0 when there was none: then one zero octet counts */
	size_t challenge_length;
	const uint8_t *authenticator;
	size_t authenticator_length;
};

/* SPI 2 is the CHAP form with the challenge, any other HMAC-MD5. */
bool authenticate_check_aaa(struct authenticator *a, const struct config_security *context,
	const struct authenticate_aaa *given);

/* The context of an SPI, valid now (HA4-AUTH-23); SPI 0..255 never (HA4-AUTH-02). NULL when not
 * held. */
const struct config_security *authenticate_find(
	const struct config_security *contexts, unsigned count, uint32_t spi, uint64_t wall_ns);
/* The same with any SPI: for 36/1, where 2 stands for CHAP. */
const struct config_security *authenticate_find_any(
	const struct config_security *contexts, unsigned count, uint32_t spi, uint64_t wall_ns);
/* The default context: the first that is valid now. */
const struct config_security *authenticate_default(
	const struct config_security *contexts, unsigned count, uint64_t wall_ns);

#endif
