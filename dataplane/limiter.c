#include "dataplane/limiter.h"

#include <stdlib.h>

struct slot {
	uint64_t full_at; /* tsc */
};

struct limiter {
	uint32_t mask;
	struct slot slots[];
};

struct limiter *limiter_new(uint32_t slots)
{
	struct limiter *limiter = calloc(1, sizeof(*limiter) + slots * sizeof(struct slot));

	if (limiter != NULL)
		limiter->mask = slots - 1;
	return limiter;
}

void limiter_free(struct limiter *limiter)
{
	free(limiter);
}

bool limiter_pass(struct limiter *limiter, uint64_t key, uint64_t now_tsc, uint64_t interval_tsc,
	uint32_t burst)
{
	struct slot *slot = &limiter->slots[(key * 0x9e3779b97f4a7c15u >> 32) & limiter->mask];
	uint64_t full_at = slot->full_at > now_tsc ? slot->full_at : now_tsc;

	if (full_at - now_tsc > (burst - 1) * interval_tsc)
		return false;
	slot->full_at = full_at + interval_tsc;
	return true;
}
