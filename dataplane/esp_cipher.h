/*
 * A burst of ESP packets on its way through the crypto engine: encap/esp and decap/esp add packets,
 * then run them. A packet in one mbuf is one contiguous piece; of a packet in several the engine
 * gets a list of them. Lists share one array: when it is full, what was added so far runs first.
 *
 * Built on the worker's stack for one burst; nothing outlives it.
 */
#ifndef DATAPLANE_ESP_CIPHER_H
#define DATAPLANE_ESP_CIPHER_H

#include "dataplane/crypto/engine.h"

#include "dataplane/packet.h"

#define ESP_CIPHER_SEGMENTS 512
static_assert(ESP_CIPHER_SEGMENTS >= 2 * PACKET_PIECES_MAX, "any packet fits, its trailers too");

typedef void (*esp_cipher_function)(
	struct crypto_engine *engine, struct crypto_operation *operations, unsigned count);

struct esp_cipher {
	struct crypto_engine *engine;
	esp_cipher_function function; /* crypto_engine_encrypt_burst or _decrypt_burst */
	unsigned count;               /* packets added */
	unsigned done;                /* of them run */
	unsigned used;                /* of segments[] */
	struct crypto_operation
		operations[BURST_SIZE]; /* in the order added; status after the run */
	struct crypto_segment segments[ESP_CIPHER_SEGMENTS];
};

static inline void esp_cipher_begin(
	struct esp_cipher *cipher, struct crypto_engine *engine, esp_cipher_function function)
{
	cipher->engine = engine;
	cipher->function = function;
	cipher->count = cipher->done = cipher->used = 0;
}

/* Runs what was added; each operation's status says how it went. */
static inline void esp_cipher_run(struct esp_cipher *cipher)
{
	cipher->function(
		cipher->engine, cipher->operations + cipher->done, cipher->count - cipher->done);
	cipher->done = cipher->count;
	cipher->used = 0;
}

/*
 * Adds the packet whose SPI stands `at` octets behind its data start, with `length` octets of text.
 * The packet is the worker's alone (packet_own).
 */
// NOLINTNEXTLINE(readability-function-size): inlined, in a loop that has each of these at hand
static inline void esp_cipher_add(struct esp_cipher *cipher, struct rte_mbuf *packet, uint16_t at,
	const struct suite *suite, const struct crypto_key *key, uint64_t number, uint32_t length,
	bool esn)
{
	struct crypto_operation *operation;
	struct crypto_segment *segments;

	if (unlikely(packet->nb_segs > 1 && cipher->used + packet->nb_segs > ESP_CIPHER_SEGMENTS))
		esp_cipher_run(cipher);
	operation = &cipher->operations[cipher->count++];
	*operation = (struct crypto_operation){.suite = suite,
		.key = key,
		.esp = rte_pktmbuf_mtod_offset(packet, uint8_t *, at),
		.sequence = number,
		.length = length,
		.flags = esn ? CRYPTO_ESN : 0};
	if (likely(packet->nb_segs == 1))
		return;
	segments = &cipher->segments[cipher->used];
	for (struct rte_mbuf *m = packet; m != NULL; m = m->next) {
		segments[operation->segment_count++] =
			(struct crypto_segment){.data = rte_pktmbuf_mtod_offset(m, uint8_t *, at),
				.length = (uint32_t)(m->data_len - at)};
		at = 0;
	}
	operation->segments = segments;
	cipher->used += operation->segment_count;
}

#endif
