/*
 * Contradictions between a profile's settings, and what is derived from several of them: indices of
 * ports, defaults of sizes, keys made from the seed.
 */
#ifndef PKTGEN_GENERATOR_PROFILE_CHECK_H
#define PKTGEN_GENERATOR_PROFILE_CHECK_H

#include "config/loader.h"
#include "pktgen/generator/profile.h"

/* 0, or -EINVAL with loader->error. */
int profile_check(struct loader *loader, struct profile *profile);

#endif
