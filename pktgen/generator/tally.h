/*
 * What was counted: for each group and direction what was sent and what came back, how long it
 * took; and whatever came that should not have, by what was wrong. One thread writes each half.
 */
#ifndef PKTGEN_GENERATOR_TALLY_H
#define PKTGEN_GENERATOR_TALLY_H

#include "pktgen/generator/histogram.h"
#include "pktgen/generator/profile.h"

struct tally_sent {
	uint64_t packets, octets; /* octets: of plain frames with check sequence */
	uint64_t wire_octets;     /* of frames as sent, check sequence, preamble and gap included */
};

struct tally_received {
	uint64_t packets; /* once each: what `sent` is compared with */
	uint64_t octets;
	uint64_t duplicates, reordered;
	uint64_t beyond;          /* of packets: so late that they may be doubled */
	uint64_t late;            /* of an earlier trial; not in packets */
	struct histogram latency; /* nanoseconds */
};

enum tally_fault { /* a frame that stands in no tally_received */
	TALLY_CHECKSUM,
	TALLY_MALFORMED,
	TALLY_FRAGMENT,
	TALLY_FLOW,          /* a signature of no flow that exists */
	TALLY_PORT,          /* on another port than expected */
	TALLY_ENCAPSULATION, /* in other headers than expected: in clear, say */
	TALLY_OUTER,         /* outer addresses or ports */
	TALLY_INNER,         /* inner addresses or ports */
	TALLY_SPI,           /* ESP of nobody */
	TALLY_ICV,           /* ESP that is not authentic */
	TALLY_ESP,           /* ESP with a wrong length, padding or next header */
	TALLY_NUMBER, /* an ESP sequence number a second time, fatal for counter modes, or 0 */
	TALLY_FAULT_COUNT
};

enum tally_other {     /* no faults */
	TALLY_FOREIGN, /* somebody else's frames */
	TALLY_ARP,
	TALLY_ICMP,
	TALLY_KEEPALIVE,
	TALLY_DUMMY, /* ESP with next header 59 (RFC 4303 2.6) */
	TALLY_REGISTRATION,
	TALLY_OLD_MAPPING, /* to an address or port that a node just left; counted as received too
			    */
	TALLY_OTHER_COUNT
};

enum tally_obstacle {       /* what kept frames of ours from leaving, or from being looked at */
	TALLY_NO_BUFFER,    /* times: no packet buffer was free */
	TALLY_PORT_FULL,    /* times: a port took less than it was given */
	TALLY_QUEUE_BUSY,   /* times: another sender had the queue that they share */
	TALLY_NOBODY_READY, /* times: nobody was registered who could have sent */
	TALLY_MAIL_FULL,    /* messages that the main lcore was too slow for (receivers.h) */
	TALLY_SEQUENCE_END, /* packets of an SA that has used all its numbers (RFC 4303 3.3.3) */
	TALLY_OUT_OF_TIME,  /* packets due that were not begun when a trial was over */
	TALLY_OBSTACLE_COUNT
};

struct tally {
	struct tally_sent sent[PROFILE_GROUPS_MAX][2]; /* [0] up, [1] down */
	struct tally_received received[PROFILE_GROUPS_MAX][2];
	uint64_t faults[TALLY_FAULT_COUNT], others[TALLY_OTHER_COUNT];
	uint64_t obstacles[TALLY_OBSTACLE_COUNT];
	uint64_t full[PROFILE_PORTS_MAX]; /* TALLY_PORT_FULL, by port */
};

static inline unsigned tally_direction(bool up)
{
	return !up;
}

void tally_clear(struct tally *tally);
void tally_received_merge(struct tally_received *to, const struct tally_received *from);
void tally_merge(struct tally *to, const struct tally *from);
uint64_t tally_sent_packets(const struct tally *tally);
uint64_t tally_received_packets(const struct tally *tally);
uint64_t tally_fault_count(const struct tally *tally);
const char *tally_fault_name(enum tally_fault fault);
const char *tally_other_name(enum tally_other other);
const char *tally_obstacle_name(enum tally_obstacle obstacle);

#endif
