#include "dataplane/decap/esp_resync.h"

#include "dataplane/esp_cipher.h"

#define RESYNC_KEY (UINT64_C(5) << 60) /* among pipeline_limit's */

static bool is_authentic(struct worker *worker, struct rte_mbuf *packet,
	const struct esp_resync *resync, uint64_t number)
{
	struct rte_mbuf *copy = packet_copy(worker, packet);
	struct esp_cipher cipher;
	bool authentic;

	if (copy == NULL)
		return false;
	worker->counters->created--; /* goes nowhere */
	esp_cipher_begin(&cipher, worker->crypto, crypto_engine_decrypt_burst);
	esp_cipher_add(&cipher, copy, resync->at, resync->sa->suite, resync->sa->key, number,
		resync->text, true);
	esp_cipher_run(&cipher);
	authentic = cipher.operations[0].status == CRYPTO_DONE;
	rte_pktmbuf_free(copy);
	return authentic;
}

uint64_t esp_resync_number(struct worker *worker, struct rte_mbuf *packet,
	const struct esp_resync *resync, uint64_t number)
{
	const struct sa_inbound *sa = resync->sa;

	if (!pipeline_limit(worker, RESYNC_KEY | sa->sa_id, 1, 1) ||
		is_authentic(worker, packet, resync, number))
		return number;
	for (unsigned i = 1; i <= ESP_RESYNC_TRIES; i++) {
		uint64_t later = number + ((uint64_t)i << 32);
		if (later > number && is_authentic(worker, packet, resync, later))
			return later;
	}
	return number;
}
