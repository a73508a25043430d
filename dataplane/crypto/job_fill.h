/*
 * One operation as a job of the library: what hmac.c and job.c both ask it for. Of a cipher with a
 * separate integrity algorithm the job says where both work, whoever does which first.
 */
#ifndef DATAPLANE_CRYPTO_JOB_FILL_H
#define DATAPLANE_CRYPTO_JOB_FILL_H

#include "dataplane/crypto/engine_private.h"

/*
 * Fills `job` for one that is sound, and `slot`, which the job refers to until it is done. What the
 * packet carries is written (the IV, outbound) or kept in the slot (`received`, the ICV, inbound):
 * with ESN the high half of the number then lies in its place (ESP-ALG-16). The library puts its
 * own ICV into slot->computed.
 */
void job_fill(struct crypto_engine *engine, struct crypto_operation *operation,
	struct engine_slot *slot, IMB_JOB *job, bool encrypt);

#endif
