/* What the files of the inbound ESP lane share: one burst of it. */
#ifndef DATAPLANE_LANE_ESP_IN_PRIVATE_H
#define DATAPLANE_LANE_ESP_IN_PRIVATE_H

#include "dataplane/crypto/esp_codec.h"
#include "dataplane/decap/esp.h"
#include "dataplane/lane/lane.h"

#include <rte_udp.h>

#define ESP_IN_ETHER ((uint16_t)sizeof(struct rte_ether_hdr))
#define ESP_IN_IPV4  ((uint16_t)sizeof(struct rte_ipv4_hdr))
#define ESP_IN_UDP   ((uint16_t)sizeof(struct rte_udp_hdr))

/* A packet that may be inbound ESP, and then is. */
struct arrival {
	struct esp_work work;
	struct rte_ipv4_hdr *outer;
	uint64_t usual[2]; /* what its SA shows when it is a usual packet */
	struct sa_inbound_state *state;
	uint32_t slot;  /* of the SA table, as the SPI has it: what esp_in_bar is told */
	uint32_t sa_id; /* the same, but for an SPI that does not carry its slot */
	uint32_t low;   /* half of its number */
};

struct esp_in {
	struct lane_burst *burst;
	struct worker *worker;
	const struct sa_table *sas;
	const struct port *port;
	const uint8_t *near;               /* tables_near_v4_parts */
	const struct sa_inbound *admitted; /* the last one, asked what is the same for a burst */
	be32 ours;                         /* an outer destination that is an address of ours */
	uint64_t barred;    /* SAs that the lane leaves alone in this burst: sa_bar */
	uint64_t under_way; /* packets that an SA may have there: this burst, or each worker's */
	bool direct;        /* all packets are for gcm_direct */
	unsigned count;     /* of arrivals */
	struct arrival arrivals[BURST_SIZE];
	uint8_t status[BURST_SIZE]; /* enum crypto_status */
};

static inline uint64_t esp_in_bar(uint32_t slot)
{
	return UINT64_C(1) << (slot & 63);
}

/* No packet that is under way comes near what is to be told or stopped. */
static inline bool esp_in_is_far_from_limits(const struct esp_in *lane, const struct arrival *a)
{
	const struct sa_use use = {
		.packets = atomic_load_explicit(&a->state->packets, memory_order_relaxed) +
			   lane->under_way,
		.bytes = atomic_load_explicit(&a->state->bytes, memory_order_relaxed) +
			 lane->under_way * UINT16_MAX,
		.now_tsc = lane->worker->now_tsc};

	return !sa_watch_passed(&a->work.sa->watch, &use);
}

/* As sa_inbound_window, of what is known already. */
static inline struct replay_window esp_in_window(const struct esp_in *lane, const struct arrival *a)
{
	const struct sa_inbound *sa = a->work.sa;

	return (struct replay_window){.highest = &a->state->highest,
		.front = &a->state->front,
		.words = lane->sas->region.windows + (size_t)a->sa_id * lane->sas->window_words,
		.mask = sa->window_mask,
		.size = sa->window,
		.extended = sa->flags & SA_ESN,
		.shared = lane->sas->shared};
}

/* Octets before the text. */
static inline uint16_t esp_in_text_at(const struct esp_work *w)
{
	return (uint16_t)(w->at + ESP_HEADER_LENGTH + w->sa->iv_length);
}

/* After the ICV: the number is marked. */
static inline enum replay_verdict esp_in_commit(const struct esp_in *lane, const struct arrival *a)
{
	const struct replay_window window = esp_in_window(lane, a);
	bool newest;

	return likely(replay_window_advance(&window, a->work.number))
		       ? REPLAY_NEW
		       : replay_window_commit(&window, a->work.number, &newest);
}

/* esp_in_admit.c: the arrivals whose answers before the cipher are all the usual ones. */
void esp_in_admit(struct esp_in *lane);
/* esp_in_open.c: deciphers them and sets their status. */
void esp_in_open(struct esp_in *lane);
/*
 * esp_in_run.c, where workers share SAs: window, counters and time of use of those arrivals of
 * `usual` (a bit each) that the lane goes on with, for a run of one SA's at once. Returns which
 * ones they are; verdicts[i]: the window's about arrival i of them.
 */
uint64_t esp_in_run_commit(
	const struct esp_in *lane, uint64_t usual, enum replay_verdict *verdicts);
/* esp_in_finish.c: sends them, or hands them to the steps. */
void esp_in_finish(struct esp_in *lane);

#endif
