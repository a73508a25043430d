#include "dataplane/input/ike.h"

#include "dataplane/limiter.h"

#include <stdlib.h>

#define NEIGHBOURHOODS 4096
#define SPIS           16 /* octets of both, at the begin of the header (RFC 7296 3.1) */

struct budget {
	struct limiter *limiter; /* NULL: no limit */
	uint64_t interval_tsc;
	uint32_t burst;
};

struct ike_police {
	struct budget all, source, begin;
};

/* A second's worth at once. */
static bool budget_init(struct budget *budget, uint32_t slots, uint32_t rate, uint64_t tsc_hz)
{
	if (rate == 0)
		return true;
	budget->limiter = limiter_new(slots);
	budget->interval_tsc = tsc_hz / rate;
	budget->burst = rate;
	return budget->limiter != NULL;
}

struct ike_police *ike_police_new(
	uint32_t rate, uint32_t source_rate, uint32_t begin_rate, uint64_t tsc_hz)
{
	struct ike_police *police = calloc(1, sizeof(*police));

	if (police == NULL)
		return NULL;
	if (budget_init(&police->all, 1, rate, tsc_hz) &&
		budget_init(&police->source, NEIGHBOURHOODS, source_rate, tsc_hz) &&
		budget_init(&police->begin, 1, begin_rate, tsc_hz))
		return police;
	ike_police_free(police);
	return NULL;
}

void ike_police_free(struct ike_police *police)
{
	if (police == NULL)
		return;
	limiter_free(police->all.limiter);
	limiter_free(police->source.limiter);
	limiter_free(police->begin.limiter);
	free(police);
}

static bool pass(struct worker *worker, const struct budget *budget, uint64_t key)
{
	return budget->limiter == NULL || limiter_pass(budget->limiter, key, worker->now_tsc,
						  budget->interval_tsc, budget->burst);
}

static uint64_t neighbourhood(const struct ip_address *source)
{
	uint64_t prefix;

	if (ip_address_is_v4(source))
		return ip_address_v4(source) & RTE_BE32(0xffffff00);
	memcpy(&prefix, source->bytes, sizeof(prefix));
	return prefix & RTE_BE64(UINT64_C(0xffffffffffffff00));
}

static bool begins(struct rte_mbuf *packet, uint32_t at)
{
	uint64_t responder;

	if (!packet_pull(packet, at + SPIS))
		return true; /* too short for either */
	memcpy(&responder, rte_pktmbuf_mtod_offset(packet, const uint8_t *, at + 8), 8);
	return responder == 0;
}

enum drop_reason ike_police_pass(struct worker *worker, struct rte_mbuf *packet, uint32_t at)
{
	const struct ike_police *police = worker->ike_police;

	/* The narrowest first: what one neighbourhood has too many is not taken from the rest. */
	if (pass(worker, &police->source, neighbourhood(&packet_get(packet)->source)) &&
		(!begins(packet, at) || pass(worker, &police->begin, 0)) &&
		pass(worker, &police->all, 0))
		return DROP_NONE;
	return DROP_ipsec_punt_limit;
}
