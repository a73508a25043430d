/* What files of scenarios begin with: cmocka, the pieces of configs.h, and how a home ends. */
#ifndef TESTS_SCENARIO_SCENARIO_H
#define TESTS_SCENARIO_SCENARIO_H

#include "control/mip4/reply.h"
#include "tests/scenario/configs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t udp_half_bound[8] __attribute__((unused)) = {144, 6, 0, 0, 0x40, 0, 0, 0};

static inline void end(struct home *h)
{
	assert_true(mip4_counters_balance(h->engine)); // HA4-BAD-01
	assert_int_equal(h->live_count, binding_cache_count(mip4_show_cache(h->engine)));
	home_free(h);
}

/* The code of the reply, -1 when there is none. */
static inline int receive_code(struct home *h, const struct punt_record *record)
{
	struct mip4_message reply;

	h->sent_count = 0;
	home_receive(h, record);
	return home_reply(h, &reply) ? reply.reply.code : -1;
}

/* Where an extension of this type lies among the reply's; -1 none. */
static inline int in_reply(const struct home *h, uint8_t type)
{
	struct mip4_message reply;

	return home_reply(h, &reply) ? mip4_extension_find(&reply, type, 0) : -1;
}

#endif
