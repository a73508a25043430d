/*
 * Judges a registration reply as the node would (RFC 5944 3.6.2, RFC 3519 3.1): where it came from
 * and went to, its authenticator, its code, the UDP tunnel that a NAT needs. Pure; any thread.
 */
#ifndef PKTGEN_GENERATOR_REPLY_H
#define PKTGEN_GENERATOR_REPLY_H

#include "lib/wire/mip4.h"
#include "pktgen/generator/inspect.h"
#include "pktgen/generator/population.h"
#include "pktgen/mobile_node/authenticator.h"

enum reply_verdict { /* the first that applies */
	REPLY_BAD_ADDRESS,
	REPLY_BAD_AUTHENTICATOR,
	REPLY_DENIED,
	REPLY_BAD_TUNNEL, /* accepted, but without the UDP tunnel */
	REPLY_GOOD,
};

/* `message` is a reply to `node`, `end` its addresses and ports. */
enum reply_verdict reply_check(const struct population_group *group, uint32_t node,
	enum authenticator_algorithm algorithm, const struct mip4_message *message,
	const struct inspect_end *end);

#endif
