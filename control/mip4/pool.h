/*
 * Home address pools (HA4-DYN-03, -06). A lease is reserved before the reply leaves; freed, the
 * address is held down, so that only the same identity gets it back within that time. Every step is
 * constant time whatever the pool's size. Loop thread alone.
 */
#ifndef CONTROL_MIP4_POOL_H
#define CONTROL_MIP4_POOL_H

#include "lib/base/address.h"
#include "lib/base/clock.h"

#include <stdbool.h>

struct pool;

/* IPv4 addresses first..last, at most 2^20. NULL when out of memory or not a range. */
struct pool *pool_new(const struct ip_address *first, const struct ip_address *last);
void pool_free(struct pool *pool);
/* An address for `owner` (an identity's hash, not 0); false when there is none. `wanted` is
 * preferred when it is the owner's. */
bool pool_take(struct pool *pool, uint64_t owner, const struct ip_address *wanted, monotonic now,
	struct ip_address *out);
/* This very address (restored lease); false when another identity holds it or it is not of this
 * pool. */
bool pool_claim(struct pool *pool, uint64_t owner, const struct ip_address *address);
/* For its owner alone until `hold_until`, for anybody after it. */
void pool_release(struct pool *pool, const struct ip_address *address, monotonic hold_until);
bool pool_contains(const struct pool *pool, const struct ip_address *address);
/* Addresses in all, those leased, those free but held down. */
uint32_t pool_size(const struct pool *pool);
uint32_t pool_leased(const struct pool *pool);
uint32_t pool_held(const struct pool *pool, monotonic now);
/* Notes whether the pool is nearly empty; true when it just became so. */
bool pool_alarm(struct pool *pool, bool high);

#endif
