/*
 * One bucket of tokens, kept in thousandths, so that small rates need no fractions. The rate is the
 * caller's and may change from one question to the next.
 */
#ifndef CONTROL_MIP4_TOKEN_BUCKET_H
#define CONTROL_MIP4_TOKEN_BUCKET_H

#include "lib/base/clock.h"

#include <stdbool.h>

struct token_bucket {
	monotonic at_ns;
	uint64_t milli;
	bool started;
};

/* Fills it up to `now` (`rate` tokens a second, at most `burst`); true: one may be taken. */
bool token_bucket_peek(struct token_bucket *bucket, uint32_t rate, uint32_t burst, monotonic now);
/* After a peek that said so. */
void token_bucket_take(struct token_bucket *bucket);

#endif
