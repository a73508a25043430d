#include "dataplane/crypto/suite.h"

#include "dataplane/crypto/gcm.h"
#include "dataplane/crypto/job.h"

#include <stddef.h>

#define COUNTER_AEAD (SUITE_AEAD | SUITE_COUNTER)

/* Rows are written by these, one a line: the key in bits, then what differs. */
#define ROW_AEAD(kind, call, text, id, bits, salt, iv, icv, more)                                  \
	{                                                                                          \
		.encrypt = call##_encrypt_burst, .decrypt = call##_decrypt_burst,                  \
		.name = text "/" #bits, .encryption = SA_ENCRYPTION_##id,                          \
		.encryption_key_length = (bits) / 8 + (salt), .salt_length = (salt),               \
		.cipher_key_length = (bits) / 8, .iv_length = (iv), .icv_length = (icv),           \
		.alignment = 4, .cipher = SUITE_CIPHER_##kind, .flags = COUNTER_AEAD | (more)      \
	}
#define ROW_HASHED(kind, id, text, bits, salt, iv, align, more, hash_text, hash, hash_key, icv)    \
	{                                                                                          \
		.encrypt = job_encrypt_burst, .decrypt = job_decrypt_burst,                        \
		.name = text "+" hash_text, .encryption = (id), .integrity = (hash),               \
		.encryption_key_length = (bits) / 8 + (salt), .integrity_key_length = (hash_key),  \
		.salt_length = (salt), .cipher_key_length = (bits) / 8, .iv_length = (iv),         \
		.icv_length = (icv), .alignment = (align), .cipher = (kind), .flags = (more)       \
	}
/* RFC 2404; 4868; 3566; 4494. */
#define ROWS_HASHED(kind, id, text, bits, salt, iv, align, more)                                   \
	ROW_HASHED(kind, id, text, bits, salt, iv, align, more, "hmac-sha1-96",                    \
		SA_INTEGRITY_HMAC_SHA1_96, 20, 12),                                                \
		ROW_HASHED(kind, id, text, bits, salt, iv, align, more, "hmac-sha2-256-128",       \
			SA_INTEGRITY_HMAC_SHA2_256_128, 32, 16),                                   \
		ROW_HASHED(kind, id, text, bits, salt, iv, align, more, "hmac-sha2-384-192",       \
			SA_INTEGRITY_HMAC_SHA2_384_192, 48, 24),                                   \
		ROW_HASHED(kind, id, text, bits, salt, iv, align, more, "hmac-sha2-512-256",       \
			SA_INTEGRITY_HMAC_SHA2_512_256, 64, 32),                                   \
		ROW_HASHED(kind, id, text, bits, salt, iv, align, more, "aes-xcbc-96",             \
			SA_INTEGRITY_AES_XCBC_96, 16, 12),                                         \
		ROW_HASHED(kind, id, text, bits, salt, iv, align, more, "aes-cmac-96",             \
			SA_INTEGRITY_AES_CMAC_96, 16, 12)
#define ROWS_CBC(bits)                                                                             \
	ROWS_HASHED(SUITE_CIPHER_CBC, SA_ENCRYPTION_AES_CBC, "aes-cbc/" #bits, bits, 0, 16, 16, 0)
#define ROWS_CTR(bits)                                                                             \
	ROWS_HASHED(SUITE_CIPHER_CTR, SA_ENCRYPTION_AES_CTR, "aes-ctr/" #bits, bits, 4, 8, 4,      \
		SUITE_COUNTER)

const struct suite suite_rows[] = {
	ROW_AEAD(GCM, gcm, "aes-gcm-16", AES_GCM_16, 128, 4, 8, 16, 0),
	ROW_AEAD(GCM, gcm, "aes-gcm-16", AES_GCM_16, 192, 4, 8, 16, 0),
	ROW_AEAD(GCM, gcm, "aes-gcm-16", AES_GCM_16, 256, 4, 8, 16, 0),
	ROW_AEAD(GCM, gcm, "aes-gcm-12", AES_GCM_12, 128, 4, 8, 12, 0),
	ROW_AEAD(GCM, gcm, "aes-gcm-12", AES_GCM_12, 192, 4, 8, 12, 0),
	ROW_AEAD(GCM, gcm, "aes-gcm-12", AES_GCM_12, 256, 4, 8, 12, 0),
	ROW_AEAD(GCM, gcm, "aes-gcm-8", AES_GCM_8, 128, 4, 8, 8, 0),
	ROW_AEAD(GCM, gcm, "aes-gcm-8", AES_GCM_8, 192, 4, 8, 8, 0),
	ROW_AEAD(GCM, gcm, "aes-gcm-8", AES_GCM_8, 256, 4, 8, 8, 0),
	ROW_AEAD(GCM, gcm, "aes-gcm-16-iiv", AES_GCM_16_IIV, 128, 4, 0, 16, SUITE_IMPLICIT_IV),
	ROW_AEAD(GCM, gcm, "aes-gcm-16-iiv", AES_GCM_16_IIV, 192, 4, 0, 16, SUITE_IMPLICIT_IV),
	ROW_AEAD(GCM, gcm, "aes-gcm-16-iiv", AES_GCM_16_IIV, 256, 4, 0, 16, SUITE_IMPLICIT_IV),
	ROW_AEAD(GMAC, gcm_gmac, "aes-gmac", NULL_AES_GMAC, 128, 4, 8, 16,
		SUITE_AUTHENTICATION_ONLY),
	ROW_AEAD(GMAC, gcm_gmac, "aes-gmac", NULL_AES_GMAC, 192, 4, 8, 16,
		SUITE_AUTHENTICATION_ONLY),
	ROW_AEAD(GMAC, gcm_gmac, "aes-gmac", NULL_AES_GMAC, 256, 4, 8, 16,
		SUITE_AUTHENTICATION_ONLY),
	/* The library has CCM with 128 and 256 bit keys only. */
	ROW_AEAD(CCM, job, "aes-ccm-16", AES_CCM_16, 128, 3, 8, 16, 0),
	ROW_AEAD(CCM, job, "aes-ccm-16", AES_CCM_16, 256, 3, 8, 16, 0),
	ROW_AEAD(CCM, job, "aes-ccm-12", AES_CCM_12, 128, 3, 8, 12, 0),
	ROW_AEAD(CCM, job, "aes-ccm-12", AES_CCM_12, 256, 3, 8, 12, 0),
	ROW_AEAD(CCM, job, "aes-ccm-8", AES_CCM_8, 128, 3, 8, 8, 0),
	ROW_AEAD(CCM, job, "aes-ccm-8", AES_CCM_8, 256, 3, 8, 8, 0),
	ROW_AEAD(CCM, job, "aes-ccm-8-iiv", AES_CCM_8_IIV, 128, 3, 0, 8, SUITE_IMPLICIT_IV),
	ROW_AEAD(CCM, job, "aes-ccm-8-iiv", AES_CCM_8_IIV, 256, 3, 0, 8, SUITE_IMPLICIT_IV),
	ROW_AEAD(CHACHA20_POLY1305, job, "chacha20-poly1305", CHACHA20_POLY1305, 256, 4, 8, 16, 0),
	ROW_AEAD(CHACHA20_POLY1305, job, "chacha20-poly1305-iiv", CHACHA20_POLY1305_IIV, 256, 4, 0,
		16, SUITE_IMPLICIT_IV),
	ROWS_CBC(128),
	ROWS_CBC(192),
	ROWS_CBC(256),
	ROWS_CTR(128),
	ROWS_CTR(192),
	ROWS_CTR(256),
	ROWS_HASHED(SUITE_CIPHER_NULL, SA_ENCRYPTION_NULL, "null", 0, 0, 0, 4,
		SUITE_AUTHENTICATION_ONLY),
};

#define ROW_COUNT (sizeof(suite_rows) / sizeof(suite_rows[0]))

static bool withdrawn[ROW_COUNT];

unsigned suite_count(void)
{
	return ROW_COUNT;
}

unsigned suite_row(const struct suite *suite)
{
	return (unsigned)(suite - suite_rows);
}

void suite_withdraw(unsigned index)
{
	withdrawn[index] = true;
}

void suite_offer(unsigned index)
{
	withdrawn[index] = false;
}

static bool integrity_known(unsigned integrity)
{
	for (unsigned i = 0; i < ROW_COUNT; i++)
		if (suite_rows[i].integrity == integrity)
			return true;
	return integrity == SA_INTEGRITY_NONE;
}

/* In the order in which a person would look: transforms first, then the rule between them, then
 * lengths. */
static enum suite_error match(unsigned encryption, unsigned integrity,
	unsigned encryption_key_length, unsigned integrity_key_length, unsigned *index)
{
	enum suite_error error = SUITE_UNKNOWN_ENCRYPTION;

	if (!integrity_known(integrity))
		return SUITE_UNKNOWN_INTEGRITY;
	for (unsigned i = 0; i < ROW_COUNT; i++) {
		const struct suite *suite = &suite_rows[i];
		if (suite->encryption != encryption)
			continue;
		if (suite->flags & SUITE_AEAD && integrity != SA_INTEGRITY_NONE)
			return SUITE_INTEGRITY_WITH_AEAD;
		if (!(suite->flags & SUITE_AEAD) && integrity == SA_INTEGRITY_NONE)
			return SUITE_INTEGRITY_MISSING;
		error = SUITE_ENCRYPTION_KEY_LENGTH;
		if (suite->integrity != integrity ||
			suite->encryption_key_length != encryption_key_length)
			continue;
		if (suite->integrity_key_length != integrity_key_length)
			return SUITE_INTEGRITY_KEY_LENGTH;
		*index = i;
		return withdrawn[i] ? SUITE_NOT_OFFERED : SUITE_FOUND;
	}
	return error;
}

const struct suite *suite_find(unsigned encryption, unsigned integrity,
	unsigned encryption_key_length, unsigned integrity_key_length, enum suite_error *error)
{
	unsigned index = 0;
	enum suite_error result =
		match(encryption, integrity, encryption_key_length, integrity_key_length, &index);

	if (error)
		*error = result;
	return result == SUITE_FOUND ? &suite_rows[index] : NULL;
}

const char *suite_error_text(enum suite_error error)
{
	switch (error) {
	case SUITE_FOUND:
		return "found";
	case SUITE_UNKNOWN_ENCRYPTION:
		return "this encryption algorithm is not supported";
	case SUITE_UNKNOWN_INTEGRITY:
		return "this integrity algorithm is not supported";
	case SUITE_INTEGRITY_MISSING:
		return "encryption without integrity protection is refused";
	case SUITE_INTEGRITY_WITH_AEAD:
		return "a combined mode algorithm takes no integrity algorithm";
	case SUITE_ENCRYPTION_KEY_LENGTH:
		return "the encryption key has a length that the algorithm does not have";
	case SUITE_INTEGRITY_KEY_LENGTH:
		return "the integrity key has a length that the algorithm does not have";
	case SUITE_NOT_OFFERED:
		return "the algorithm failed its known answers at start";
	}
	return "?";
}
