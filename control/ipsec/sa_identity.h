/*
 * Whose numbers and window a line of the region holds (lib/ipc/sa_state.h): 64 bits of a SHA-256
 * over SPI, direction, algorithm and keys. It tells an SA from any other, and says nothing of the
 * keys that could not be had by guessing all of them. Never 0. Pure.
 */
#ifndef CONTROL_IPSEC_SA_IDENTITY_H
#define CONTROL_IPSEC_SA_IDENTITY_H

#include "control/ipsec/sa_database.h"

void sa_identity(const struct sa_command *command, const struct sa_keys *keys, uint32_t out[2]);

#endif
