/* The cipher over all arrivals. */
#include "dataplane/crypto/gcm_direct.h"
#include "dataplane/lane/esp_in_private.h"

#define AHEAD ENGINE_AHEAD

static CRYPTO_KEY_INLINE void key_prefetch(const struct esp_in *lane, unsigned i)
{
	const struct esp_work *w = &lane->arrivals[i].work;

	if (i == 0 || w->sa != lane->arrivals[i - 1].work.sa)
		crypto_key_prefetch_gcm(w->sa->key, w->sa->gcm_key, w->text);
}

static void decrypt_direct(struct esp_in *lane)
{
	for (unsigned i = 0; i < lane->count && i < AHEAD; i++)
		key_prefetch(lane, i);
	for (unsigned i = 0; i < lane->count; i++) {
		const struct arrival *a = &lane->arrivals[i];
		const struct sa_inbound *sa = a->work.sa;
		const struct gcm_direct packet = {.key = sa->key,
			.esp = (uint8_t *)a->outer + a->work.at,
			.number = a->work.number,
			.length = a->work.text,
			.key_length = sa->gcm_key,
			.icv_length = sa->icv_length,
			.flags = sa->flags & SA_ESN ? CRYPTO_ESN : 0};
		if (i + AHEAD < lane->count)
			key_prefetch(lane, i + AHEAD);
		lane->status[i] = gcm_direct_decrypt(lane->worker->crypto, &packet)
					  ? CRYPTO_DONE
					  : CRYPTO_BAD_ICV;
	}
}

/* All suites. */
static void decrypt(struct esp_in *lane)
{
	struct crypto_operation operations[BURST_SIZE];
	unsigned wide = 0;

	for (unsigned i = 0; i < lane->count; i++) {
		const struct arrival *a = &lane->arrivals[i];
		operations[i] = (struct crypto_operation){.suite = a->work.sa->suite,
			.key = a->work.sa->key,
			.esp = (uint8_t *)a->outer + a->work.at,
			.sequence = a->work.number,
			.length = a->work.text,
			.flags = a->work.sa->flags & SA_ESN ? CRYPTO_ESN : 0};
		wide += suite_is_wide(a->work.sa->suite);
	}
	lane->burst->wide |= wide > lane->count / 2;
	crypto_engine_decrypt_burst(lane->worker->crypto, operations, lane->count);
	for (unsigned i = 0; i < lane->count; i++)
		lane->status[i] = operations[i].status;
}

void esp_in_open(struct esp_in *lane)
{
	if (likely(lane->direct))
		decrypt_direct(lane);
	else
		decrypt(lane);
}
