/*
 * Time as a value. Code that decides takes `struct clock_now` (or one of its fields) as an
 * argument; only the loops call clock_read. So scenarios, vectors and fuzzers run in simulated
 * time.
 *
 * CLOCK_MONOTONIC is one clock for all processes of a machine: a deadline may cross the shared
 * region.
 */
#ifndef LIB_BASE_CLOCK_H
#define LIB_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_S 1000000000ull
#define CLOCK_NEVER    UINT64_MAX
/* RFC 5944 5.7.1: NTP seconds = Unix seconds + this, modulo 2^32. */
#define CLOCK_NTP_UNIX_OFFSET_S 2208988800u

typedef uint64_t monotonic; /* nanoseconds of CLOCK_MONOTONIC; CLOCK_NEVER is no deadline */

struct clock_now {
	monotonic monotonic_ns;
	uint64_t wall_ns; /* nanoseconds since 1970-01-01 UTC; for Identification and revocation
			     timestamps alone */
};

static inline struct clock_now clock_read(void)
{
	struct timespec m, w;
	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_REALTIME, &w);
	return (struct clock_now){
		.monotonic_ns = (uint64_t)m.tv_sec * CLOCK_NS_PER_S + (uint64_t)m.tv_nsec,
		.wall_ns = (uint64_t)w.tv_sec * CLOCK_NS_PER_S + (uint64_t)w.tv_nsec,
	};
}

/* Seconds since 1900 modulo 2^32 (RFC 5944 5.7.1). */
static inline uint32_t clock_ntp_seconds(uint64_t wall_ns)
{
	return (uint32_t)(wall_ns / CLOCK_NS_PER_S + CLOCK_NTP_UNIX_OFFSET_S);
}

/* 32.32 NTP timestamp, high half seconds. */
static inline uint64_t clock_ntp_timestamp(uint64_t wall_ns)
{
	uint64_t fraction = ((wall_ns % CLOCK_NS_PER_S) << 32) / CLOCK_NS_PER_S;
	return (uint64_t)clock_ntp_seconds(wall_ns) << 32 | fraction;
}

#endif
