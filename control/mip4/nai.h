/*
 * Network access identifiers, "user@realm" (RFC 4282, RFC 2794): octets, not strings; the user part
 * compares octet by octet, the realm without case (HA4-DYN-02).
 */
#ifndef CONTROL_MIP4_NAI_H
#define CONTROL_MIP4_NAI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool nai_equal(const char *a, size_t a_length, const char *b, size_t b_length);
/* Equal ones have equal hashes. */
uint64_t nai_hash(const char *nai, size_t length);
/* user@realm, realm and user not empty, no NUL, at most 253 octets (HA4-DYN-01). A user without
 * realm is accepted. */
bool nai_valid(const char *nai, size_t length);
/* The "@" before the realm; NULL without one. */
const char *nai_realm(const char *nai, size_t length);

#endif
