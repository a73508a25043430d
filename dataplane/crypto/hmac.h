/*
 * AES-CBC, AES-CTR and NULL with an HMAC, a burst in two passes of the library's synchronous burst
 * calls: one over the ciphers, one over the hashes, each with as many packets side by side as the
 * processor has lanes. Inbound the hashes come first: what is not authentic is never deciphered.
 */
#ifndef DATAPLANE_CRYPTO_HMAC_H
#define DATAPLANE_CRYPTO_HMAC_H

#include "dataplane/crypto/engine.h"

/* Is this a suite for hmac_burst? */
bool hmac_has(const struct suite *suite);
/* `count` operations of one suite, at most ENGINE_CHUNK, contiguous and sound. Sets the status of
 * those that the library has done with and leaves that of the others. */
void hmac_burst(struct crypto_engine *engine, struct crypto_operation *const *operations,
	unsigned count, bool encrypt);

#endif
