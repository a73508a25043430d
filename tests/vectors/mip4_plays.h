/*
 * What is done with each vector of the signalling: it goes through the home agent engine at its own
 * clock, and what leaves and what is bound is compared.
 */
#ifndef TESTS_VECTORS_MIP4_PLAYS_H
#define TESTS_VECTORS_MIP4_PLAYS_H

#include "control/mip4/counters.h"

#include <stddef.h>
#include <stdint.h>

struct vector {
	const char *name;
	uint8_t bytes[1600];
	size_t length;
	uint64_t clock_unix; /* 0: none */
};

/* By the beginning of its name; there is one. Of mip4_vectors_test.c. */
const struct vector *vector_find(const char *prefix);

/* One vector, one code. */
void play_code(const char *name, int want);
void play_encapsulation(const char *name, uint8_t encapsulation);
/* Nothing leaves, exactly this reason counts, nothing is bound (HA4-BAD-02). */
void play_drop(const char *name, enum mip4_counter reason);
/* Code 131. */
void play_authentication(const char *name);
/* Those with more to them, by the vector. */
void play_v01(void);
void play_v03(void);
void play_v08(void);
void play_v12(void);
void play_v14(void);
void play_v18(void);
void play_v20(void);
void play_v25(void);
void play_v38(void);
void play_v30(void);
void play_v32(void);
void play_v33(void);
void play_n13(void);
void play_n20(void);
void play_v10(void);
void play_v11(void);

#endif
