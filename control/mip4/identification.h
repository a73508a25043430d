/*
 * The Identification field (RFC 5944 5.7, HA4-RPL): timestamps and nonces. Pure: clock, state and
 * randomness are arguments.
 */
#ifndef CONTROL_MIP4_IDENTIFICATION_H
#define CONTROL_MIP4_IDENTIFICATION_H

#include "config/config.h"
#include "control/mip4/node.h"

enum identification_result {
	IDENTIFICATION_OK,
	IDENTIFICATION_FAR,   /* timestamp too far from our clock */
	IDENTIFICATION_OLD,   /* not greater than the last accepted one */
	IDENTIFICATION_NONCE, /* not the nonce we gave */
	IDENTIFICATION_UNSET, /* our own wall clock is not set (HA4-RPL-12) */
};
const char *identification_text(enum identification_result result);

struct identification_clock {
	uint64_t wall_ns;
	bool wall_set;  /* false: before the build year */
	uint64_t floor; /* NTP timestamp: not later ones are refused from nodes without state
			   (HA4-RPL-10); 0 none */
};

/* Is this request fresh? Changes nothing. Differences are modular, right across 2036 (HA4-RPL-06).
 */
enum identification_result identification_check(const struct node_replay *replay,
	const struct config_security *context, uint64_t identification,
	struct identification_clock clock);
/* Remembers an accepted one (also of a request denied later, HA4-RPL-08). */
void identification_accept(
	struct node_replay *replay, const struct config_security *context, uint64_t identification);
/*
 * The Identification of a reply: low half copied always (HA4-RPL-03); timestamps: whole when
 * `fresh`, else our clock in the high half; nonces: `nonce` in the high half, remembered as that of
 * a success or of a refusal (HA4-RPL-14).
 */
uint64_t identification_reply(struct node_replay *replay, const struct config_security *context,
	uint64_t identification, bool fresh, uint64_t wall_ns, uint32_t nonce);

#endif
