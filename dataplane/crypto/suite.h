/*
 * The algorithms an SA may use: one const row for each combination of encryption, integrity and
 * key length (ESP-ALG). The row is found once, when the SA is made; what the packet path needs of
 * it (lengths, packet functions) never changes within an SA (ESP-FMT-19). Rows are few and hot: the
 * SA keeps a pointer or the row's index.
 */
#ifndef DATAPLANE_CRYPTO_SUITE_H
#define DATAPLANE_CRYPTO_SUITE_H

#include "lib/ipc/command.h"

#include <stdbool.h>
#include <stdint.h>

struct crypto_engine;
struct crypto_operation;

/*
 * Works on or submits `count` operations of its kind; engine.c collects what was submitted. The
 * burst goes on behind them: `ahead` operations (at least `count`) may be looked at for
 * prefetching.
 */
typedef void (*suite_burst)(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead);

enum suite_flag {
	SUITE_AEAD = 1 << 0,        /* encryption and integrity are one transform */
	SUITE_IMPLICIT_IV = 1 << 1, /* RFC 8750: one sender only, no IV on the wire */
	SUITE_COUNTER = 1 << 2,     /* reuse of a number under a key is fatal: no manual keying, no
				       restore from disk (ESP-ALG-20) */
	SUITE_AUTHENTICATION_ONLY = 1 << 3, /* text is not encrypted (NULL, GMAC) */
};

/* What to do when the key is expanded and what the packet functions pass to the library. */
enum suite_cipher {
	SUITE_CIPHER_NULL,
	SUITE_CIPHER_GCM,
	SUITE_CIPHER_GMAC,
	SUITE_CIPHER_CCM,
	SUITE_CIPHER_CHACHA20_POLY1305,
	SUITE_CIPHER_CBC,
	SUITE_CIPHER_CTR,
};

struct suite {
	suite_burst encrypt, decrypt;
	const char *name;              /* "aes-gcm-16/128", "aes-cbc/256+hmac-sha2-256-128" */
	uint8_t encryption;            /* enum sa_encryption */
	uint8_t integrity;             /* enum sa_integrity */
	uint8_t encryption_key_length; /* octets, salt included (ESP-ALG-10) */
	uint8_t integrity_key_length;  /* octets */
	uint8_t salt_length;           /* octets at the end of the encryption key: 0, 3 or 4 */
	uint8_t cipher_key_length;     /* octets of the cipher's own key: the rest */
	uint8_t iv_length;             /* octets on the wire: 0, 8 or 16 */
	uint8_t icv_length;            /* octets: 8, 12, 16, 24 or 32 */
	uint8_t alignment;             /* of payload + padding + 2: 4 or 16 (ESP-FMT-04) */
	uint8_t cipher;                /* enum suite_cipher */
	uint16_t flags;                /* enum suite_flag */
};

enum suite_error {
	SUITE_FOUND,
	SUITE_UNKNOWN_ENCRYPTION,    /* ESP-ALG-07: NOT_SUPPORTED */
	SUITE_UNKNOWN_INTEGRITY,     /* the same */
	SUITE_INTEGRITY_MISSING,     /* ESP-ALG-08 */
	SUITE_INTEGRITY_WITH_AEAD,   /* ESP-ALG-09 */
	SUITE_ENCRYPTION_KEY_LENGTH, /* ESP-ALG-10 */
	SUITE_INTEGRITY_KEY_LENGTH,  /* ESP-ALG-10 */
	SUITE_NOT_OFFERED,           /* its known answers failed at start (ESP-ALG-26) */
};

/*
 * The row for these, lengths in octets with the salt. NULL, and the reason in *error (may be NULL).
 * Any thread.
 */
const struct suite *suite_find(unsigned encryption, unsigned integrity,
	unsigned encryption_key_length, unsigned integrity_key_length, enum suite_error *error);
/* Does the library work on several of its packets side by side, the more the better (job.c)? */
static inline bool suite_is_wide(const struct suite *suite)
{
	return suite->cipher != SUITE_CIPHER_GCM && suite->cipher != SUITE_CIPHER_GMAC &&
	       suite->cipher != SUITE_CIPHER_CHACHA20_POLY1305;
}

/* For gcm_direct.h? */
static inline bool suite_is_direct(const struct suite *suite)
{
	return suite->cipher == SUITE_CIPHER_GCM && !(suite->flags & SUITE_IMPLICIT_IV);
}

/* One sentence. */
const char *suite_error_text(enum suite_error error);

/* All rows, for tests and lists. */
unsigned suite_count(void);
extern const struct suite suite_rows[]; /* suite_count() of them */
static inline const struct suite *suite_at(unsigned index)
{
	return &suite_rows[index];
}
unsigned suite_row(const struct suite *suite);
/* Takes a row out of what suite_find offers, and puts it back. Main lcore, at start. */
void suite_withdraw(unsigned index);
void suite_offer(unsigned index);

#endif
