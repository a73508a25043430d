/*
 * ICVs of two fixed packets for each suite, by an independent implementation
 * (tests/vectors/known_answers.py). For known_answer.c.
 */
#ifndef DATAPLANE_CRYPTO_KNOWN_ANSWER_TABLE_H
#define DATAPLANE_CRYPTO_KNOWN_ANSWER_TABLE_H

#include <stdint.h>

struct known_answer {
	const char *suite; /* struct suite's name */
	uint8_t icv[2][32];
};

extern const struct known_answer known_answer_table[];
extern const unsigned known_answer_table_count;

#endif
