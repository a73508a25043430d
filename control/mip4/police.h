/*
 * Token buckets before any HMAC (HA4-OPS-30): per source address and port, per source address, per
 * instance. The tables are of fixed size; a new source takes the place of the one silent longest in
 * its set, so a flood from made-up sources costs memory nobody else needs and the instance's own
 * bucket holds it. Loop thread alone.
 */
#ifndef CONTROL_MIP4_POLICE_H
#define CONTROL_MIP4_POLICE_H

#include "config/config.h"
#include "control/mip4/token_bucket.h"

enum police_result { POLICE_PASS, POLICE_ENDPOINT, POLICE_SOURCE, POLICE_INSTANCE };

struct police;

/* 0 or -ENOMEM. The seed keeps sources from choosing their set. */
int police_new(uint64_t hash_seed, struct police **out);
void police_free(struct police *police);
/* Takes one token from each bucket that is configured (rate not 0), or from none. */
enum police_result police_request(struct police *police, const struct config_instance *config,
	uint16_t instance, const struct ip_address *source, be16 port, monotonic now);

#endif
