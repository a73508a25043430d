/*
 * The crypto of the whole process: a library for the main lcore, which expands keys, and a library
 * and an engine for each worker; all of the same architecture, opened one after another, each
 * proved by the known answers before the first packet (ESP-ALG-26).
 */
#ifndef DATAPLANE_CRYPTO_WORKERS_H
#define DATAPLANE_CRYPTO_WORKERS_H

#include "dataplane/crypto/library.h"

struct crypto_engine;
struct crypto_workers;

#define CRYPTO_TEXT_SIZE 64

/*
 * Opens them; LIBRARY_SHARED for all workers on one copy (to measure what the copies gain). NULL on
 * failure with one sentence in `error` (LIBRARY_ERROR_SIZE octets): then do not start. Main lcore.
 */
struct crypto_workers *crypto_workers_new(unsigned workers, enum library_copy copy, char *error);
/* When no worker runs any more. NULL is nothing. */
void crypto_workers_free(struct crypto_workers *crypto);

/* The main lcore's library, for crypto_key_expand. */
struct crypto_library *crypto_workers_library(struct crypto_workers *crypto);
/* A worker's engine, for that worker alone. */
struct crypto_engine *crypto_workers_engine(struct crypto_workers *crypto, unsigned worker);
/* "AVX512 VAES, IPsec-MB 1.3.0, private copies", for logs and "show status". At most
 * CRYPTO_TEXT_SIZE octets with the NUL. */
const char *crypto_workers_text(const struct crypto_workers *crypto);

#endif
