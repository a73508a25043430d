/*
 * Known answers, checked at start on the architecture that the library chose (ESP-ALG-26): every
 * suite encrypts fixed packets, short and long, with and without ESN, to the ICV that an
 * independent implementation gave; decrypts them again; and refuses them with one bit changed.
 */
#ifndef DATAPLANE_CRYPTO_KNOWN_ANSWER_H
#define DATAPLANE_CRYPTO_KNOWN_ANSWER_H

struct crypto_engine;
struct crypto_library;

/*
 * Checks all suites; returns how many failed and writes the first one's name into *first (may be
 * NULL). A suite that failed is withdrawn: suite_find refuses it. The caller refuses to start.
 * Main lcore.
 */
unsigned known_answer_check(
	struct crypto_library *library, struct crypto_engine *engine, const char **first);

#endif
