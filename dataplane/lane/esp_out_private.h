/* What the files of the outbound ESP lane share: one burst of it. */
#ifndef DATAPLANE_LANE_ESP_OUT_PRIVATE_H
#define DATAPLANE_LANE_ESP_OUT_PRIVATE_H

#include "dataplane/crypto/suite.h"
#include "dataplane/lane/forward_work.h"
#include "dataplane/table/sa_lane.h"

#define ESP_OUT_TAIL_ROOM 16 /* more than padding and trailer, which are written in one piece */

struct esp_out_run { /* packets of one policy that follow each other: what is the same for all */
	struct policy_entry *policy;
	const struct sa_outbound *sa; /* what the policy noted; its own once the run is open */
	struct sa_outbound_state *state;
	enum esp_out_opening { ESP_OUT_UNASKED, ESP_OUT_OPEN, ESP_OUT_CLOSED } opening;
	uint32_t count; /* packets that go */
	uint64_t bytes; /* given to the cipher */
	/* once it is open */
	const struct suite *suite;
	const struct crypto_key *key;
	const struct neighbor *neighbor;
	uint32_t mtu; /* of the outer datagram */
};

struct esp_out_work { /* a packet that may be taken */
	struct rte_mbuf *frame;
	uint64_t hash; /* of its destination, for the policy */
	struct policy_entry *policy;
	struct esp_out_run *run;     /* NULL: no policy sends it through an SA */
	uint8_t *esp;                /* once its headers are there */
	uint64_t number;             /* the same */
	uint32_t text;               /* octets given to the cipher */
	be32 source, destination;    /* as the policy sees them */
	uint16_t payload;            /* octets of the packet */
	uint8_t index;               /* in the burst */
	struct forward_work *inside; /* into a mobile node's tunnel first; else NULL */
};

/* Packets to mobile nodes whose tunnels are inside ESP (RFC 5266, mode mc), as the lane that sends
 * them bare has them. */
struct esp_out_tunnelled {
	unsigned count;
	struct forward_burst burst; /* from the first one on */
	uint64_t hashes[BURST_SIZE];
	uint8_t of[BURST_SIZE]; /* place in esp_out.works */
	struct forward_work works[BURST_SIZE];
};

struct esp_out {
	struct lane_burst *burst;
	struct worker *worker;
	const struct sa_table *sas;
	const struct policy_table *policies;
	uint32_t time;      /* sa_lane_time */
	bool direct;        /* all packets are for gcm_direct */
	unsigned key_ahead; /* packets */
	unsigned count;
	const uint8_t *near; /* tables_near_v4_parts */
	struct esp_out_work works[BURST_SIZE];
	struct esp_out_run runs[BURST_SIZE];
	struct esp_out_tunnelled tunnelled;
};

/* esp_out_seal.c: numbers, headers, cipher; sends what is left in `lane`. */
void esp_out_seal(struct esp_out *lane);

#endif
