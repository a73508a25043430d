/*
 * Unpredictable IVs for AES-CBC (RFC 3602 3, ESP-ALG-19): a counter, encrypted under a random key
 * that each worker draws at start and nobody else has. 64 are made at a time, as the key stream of
 * one AES-GCM call with the counter as nonce: that is a direct call of the library, so it may be
 * made while jobs are under way.
 */
#ifndef DATAPLANE_CRYPTO_CBC_IV_H
#define DATAPLANE_CRYPTO_CBC_IV_H

#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>
#include <stdbool.h>

#define CBC_IV_LENGTH 16
#define CBC_IV_COUNT  64

struct cbc_iv {
	_Alignas(64) struct gcm_key_data key;
	_Alignas(64) uint8_t ready[CBC_IV_COUNT * CBC_IV_LENGTH];
	struct gcm_context_data context;
	aes_gcm_enc_dec_t encrypt;
	uint64_t refills; /* counter of calls; the library counts the blocks within one */
	unsigned left;    /* of ready, at its end */
};

/* Draws the key; who owns the memory wipes it. False without randomness. */
bool cbc_iv_init(struct cbc_iv *iv, IMB_MGR *manager);
/* Writes the next IV, 16 octets. */
void cbc_iv_take(struct cbc_iv *iv, uint8_t *out);

#endif
