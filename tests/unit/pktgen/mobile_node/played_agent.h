/*
 * A registration machine in simulated time, with what it sent and told, and the home agent that a
 * test plays. Time moves only when a test says so; the machine's own deadlines are what moves it.
 */
#ifndef TESTS_UNIT_PKTGEN_MOBILE_NODE_PLAYED_AGENT_H
#define TESTS_UNIT_PKTGEN_MOBILE_NODE_PLAYED_AGENT_H

#include "pktgen/mobile_node/registration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define S CLOCK_NS_PER_S

struct world {
	struct registration node;
	struct clock_now now;
	/* what the node sent last */
	uint8_t request[512];
	size_t request_length;
	be32 request_source;
	struct mip4_message parsed;
	unsigned requests;
	monotonic request_at[64];
	/* what it told */
	struct registration_event last, history[64];
	unsigned events;
	uint32_t random;
	/* what the home agent does */
	int32_t agent_clock_offset_s;
	uint16_t agent_lifetime_s;
};

struct answer {
	uint8_t code;
	uint64_t identification; /* 0: as the request's */
	uint16_t lifetime_s;
	be32 home_address; /* 0: as the request's */
	bool tnc, tnc_behind, udp, no_authentication, bad_authenticator, two_authentications;
	uint16_t keepalive_s;
	uint8_t udp_code;
};

be32 v4(const char *text);
struct registration_settings settings_default(void);
void world_start(struct world *w, const struct registration_settings *settings);
/* Nanoseconds, on both clocks. */
void pass(struct world *w, uint64_t ns);
/* Lets time pass to the machine's next deadline and fires it. */
void next_deadline(struct world *w);
/* The home agent answers the last request. */
void reply(struct world *w, struct answer a);
/* What a right home agent of timestamp style would say. */
void answer_honestly(struct world *w);
/* Started, and accepted at 198.51.100.23. */
void registered_world(struct world *w);

#endif
