/*
 * Is the way through the NAT still there? (RFC 3519 4.9, 4.10.) A state machine without sockets and
 * clock.
 *
 * A keepalive leaves when nothing was sent for the interval, which is never below 10 s. That alone
 * would notice a changed mapping after 10 s and more, so the tunnel's own traffic is watched too:
 * when something was sent and nothing came back, or packets were coming and stopped, the same echo
 * asks after a second. It is repeated after a few round trips rather than a second; the third one
 * unanswered means that the mapping is lost. Traffic that only ever goes one way, and a home agent
 * that answers nothing, are asked less and less often.
 */
#ifndef PKTGEN_MOBILE_NODE_KEEPALIVE_H
#define PKTGEN_MOBILE_NODE_KEEPALIVE_H

#include "lib/base/clock.h"

#include <stdbool.h>

#define KEEPALIVE_INTERVAL_MIN (10 * CLOCK_NS_PER_S) // RFC 3519 4.10: MUST NOT be less
#define KEEPALIVE_ATTEMPTS     3u
#define KEEPALIVE_PATIENCE     CLOCK_NS_PER_S /* of silence before the first question */
#define KEEPALIVE_RETRY_MIN    (CLOCK_NS_PER_S / 5)
#define KEEPALIVE_RETRY_MAX    CLOCK_NS_PER_S

enum keepalive_action { KEEPALIVE_NOTHING, KEEPALIVE_SEND, KEEPALIVE_LOST };

struct keepalive {
	bool running;
	monotonic interval_ns;  /* in use */
	monotonic limit_ns;     /* lower than assigned since a mapping was lost here; 0 none */
	monotonic sent_ns;      /* last packet into the tunnel, echo or not */
	monotonic silent_ns;    /* since when an answer is missed; 0: none is */
	monotonic patience_ns;  /* of that silence */
	monotonic asked_ns;     /* the outstanding echo */
	uint64_t round_trip_ns; /* smoothed; 0 unknown */
	unsigned attempt;       /* echoes of this question so far */
	unsigned losses;        /* mappings lost in a row, with nothing heard in between */
};

/* At another place: what was learnt about the former NAT counts no more (RFC 3519 4.10). */
void keepalive_moved(struct keepalive *k);
/* A UDP tunnel is up; `interval_s` as assigned (or configured). The first echo is due at once, to
 * prove the path. */
void keepalive_start(struct keepalive *k, uint16_t interval_s, monotonic now);
void keepalive_stop(struct keepalive *k);
/* A packet of the host's went into the tunnel. */
void keepalive_data_sent(struct keepalive *k, monotonic now);
/* Packets came out of it; `answered`: our echo's reply was among them, `data`: others were. */
void keepalive_heard(struct keepalive *k, bool answered, bool data, monotonic now);
/* What to do now; after KEEPALIVE_LOST register again. */
enum keepalive_action keepalive_timer(struct keepalive *k, monotonic now);
/* When to call keepalive_timer; CLOCK_NEVER. */
monotonic keepalive_deadline(const struct keepalive *k);

#endif
