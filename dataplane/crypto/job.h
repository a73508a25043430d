/*
 * Packet functions of everything but AES-GCM and GMAC: AES-CBC, AES-CTR and NULL with a separate
 * integrity algorithm, AES-CCM, ChaCha20-Poly1305. They are the library's jobs: it holds packets
 * back until it can work on several side by side, so a burst may be finished only by
 * job_flush. For suite.c and engine.c.
 */
#ifndef DATAPLANE_CRYPTO_JOB_H
#define DATAPLANE_CRYPTO_JOB_H

#include "dataplane/crypto/engine.h"

void job_encrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead);
void job_decrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead);
/* Finishes all that is still with the library. */
void job_flush(struct crypto_engine *engine);

#endif
