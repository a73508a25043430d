/*
 * ESP inbound (RFC 4303 3.4, RFC 4301 5.2), a burst at a time:
 *
 *   SA by SPI, its state, lengths, hard limits, replay check      no cipher for junk (ESP-IN-18)
 *   the engine over all that are left                             ICV and decryption
 *   replay window again and marked, in one step; counters         only for what was authentic
 *   padding, next header, inner header (esp_inner.c), selectors   only for what was new
 *
 * A tunnel's inner packet goes to forwarding as if it had come in on the protected side; a
 * transport packet gets its own protocol back and goes where packets to us go. Both carry the SA in
 * p->layers, so that what comes later can ask what protected them (HA4-SPD-15). Nobody on the
 * outside is ever answered.
 *
 * What is fetched ahead: the slots of the burst's SPIs, then the SAs' four lines and their state;
 * key lines by the engine.
 */
#ifndef DATAPLANE_DECAP_ESP_H
#define DATAPLANE_DECAP_ESP_H

#include "dataplane/crypto/engine.h"
#include "dataplane/step.h"
#include "dataplane/table/sa_table.h"

#define ESP_FAILURES_MAX 1024 /* AUD-14: in a row; then only the SA's peer is listened to */

/* A packet between the checks before the cipher and its end. */
struct esp_work {
	struct rte_mbuf *packet;
	const struct sa_inbound *sa;
	uint64_t number;
	uint32_t text; /* octets given to the cipher */
	uint16_t at;   /* where ESP begins, from the data start */
	uint8_t index; /* in the burst */
	bool udp;
};

/* Data start: the IP header before protocol 50, or before UDP whose payload is ESP (p->protocol
 * says which). May put another buffer in the place of packets[i]. */
void esp_decap_burst(
	struct worker *worker, struct rte_mbuf **packets, unsigned count, step_result *next);
/* One packet; *packet may be replaced. */
step_result esp_decap(struct worker *worker, struct rte_mbuf **packet);
/*
 * What becomes of a packet that was admitted and deciphered in place: window, counters, trailer,
 * inner header, selectors, and each refusal under its own reason. The packet is as this step would
 * have taken it: data start at the outer IP header, cut to its length, struct packet telling of it.
 */
step_result esp_decap_judge(
	struct worker *worker, const struct esp_work *work, enum crypto_status status);
/* The end of one whose number the window refused after the cipher. The packet as above. */
step_result esp_decap_replayed(
	struct worker *worker, const struct esp_work *work, enum replay_verdict verdict);

#endif
