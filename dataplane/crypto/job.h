/*
 * Packet functions of everything but AES-GCM and GMAC: AES-CBC, AES-CTR and NULL with a separate
 * integrity algorithm, AES-CCM, ChaCha20-Poly1305. The library works on several packets side by
 * side, of which there are the most when a whole burst is at hand: so operations wait until
 * job_flush, which sorts them by suite. Those with an HMAC go through hmac.c, all others through
 * the library's queue. For suite.c and engine.c.
 */
#ifndef DATAPLANE_CRYPTO_JOB_H
#define DATAPLANE_CRYPTO_JOB_H

#include "dataplane/crypto/engine.h"

/* They wait. */
void job_encrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead);
void job_decrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead);
/* Does all that wait, which are of one direction. */
void job_flush(struct crypto_engine *engine, bool encrypt);

#endif
