#include "control/mip4/token_bucket.h"

bool token_bucket_peek(struct token_bucket *b, uint32_t rate, uint32_t burst, monotonic now)
{
	uint64_t full = (uint64_t)burst * 1000;

	if (!b->started || now < b->at_ns) {
		b->started = true;
		b->milli = full;
	} else {
		uint64_t elapsed_ms = (now - b->at_ns) / 1000000;
		uint64_t gain = elapsed_ms > 3600000 ? full : elapsed_ms * rate;
		b->milli = b->milli + gain > full ? full : b->milli + gain;
		now = b->at_ns + elapsed_ms * 1000000; /* the rest of a millisecond is not lost */
	}
	b->at_ns = now;
	return b->milli >= 1000;
}

void token_bucket_take(struct token_bucket *b)
{
	b->milli = b->milli > 1000 ? b->milli - 1000 : 0;
}
