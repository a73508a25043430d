/*
 * The other side of a profile: the sections of homeport's configuration (config/config.h) that make
 * a gateway agree with the generator: mobile nodes with their keys, security associations and
 * policies for each peer, routes and neighbours. What is left to the gateway's operator are its
 * ports, named as the profile names them, and its home agent with the nodes' home network.
 *
 * Keys are written in clear: the files are made readable for their owner alone. Any thread.
 */
#ifndef PKTGEN_GENERATOR_GATEWAY_CONFIG_H
#define PKTGEN_GENERATOR_GATEWAY_CONFIG_H

#include "pktgen/generator/population.h"

#include <stdio.h>

void gateway_config_write(const struct population *population, FILE *out);
/*
 * The keys of all security associations as lines of Wireshark's esp_sa table, so that tshark opens
 * and checks captures; left out are suites that it does not know and extended numbers, whose high
 * half it would have to be told.
 */
void gateway_config_keys_write(const struct population *population, FILE *out);
/* Whether a group's keys stand there; true without ESP. */
bool gateway_config_keys_has(const struct profile_group *group);

/* The fewest prefixes that hold `count` addresses from `first` on and no other: calls `each`. */
void gateway_config_prefixes(const struct ip_address *first, uint32_t count,
	void (*each)(void *context, const struct ip_prefix *prefix), void *context);

#endif
