/*
 * Packet functions of AES-GCM and AES-GMAC: the library's direct calls, one packet each, which is
 * cheaper than its jobs and as fast as the processor goes (RFC 4106, 4543, 8750). For suite.c.
 */
#ifndef DATAPLANE_CRYPTO_GCM_H
#define DATAPLANE_CRYPTO_GCM_H

#include "dataplane/crypto/engine.h"

void gcm_encrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead);
void gcm_decrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead);
void gcm_gmac_encrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead);
void gcm_gmac_decrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead);

/* One packet in several buffers, without copying; GCM only, lengths checked (engine.c). */
void gcm_encrypt_segments(struct crypto_engine *engine, struct crypto_operation *operation);
void gcm_decrypt_segments(struct crypto_engine *engine, struct crypto_operation *operation);

#endif
