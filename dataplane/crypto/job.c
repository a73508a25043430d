#include "dataplane/crypto/job.h"

#include "dataplane/crypto/hmac.h"
#include "dataplane/crypto/job_fill.h"

static void complete(const IMB_JOB *job)
{
	struct crypto_operation *operation = job->user_data;
	const struct engine_slot *slot = job->user_data2;
	uint32_t length = operation->suite->icv_length;

	if (job->status != IMB_STATUS_COMPLETED)
		return;
	if (job->cipher_direction == IMB_DIR_DECRYPT) {
		operation->status = engine_icv_status(slot->computed, slot->received, length);
		return;
	}
	engine_icv_copy(engine_text(operation) + operation->length, slot->computed, length);
	operation->status = CRYPTO_DONE;
}

/* Through the library's queue, which is empty before and after. */
static void queue_burst(struct crypto_engine *engine, struct crypto_operation *const *operations,
	unsigned count, bool encrypt)
{
	IMB_MGR *manager = engine->manager;
	IMB_JOB *jobs[ENGINE_CHUNK];
	unsigned left = count, some;

	if (IMB_GET_NEXT_BURST(manager, count, jobs) != count)
		return;
	for (unsigned i = 0; i < count; i++)
		job_fill(engine, operations[i], &engine->slots[i], jobs[i], encrypt);
	some = IMB_SUBMIT_BURST_NOCHECK(manager, count, jobs);
	do {
		for (unsigned i = 0; i < some; i++)
			complete(jobs[i]);
		left -= some;
	} while (left > 0 && (some = IMB_FLUSH_BURST(manager, left, jobs)) > 0);
}

/* With a status that remains if the library does not do it. */
static void wait_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead)
{
	for (unsigned i = 0; i < count; i++) {
		engine_prefetch(operations, i + ENGINE_AHEAD, ahead);
		if (operations[i].status != CRYPTO_DONE)
			continue;
		operations[i].status = CRYPTO_FAILED;
		engine->waiting[engine->waiting_count++] = &operations[i];
	}
}

void job_encrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead)
{
	wait_burst(engine, operations, count, ahead);
}

void job_decrypt_burst(struct crypto_engine *engine, struct crypto_operation *operations,
	unsigned count, unsigned ahead)
{
	wait_burst(engine, operations, count, ahead);
}

/* Suite after suite; nearly always there is only one. */
void job_flush(struct crypto_engine *engine, bool encrypt)
{
	while (engine->waiting_count > 0) {
		struct crypto_operation *alike[ENGINE_CHUNK];
		const struct suite *suite = engine->waiting[0]->suite;
		unsigned count = 0, left = 0;

		for (unsigned i = 0; i < engine->waiting_count; i++)
			if (engine->waiting[i]->suite == suite)
				alike[count++] = engine->waiting[i];
			else
				engine->waiting[left++] = engine->waiting[i];
		engine->waiting_count = left;
		(hmac_has(suite) ? hmac_burst : queue_burst)(engine, alike, count, encrypt);
	}
}
