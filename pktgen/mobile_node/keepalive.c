#include "pktgen/mobile_node/keepalive.h"

#define LOSSES_MAX 6 /* doublings of the patience */

void keepalive_moved(struct keepalive *k)
{
	*k = (struct keepalive){.running = false};
}

void keepalive_start(struct keepalive *k, uint16_t interval_s, monotonic now)
{
	monotonic interval = interval_s * CLOCK_NS_PER_S;

	if (k->limit_ns && k->limit_ns < interval)
		interval = k->limit_ns;
	k->interval_ns = interval < KEEPALIVE_INTERVAL_MIN ? KEEPALIVE_INTERVAL_MIN : interval;
	k->running = true;
	k->attempt = 0;
	k->patience_ns = KEEPALIVE_PATIENCE << k->losses;
	k->sent_ns = now;
	/* Due at once; after losses in a row it waits like everything else. */
	k->silent_ns = k->losses ? now : now - k->patience_ns;
}

void keepalive_stop(struct keepalive *k)
{
	k->running = false;
}

void keepalive_data_sent(struct keepalive *k, monotonic now)
{
	k->sent_ns = now;
	if (!k->silent_ns)
		k->silent_ns = now;
}

void keepalive_heard(struct keepalive *k, bool answered, bool data, monotonic now)
{
	if (!k->running)
		return;
	if (answered && k->attempt == 1) { /* of a repeated one nobody knows which was answered */
		uint64_t sample = now - k->asked_ns;
		k->round_trip_ns = k->round_trip_ns ? (7 * k->round_trip_ns + sample) / 8 : sample;
	}
	k->losses = 0;
	if (data) {
		k->patience_ns = KEEPALIVE_PATIENCE;
		k->silent_ns = now; /* when they stop, ask why */
	} else if (k->attempt) {
		/* The path is fine, the traffic just has no other direction. */
		k->patience_ns =
			2 * k->patience_ns < k->interval_ns ? 2 * k->patience_ns : k->interval_ns;
		k->silent_ns = 0;
	}
	k->attempt = 0;
}

static monotonic retry_after(const struct keepalive *k)
{
	monotonic after = 4 * k->round_trip_ns;

	if (!k->round_trip_ns || after > KEEPALIVE_RETRY_MAX)
		return KEEPALIVE_RETRY_MAX;
	return after < KEEPALIVE_RETRY_MIN ? KEEPALIVE_RETRY_MIN : after;
}

monotonic keepalive_deadline(const struct keepalive *k)
{
	if (!k->running)
		return CLOCK_NEVER;
	if (k->attempt)
		return k->asked_ns + retry_after(k);
	monotonic quiet = k->sent_ns + k->interval_ns;
	monotonic missed = k->silent_ns ? k->silent_ns + k->patience_ns : CLOCK_NEVER;
	return quiet < missed ? quiet : missed;
}

enum keepalive_action keepalive_timer(struct keepalive *k, monotonic now)
{
	if (now < keepalive_deadline(k))
		return KEEPALIVE_NOTHING;
	if (k->attempt < KEEPALIVE_ATTEMPTS) {
		k->attempt++;
		k->asked_ns = k->sent_ns = now;
		return KEEPALIVE_SEND;
	}
	/* A mapping that did not last the interval: ask sooner here (RFC 3519 4.10). */
	k->limit_ns = k->interval_ns / 2 < KEEPALIVE_INTERVAL_MIN ? KEEPALIVE_INTERVAL_MIN
								  : k->interval_ns / 2;
	if (k->losses < LOSSES_MAX)
		k->losses++;
	k->attempt = 0;
	k->silent_ns = 0;
	return KEEPALIVE_LOST;
}
